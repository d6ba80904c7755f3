"""What every verb says of a bundle whose weights are random."""

from __future__ import annotations

from edgecvar.bundle.manifest import Bundle
from edgecvar.terminal import say


def warn_untrained(bundle: Bundle) -> bool:
    """Say on stderr when a bundle's weights are random; whether they are."""
    untrained = bundle.manifest.provenance.untrained
    if untrained:
        say(f"warning: {bundle.path}: untrained weights, for profiling only; its labels mean nothing", err=True)
    return untrained
