"""The looks that may crash: each imports what it looks at, in the process that `child` starts for it.

The last line of its output is a JSON list of findings.
"""

from __future__ import annotations

import glob
import importlib
import json
import os
import sys
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Callable, Dict, List, Sequence

from edgecvar.errors import EdgecvarError, import_reason, reason
from edgecvar.judge.doctor.finding import Finding

PACKAGES = {
    "avdec_h264": "gstreamer1.0-libav",
    "avdec_h265": "gstreamer1.0-libav",
    "nvv4l2decoder": "nvidia-l4t-gstreamer",
    "v4l2h264dec": "gstreamer1.0-plugins-good",
    "v4l2h265dec": "gstreamer1.0-plugins-good",
}
"""Of Debian, by element; the others are in gstreamer1.0-plugins-bad."""
GSTREAMER = (
    "sudo apt-get install gstreamer1.0-tools gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav"
)


def library(words: Sequence[str]) -> List[Finding]:
    """One module, imported; with it what it tells of itself."""
    module, group, name, needed, remedy = words
    try:
        loaded = importlib.import_module(module)
    except (ImportError, OSError, AttributeError, RuntimeError, TypeError, ValueError) as error:
        detail = f"cannot be imported: {import_reason(error)}"
        return [Finding(group, name, "broken", detail, remedy, needed == "1")]
    version = getattr(loaded, "__version__", None) or _distributed(module)
    if module.startswith("edgecvar."):
        version = f"compiled for {Path(str(loaded.__file__)).name.split('.')[1]}"
    more = _DETAILS[module](loaded) if module in _DETAILS else ""
    return [Finding(group, name, "ok", f"{version}{more}", "", needed == "1")]


def _distributed(module: str) -> str:
    try:
        return metadata.version(module.partition(".")[0].replace("paho", "paho-mqtt").replace("_", "-"))
    except metadata.PackageNotFoundError:
        return "of a version that it does not tell"


def _cuda_of(torch: object) -> str:
    cuda = getattr(torch, "cuda")  # noqa: B009
    return f", {cuda.device_count()} CUDA devices" if cuda.is_available() else ", CPU alone"


def _ffmpeg_of(av: object) -> str:
    versions = getattr(av, "library_versions", {})
    return f", FFmpeg's libavcodec {'.'.join(map(str, versions['libavcodec']))}" if "libavcodec" in versions else ""


def _providers_of(onnxruntime: object) -> str:
    return f", {', '.join(getattr(onnxruntime, 'get_available_providers')())}"  # noqa: B009


_DETAILS: Dict[str, Callable[[object], str]] = {"torch": _cuda_of, "av": _ffmpeg_of, "onnxruntime": _providers_of}


def decoders(words: Sequence[str]) -> List[Finding]:
    """What PyAV's FFmpeg decodes: H.264 at least."""
    import av

    found = []
    for name, needed in (("h264", True), ("hevc", False), ("mpeg4", False)):
        if _codec(av, name, "r"):
            found.append(Finding("decoders", name, "ok", "in software", needed=needed))
        else:
            found.append(Finding("decoders", name, "missing", "this PyAV was built without it", _WHEEL, needed))
    return found


def encoders(words: Sequence[str]) -> List[Finding]:
    """What PyAV's FFmpeg encodes."""
    import av

    found = []
    for name, codec in (("libx264", "H.264"), ("libx265", "HEVC"), ("mpeg4", "MPEG-4")):
        if _codec(av, name, "w"):
            found.append(Finding("encoders", name, "ok", f"{codec} of synth, prepare and overlays"))
        else:
            found.append(Finding("encoders", name, "optional", f"no {codec} can be written", _WHEEL))
    return found


_WHEEL = "pip install --force-reinstall --only-binary av av"


def _codec(av: object, name: str, mode: str) -> bool:
    try:
        getattr(av, "codec").Codec(name, mode)  # noqa: B009
    except (ValueError, LookupError, OSError):
        return False
    return True


def hardware(words: Sequence[str]) -> List[Finding]:
    """Decoders of I-pictures beside software: elements of GStreamer whose device files are here, and CUDA by PyAV."""
    from edgecvar.stream.images import cuda, gst
    from edgecvar.stream.images.gstreamer import HARDWARE, SOFTWARE

    found: List[Finding] = []
    here = [each for elements in HARDWARE.values() for each in elements if any(map(glob.glob, each.nodes))]
    names = {each.name: each.after for each in (*here, *SOFTWARE.values())}
    try:
        for name, after in names.items():
            missing = gst.missing_elements([each for each in (name, after) if each])
            remedy = f"sudo apt-get install {PACKAGES.get(name, 'gstreamer1.0-plugins-bad')}" if missing else ""
            detail = f"GStreamer has no {', no '.join(missing)}" if missing else "GStreamer"
            found.append(Finding("decoders", name, "optional" if missing else "ok", detail, remedy))
    except EdgecvarError as error:
        found.append(Finding("decoders", "GStreamer", "optional", str(error), GSTREAMER))
    if any(map(glob.glob, cuda.NODES)):
        found += [_nvdec(codec) for codec in ("h264", "hevc")]
    return found or [Finding("decoders", "hardware", "optional", "none is here: I-pictures are decoded in software")]


def _nvdec(codec: str) -> Finding:
    from edgecvar.stream.decoders import cuda_context

    try:
        cuda_context(codec)
    except EdgecvarError as error:
        return Finding("decoders", f"NVDEC {codec}", "optional", str(error), "pip install --upgrade 'av>=14.1'")
    return Finding("decoders", f"NVDEC {codec}", "ok", "CUDA, by PyAV")


def device(words: Sequence[str]) -> List[Finding]:
    """Which Jetson this is, in which power mode."""
    from edgecvar.judge.machine import device_facts, machine_facts

    found = []
    facts = {name: value for name, value in machine_facts().items() if name != "python"}
    for name, value in {**facts, **device_facts()}.items():
        known = "not in the table" not in value and not value.startswith("unknown")
        remedy = (
            ""
            if known
            else "sudo nvpmodel -q"
            if name == "power mode"
            else "name it with --device, see `edgecvar devices`"
        )
        found.append(Finding("device", name, "ok" if known else "optional", value, remedy))
    return found


def cameras(words: Sequence[str]) -> List[Finding]:
    """Those that are attached, and whether this user may open them."""
    from edgecvar.stream.sources.launched import has_argus
    from edgecvar.stream.sources.v4l2 import attached_camera

    found = []
    for path in sorted(glob.glob("/dev/video*")):
        if not os.access(path, os.R_OK | os.W_OK):
            continue  # `permissions` says so
        try:
            camera = attached_camera(path)
        except OSError as error:
            found.append(Finding("cameras", path, "broken", f"cannot be asked ({reason(error)})"))
            continue
        if camera.formats:
            found.append(Finding("cameras", path, "ok", f"{camera.card}: {', '.join(camera.formats)}"))
    if has_argus():
        found.append(Finding("cameras", "csi://0", "ok", "CSI cameras, by nvarguscamerasrc"))
    return found or [Finding("cameras", "attached", "optional", "none; those of a network need no driver")]


def demo(words: Sequence[str]) -> List[Finding]:
    """The shipped bundle on the shipped clip, with ONNX Runtime: what everything else is for."""
    import time

    from edgecvar.bundle.default import default_bundle, default_clip
    from edgecvar.run.model import load

    began = time.perf_counter()
    with load(default_bundle(), runner="onnx") as model, model.run(default_clip()) as run:
        decisions = list(run)
    seconds = time.perf_counter() - began
    if not decisions:
        return [Finding("demo", "run", "broken", "no decision came of the shipped clip", needed=True)]
    detail = f"{len(decisions)} decisions by {run.info.extraction} extraction, {seconds:.1f} s"
    return [Finding("demo", "run", "ok", detail, needed=True)]


PROBES: Dict[str, Callable[[Sequence[str]], List[Finding]]] = {
    "library": library,
    "decoders": decoders,
    "hardware": hardware,
    "encoders": encoders,
    "device": device,
    "cameras": cameras,
    "demo": demo,
}


def main(words: Sequence[str]) -> None:
    """Print what the look of that name finds."""
    print(f"\n{json.dumps([asdict(each) for each in PROBES[words[0]](words[1:])])}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
    os._exit(0)  # what a library does while it is torn down is not asked here
