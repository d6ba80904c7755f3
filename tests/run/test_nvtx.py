"""Ranges for NVIDIA's profilers: held by a library that writes down what it is called with."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from types import ModuleType

import pytest

from edgecvar.errors import ConfigError
from edgecvar.run import nvtx
from edgecvar.run.nvtx import UNDER_NSIGHT, LibraryRanges, PackageRanges, find_ranges

RECORDER = r"""
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct attributes {  /* nvtxEventAttributes_t, written down apart from ours */
    uint16_t version, size;
    uint32_t category;
    int32_t color_type;
    uint32_t color;
    int32_t payload_type, reserved;
    union { uint64_t u; int64_t i; double d; } payload;
    int32_t message_type;
    union { const char *ascii; const wchar_t *unicode; void *registered; } message;
};

static char told[4096];
static int depth;

const char *told_so_far(void) { return told; }

void *nvtxDomainCreateA(const char *name) {
    sprintf(told + strlen(told), "domain %s\n", name);
    return (void *)(intptr_t)0x700000000000;
}

int nvtxDomainRangePushEx(void *domain, const struct attributes *of) {
    sprintf(told + strlen(told), "%d %d push %s %d:%lld in %llx\n", of->version == 2 && of->size == sizeof *of,
            of->message_type, of->message.ascii, of->payload_type, (long long)of->payload.i,
            (unsigned long long)(intptr_t)domain);
    return depth++;
}

int nvtxDomainRangePop(void *domain) {
    sprintf(told + strlen(told), "pop in %llx\n", (unsigned long long)(intptr_t)domain);
    return --depth;
}
"""


@pytest.fixture(scope="module")
def recorder(tmp_path_factory):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here to make the recording library with")
    folder = tmp_path_factory.mktemp("nvtx")
    (folder / "recorder.c").write_text(RECORDER)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", folder / "recorder.so", folder / "recorder.c"], check=True)
    return folder / "recorder.so"


@pytest.fixture
def nothing_here(monkeypatch):
    monkeypatch.setattr(nvtx, "LIBRARIES", ("libthere-is-none.so.1",))
    monkeypatch.setitem(sys.modules, "nvtx", None)


@pytest.fixture
def package(monkeypatch):
    """A package `nvtx` that writes down its calls, in a Python that has no library."""
    told = []
    module = ModuleType("nvtx")
    module.push_range = lambda message, domain: told.append((message, domain))
    module.pop_range = lambda domain: told.append(domain)
    monkeypatch.setattr(nvtx, "LIBRARIES", ())
    monkeypatch.setitem(sys.modules, "nvtx", module)
    return told


def test_a_library_is_told_where_ranges_begin_and_end(recorder):
    library = ctypes.CDLL(str(recorder))
    library.told_so_far.restype = ctypes.c_char_p
    ranges = LibraryRanges(library)
    ranges.push("stage:motion", 41)
    ranges.push("read", None)
    ranges.pop()
    ranges.pop()
    assert library.told_so_far().decode().splitlines() == [
        "domain edgecvar",
        "1 1 push stage:motion 2:41 in 700000000000",
        "1 1 push read 0:0 in 700000000000",
        "pop in 700000000000",
        "pop in 700000000000",
    ]


def test_a_library_is_found_by_its_name(recorder, monkeypatch):
    monkeypatch.setattr(nvtx, "LIBRARIES", ("missing.so.1", recorder.name))
    monkeypatch.setattr(nvtx, "FOLDERS", ("", f"{recorder.parent}/"))
    assert isinstance(find_ranges(True, {}), LibraryRanges)
    assert isinstance(find_ranges(None, {UNDER_NSIGHT: "1"}), LibraryRanges)


def test_a_library_without_the_functions_is_none(package, monkeypatch):
    monkeypatch.setattr(nvtx, "LIBRARIES", ("libc.so.6",))
    assert isinstance(find_ranges(True, {}), PackageRanges)


def test_the_package_is_told_in_our_domain(package):
    ranges = find_ranges(None, {UNDER_NSIGHT: "7"})
    ranges.push("read", 3)
    ranges.pop()
    assert package == [("read", "edgecvar"), "edgecvar"]


@pytest.mark.parametrize(("wanted", "environment"), [(None, {}), (False, {}), (False, {UNDER_NSIGHT: "7"})])
def test_nobody_asked_and_nothing_is_looked_for(package, monkeypatch, wanted, environment):
    monkeypatch.setattr(nvtx, "LIBRARIES", None)  # to be looked through is an error
    assert find_ranges(wanted, environment) is None


def test_what_was_asked_for_and_is_not_here_is_one_line(nothing_here):
    with pytest.raises(ConfigError, match="--nvtx: neither libthere-is-none") as caught:
        find_ranges(True, {})
    assert "\n" not in str(caught.value) and "pip install nvtx" in str(caught.value)


def test_a_profiler_without_the_library_stops_no_run(nothing_here):
    assert find_ranges(None, {UNDER_NSIGHT: "7"}) is None
