"""Attached cameras, and what a source sends, as lines for people or a document for machines."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Dict, List, Sequence

from edgecvar.cli.report.tables import print_table
from edgecvar.stream.live.trial import SourceTrial
from edgecvar.stream.sources.v4l2 import AttachedCamera
from edgecvar.terminal import say

CSI = "csi://0"


def cameras_document(cameras: Sequence[AttachedCamera], argus: bool) -> Dict[str, Any]:
    """What is attached, ready for JSON."""
    rows = [{"uri": uri_of(each), **asdict(each), "compressed": each.compressed} for each in cameras]
    return {"cameras": rows, "csi": CSI if argus else None}


def print_cameras(cameras: Sequence[AttachedCamera], argus: bool) -> None:
    """A line each, and what to do with them."""
    rows = [[uri_of(each), each.card, " ".join(each.formats), _how(each)] for each in cameras]
    if argus:
        rows.append([CSI, "CSI cameras (nvarguscamerasrc)", "raw", "encoded here"])
    if rows:
        print_table(["uri", "camera", "formats", "read"], rows, right=(), wraps=("formats",))
        say("edgecvar sources URI tries one; the next CSI camera is csi://1")
    else:
        say("no camera is attached (/dev/video*, nvarguscamerasrc)")
    say("cameras of a network: edgecvar sources rtsp://ADDRESS/PATH; test:// is a pattern, encoded live")


def uri_of(camera: AttachedCamera) -> str:
    return f"v4l2://{camera.path}"


def _how(camera: AttachedCamera) -> str:
    if camera.gives_hevc:
        return "its own HEVC, with GStreamer"
    return "its own H.264" if camera.compressed else "encoded here"


def trial_document(name: str, trial: SourceTrial) -> Dict[str, Any]:
    """What a source sent, ready for JSON."""
    info = trial.info
    described: Dict[str, Any] = {
        "codec": info.codec,
        "width": info.width,
        "height": info.height,
        "stated_rate": round(float(info.fps), 3),
        "extraction": info.extraction,
    }
    measured = {key: value for key, value in asdict(trial).items() if key != "info"}
    rounded = {key: round(value, 3) if isinstance(value, float) else value for key, value in measured.items()}
    return {"source": name, **described, **rounded, "changes": list(trial.changes)}


def print_trial(name: str, trial: SourceTrial) -> None:
    """What a source sent, and what to change."""
    for line in trial_lines(name, trial):
        say(line)


def trial_lines(name: str, trial: SourceTrial) -> List[str]:
    """The same as lines."""
    info, seconds = trial.info, trial.gop / trial.rate
    interval = f"{trial.gop} pictures ({seconds:.1f} s)" if trial.gop else f"no second one in {trial.seconds:.0f} s"
    profile = f" {trial.profile}" if trial.profile else ""
    lines = [
        name,
        *([trial.note] if trial.note else []),
        f"  codec          {info.codec}{profile}, {info.width} x {info.height}",
        f"  rate           {trial.rate:.2f} pictures/s, {trial.bits_per_second / 1e6:.2f} Mbit/s",
        f"  I-pictures     {interval}",
        f"  B-pictures     {f'{trial.b_pictures} of {trial.pictures}' if trial.b_pictures else 'none'}",
        f"  first I        {trial.first_seconds:.2f} s after asking",
        f"  arrivals       even within {trial.jitter_ms:.0f} ms (95 of 100), longest pause {trial.longest_ms:.0f} ms",
        f"  vectors        {info.extraction}: {info.extraction_note}",
    ]
    if not trial.changes:
        return [*lines, "nothing to change"]
    return [*lines, "to change in its settings:", *(f"  - {change}" for change in trial.changes)]
