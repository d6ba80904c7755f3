"""`python -m edgecvar`: the command line."""

from __future__ import annotations

from edgecvar.cli.main import main

if __name__ == "__main__":
    main()
