"""What is tried, in which order, and that nothing is loaded where no device file speaks of hardware."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgecvar.errors import DeviceError
from edgecvar.stream.decoders import cuda_context
from edgecvar.stream.images import choice
from tests.stream.images.intra_clips import clip


def names(decoder: str, codec: str = "h264") -> list:
    return [candidate.name for candidate in choice.candidates(decoder, codec)]


def test_hardware_is_tried_in_order_where_its_device_files_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [names(decoder) for decoder in ("auto", "software")] == [[], []]
    assert [names(decoder) for decoder in ("gstreamer", "cuda")] == [["avdec_h264"], ["cuda"]]
    assert [names(decoder, "hevc") for decoder in ("auto", "gstreamer")] == [[], ["avdec_h265"]]
    here = {"/dev/dri/renderD*", "/dev/nvidia[0-9]*"}
    monkeypatch.setattr(choice, "_any_here", lambda patterns: bool(here & set(patterns)))
    assert names("auto") == ["nvv4l2decoder", "nvh264dec", "vah264dec", "cuda"]
    assert names("gstreamer") == ["nvv4l2decoder", "nvh264dec", "vah264dec", "avdec_h264"]
    assert names("auto", "hevc") == ["nvv4l2decoder", "nvh265dec", "vah265dec", "cuda"]
    here = {"/dev/video*"}
    assert names("auto") == ["v4l2h264dec"]
    assert names("gstreamer", "hevc") == ["v4l2slh265dec", "v4l2h265dec", "avdec_h265"]


def test_device_files_are_looked_for_by_pattern(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    (tmp_path / "nvidia0").touch()
    assert choice._any_here((f"{tmp_path}/no*", f"{tmp_path}/nvidia[0-9]*"))
    assert not choice._any_here((f"{tmp_path}/nvidia[1-9]*",)) and not choice._any_here(())


def test_without_a_device_file_nothing_is_loaded(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from edgecvar.stream.images import choice, gst\n"
        "choice._any_here = lambda patterns: False\n"
        "from edgecvar.stream.reader import open_stream\n"
        "with open_stream(sys.argv[1], decoder='auto') as stream:\n"
        "    assert any(picture.image is not None for picture in stream)\n"
        "    assert stream.info.decoder_note == 'no device file speaks of a decoder in hardware'\n"
        "assert gst._loaded.cache_info().currsize == 0\n"
        "maps = open('/proc/self/maps').read()\n"
        "assert 'libav' in maps and 'libgstreamer' not in maps and 'libcuda' not in maps\n"
    )
    path = clip(tmp_path / "clip.mp4")
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_cuda_that_is_not_here_is_said_in_one_line(codec: str) -> None:
    if choice.glob.glob("/dev/nvidia[0-9]*"):
        pytest.skip("there is a GPU here")
    with pytest.raises(DeviceError, match=r"^(no CUDA device that PyAV can use \(.+\)|PyAV .+ has no HWAccel; .+)$"):
        cuda_context(codec)
