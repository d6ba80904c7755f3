"""Names of clips, and what is removed of them."""

from __future__ import annotations

import os

import pytest

from edgecvar.errors import ConfigError
from edgecvar.sinks.clips.folder import NAME, clip_name, duration, file_size, prune

NOW = 1_800_000_000.0


def put(folder, number, age, size=100):
    path = folder / clip_name("cam.mp4", "wave", number)
    path.write_bytes(bytes(size))
    os.utime(path, (NOW - age, NOW - age))
    return path


@pytest.mark.parametrize(
    "source, label, seconds, wall, name",
    [
        ("a/front door.mp4", "Wave!", 3725.0625, None, "front-door_01h02m05.062s_Wave.mp4"),
        (
            "rtsp://me:pw@10.0.0.1:554/h264?token=x",
            "a/b\\..",
            1,
            NOW,
            "rtsp-10.0.0.1-554-h264_20270115T080000.000Z_a-b.mp4",
        ),
        ("-", "../../etc", 0, None, "stdin_00h00m00.000s_etc.mp4"),
        ("\u732b.mp4", "\u732b", -1, None, "unnamed_00h00m00.000s_unnamed.mp4"),
        ("x" * 300, "y" * 300, 360_000, None, f"{'x' * 60}_100h00m00.000s_{'y' * 60}.mp4"),
    ],
)
def test_a_name_is_one_part_of_a_path_and_known_again(source, label, seconds, wall, name):
    assert clip_name(source, label, seconds, wall) == name and NAME.fullmatch(name)


def test_old_clips_go(tmp_path):
    old, young = put(tmp_path, 1, age=3601), put(tmp_path, 2, age=3599)
    assert prune(tmp_path, 3600, None, NOW) == [old] and list(tmp_path.iterdir()) == [young]


def test_the_oldest_go_until_the_rest_is_no_larger(tmp_path):
    paths = [put(tmp_path, number, age=100 - number) for number in range(5)]
    assert prune(tmp_path, None, 250, NOW) == paths[:3]
    assert prune(tmp_path, None, 10, NOW) == paths[3:4]  # the newest stays


def test_what_is_not_a_clip_stays(tmp_path):
    others = [tmp_path / name for name in ("holiday.mp4", "a_00h00m01.000s_b.mp4.txt", ".a_00h00m01.000s_b.mp4.draft")]
    for other in others:
        other.write_bytes(bytes(1000))
        os.utime(other, (0, 0))
    (tmp_path / "a_00h00m01.000s_link.mp4").symlink_to(others[0])
    (tmp_path / "a_00h00m01.000s_folder.mp4").mkdir()
    assert prune(tmp_path, 1, 1, NOW) == [] and len(list(tmp_path.iterdir())) == 5


def test_quantities_in_words():
    assert [duration(text) for text in ("90s", "1.5h", "7d", "2 W")] == [90, 5400, 604_800, 1_209_600]
    assert [file_size(text) for text in ("1kb", "500MB", "2GB", "1GiB")] == [1000, 5 * 10**8, 2 * 10**9, 2**30]
    for wrong in ("", "7", "-1d", "1e9s", "1y"):
        with pytest.raises(ConfigError, match="expected a duration such as"):
            duration(wrong)
