"""Text as ink on a picture, set in the font that Pillow ships, or in one of the system's for letters that it lacks."""

from __future__ import annotations

import os
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, features

from edgecvar.terminal import printable

Font = ImageFont.FreeTypeFont

SMALLEST = 10
"""Pixels of an em below which letters run into each other."""
ELLIPSIS = "…"
FOLDERS = ("~/.local/share/fonts", "~/.fonts", "/usr/local/share/fonts", "/usr/share/fonts")
MOST_FONTS = 400
"""Files of the system's fonts that are looked into."""


@lru_cache(maxsize=256)
def text_ink(text: str, size: int, width: Optional[int] = None) -> NDArray[np.uint8]:
    """How much ink each pixel takes, 0 to 255: (line height, at most `width`).

    What is wider is set smaller first, then cut with an ellipsis. A letter that no font here has is replaced by the
    same one without its accent, or else by its escape, such as \\u4e2d.
    """
    font, text = _fitted(*_set_in(printable(text), size), width)
    ascent, descent = font.getmetrics()
    room = Image.new("L", (max(1, _length(font, text)), ascent + descent))
    ImageDraw.Draw(room).text((0, 0), text, fill=255, font=font)
    ink: NDArray[np.uint8] = np.asarray(room)[:, :width]
    return ink


def _length(font: Font, text: str) -> int:
    return int(np.ceil(font.getlength(text)))


def _fitted(font: Font, text: str, width: Optional[int]) -> Tuple[Font, str]:
    """Set smaller, down to three quarters, then cut."""
    if width is None or _length(font, text) <= width:
        return font, text
    wanted = int(font.size * width / _length(font, text))
    font = font.font_variant(size=min(int(font.size), max(SMALLEST, int(0.75 * font.size), wanted)))
    if _length(font, text) <= width:
        return font, text
    ellipsis = ELLIPSIS if _has(font, ELLIPSIS) else "..."
    kept = len(text)
    while kept and _length(font, text[:kept] + ellipsis) > width:
        kept -= 1
    return font, text[:kept] + ellipsis


@lru_cache(maxsize=64)
def _shipped(size: int) -> Font:
    font = ImageFont.load_default(size)
    assert isinstance(font, Font), "Pillow was built without FreeType"
    return font


def _set_in(text: str, size: int) -> Tuple[Font, str]:
    """The font that has every letter, the shipped one before the system's, and the text in letters that it has."""
    shipped = _shipped(size)
    if _has(shipped, text):
        return shipped, text
    # Without Raqm, Arabic would be written from left to right in letters that do not join.
    turned = any(unicodedata.bidirectional(sign) in ("R", "AL") for sign in text) and not features.check("raqm")
    file = None if turned else _system_font("".join(sorted(set(text))))
    return (shipped, _replaced(text)) if file is None else (ImageFont.truetype(str(file), size), text)


def _has(font: Font, text: str) -> bool:
    missing = _shape(font, "\uffff")
    return all(sign == " " or _shape(font, sign) != missing for sign in set(text))


def _shape(font: Font, sign: str) -> bytes:
    mask = font.getmask(sign)
    return bytes(mask) + str(mask.size).encode()


@lru_cache(maxsize=64)
def _system_font(signs: str) -> Optional[Path]:
    """The file of a font that has all `signs`; plain sans before others."""
    for file in _system_fonts():
        try:
            if _has(ImageFont.truetype(str(file), 16), signs):
                return file
        except OSError:  # not a font
            continue
    return None


@lru_cache(maxsize=1)
def _system_fonts() -> List[Path]:
    def rank(file: Path) -> Tuple[bool, bool, str]:
        name = file.name.lower()
        plain = not any(style in name for style in ("bold", "italic", "oblique", "mono", "serif", "condensed", "light"))
        return not plain, "sans" not in name, name

    return sorted(_font_files(), key=rank)[:MOST_FONTS]


def _font_files() -> Iterator[Path]:
    for folder in FOLDERS:
        for place, _, names in os.walk(os.path.expanduser(folder)):
            for name in names:
                if name.lower().endswith((".ttf", ".otf", ".ttc")):
                    yield Path(place) / name


def _replaced(text: str) -> str:
    """The text in letters that the shipped font has."""
    bare = (sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    font = _shipped(16)
    return "".join(sign if _has(font, sign) else sign.encode("ascii", "backslashreplace").decode() for sign in bare)
