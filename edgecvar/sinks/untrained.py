"""What every verb says of a bundle whose weights are random."""

from __future__ import annotations

import sys

from edgecvar.bundle.manifest import Bundle


def warn_untrained(bundle: Bundle) -> bool:
    """Say on stderr when a bundle's weights are random; whether they are."""
    untrained = bundle.manifest.provenance.untrained
    if untrained:
        print(
            f"warning: {bundle.path}: untrained weights, for profiling only; its labels mean nothing", file=sys.stderr
        )
    return untrained
