"""What is written fits every picture, in letters that there are."""

from __future__ import annotations

import numpy as np
import pytest

from edgecvar.sinks import font
from edgecvar.sinks.caption import Caption, clock_time, draw_caption, text_size
from edgecvar.sinks.font import text_ink

LONG = "a label of a length that no picture of this width has room for, not even a large one, however small it is set"
SIZES = [(16, 16), (120, 160), (256, 340), (854, 480), (720, 1280), (2160, 3840)]


def drawn(size, top, **options):
    picture = np.full((*size, 3), 120, np.uint8)
    draw_caption(picture, Caption(top, options.pop("seconds", 12.34), **options))
    return picture


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("label", ["left", LONG, "", "\u4e2d\u6587", "\u0639\u0631\u0628\u064a", "\x1b[1m\u202e"])
def test_any_label_fits_into_any_picture(size, label):
    picture = drawn(size, [(label, 0.5), ("b", 0.3), ("c", 0.2)], rate=1234.5, note="untrained")
    assert picture.max() > 200  # text
    inside = max(1, text_size(picture) // 2)
    assert (picture[-inside:, -inside:] == 120).all() or min(size) < 100


@pytest.mark.parametrize("size", SIZES[1:])
def test_bars_are_as_long_as_the_shares_the_best_on_top(size):
    picture = drawn(size, [("a", 1.0), ("b", 0.5), ("c", 0.25)])
    green = (picture[..., 1].astype(int) - picture[..., 0] > 40) & (picture[..., 1].astype(int) - picture[..., 2] > 20)
    blue = picture[..., 2].astype(int) - picture[..., 0] > 40
    rows = np.flatnonzero(green.any(axis=1))
    full = np.ptp(np.flatnonzero(green.any(axis=0)))
    assert full == pytest.approx(min(size[1] - 2 * (text_size(picture) // 2), 18 * text_size(picture)), abs=2)
    below = np.flatnonzero(blue.any(axis=1))
    assert below.min() > rows.max() - 2
    assert np.ptp(np.flatnonzero(blue.any(axis=0))) == pytest.approx(full / 2, abs=3)
    assert size[0] - text_size(picture) < below.max() < size[0]


def test_before_the_first_decision_there_is_the_time_alone():
    picture = drawn((256, 340), ())
    assert (picture[60:] == 120).all() and (picture[:40, :80] != 120).any() and (picture[:, 170:] == 120).all()
    assert (drawn((256, 340), (), rate=30.0)[:40, 250:] != 120).any()


@pytest.mark.parametrize(
    "seconds, text", [(0, "0.0 s"), (59.94, "59.9 s"), (59.96, "1:00.0"), (61.25, "1:01.2"), (3725.5, "1:02:05.5")]
)
def test_times_are_read_as_clocks(seconds, text):
    assert clock_time(seconds) == text


def test_text_is_set_smaller_before_it_is_cut_and_never_wider_than_told():
    whole = text_ink("standing still", 20)
    assert text_ink("standing still", 20, whole.shape[1]).shape == whole.shape
    smaller = text_ink("standing still", 20, whole.shape[1] - 10)
    assert smaller.shape[0] < whole.shape[0] and smaller.shape[1] <= whole.shape[1] - 10
    for width in (1, 7, 30, 90):
        assert text_ink(LONG, 20, width).shape[1] <= width
    assert text_ink(LONG, 20, 90).any()


@pytest.mark.parametrize(
    "text, shown", [("na\u00efve", "naive"), ("\u017b\u00f3", "Zo"), ("\u4e2d", "\\u4e2d"), ("a\x1b", "a\\x1b")]
)
def test_letters_that_no_font_has_are_replaced_where_one_sees_it(monkeypatch, text, shown):
    monkeypatch.setattr(font, "_system_font", lambda signs: None)
    assert (text_ink.__wrapped__(text, 24) == text_ink(shown, 24)).all()


def test_a_font_of_the_system_is_taken_where_it_has_the_letters(monkeypatch, tmp_path):
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    monkeypatch.setattr(font, "FOLDERS", (str(tmp_path),))
    font._system_fonts.cache_clear()
    try:
        assert font._system_font.__wrapped__("\u4e2d") is None
        assert [file.name for file in font._system_fonts()] == ["broken.ttf"]
    finally:
        font._system_fonts.cache_clear()


def test_a_user_without_a_home_has_fonts_too(monkeypatch):
    """As in a container, under a number that no name belongs to."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda number: {}[number])
    assert all(file.suffix for file in font._font_files())
