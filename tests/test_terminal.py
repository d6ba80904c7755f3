"""Text that leaves the program moves no cursor, and a document still holds what it held."""

from __future__ import annotations

import io
import json
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from edgecvar.console import Console
from edgecvar.terminal import json_line, own_output, printable, say

ANYTHING = st.text(st.characters(), max_size=20)


@given(ANYTHING)
def test_any_text_becomes_one_line_that_can_be_encoded(text):
    assert printable(text).isprintable()
    printable(text).encode()
    if text.isprintable():
        assert printable(text) == text


@given(st.dictionaries(ANYTHING, ANYTHING | st.floats(allow_nan=False)))
def test_a_document_is_one_line_and_holds_what_it_held_but_for_bytes_of_names(document):
    line = json_line(document)
    assert line.isprintable()

    def as_read(value):
        return "".join(printable(sign) if 0xD800 <= ord(sign) <= 0xDFFF else sign for sign in value)

    # Escaped, two names may be one.
    expected = {as_read(key): as_read(value) if isinstance(value, str) else value for key, value in document.items()}
    assert json.loads(line) == expected


def test_strings_are_no_markup_and_are_laid_out_as_they_are_shown():
    from rich.table import Table

    out = io.StringIO()
    console = Console(file=out)
    table = Table(box=None, pad_edge=False, title="[red]\x1b", title_justify="left")
    table.add_column("a\n")
    table.add_column("b")
    table.add_row("[bold]:car:\x1b[1m\u202e", "x")
    console.print(table)
    console.print("[bold]" + "long " * 60 + "\r")
    lines = out.getvalue().split("\n")
    assert lines[0].rstrip() == "[red]\\x1b"
    assert lines[1].split() == ["a\\n", "b"]
    assert lines[2].split() == ["[bold]:car:\\x1b[1m\\u202e", "x"]
    assert lines[1].rindex("b") == lines[2].rindex("x")
    assert lines[3] == "[bold]" + "long " * 60 + "\\r"


def test_what_libraries_print_is_kept_out_of_our_output():
    program = (
        "import os, sys\n"
        "from edgecvar.terminal import own_output\n"
        "print('before')\n"
        "with own_output() as out:\n"
        "    out.write('ours \\u00fc\\n')\n"
        "    os.write(1, b'theirs\\n')\n"
        "    out.flush()\n"
        "    os.write(1, b'theirs again\\n')\n"
        "os.write(1, b'after\\n')\n"
    )
    done = subprocess.run([sys.executable, "-X", "utf8", "-c", program], capture_output=True, timeout=60, check=True)
    assert done.stdout.decode() == "before\nours ü\nafter\n"
    assert done.stderr == b"theirs\ntheirs again\n"


def test_output_that_is_no_file_of_the_system_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with own_output() as out:
        assert out is sys.stdout


def test_a_line_is_written_at_once_so_that_no_thread_writes_between_it_and_its_end(monkeypatch):
    class Written(io.StringIO):
        def write(self, text):
            pieces.append(text)
            return super().write(text)

    pieces = []
    monkeypatch.setattr(sys, "stderr", Written())
    say("one line", err=True)
    assert [piece for piece in pieces if piece] == ["one line\n"]
