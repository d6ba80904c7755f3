"""The process that fuzzes: `python -m tests.fuzz.guided TARGET OPTION...`, with libFuzzer's options."""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import suppress
from typing import Callable

import atheris

from tests.fuzz.targets import CORE, MOST_MIB, mutator, peak_mib, target


def main(name: str) -> None:
    _use_plain_loaders()
    # Modules that are imported in the middle of a check count as well, so the hook stays until the end.
    with atheris.instrument_imports(include=["edgecvar", "click"], enable_loader_override=False):
        check, mutate = target(name).check, mutator(name)
        for data in target(name).seeds().values():
            check(data)
        options = {} if mutate is None else {"custom_mutator": _mutator(mutate)}
        atheris.Setup([sys.argv[0], "-rss_limit_mb=4096", *sys.argv[2:]], _bounded(check), **options)
        atheris.Fuzz()


def _use_plain_loaders() -> None:
    """Atheris leaves out modules that an editable install loads in its own way, which alone finds the core, though."""
    if CORE not in os.environ:
        with suppress(ImportError):
            importlib.import_module("edgecvar.stream.native._core")
    sys.meta_path[:] = [each for each in sys.meta_path if "editable" not in type(each).__module__]


def _bounded(check: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """Also raises after the first input that takes too much memory: libFuzzer's own bound names a later one."""
    most = peak_mib() + MOST_MIB

    def bounded(data: bytes) -> None:
        check(data)
        if peak_mib() > most:
            raise MemoryError(f"{peak_mib()} MiB, and {most - MOST_MIB} before")

    return bounded


def _mutator(mutate: Callable[[bytes, int], bytes]) -> Callable[[bytes, int, int], bytes]:
    """As the syntax has it in two of three, by libFuzzer's own ways else."""

    def changed(data: bytes, most: int, seed: int) -> bytes:
        return mutate(data, seed)[:most] if seed % 3 else atheris.Mutate(data, most)

    return changed


if __name__ == "__main__":
    main(sys.argv[1])
