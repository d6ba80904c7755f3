"""Ctrl-C held back, reacted to, and raised when the block is left."""

from __future__ import annotations

import signal
import threading

import pytest

from edgecvar.interrupts import Terminated, exit_code, held_interrupt, listening


def test_it_is_raised_at_the_end_and_the_handler_is_as_before():
    before = signal.getsignal(signal.SIGINT)
    steps = []
    with pytest.raises(KeyboardInterrupt), held_interrupt(lambda: steps.append("reacted")):
        signal.raise_signal(signal.SIGINT)
        steps.append("went on")
    assert steps == ["reacted", "went on"]
    assert signal.getsignal(signal.SIGINT) is before


def test_it_stands_before_an_error_that_the_reaction_caused():
    with pytest.raises(KeyboardInterrupt) as raised, held_interrupt():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("cut short")
    assert isinstance(raised.value.__context__, ValueError)


def test_without_ctrl_c_an_error_is_what_it_was():
    with pytest.raises(ValueError), held_interrupt():
        raise ValueError


def test_another_thread_holds_nothing():
    handlers = []

    def work() -> None:
        with held_interrupt():
            handlers.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [before]


def test_who_listens_is_terminated_as_by_ctrl_c_and_handlers_are_as_before():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt, match="terminated") as raised, listening():
        signal.raise_signal(signal.SIGTERM)
    assert exit_code(raised.value) == 143 and exit_code(KeyboardInterrupt()) == 130
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_termination_is_held_back_too_where_somebody_listens():
    steps = []
    with pytest.raises(Terminated), listening(), held_interrupt(lambda: steps.append("reacted")):
        signal.raise_signal(signal.SIGTERM)
        steps.append("went on")
    assert steps == ["reacted", "went on"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_is_ignored_stays_so(number):
    """As Ctrl-C is in what a script starts in the background."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with listening(), held_interrupt(pytest.fail):
            signal.raise_signal(number)
    finally:
        signal.signal(number, before)
