"""The verb that measures, a file a command; its own is `timing`."""

from edgecvar.cli.bench.timing import command

__all__ = ["command"]
