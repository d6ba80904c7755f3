"""`edgecvar sources`: the cameras that are attached, or what one of them sends."""

from __future__ import annotations

from typing import Optional

import click

from edgecvar.cli.flags import timeout_flag
from edgecvar.terminal import say_json


@click.command("sources")
@click.argument("uri", required=False)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.5, max=3600),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long URI is tried for.",
)
@timeout_flag
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(uri: Optional[str], seconds: float, timeout: float, as_json: bool) -> None:
    """List the attached cameras; of URI, say what it sends and what to change in its settings.

    \b
    edgecvar sources
    edgecvar sources v4l2:///dev/video0
    edgecvar sources rtsp://camera/stream
    edgecvar sources 'test://?size=640x360&fps=15&gop=30&bframes=0'

    A camera is rtsp://, rtsps://, http:// (HLS too), udp://, srt://, v4l2:// or csi://. User and password may be in
    EDGECVAR_USER and EDGECVAR_PASSWORD.
    """
    from edgecvar.cli.report.live.sources import cameras_document, print_cameras, print_trial, trial_document
    from edgecvar.errors import ConfigError
    from edgecvar.stream.sources.address import scheme_of
    from edgecvar.stream.sources.opening import without_password

    if uri is None:
        from edgecvar.stream.sources.launched import has_argus
        from edgecvar.stream.sources.v4l2 import attached_cameras

        cameras, argus = attached_cameras(), has_argus()
        if as_json:
            say_json(cameras_document(cameras, argus))
        else:
            print_cameras(cameras, argus)
        return
    if scheme_of(uri) in ("", "file"):
        raise ConfigError(
            f"{uri}: not a camera's URI, such as rtsp://camera/stream; of a file, `edgecvar inspect` tells"
        )
    from edgecvar.stream.live.trial import try_source

    trial = try_source(uri, seconds, timeout)
    if as_json:
        say_json(trial_document(without_password(uri), trial))
    else:
        print_trial(without_password(uri), trial)
