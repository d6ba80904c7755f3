"""How each paper encoded its data: what is printed, what its authors' scripts do, what had to be chosen.

CoViAR (Wu et al. 2018) published its command: `ffmpeg -vf scale=340:256,setsar=1:1 -q:v 1 -c:v mpeg4 -f rawvideo`.
FFmpeg's MPEG-4 encoder has an I-picture in 12 and no B-pictures unless told otherwise, and of -q:v 1 it makes the
quantiser 2, the least that its `qmin` allows. DMC-Net prints "MPEG-4 Part2", an I-picture "followed by 11 consecutive
P-frames" and 340 x 256, and refers to CoViAR's command; TEAM-Net refers to both, and its code reads GOPs of 12;
MEACI-Net prints "MPEG-4 Part2", GOPs of 12 and 340 x 256, and no quality: CoViAR's is taken. All four are one encoding.

ATTP prints 340 x 256 and I-B-B-P-B-B-... (fig. 2 a), for modern codecs, H.264 first. Chosen here: x264's `medium`, GOPs
of 12 as those it compares with, two B-pictures in a row, closed, so that training may begin to read at each one
(I B B P B B P B B P B P), and CRF 18, whose quantiser step is that of the others (`mpeg4_quantiser`).

Two things are stated that the command leaves open. No scene cut gets an I-picture of its own, so that GOPs have the
length that is printed. And the streams lie in MP4 files, where CoViAR's had the name alone: an elementary stream does
not tell its rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Dict, Mapping, Optional

import av

from edgecvar import __version__
from edgecvar.datasets.encoder import ENCODERS, Coding, countable, joined

WIDTH, HEIGHT = 340, 256
GOP_LENGTH = 12
CONTAINER = "mp4"
_LAMBDA = 118
"""FFmpeg's measure of one step of MPEG-4's quantiser, which -q:v is multiplied by."""
_MPEG4 = {"flags": "+bitexact+qscale", "global_quality": str(_LAMBDA), "sc_threshold": "1000000000"}
_X264 = {"keyint": GOP_LENGTH, "min-keyint": GOP_LENGTH, "scenecut": 0, "open-gop": 0, "bframes": 2, "b-adapt": 0}
# x264's macroblock tree reads memory that nothing set (AVX-512): other bytes from run to run.
_X264_ALONE = {"b-pyramid": "none", "mbtree": 0, "threads": 1}
_H264 = {"preset": "medium", "crf": "18", "x264-params": joined({**_X264, **_X264_ALONE}), "flags": "+bitexact"}


@dataclass(frozen=True)
class Paper:
    """What a paper's encoding is made of; all are 340 x 256 in GOPs of 12. `words` say it on a line."""

    codec: str
    b_pictures: int
    options: Mapping[str, str]
    words: str


_COVIAR = Paper("mpeg4", 0, _MPEG4, "MPEG-4 part 2, GOP 12, no B-pictures, 340 x 256, quantiser 2")
PAPERS: Dict[str, Paper] = {
    "coviar": _COVIAR,
    "team": _COVIAR,
    "dmc": _COVIAR,
    "attp": Paper("h264", 2, _H264, "H.264, GOP 12, 2 B-pictures, 340 x 256, CRF 18"),
    "meaci": _COVIAR,
}


@dataclass(frozen=True)
class Settings:
    """`paper` of PAPERS; `fps` of every clip, None: that of its source."""

    paper: str
    fps: Optional[Fraction] = None

    def coding(self, source_fps: Fraction) -> Coding:
        """What is asked of the encoder for a clip whose source has such a rate."""
        paper = PAPERS[self.paper]
        rate = countable(self.fps or source_fps)
        return Coding(paper.codec, CONTAINER, WIDTH, HEIGHT, rate, GOP_LENGTH, paper.b_pictures, paper.options)

    def document(self) -> Dict[str, Any]:
        """All that decides the bytes of a clip beside its source, as plain data."""
        paper = PAPERS[self.paper]
        libraries = {name: ".".join(map(str, av.library_versions[name])) for name in ("libavcodec", "libswscale")}
        return {
            "as": self.paper,
            "codec": paper.codec,
            "encoder": ENCODERS[paper.codec],
            "container": CONTAINER,
            "width": WIDTH,
            "height": HEIGHT,
            "gop_length": GOP_LENGTH,
            "b_pictures": paper.b_pictures,
            "options": dict(paper.options),
            "fps": "source" if self.fps is None else str(self.fps),
            "tools": {"edgecvar": __version__, "pyav": av.__version__, **libraries},
        }
