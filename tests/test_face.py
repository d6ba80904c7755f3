"""What is public, with its signatures: a change here is a change for every user."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys

import edgecvar

SIGNATURES = {
    "load": "(bundle: 'Union[str, Path, None]' = None, *, runner: 'str' = 'auto',"
    " precision: 'Optional[Precision]' = None, threads: 'Optional[int]' = None, device: 'Optional[str]' = None,"
    " dla: 'Optional[int]' = None, converter: 'Converter' = 'onnx',"
    " trust: 'Union[str, Path, None]' = None) -> 'Model'",
    "open_stream": "(source: 'Source', extraction: 'str' = 'auto', frames: 'bool' = False, timeout: 'float' = 10.0,"
    " threads: 'Optional[int]' = None, on_demand: 'bool' = False,"
    " decoder: 'str' = 'software') -> 'Stream'",
    "Model.run": "(self, source: 'Source', *, every: 'Optional[int]' = None, top: 'int' = 5, timeout: 'float' = 10.0,"
    " extraction: 'str' = 'auto', reconnect: 'Optional[bool]' = None, decoder: 'str' = 'auto',"
    " exits: 'ExitChoice' = 'auto') -> 'Run'",
    "Model.close": "(self) -> 'None'",
    "Run.close": "(self) -> 'None'",
    "Stream.close": "(self) -> 'None'",
    "Stream.leave": "(self) -> 'None'",
}
MEMBERS = {
    "Model": {"bundle", "close", "input", "labels", "run", "start", "summary", "untrained"},
    "Run": {"close", "info", "leave", "summary"},
    "Stream": {"close", "info", "leave", "summary"},
    "Decision": {"decode_index", "display_index", "label", "latency_ms", "probability", "pts_seconds", "scores", "top"}
    | {"opens"},
    "RunSummary": {"complete", "damage", "damaged", "decisions", "ended", "note", "pictures", "reasons", "sampled"}
    | {"stream_fps", "stream_seconds", "wall_seconds", "breaks", "hidden", "skipped", "live", "decoder", "fallbacks"}
    | {"other_layers", "kinds", "exits", "broke_off"},
    "StreamInfo": {"codec", "coded_height", "coded_width", "crop_left", "crop_top", "extraction", "extraction_note"}
    | {"fps", "has_b_pictures", "height", "rotation", "time_base", "width", "decoder", "decoder_note"},
    "StreamSummary": {"conceal", "damage", "damaged", "pictures", "reasons", "skip", "skipped"}
    | {"and_of", "breaks", "broke", "gave", "hidden", "live", "decoder", "fall_back", "fallbacks", "other_layers"}
    | {"broke_off"},
    "Break": {"info", "reason"},
    "CodedPicture": {"content", "decode_index", "decoded", "display_index", "frame", "has_image", "image", "keyframe"}
    | {
        "arrived",
        "kind",
        "motion",
        "opens",
        "parsed",
        "planes",
        "pts_seconds",
        "recovered",
        "reference",
        "residual",
        "shown",
        "weights",
    },
    "MotionField": {"exact", "intra", "mv_qpel", "ref_offset", "weighted"},
    "PredictionWeights": {"log2_denominator", "offset", "weight"},
    "Residual": {"cb", "cr", "y"},
}


def members(kind: type) -> set:
    """What the class defines, annotates, or sets on itself."""
    assigned = re.findall(r"self\.(\w+)(?:: [^=]+)? = ", inspect.getsource(kind))
    names = {*vars(kind), *vars(kind).get("__annotations__", {}), *assigned}
    return {name for name in names if not name.startswith("_")}


def test_the_public_names():
    assert set(edgecvar.__all__) == {"load", "open_stream", "EdgecvarError", "__version__", *MEMBERS}
    assert dir(edgecvar) == sorted(edgecvar.__all__)
    for name in edgecvar.__all__:
        assert getattr(edgecvar, name) is not None
    assert not hasattr(edgecvar, "anything_else")


def test_their_signatures():
    for name, expected in SIGNATURES.items():
        found = edgecvar
        for part in name.split("."):
            found = getattr(found, part)
        assert str(inspect.signature(found)) == expected, name


def test_their_members():
    assert {name: members(getattr(edgecvar, name)) for name in MEMBERS} == MEMBERS


def test_importing_the_package_imports_nothing_heavy():
    program = "import sys, edgecvar; print(*(name for name in ('numpy', 'av', 'onnxruntime') if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, "")


def test_python_dash_m_is_the_command():
    done = subprocess.run([sys.executable, "-m", "edgecvar", "--version"], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == f"edgecvar, version {edgecvar.__version__}"
