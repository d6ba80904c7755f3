"""Folders of the shape that data sets are published in, of small videos made in the test."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Callable, Dict, Iterable, Optional, Tuple

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Look = Callable[[int], NDArray[np.uint8]]
"""The picture of each number, uint8 RGB."""
FORMS = {".avi": ("mpeg4", {"bf": "2"}), ".mp4": ("libx264", {"preset": "ultrafast"}), ".webm": ("libvpx-vp9", {})}
VP9 = {"deadline": "realtime", "cpu-used": "8"}


def moving(size: Tuple[int, int] = (64, 48), seed: int = 0, step: int = 2) -> Look:
    """Blocks of (width, height) in all that go to the right."""
    width, height = size
    tiles = np.random.default_rng(seed).integers(0, 255, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    texture = np.kron(tiles, np.ones((8, 8, 1), np.uint8))[:height, :width]
    return lambda number: np.roll(texture, step * number, axis=1)


def video(
    path: Path,
    look: Optional[Look] = None,
    times: Iterable[int] = range(20),
    rate: Fraction = Fraction(25),
    audio: bool = False,
    matrix: str = "ITU601",
    **options: str,
) -> Path:
    """A file in the form that its suffix stands for, pictures at those times in 1 / rate seconds.

    `matrix`: of its YCbCr, as PyAV calls it; named in the file where it is not ITU601.
    """
    look = look or moving()
    path.parent.mkdir(parents=True, exist_ok=True)
    codec, plain = FORMS[path.suffix]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = look(0).shape[:2]
        stream.pix_fmt = "yuv444p" if stream.width % 2 or stream.height % 2 else "yuv420p"
        stream.options = {**plain, **(VP9 if codec == "libvpx-vp9" else {}), **options}
        stream.codec_context.thread_count = 1
        stream.codec_context.colorspace = {"ITU601": 2, "ITU709": 1}[matrix]
        sound = container.add_stream("aac", rate=8000) if audio else None
        for time in times:
            frame = av.VideoFrame.from_ndarray(look(time), format="rgb24")
            if matrix != "ITU601":
                frame = frame.reformat(format="yuv420p", dst_colorspace=matrix)
            frame.pts, frame.time_base = time, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            silence.rate = 8000
            container.mux(sound.encode(silence))
            container.mux(sound.encode(None))
    return path


def stills(folder: Path, pictures: int = 20, look: Optional[Look] = None) -> Path:
    """00001.jpg and so on, as Something-Something V1 has them."""
    folder.mkdir(parents=True)
    for number in range(pictures):
        Image.fromarray((look or moving())(number)).save(folder / f"{number + 1:05d}.jpg", quality=90)
    return folder


def written(folder: Path, files: Dict[str, str]) -> Path:
    """A folder of texts."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def ucf101(root: Path) -> Tuple[Path, Path]:
    """Videos and lists; two classes of two clips."""
    groups = [("ApplyEyeMakeup", 1), ("ApplyLipstick", 2)]
    for label, number in groups:
        for group in ("g01", "g08"):
            video(root / "UCF-101" / label / f"v_{label}_{group}_c01.avi", moving(seed=number))
    lists = {
        "classInd.txt": "1 ApplyEyeMakeup\n2 ApplyLipstick\n",
        "trainlist01.txt": "".join(f"{label}/v_{label}_g08_c01.avi {number}\r\n" for label, number in groups),
        "testlist01.txt": "".join(f"{label}/v_{label}_g01_c01.avi\r\n" for label, number in groups),
    }
    return root / "UCF-101", written(root / "ucfTrainTestlist", lists)


def hmdb51(root: Path) -> Tuple[Path, Path]:
    """Names with every sign that the real ones have."""
    clips = {"brush_hair": ["April_09_brush_hair_u_nm_np1_ba_goo_0", "x.y_(z)_#1_brush_hair_h_cm_np1_ri_goo_1"]}
    clips["wave"] = ["RATRACE_wave_f_nm_np1_fr_goo_37", "Prelinger_&_co_wave_f_nm_np1_le_bad_2"]
    sheets = {}
    for label, names in clips.items():
        for name in names:
            video(root / "videos" / label / f"{name}.avi")
        sheets[f"{label}_test_split1.txt"] = "".join(f"{name}.avi {part} \n" for part, name in enumerate(names, 1))
    return root / "videos", written(root / "lists", sheets)


KINETICS = "label,youtube_id,time_start,time_end,split\n"


def kinetics(root: Path) -> Tuple[Path, Path]:
    """One trimmed download, one that was not trimmed, one of which two stretches are named."""
    rate = Fraction(5)
    video(root / "k400/train/air_drumming/-a_bcdefghi_000005_000015.mp4", rate=rate, times=range(50))
    video(root / "k400/train/yoga/untrimmed__.mp4", rate=rate, times=range(150), g="10")
    video(root / "k400/val/yoga/twice______.mp4", rate=rate, times=range(200), g="10")
    lists = {
        "train.csv": KINETICS + '"air drumming",-a_bcdefghi,5,15,train\nyoga,untrimmed__,4,14,train\n',
        "val.csv": KINETICS + "yoga,twice______,2,12,val\nyoga,twice______,20,30,val\n",
    }
    return root / "k400", written(root / "k400/annotations", lists)


TEMPLATES = {"Pushing [something]": "1", "Holding [something] next to [something]": "0"}


def something_v2(root: Path) -> Tuple[Path, Path]:
    """VP9 in WebM, all in one folder."""
    for number in ("1", "27", "100903"):
        video(root / "20bn-something-something-v2" / f"{number}.webm", rate=Fraction(12))
    entries = [{"id": number, "template": "Pushing [something]"} for number in ("1", "27")]
    lists = {
        "labels.json": json.dumps({label.replace("[", "").replace("]", ""): n for label, n in TEMPLATES.items()}),
        "train.json": json.dumps([*entries[:1], {"id": "100903", "template": list(TEMPLATES)[1]}]),
        "validation.json": json.dumps(entries[1:]),
    }
    return root / "20bn-something-something-v2", written(root / "lists", lists)


def something_v1(root: Path) -> Tuple[Path, Path]:
    """A folder of JPEGs a clip."""
    for number in ("1", "27", "100903"):
        stills(root / "20bn-something-something-v1" / number)
    prefix = "something-something-v1-"
    lists = {
        f"{prefix}labels.csv": "Pushing something\nHolding something\n",
        f"{prefix}train.csv": "1;Pushing something\n100903;Holding something\n",
        f"{prefix}validation.csv": "27;Pushing something\n",
    }
    return root / "20bn-something-something-v1", written(root / "lists", lists)


MADE = {"ucf101": ucf101, "hmdb51": hmdb51, "kinetics": kinetics, "v2": something_v2, "v1": something_v1}
