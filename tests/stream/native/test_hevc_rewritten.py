"""What x265 never writes is bit-exact: merge regions, long-term references, drawn lists, collocated pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Dict

import pytest

from tests.stream.hevc_truth import check_hevc, nal_units
from tests.stream.known_clips import encode
from tests.stream.x264_matrix import moving_content
from tests.stream.x265_rewritten import PLAIN, Rewriting, rewrite

PICTURES = 10
_FULL = "rect=1:amp=1:subme=3:rd=3:qp=24:limit-modes=0:limit-refs=0:early-skip=0:rskip=0:max-merge=5:ref=4"
_CLIPS = {
    "forward": "bframes=0",
    "both_ways": "bframes=3:b-adapt=0",
    "small_blocks": "bframes=2:b-adapt=0:ctu=16",
}
_REWRITINGS = {
    "regions_of_8": Rewriting(parallel_merge_log2=3),
    "regions_of_16": Rewriting(parallel_merge_log2=4),
    "long_term": Rewriting(long_term=True),
    "lists": Rewriting(lists=True),
    "collocated": Rewriting(collocated=True),
    "all": Rewriting(seed=1, parallel_merge_log2=3, long_term=True, lists=True, collocated=True),
}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Path]:
    folder = tmp_path_factory.mktemp("x265")
    pictures = moving_content((120, 208), PICTURES)
    return {
        name: encode(folder / f"{name}.hevc", pictures, "libx265", {"x265-params": f"{PLAIN}:{_FULL}:{parameters}"})
        for name, parameters in _CLIPS.items()
    }


@pytest.mark.parametrize("rewriting", list(_REWRITINGS))
@pytest.mark.parametrize("clip", list(_CLIPS))
def test_rewritten_streams(clips: Dict[str, Path], tmp_path: Path, clip: str, rewriting: str) -> None:
    path = rewrite(clips[clip], _REWRITINGS[rewriting], tmp_path)
    assert path.read_bytes() != clips[clip].read_bytes()
    report = check_hevc(path)
    assert report.extraction == "native" and report.pictures == PICTURES
    assert report.whole, report
    assert report.inter_samples > 0 and (report.both_lists > 0) == (clip != "forward")


def test_what_is_not_rewritten_stays(clips: Dict[str, Path], tmp_path: Path) -> None:
    for path in clips.values():
        rewritten = rewrite(path, Rewriting(), tmp_path).read_bytes()
        assert list(nal_units(rewritten, 0)) == list(nal_units(path.read_bytes(), 0))
