"""The x264 streams on which the native core is proven: their content, their options, and what must occur in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Dict, List, Tuple

import numpy as np

from tests.stream.known_clips import encode, texture

PICTURES = 14


@lru_cache(maxsize=None)
def moving_content(size: Tuple[int, int] = (70, 98), count: int = PICTURES, fade: bool = False) -> List[np.ndarray]:
    """RGB pictures: a moving background, five objects on ways of their own, noise, a cut; `fade` darkens."""
    height, width = size
    random = np.random.RandomState(5)
    grounds = [_coloured(height + 80, width + 120, seed) for seed in (1, 2)]
    objects = [_coloured(side, side + 5, 10 + n) for n, side in enumerate((29, 23, 17, 13, 9))]
    speeds = [(2.25, -1.5), (-3.5, 0.75), (1.25, 2.0), (-0.5, -2.75), (4.75, 3.25)]
    pictures = []
    for index in range(count):
        ground = grounds[index >= count - 4]
        view = _shifted(ground, 40 + 1.75 * index, 40 - 0.6 * index, height, width)
        for n, (part, (right, down)) in enumerate(zip(objects, speeds)):
            tall, wide = part.shape[:2]
            x, y = (15 * n + right * index) % (width - wide - 1), (11 * n + down * index) % (height - tall - 1)
            moved = _shifted(np.pad(part, ((1, 1), (1, 1), (0, 0)), "edge"), 1 - x % 1, 1 - y % 1, tall, wide)
            view[int(y) : int(y) + tall, int(x) : int(x) + wide] = moved
        if fade:
            view = view * (1 - 0.05 * index) + (2 * index, 0, 3 * index)
        view = view + random.randn(height, width, 1) * 2
        pictures.append(np.clip(view, 0, 255).astype(np.uint8))
    return pictures


def _coloured(height: int, width: int, seed: int) -> np.ndarray:
    grey = texture(height, width, seed)
    return np.stack([grey + 0.5 * (texture(height, width, 100 * seed + k) - 128) for k in range(3)], axis=-1)


def _shifted(plane: np.ndarray, x: float, y: float, height: int, width: int) -> np.ndarray:
    """The part of `plane` whose top left corner is (x, y), bilinear."""
    left, top = int(np.floor(x)), int(np.floor(y))
    part = plane[top : top + height + 1, left : left + width + 1]
    part = part if part.shape[:2] == (height + 1, width + 1) else np.pad(part, ((0, 1), (0, 1), (0, 0)), "edge")
    part = part[: height + 1, : width + 1]
    right, down = x - left, y - top
    rows = (1 - down) * part[:-1] + down * part[1:]
    return (1 - right) * rows[:, :-1] + right * rows[:, 1:]


@dataclass(frozen=True)
class Case:
    """One stream; `says` are settings that x264 must report to have used, in the SEI that it writes."""

    name: str
    parameters: str
    says: Tuple[str, ...] = ()
    profile: str = "high"
    pixel_format: str = "yuv420p"
    size: Tuple[int, int] = (70, 98)
    fade: bool = False
    weights: bool = False
    farther: int = 0  # references at least so many pictures away
    slices: int = 1
    suffix: str = "mp4"

    @property
    def b_pictures(self) -> bool:
        return "bframes=0" not in self.parameters and self.profile != "baseline"


_JVT4 = "6,13,20,28,13,20,28,32,20,28,32,37,28,32,37,42"
_SLOPE = ",".join(str(8 + 3 * k) for k in range(16))
_SLOPE8 = ",".join(str(8 + k) for k in range(64))
_B = "bframes=3:b-adapt=0"

_PROFILES = [
    Case("baseline", "ref=3", ("cabac=0", "bframes=0"), "baseline"),
    Case("baseline_slices", "ref=2:slices=4", ("slices=4",), "baseline", slices=4),
    Case("main_cavlc", f"cabac=0:{_B}", ("cabac=0", "bframes=3", "8x8dct=0"), "main"),
    Case("main_cabac", f"cabac=1:{_B}", ("cabac=1", "bframes=3", "8x8dct=0"), "main"),
    Case("high_cavlc", f"cabac=0:8x8dct=1:{_B}", ("cabac=0", "8x8dct=1")),
    Case("high_cabac", f"cabac=1:8x8dct=1:{_B}", ("cabac=1", "8x8dct=1")),
    Case("high_no_8x8dct", f"8x8dct=0:{_B}", ("8x8dct=0",)),
    Case("p_alone_cavlc", "cabac=0:bframes=0:ref=1", ("cabac=0", "bframes=0", "ref=1")),
    Case("p_alone_cabac", "bframes=0:ref=1", ("bframes=0", "ref=1")),
    Case("annex_b", _B, suffix="h264"),
    Case("annex_b_aud_repeated_sets", f"aud=1:repeat-headers=1:keyint=5:{_B}", ("keyint=5",), suffix="h264"),
    Case("matroska", _B, suffix="mkv"),
    Case("transport_stream", _B, suffix="ts"),
]
_REFERENCES = [
    Case(
        f"ref_{count}_{'cabac' if cabac else 'cavlc'}",
        f"ref={count}:cabac={cabac}:bframes=0:scenecut=0:mixed-refs=1:subme=7:partitions=all",
        (f"ref={count}", f"cabac={cabac}", "bframes=0"),
        farther=min(count, 2),
    )
    for count in (1, 2, 3, 4, 6, 9, 13, 16)
    for cabac in (0, 1)
]
_B_PICTURES = [
    Case(
        f"bframes_{count}_{pyramid}_{direct}",
        f"bframes={count}:b-adapt=0:b-pyramid={pyramid}:direct={direct}:ref=4:weightb=0:scenecut=0:cabac={count % 2}",
        (f"bframes={count}", f"direct={ {'none': 0, 'spatial': 1, 'temporal': 2, 'auto': 3}[direct] }"),
    )
    for count, pyramid, direct in [
        (1, "none", "spatial"),
        (1, "none", "temporal"),
        (2, "none", "auto"),
        (2, "strict", "temporal"),
        (3, "none", "none"),
        (3, "strict", "spatial"),
        (3, "normal", "temporal"),
        (4, "normal", "auto"),
        (4, "normal", "spatial"),
        (5, "none", "temporal"),
        (5, "strict", "auto"),
        (5, "normal", "temporal"),
        (5, "normal", "spatial"),
    ]
]
_WEIGHTS = [
    Case("weightp_0", "weightp=0:bframes=0:scenecut=0", ("weightp=0",), fade=True),
    Case("weightp_1", "weightp=1:bframes=0:scenecut=0", ("weightp=1",), fade=True, weights=True),
    Case("weightp_2", "weightp=2:bframes=0:scenecut=0:ref=4", ("weightp=2",), fade=True, weights=True),
    Case("weightp_2_cavlc", "weightp=2:cabac=0:bframes=0:ref=1", ("weightp=2",), fade=True, weights=True),
    Case("weightp_2_main", f"weightp=2:{_B}:weightb=0", ("weightp=2", "weightb=0"), "main", fade=True, weights=True),
    Case("weightb_spatial", "bframes=3:b-adapt=0:weightb=1:direct=spatial", ("weightb=1",), weights=True),
    Case("weightb_temporal", "bframes=5:b-adapt=0:weightb=1:direct=temporal:ref=5", ("weightb=1",), weights=True),
    Case("weightb_pyramid", "bframes=5:b-adapt=0:weightb=1:b-pyramid=normal:ref=6", ("weightb=1",), weights=True),
    Case("weightb_cavlc", "bframes=4:b-adapt=0:weightb=1:cabac=0:direct=auto", ("weightb=1",), weights=True),
    Case("weightp_2_weightb", f"weightp=2:weightb=1:{_B}:ref=4", ("weightp=2", "weightb=1"), fade=True, weights=True),
]
_MACROBLOCKS = [
    Case(
        f"partitions_all_{'cabac' if cabac else 'cavlc'}_{dct}",
        f"partitions=all:subme=9:me=umh:{_B}:qp=18:cabac={cabac}:8x8dct={dct}:psy=0",
        (f"cabac={cabac}", f"8x8dct={dct}"),
    )
    for cabac in (0, 1)
    for dct in (0, 1)
]
_MACROBLOCKS += [
    Case("partitions_none", f"partitions=none:{_B}", ("analyse=0x3:0",)),
    Case("constrained_intra", f"constrained-intra=1:{_B}:qp=30", ("constrained_intra=1",)),
    Case("constrained_intra_cavlc", "constrained-intra=1:cabac=0:bframes=0", ("constrained_intra=1",), "main"),
    Case("slices_3", f"slices=3:{_B}", ("slices=3",), slices=3),
    Case("slices_5_cavlc_temporal", f"slices=5:cabac=0:direct=temporal:{_B}", ("slices=5",), slices=5),
    Case("slices_by_macroblocks", f"slice-max-mbs=7:{_B}", slices=5),
    Case("slices_by_macroblocks_cavlc", f"slice-max-mbs=4:cabac=0:{_B}:direct=auto", slices=9),
    Case("slices_by_bytes", f"slice-max-size=300:qp=20:{_B}:weightp=2", slices=3, fade=True, weights=True),
    Case("qp_1", f"qp=1:{_B}", ("rc=cqp", "qp=1")),
    Case("qp_1_cavlc", f"qp=1:cabac=0:{_B}", ("qp=1",)),
    Case("qp_1_main_cavlc", f"qp=1:cabac=0:{_B}", ("qp=1",), "main"),
    Case("crf_4_adaptive", f"crf=4:aq-mode=3:aq-strength=2:{_B}", ("rc=crf", "aq=3:2.00")),
    Case("crf_20_adaptive_cavlc", f"crf=20:aq-mode=2:aq-strength=2:cabac=0:{_B}", ("aq=2:2.00",)),
    Case("qp_51", f"qp=51:{_B}", ("qp=51",)),
    Case("chroma_qp_offset_up", f"chroma-qp-offset=12:qp=22:{_B}:psy=0", ("chroma_qp_offset=12",)),
    Case("chroma_qp_offset_down", f"chroma-qp-offset=-12:qp=22:{_B}:psy=0", ("chroma_qp_offset=-12",)),
    Case("cqm_jvt", f"cqm=jvt:8x8dct=1:{_B}:qp=20", ("cqm=1",)),
    Case("cqm_jvt_cavlc", f"cqm=jvt:cabac=0:8x8dct=1:{_B}:qp=8", ("cqm=1",)),
    Case("cqm_own", f"cqm4={_JVT4}:cqm4p={_SLOPE}:cqm8={_SLOPE8}:8x8dct=1:{_B}:qp=20", ("cqm=2",)),
    Case("cqm_own_chroma", f"cqm4ic={_SLOPE}:cqm4pc={_SLOPE}:cqm8p={_SLOPE8}:8x8dct=1:{_B}:qp=20", ("cqm=2",)),
    Case("no_deblock", f"no-deblock=1:{_B}", ("deblock=0:0:0",)),
    Case("no_dct_decimate", f"no-dct-decimate=1:qp=34:{_B}", ("decimate=0",)),
    Case("short_vectors", f"mvrange=32:{_B}"),
    Case("lossless", "qp=0:bframes=0", ("qp=0",), "high444"),
    Case("lossless_cavlc", "qp=0:cabac=0:bframes=0", ("qp=0",), "high444"),
    Case("lossless_8x8dct", "qp=0:8x8dct=1:bframes=0:partitions=all:ref=4", ("qp=0", "8x8dct=1"), "high444"),
]
_GOPS = [
    Case("open_gop", "open-gop=1:keyint=5:min-keyint=2:bframes=2:b-adapt=0", ("open_gop=1",)),
    Case(
        "open_gop_pyramid", "open-gop=1:keyint=6:bframes=3:b-adapt=0:b-pyramid=normal", ("open_gop=1",), suffix="h264"
    ),
    Case("intra_refresh", "intra-refresh=1:keyint=6:bframes=0", ("intra_refresh=1",)),
    Case("intra_refresh_b_cavlc", "intra-refresh=1:keyint=6:bframes=2:b-adapt=0:cabac=0", ("intra_refresh=1",)),
    Case("keyint_3", f"keyint=3:min-keyint=1:{_B}", ("keyint=3",)),
    Case("keyint_endless", f"keyint=infinite:scenecut=0:{_B}", ("keyint=infinite",)),
    Case("scene_cut", f"keyint=250:scenecut=40:{_B}", ("scenecut=40",)),
]
_SIZES = [
    Case(f"size_{width}x{height}", f"{_B}:ref=3:weightp=2", size=(height, width))
    for width, height in [(96, 80), (98, 70), (66, 34), (50, 94), (34, 50), (130, 36)]
]
_SAMPLES = [
    Case("grey", f"{_B}:qp=20", (), "high", "gray"),
    Case("grey_cavlc", f"{_B}:qp=20:cabac=0", (), "high", "gray"),
    Case("ten_bit", f"{_B}:qp=20:ref=3", (), "high10", "yuv420p10le"),
    Case("ten_bit_cavlc", f"{_B}:qp=20:cabac=0", (), "high10", "yuv420p10le"),
    Case("ten_bit_low_qp", f"{_B}:qp=2", (), "high10", "yuv420p10le"),
    Case("ten_bit_weights", f"{_B}:weightp=2:ref=3", (), "high10", "yuv420p10le", fade=True, weights=True),
    Case("ten_bit_jvt", f"{_B}:cqm=jvt:qp=20", ("cqm=1",), "high10", "yuv420p10le"),
]


def _mixed(seed: int) -> Case:
    """One draw from all options at once: what no list of single options meets."""
    random = np.random.RandomState(1000 + seed)

    def draw(*values: object) -> object:
        return values[random.randint(len(values))]

    options: Dict[str, object] = {
        "cabac": draw(0, 1),
        "ref": draw(1, 2, 3, 5, 8, 16),
        "bframes": draw(1, 2, 3, 4, 5),
        "b-adapt": draw(0, 1),
        "b-pyramid": draw("none", "strict", "normal"),
        "direct": draw("spatial", "temporal", "auto"),
        "weightp": draw(0, 1, 2),
        "weightb": draw(0, 1),
        "8x8dct": draw(0, 1),
        "partitions": draw("all", "all", "p8x8,b8x8,i8x8,i4x4", "none"),
        "subme": draw(2, 6, 8, 10),
        "trellis": draw(0, 1, 2),
        "slices": draw(1, 1, 2, 4),
        "cqm": draw("flat", "jvt"),
        "constrained-intra": draw(0, 1),
        "open-gop": draw(0, 1),
        "keyint": draw(4, 7, 250),
        "scenecut": draw(0, 40),
        "qp": draw(4, 14, 24, 34, 44),
        "chroma-qp-offset": draw(-6, 0, 6),
    }
    if options["cqm"] == "jvt" and options["qp"] == 4:
        options["qp"] = 14  # x264 refuses less with these lists
    parameters = ":".join(f"{name}={value}" for name, value in options.items())
    size = ((80, 96), (70, 98), (52, 66))[random.randint(3)]
    return Case(f"mixed_{seed}", parameters, size=size, fade=seed % 2 == 0, suffix=("mp4", "h264")[random.randint(2)])


MIXED = [_mixed(seed) for seed in range(40)]
SINGLE = _PROFILES + _REFERENCES + _B_PICTURES + _WEIGHTS + _MACROBLOCKS + _GOPS + _SIZES + _SAMPLES
CASES = SINGLE + MIXED


def encode_case(folder: Path, case: Case) -> Path:
    """Writes the stream of a case; fails where x264 used other settings than asked for."""
    options = {"x264-params": f"{_DEFAULTS}:{case.parameters}", "profile": case.profile}
    path = folder / f"{case.name}.{case.suffix}"
    pictures = moving_content(case.size, PICTURES, case.fade)
    encode(path, pictures, "libx264", options, pixel_format=case.pixel_format)
    told = path.read_bytes()
    told = told[told.find(b"options: cabac=") :].split(b"\0")[0]
    for setting in case.says:
        assert setting.encode() in told.split(), f"x264 was asked for {setting} and used {told!r}"
    return path


_DEFAULTS = "threads=1:keyint=250:scenecut=40:qp=26"
