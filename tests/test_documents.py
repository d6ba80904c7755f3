"""What a document from a stranger may be: one error for everything else, at once."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecvar.documents import parse_json, read_text

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=9,
)


@settings(max_examples=25, deadline=None)
@given(PLAIN)
def test_what_json_can_say_is_read_as_json_reads_it(value: object) -> None:
    for ascii_alone in (True, False):
        assert parse_json(json.dumps(value, ensure_ascii=ascii_alone)) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": NaN}', "NaN is no number"),
        ("[-Infinity]", "-Infinity is no number"),
        ("[1e999]", "1e999 is no number, or too large a one"),
        (f"[{'9' * 1_000_000}]", "9... is too large a number"),
        ('{"a": {"b": 1, "c": 2, "b": 3}}', "key 'b' is given twice"),
        (f"{{{','.join(f'{chr(34)}{key % 99_999}{chr(34)}:1' for key in range(100_000))}}}", "key '0' is given twice"),
        (r'["\ud800"]', r"half a character ('\ud800')"),
        (r'{"\udcff": 1}', r"half a character ('\udcff')"),
        ("[" * 100_000, "more than 64"),
        ("[" * 70 + "]" * 70, "more than 64"),
        ("{", "Expecting"),
    ],
)
def test_what_is_no_json_is_named(text: str, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_json(text)
    assert said in str(caught.value)


def test_a_device_or_a_pipe_is_never_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for file in (Path("/dev/zero"), tmp_path / "pipe", tmp_path):
        with pytest.raises(ValueError, match="not a regular file"):
            read_text(file)


def test_a_file_of_the_kernels_that_waits_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as /proc/kmsg, here a pipe that is called a regular file."""
    os.mkfifo(tmp_path / "kmsg")
    writer = os.open(tmp_path / "kmsg", os.O_RDWR)
    monkeypatch.setattr("edgecvar.documents.stat.S_ISREG", lambda mode: True)
    with pytest.raises(ValueError, match="not a regular file"):
        read_text(tmp_path / "kmsg")
    os.close(writer)


def test_a_file_is_utf_8_of_a_bounded_size(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b"a\r\n\xc3\xa4")
    assert read_text(file) == "a\nä"
    file.write_bytes(b"1\xff")
    with pytest.raises(ValueError, match=r"not UTF-8 text \(byte 1\)"):
        read_text(file)
    with file.open("wb") as sparse:
        sparse.truncate(1 << 40)
    with pytest.raises(ValueError, match="larger than 16 MiB"):
        read_text(file)
