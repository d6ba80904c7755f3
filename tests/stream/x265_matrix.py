"""The x265 streams on which the core's HEVC is proven: their content, their options, and what must occur in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Tuple

import av
import numpy as np
import pytest

from tests.stream.known_clips import encode
from tests.stream.x264_matrix import moving_content

PICTURES = 10
QUIET = "log-level=error:pools=1:frame-threads=1"
_DEFAULTS = f"{QUIET}:keyint=250:min-keyint=1:scenecut=40:qp=27:wpp=0"
_B = "bframes=3:b-adapt=0"
_FULL = f"rect=1:amp=1:subme=4:rd=4:limit-modes=0:limit-refs=0:early-skip=0:rskip=0:{_B}"


IS_OLDER = int(av.__version__.split(".")[0]) < 14
TOO_NEW = {"b_ref_8", "temporal_layers_3", "temporal_layers_5", "mixed_9", "mixed_10", "mixed_23"}


@dataclass(frozen=True)
class Case:
    """One stream; `says` are settings that x265 must report to have used, in the SEI that it writes."""

    name: str
    parameters: str
    says: Tuple[str, ...] = ()
    pixel_format: str = "yuv420p"
    size: Tuple[int, int] = (120, 208)
    fade: bool = False
    weights: bool = False
    farther: int = 0  # references at least so many pictures away
    slices: int = 1
    suffix: str = "hevc"

    @property
    def b_pictures(self) -> bool:
        return "bframes=0" not in self.parameters


def _single(name: str, parameters: str, **more: object) -> Case:
    """A case whose own settings, those that are not the defaults of all, x265 must report."""
    own = dict(part.split("=", 1) for part in parameters.split(":"))
    return Case(name, parameters, said(own), **more)  # type: ignore[arg-type]


_SWITCHES = {
    "rect", "amp", "tskip", "weightp", "weightb", "b-pyramid", "open-gop", "wpp", "lossless", "cu-lossless",
    "intra-refresh", "temporal-mvp", "signhide", "constrained-intra", "strong-intra-smoothing", "sao", "b-intra",
    "early-skip", "fast-intra", "rskip", "limit-modes", "cutree", "aud", "repeat-headers", "opt-qp-pps",
    "opt-ref-list-length-pps", "multi-pass-opt-rps", "opt-cu-delta-qp", "hrd", "field",
}  # fmt: skip
_SILENT = {
    "qp", "crf", "scaling-list", "me", "cbqpoffs", "crqpoffs", "keyint", "interlace", "min-keyint", "vbv-maxrate",
    "vbv-bufsize",
}  # fmt: skip


def said(options: Dict[str, str]) -> Tuple[str, ...]:
    """The settings as x265 reports them, but for those that it words in another way."""
    told = []
    for name, value in options.items():
        if name in _SWITCHES:
            told.append(name if value == "1" else f"no-{name}")
        elif name not in _SILENT:
            told.append(f"{name}={value}")
    return tuple(told)


_CONTAINERS = [
    _single("annex_b", _B),
    _single("mp4", _B, suffix="mp4"),
    _single("matroska", _B, suffix="mkv"),
    _single("transport_stream", _B, suffix="ts"),
    _single("annex_b_aud_repeated_sets", f"aud=1:repeat-headers=1:keyint=4:{_B}"),
    _single("mp4_fragments_of_sets", f"repeat-headers=1:keyint=5:{_B}", suffix="mp4"),
    _single("parameters_of_the_clip", f"opt-qp-pps=1:opt-ref-list-length-pps=1:multi-pass-opt-rps=1:{_B}"),
]
_BLOCKS = [
    _single(f"ctu_{ctu}_cu_{cu}_{'amp' if amp else 'square'}", f"ctu={ctu}:min-cu-size={cu}:rect={amp}:amp={amp}:{_B}")
    for ctu, cu in ((64, 8), (64, 16), (64, 32), (32, 8), (32, 16), (32, 32), (16, 8), (16, 16))
    for amp in (0, 1)
]
_BLOCKS += [
    _single("rect_full", f"ctu=16:{_FULL}"),
    _single("rect_without_amp", f"rect=1:amp=0:subme=4:rd=4:{_B}"),
    _single("amp_low_qp", f"ctu=64:qp=12:{_FULL}"),
    _single("amp_high_qp", f"ctu=64:qp=42:{_FULL}"),
    _single("limit_modes", f"rect=1:amp=1:limit-modes=1:rd=5:{_B}"),
    _single("transforms_4", f"ctu=16:max-tu-size=4:min-cu-size=8:{_B}"),
    _single("transforms_8", f"max-tu-size=8:ctu=32:{_B}"),
    _single("transforms_16", f"max-tu-size=16:ctu=64:{_B}"),
    _single("tu_depths_4", f"tu-intra-depth=4:tu-inter-depth=4:ctu=64:{_FULL}"),
    _single("tu_depths_3_2", f"tu-intra-depth=3:tu-inter-depth=2:ctu=32:{_FULL}"),
    _single("tu_depth_1_rect", f"tu-intra-depth=1:tu-inter-depth=1:max-tu-size=32:ctu=64:{_FULL}"),
    _single("tskip", f"tskip=1:qp=18:{_B}:rd=4"),
    _single("tskip_ctu_16", f"tskip=1:ctu=16:qp=24:{_FULL}"),
    _single("constrained_intra", f"constrained-intra=1:qp=32:{_B}"),
    _single("strong_smoothing_off", f"strong-intra-smoothing=0:qp=36:{_B}"),
    _single("b_intra_off", f"b-intra=0:{_B}"),
    _single("b_intra", f"b-intra=1:rd=5:qp=20:{_B}"),
    _single("early_skip_fast_intra", f"early-skip=1:fast-intra=1:{_B}"),
]
_REFERENCES = [
    _single(f"ref_{count}", f"ref={count}:bframes=0:limit-refs=0:subme=3:rd=4", farther=min(count, 2))
    for count in (1, 2, 3, 5, 8)
]
_REFERENCES += [
    _single(f"b_ref_{count}", f"ref={count}:limit-refs=0:bframes=2:b-adapt=0:subme=3", farther=1) for count in (1, 4, 8)
]
_B_PICTURES = [
    _single(
        f"bframes_{count}_{'pyramid' if pyramid else 'flat'}", f"bframes={count}:b-pyramid={pyramid}:b-adapt=0:ref=4"
    )
    for count in (1, 2, 3, 4, 5, 8)
    for pyramid in ((0, 1) if count > 1 else (0,))
]
_B_PICTURES += [
    _single("b_adapt_1", "bframes=4:b-adapt=1"),
    _single("b_adapt_2", "bframes=4:b-adapt=2"),
    _single("p_alone", "bframes=0:ref=2"),
    _single("temporal_layers_3", "temporal-layers=3:bframes=3:b-adapt=0"),
    _single("temporal_layers_5", "temporal-layers=5:bframes=15:b-adapt=0"),
    _single("temporal_mvp_off", f"temporal-mvp=0:{_B}"),
    *(_single(f"max_merge_{count}", f"max-merge={count}:rd=4:{_B}") for count in (1, 2, 3, 4, 5)),
]
_WEIGHTS = [
    _single("weightp_off", "weightp=0:bframes=0:scenecut=0", fade=True),
    _single("weightp", "weightp=1:bframes=0:scenecut=0", fade=True, weights=True),
    _single("weightp_refs", "weightp=1:bframes=0:scenecut=0:ref=4:limit-refs=0", fade=True, weights=True),
    _single("weightp_b", f"weightp=1:weightb=0:{_B}:ref=3", fade=True, weights=True),
    _single("weightb", f"weightp=0:weightb=1:{_B}:ref=3", fade=True, weights=True),
    _single("weightp_weightb", f"weightp=1:weightb=1:{_B}:ref=4:limit-refs=0", fade=True, weights=True),
    _single("weights_slices", f"weightp=1:weightb=1:slices=3:wpp=1:ctu=32:{_B}", fade=True, weights=True, slices=3),
    _single("weights_low_qp", f"weightp=1:weightb=1:qp=8:{_B}", fade=True, weights=True),
]
_GOPS = [
    _single("open_gop", "open-gop=1:keyint=3:bframes=2:b-adapt=0:scenecut=0"),
    _single("open_gop_pyramid", "open-gop=1:keyint=5:bframes=4:b-adapt=0:b-pyramid=1:scenecut=0", suffix="mp4"),
    _single("closed_gop", "open-gop=0:keyint=4:bframes=2:b-adapt=0"),
    _single("radl", "open-gop=0:radl=3:keyint=5:bframes=4:b-adapt=0:scenecut=0"),
    _single("intra_refresh", "intra-refresh=1:keyint=5:bframes=0:scenecut=0"),
    _single("intra_refresh_b", "intra-refresh=1:keyint=5:bframes=2:b-adapt=0:scenecut=0"),
    _single("scene_cut", f"keyint=250:scenecut=80:{_B}"),
    _single("no_scene_cut", f"scenecut=0:{_B}"),
    _single("fields", "field=1:interlace=tff:bframes=0"),
    _single("hrd", f"hrd=1:vbv-maxrate=900:vbv-bufsize=900:crf=24:{_B}"),
]
_SLICES = [
    _single("wpp", f"wpp=1:ctu=32:{_B}"),
    _single("wpp_ctu_16", f"wpp=1:ctu=16:{_FULL}"),
    _single("wpp_ctu_64", f"wpp=1:ctu=64:{_B}:qp=15"),
    _single("wpp_narrow", f"wpp=1:ctu=32:{_B}", size=(136, 72)),
    _single("slices_2", f"slices=2:wpp=1:{_B}", slices=2),
    _single("slices_4", f"slices=4:wpp=1:ctu=16:{_B}", slices=4),
    _single("slices_wpp", f"slices=3:wpp=1:ctu=16:{_B}:temporal-mvp=1", slices=3),
]
_CODING = [
    _single("scaling_list_default", f"scaling-list=default:{_B}:qp=20"),
    _single("scaling_list_default_tskip", f"scaling-list=default:tskip=1:{_FULL}:qp=16"),
    _single("scaling_list_own", f"scaling-list=FILE:{_B}:qp=20"),
    _single("scaling_list_own_tu_4", f"scaling-list=FILE:{_FULL}:qp=14:tu-inter-depth=4:tu-intra-depth=4"),
    _single("lossless", f"lossless=1:{_B}"),
    _single("lossless_ctu_16", "lossless=1:ctu=16:bframes=0:ref=3"),
    _single("cu_lossless", f"cu-lossless=1:qp=6:{_B}:rd=4"),
    _single("signhide_off", f"signhide=0:{_B}:qp=20"),
    _single("signhide", f"signhide=1:{_B}:qp=20"),
    _single("sao_off", f"sao=0:{_B}"),
    _single("qp_1", f"qp=1:{_B}"),
    _single("qp_50", f"qp=50:{_B}"),
    _single("crf_4_adaptive", f"crf=4:aq-mode=3:aq-strength=2.00:qg-size=16:{_B}"),
    _single("crf_24_adaptive", f"crf=24:aq-mode=2:aq-strength=3.00:qg-size=8:ctu=32:{_B}"),
    _single("crf_38_adaptive", f"crf=38:aq-mode=1:qg-size=64:ctu=64:{_B}"),
    _single("aq_off", f"crf=28:aq-mode=0:cutree=0:{_B}"),
    _single("cu_delta_qp", f"opt-cu-delta-qp=1:rd=5:crf=26:aq-mode=2:qg-size=16:{_B}"),
    _single("chroma_qp_offsets", f"cbqpoffs=-9:crqpoffs=11:qp=24:{_B}"),
    _single("chroma_qp_offsets_high", f"cbqpoffs=12:crqpoffs=-12:qp=45:{_B}"),
    _single("rdoq_2", f"rdoq-level=2:psy-rd=2.00:qp=22:rd=6:{_B}"),
]
_SIZES = [
    _single(f"size_{width}x{height}", f"{_B}:ref=3:ctu={ctu}", size=(height, width))
    for ctu, width, height in [
        (64, 200, 120), (32, 184, 104), (64, 98, 70), (16, 66, 90),
        (32, 130, 66), (64, 72, 136), (64, 256, 64), (16, 96, 96),
    ]
]  # fmt: skip
_SAMPLES = [
    _single("grey", f"{_B}:qp=20", pixel_format="gray"),
    _single("grey_lossless", f"{_B}:lossless=1", pixel_format="gray"),
    _single("grey_ten_bit", f"{_B}:tskip=1:qp=20", pixel_format="gray10le"),
    *(
        _single(f"ten_bit_{name}", parameters, pixel_format="yuv420p10le", fade=fade, weights=fade)
        for name, parameters, fade in [
            ("plain", f"{_B}:qp=24", False),
            ("full", f"ctu=32:tskip=1:{_FULL}:qp=20", False),
            ("low_qp", f"qp=2:{_B}", False),
            ("weights", f"weightp=1:weightb=1:{_B}:ref=3", True),
            ("lossless", f"lossless=1:{_B}", False),
            ("cu_lossless", f"cu-lossless=1:qp=4:rd=4:{_B}", False),
            ("scaling_list", f"scaling-list=default:{_B}:qp=18", False),
            ("wpp_slices", f"wpp=1:slices=3:ctu=16:{_B}", False),
        ]
    ),
]  # fmt: skip


def mixed(seed: int) -> Case:
    """One draw from all options at once: what no list of single options meets."""
    random = np.random.RandomState(2000 + seed)

    def draw(*values: object) -> str:
        return str(values[random.randint(len(values))])

    ctu = draw(16, 32, 64)
    options = {
        "ctu": ctu,
        "min-cu-size": draw(8, 8, 8, 16),
        "max-tu-size": draw(*(size for size in (4, 8, 16, 32, 32) if size <= int(ctu))),
        "tu-intra-depth": draw(1, 2, 3, 4 if ctu != "16" else 3),
        "tu-inter-depth": draw(1, 2, 3, 4 if ctu != "16" else 3),
        "rect": (rect := draw(0, 1, 1)),
        "amp": draw(0, 1) if rect == "1" else "0",
        "tskip": draw(0, 1),
        "ref": draw(1, 2, 3, 4, 6, 8),
        "limit-refs": draw(0, 3),
        "bframes": draw(0, 1, 2, 3, 4, 6),
        "b-adapt": draw(0, 2),
        "weightp": draw(0, 1),
        "weightb": draw(0, 1),
        "max-merge": draw(1, 2, 3, 4, 5),
        "temporal-mvp": draw(0, 1, 1),
        "signhide": draw(0, 1),
        "strong-intra-smoothing": draw(0, 1),
        "constrained-intra": draw(0, 0, 1),
        "cu-lossless": draw(0, 0, 0, 1),
        "scaling-list": draw("off", "default", "FILE"),
        "wpp": draw(0, 1),
        "open-gop": draw(0, 1),
        "keyint": draw(4, 7, 250),
        "scenecut": draw(0, 40),
        "sao": draw(0, 1),
        "subme": draw(1, 2, 4),
        "rd": draw(3, 4, 5),
        "cbqpoffs": draw(-6, 0, 5),
        "crqpoffs": draw(-3, 0, 8),
    }
    options["slices"] = draw(1, 1, 2, 3) if ctu != "64" and options["wpp"] == "1" else "1"
    options["b-pyramid"] = draw(0, 1) if int(options["bframes"]) > 1 else "0"
    if random.rand() < 0.5:
        options["qp"] = draw(2, 12, 22, 32, 42)
    else:
        options.update(
            {"crf": draw(8, 20, 32), "aq-mode": draw(1, 2, 3), "qg-size": draw(16, 32 if ctu != "16" else 16)}
        )
    parameters = ":".join(f"{name}={value}" for name, value in options.items() if value != "off")
    size = ((120, 208), (104, 184), (70, 98), (136, 72))[random.randint(4)]
    pixel_format = ("yuv420p", "yuv420p", "yuv420p", "yuv420p10le", "gray")[random.randint(5)]
    # x265 makes fewer slices and no wavefronts where there are few rows
    told = tuple(word for word in said(options) if not word.startswith("slices") and not word.endswith("wpp"))
    suffix = ("mp4", "hevc")[random.randint(2)]
    return Case(f"mixed_{seed}", parameters, told, pixel_format, size, fade=seed % 2 == 0, suffix=suffix)


MIXED = [mixed(seed) for seed in range(40)]
SINGLE: List[Case] = [
    *_CONTAINERS,
    *_BLOCKS,
    *_REFERENCES,
    *_B_PICTURES,
    *_WEIGHTS,
    *_GOPS,
    *_SLICES,
    *_CODING,
    *_SIZES,
    *_SAMPLES,
]
CASES = SINGLE + MIXED


def encode_case(folder: Path, case: Case) -> Path:
    """Writes the stream of a case; fails where x265 used other settings than asked for, skips those too new for it."""
    if IS_OLDER and case.name in TOO_NEW:
        pytest.skip("the x265 of this PyAV does not know or does not take its settings")
    parameters = f"{_DEFAULTS}:{case.parameters}"
    if "FILE" in parameters:
        parameters = parameters.replace("FILE", str(_write_lists(folder / "lists.txt")))
    path = folder / f"{case.name}.{case.suffix}"
    pictures = moving_content(case.size, PICTURES, case.fade)
    encode(path, pictures, "libx265", {"x265-params": parameters}, pixel_format=case.pixel_format)
    told = path.read_bytes()
    told = told[told.find(b"options: cpuid=") :].split(b"\x80")[0]
    for setting in case.says:
        assert setting.encode() in told.split(), f"x265 was asked for {setting} and used {told!r}"
    return path


def _write_lists(path: Path) -> Path:
    """A scaling list file as x265 and HM read it: matrices that slope, another for every size, kind and DC."""
    lines = []
    for size, entries in ((4, 16), (8, 64), (16, 64), (32, 64)):
        for number, kind in enumerate(("INTRA", "INTER")):
            for plane, component in enumerate(("LUMA", "CHROMAU", "CHROMAV")):
                values = [8 + size // 4 + 3 * number + 5 * plane + k * 64 // entries for k in range(entries)]
                lines.append(f"{kind}{size}X{size}_{component} =")
                lines.append(", ".join(str(value) for value in values) + ",")
                if size >= 16:
                    lines.append(f"{kind}{size}X{size}_{component}_DC =")
                    lines.append(f"{12 + size // 8 + number + plane},")
    path.write_text("\n".join(lines) + "\n")
    return path
