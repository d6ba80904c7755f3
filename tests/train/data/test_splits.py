"""Official lists in their published formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Callable, Dict, List

import pytest

from edgecvar.errors import ConfigError, DatasetError
from edgecvar.train.data.labels import load_split
from edgecvar.train.data.splits import Split, official_split
from edgecvar.train.recipe import parse_recipe
from edgecvar.train.settings import SplitSettings

pytestmark = pytest.mark.train


@pytest.fixture
def put(tmp_path: Path) -> Callable[[Dict[str, str], List[str]], None]:
    """Lists by name into lists/, empty clips into videos/."""

    def make(lists: Dict[str, str], clips: List[str]) -> None:
        for folder, names in (("lists", lists), ("videos", dict.fromkeys(clips, ""))):
            for name, text in names.items():
                file = tmp_path / folder / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)

    return make


def read(tmp_path: Path, name: str, **settings: object) -> Split:
    lists = SplitSettings.model_validate({"format": name, "files": str(tmp_path / "lists"), **settings})
    return official_split(lists, tmp_path / "videos")


def names(found: Split, part: str) -> List[str]:
    return [f"{clip.label}: {clip.path.name}" for clip in getattr(found, part)]


UCF = {
    "classInd.txt": "1 ApplyEyeMakeup\r\n2 ApplyLipstick\r\n",
    "trainlist01.txt": "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1\r\n"
    "ApplyLipstick/v_ApplyLipstick_g08_c01.avi 2\r\n",
    "testlist01.txt": "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi\r\n",
    "trainlist02.txt": "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi 1\nApplyLipstick/v_ApplyLipstick_g08_c01.avi 2\n",
    "testlist02.txt": "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi\n",
}
UCF_CLIPS = [
    "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.mp4",
    "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.mp4",
    "v_ApplyLipstick_g08_c01.avi",
]


def test_ucf101_with_clips_encoded_anew_and_in_folders_or_not(tmp_path: Path, put: Callable[..., None]) -> None:
    put(UCF, UCF_CLIPS)
    found = read(tmp_path, "ucf101")
    assert found.labels == ["ApplyEyeMakeup", "ApplyLipstick"]
    first = "ApplyEyeMakeup: v_ApplyEyeMakeup_g08_c01.mp4"
    assert names(found, "train") == [first, "ApplyLipstick: v_ApplyLipstick_g08_c01.avi"]
    assert names(found, "validation") == ["ApplyEyeMakeup: v_ApplyEyeMakeup_g01_c01.mp4"]
    assert names(read(tmp_path, "ucf101", number=2), "validation") == [first]
    with pytest.raises(DatasetError, match=r"trainlist03\.txt: cannot read"):
        read(tmp_path, "ucf101", number=3)


def test_hmdb51_leaves_out_what_is_in_neither_part(tmp_path: Path, put: Callable[..., None]) -> None:
    lists = {
        "brush_hair_test_split1.txt": "a_brush_hair_u_nm.avi 1 \nb_brush_hair_u_nm.avi 2 \nc_brush_hair.avi 0 \n",
        "cartwheel_test_split1.txt": "a_(x)_#2_cartwheel_f.avi 1 \nb.v2_cartwheel_f.avi 2 \n",
        "brush_hair_test_split2.txt": "a_brush_hair_u_nm.avi 2 \n",
    }
    put(lists, ["brush_hair/a_brush_hair_u_nm.avi", "brush_hair/b_brush_hair_u_nm.avi"])
    put({}, ["cartwheel/a_(x)_#2_cartwheel_f.mp4", "cartwheel/b.v2_cartwheel_f.mp4"])
    found = read(tmp_path, "hmdb51")
    assert found.labels == ["brush_hair", "cartwheel"]
    assert names(found, "train") == ["brush_hair: a_brush_hair_u_nm.avi", "cartwheel: a_(x)_#2_cartwheel_f.mp4"]
    assert names(found, "validation") == ["brush_hair: b_brush_hair_u_nm.avi", "cartwheel: b.v2_cartwheel_f.mp4"]


KINETICS = {
    "train.csv": "label,youtube_id,time_start,time_end,split\n"
    '"air drumming",-abc,5,15,train\nyoga,xyz,20,30,train\nyoga,xyz,40,50,train\n',
    "validate.csv": "label,youtube_id,time_start,time_end,split,is_cc\nyoga,plain,1,11,validate,0\n",
}
KINETICS_CLIPS = [
    "train/air_drumming/-abc_000005_000015.mp4",
    "train/yoga/xyz_000020_000030.mp4",
    "train/yoga/xyz_000040_000050.mp4",
    "val/yoga/plain.mkv",
]


def test_kinetics_clips_are_named_by_their_seconds_or_their_id(tmp_path: Path, put: Callable[..., None]) -> None:
    put(KINETICS, KINETICS_CLIPS)
    found = read(tmp_path, "kinetics")
    assert found.labels == ["air drumming", "yoga"]
    assert names(found, "train") == [
        "air drumming: -abc_000005_000015.mp4",
        "yoga: xyz_000020_000030.mp4",
        "yoga: xyz_000040_000050.mp4",
    ]
    assert names(found, "validation") == ["yoga: plain.mkv"]


def test_something_v1_and_v2(tmp_path: Path, put: Callable[..., None]) -> None:
    prefix = "something-something-v1-"
    put(
        {
            f"{prefix}labels.csv": "Pushing something\nHolding something, then; dropping it\n",
            f"{prefix}train.csv": "7;Holding something, then; dropping it\n12;Pushing something\n",
            f"{prefix}validation.csv": "9;Pushing something\n",
        },
        ["7.webm", "12.mp4", "9.webm"],
    )
    found = read(tmp_path, "something")
    assert found.labels == ["Pushing something", "Holding something, then; dropping it"]
    assert names(found, "train") == ["Holding something, then; dropping it: 7.webm", "Pushing something: 12.mp4"]
    entry = {"label": "holding a cup next to a box", "template": "Holding [something] next to [something]"}
    labels = {"Pushing something": "1", "Holding something next to something": "0"}
    put(
        {
            "something-something-v2-labels.json": json.dumps(labels),
            "something-something-v2-train.json": json.dumps(
                [{"id": "7", **entry}, {"id": "12", "template": "Pushing [something]"}]
            ),
            "something-something-v2-validation.json": json.dumps([{"id": "9", "template": "Pushing [something]"}]),
        },
        [],
    )
    found = read(tmp_path, "something")
    assert found.labels == ["Holding something next to something", "Pushing something"]
    assert names(found, "train") == ["Holding something next to something: 7.webm", "Pushing something: 12.mp4"]
    assert names(found, "validation") == ["Pushing something: 9.webm"]


def test_missing_clips_are_counted_and_some_are_named(tmp_path: Path, put: Callable[..., None]) -> None:
    more = "".join(f"yoga,gone{number},1,11,train\n" for number in range(8))
    put({**KINETICS, "train.csv": KINETICS["train.csv"] + more}, KINETICS_CLIPS)
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, "kinetics")
    assert "8 of the 12 clips" in str(caught.value)
    assert "yoga/gone0_000001_000011, " in str(caught.value) and "and 3 more" in str(caught.value)
    assert "gone7" not in str(caught.value) and "split.missing=skip" in str(caught.value)
    found = read(tmp_path, "kinetics", missing="skip")
    assert found.missing == 8 and len(found.train) == 3


def test_a_name_that_two_classes_share_is_taken_from_the_class_only(tmp_path: Path, put: Callable[..., None]) -> None:
    lists = {
        "a_test_split1.txt": "clip.avi 1\n",
        "b_test_split1.txt": "clip.avi 1\n",
        "c_test_split1.txt": "clip.avi 2\n",
    }
    put(lists, ["a/clip.avi", "b/clip.avi"])
    with pytest.raises(DatasetError, match=r"1 of the 3 .*: c/clip;"):
        read(tmp_path, "hmdb51")
    found = read(tmp_path, "hmdb51", missing="skip")
    assert [clip.path.parent.name for clip in found.train] == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "file", "text", "said"),
    [
        ("ucf101", "classInd.txt", "2 ApplyEyeMakeup\n", r"classInd\.txt:1: expected '1 <class>'"),
        ("ucf101", "testlist01.txt", "v_x.avi\n", r"testlist01\.txt:1: expected '<class>/<clip>'"),
        ("ucf101", "trainlist01.txt", "ApplyEyeMakeup/v_x.avi 2\n", "class number 2, but classInd.txt has another"),
        ("ucf101", "trainlist01.txt", "Yoga/v_x.avi 2\n", "class 'Yoga' is not among the 2"),
        ("kinetics", "train.csv", "label,id\nyoga,x\n", r"train\.csv:1: expected the columns label,youtube_id"),
        ("kinetics", "train.csv", "label,youtube_id,time_start,time_end,split\nyoga,x,1\n", "got 3 values, expected 5"),
        ("kinetics", "validate.csv", "label,youtube_id,time_start,time_end\nyoga,x,a,b\n", "are seconds"),
        ("hmdb51", "a_test_split1.txt", "clip.avi 3\n", "expected '<clip> 0', 1 or 2"),
        ("something", "labels.json", "[1]", "no lists of Something-Something"),
    ],
)
def test_a_file_in_another_format_is_named_with_its_line(
    tmp_path: Path, put: Callable[..., None], name: str, file: str, text: str, said: str
) -> None:
    lists = {"ucf101": UCF, "kinetics": KINETICS}.get(name, {})
    put({**lists, file: text}, UCF_CLIPS)
    with pytest.raises(DatasetError, match=said):
        read(tmp_path, name)


def test_a_recipe_reads_them(tmp_path: Path, put: Callable[..., None]) -> None:
    put(UCF, UCF_CLIPS)
    text = f"model: attp\ndata: {tmp_path}/videos\nsplit: {{format: ucf101, files: {tmp_path}/lists}}"
    split = load_split(parse_recipe(text).data)
    assert split.labels == ["ApplyEyeMakeup", "ApplyLipstick"]
    assert [clip.label for clip in split.train] == ["ApplyEyeMakeup", "ApplyLipstick"]
    assert [clip.label for clip in split.validation] == ["ApplyEyeMakeup"]
    with pytest.raises(ConfigError, match="leave validation and validation_pattern out"):
        parse_recipe(text, ["validation=x"])
    (tmp_path / "videos" / "v_ApplyLipstick_g08_c01.avi").unlink()
    with pytest.raises(DatasetError, match="no clip of class 'ApplyLipstick' is there to train on"):
        load_split(parse_recipe(text, ["split.missing=skip"]).data)
    with pytest.raises(DatasetError, match=r"split\.files=FOLDER"):
        load_split(parse_recipe(text, ["split.files=/nowhere"]).data)
