"""A terminal gets a bar; elsewhere long work says every few seconds how far it is, and short work nothing."""

from __future__ import annotations

import io
import threading
import time

import pytest

from edgecvar import progress
from edgecvar.console import Console
from edgecvar.progress import StepBar, tracked


def wait_for(capsys, text):
    """What was said until `text` was among it."""
    said = ""
    for _ in range(500):
        said += capsys.readouterr().err
        if text in said:
            return said
        time.sleep(0.01)
    raise AssertionError(said)


def test_a_step_that_takes_long_is_told_again_and_again(capsys, monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL", 0.01)
    with StepBar("starting") as bar:
        wait_for(capsys, "starting, 0 s\n")
        bar.show(3, 12, "clips")
        wait_for(capsys, "clips: 3 of 12, 0 s\n")
        bar.show(0, 0, "fuse\x1b")
        wait_for(capsys, "fuse\\x1b, 0 s\nfuse\\x1b, 0 s\n")
    assert not any(thread.name == "progress" for thread in threading.enumerate())


def test_a_terminal_gets_a_bar(capsys):
    out = io.StringIO()
    with StepBar("starting", Console(file=out, force_terminal=True, width=100)) as bar:
        bar.show(3, 12, "clips [b]\x1b")
    assert "clips [b]\\x1b" in out.getvalue() and " 3/12" in out.getvalue()
    assert capsys.readouterr() == ("", "")


def test_short_work_says_nothing_and_gives_every_result(capsys):
    assert list(tracked(iter("abc"), 3, "letters")) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")


def test_the_lines_end_with_the_work_also_where_it_fails():
    with pytest.raises(ZeroDivisionError), StepBar():
        1 / 0  # noqa: B018
    assert not any(thread.name == "progress" for thread in threading.enumerate())


def test_the_phases_of_training_are_told(capsys, monkeypatch):
    from edgecvar.train.progress import JsonListener, TerminalListener

    monkeypatch.setattr(progress, "INTERVAL", 0.01)
    for listener in (TerminalListener(), JsonListener()):
        with listener.phase("epoch 1 of 9", 40):
            for _ in range(7):
                listener.step(0.5)
            wait_for(capsys, "epoch 1 of 9, loss 0.500: 7 of 40, 0 s\n")
