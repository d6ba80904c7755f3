"""A bitmap font, so that text on pictures needs no imaging library.

Each glyph is 5 columns x 7 rows; each of its 7 characters is one row as a base-32 digit, highest bit leftmost.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COLUMNS, ROWS = 5, 7
ADVANCE = COLUMNS + 1
"""Columns from one glyph to the next."""

_UPPER = (
    "EHHVHHH UHHUHHU EHGGGHE UHHHHHU VGGUGGV VGGUGGG EHGNHHF HHHVHHH E44444E 72222IC HIKOKIH GGGGGGV HRLLHHH "
    "HPLJHHH EHHHHHE UHHUGGG EHHHLID UHHUKIH FGGE11U V444444 HHHHHHE HHHHHA4 HHHLLLA HHA4AHH HHA4444 V1248GV"
)
_LOWER = (
    "00E1FHF GGMPHHU 00EGGHE 11DJHHF 00EHVGE 698S888 0FHHF1E GGMPHHH 40C444E 20622IC GGIKOKI C44444E 00QLLHH "
    "00MPHHH 00EHHHE 00UHUGG 00DJF11 00MPGGG 00EGE1U 88S8896 00HHHJD 00HHHA4 00HHLLA 00HA4AH 00HHF1E 00V248V"
)
_DIGITS = "EHJLPHE 4C4444E EH1248V V2421HE 26AIV22 VGU11HE 68GUHHE V124888 EHHEHHE EHHF12C"
_MARKS = (
    "0000000 00000CC 0000C48 0CC0CC0 0CC0C48 000V000 000000V 044V440 00V0V00 01248G0 0G84210 OP248J3 2488842 8422248 "
    "E88888E E22222E 4444404 EH12404 4400000 AA00000 AAVAVAA 04LEL40 CIK8LID EH1DLLE 248G842 8421248 4444444 008L200"
)
_UNKNOWN = "VHHHHHV"
_GLYPHS = {
    **dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", _UPPER.split())),
    **dict(zip("abcdefghijklmnopqrstuvwxyz", _LOWER.split())),
    **dict(zip("0123456789", _DIGITS.split())),
    **dict(zip(" .,:;-_+=/\\%()[]!?'\"#*&@<>|~", _MARKS.split())),
}


def text_mask(text: str, scale: int = 1) -> NDArray[np.bool_]:
    """Where ink goes: bool (7 * scale, 6 * scale * characters); what the font has not is drawn as a box."""
    glyphs = [_glyph(_GLYPHS.get(character, _UNKNOWN)) for character in text]
    mask = np.concatenate(glyphs, axis=1) if glyphs else np.zeros((ROWS, 0), bool)
    return mask.repeat(scale, axis=0).repeat(scale, axis=1)


def _glyph(rows: str) -> NDArray[np.bool_]:
    bits = np.array([int(row, 32) for row in rows])[:, None] >> np.arange(COLUMNS - 1, -1, -1)
    return np.pad(bits & 1 == 1, ((0, 0), (0, ADVANCE - COLUMNS)))
