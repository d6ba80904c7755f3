"""What is to be scanned: files, folders, patterns, and all that fsspec opens."""

from __future__ import annotations

import glob
import os
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Dict, Iterator, List, Sequence, Union

from edgecvar.clips.labelled import VIDEO_SUFFIXES, files_matching, videos_below
from edgecvar.errors import ConfigError, DatasetError, need_extra, reason
from edgecvar.scan.values import Listed
from edgecvar.stream.sources.address import is_live
from edgecvar.stream.sources.opening import path_of, read_once, without_password
from edgecvar.stream.sources.passwords import without_passwords

_WITHOUT_HOST = tuple(f"{each}://" for each in ("ftp", "sftp", "ssh", "smb", "hdfs", "webhdfs"))
"""What fsspec lists without the server's name, so that none of it could be opened."""
_STAMPS = ("ETag", "etag", "mtime", "LastModified", "updated", "last_modified", "CRC")
"""What file systems of fsspec say of a file that changes with its bytes, beside its size."""


def find_listed(arguments: Sequence[str]) -> List[Listed]:
    """What the arguments name, each once, by name; raises ConfigError and DatasetError where one names nothing.

    A single file or URL that is named is taken as it is, and whether it is there shows when it is opened; but where
    none of the named is, there is a mistake.
    """
    found: Dict[str, Listed] = {}
    for argument in arguments:
        if not argument:
            raise ConfigError("a source is empty; name a file, a folder, a pattern in quotes, or a URL")
        if argument == "-" or is_live(argument) or read_once(argument):
            raise ConfigError(f"{without_password(argument)}: can be read once only, and this may be begun again")
        listed = _local(argument) if path_of(argument) is not None else _remote(argument)
        if not listed:
            told = without_password(argument)
            raise DatasetError(f"{told}: no video there; name a file, a folder with videos, or a pattern in quotes")
        found.update((each.name, each) for each in listed)
    if not any(path_of(name) is None or os.path.exists(name) for name in found):
        raise DatasetError(f"{next(iter(found))}: no such file or folder")
    return sorted(found.values(), key=lambda each: os.fsencode(each.name))


def given_sources(arguments: Sequence[str]) -> List[str]:
    """The arguments as they are kept: each once, in order, absolute where it is a path, without passwords."""
    paths = ((each, path_of(each)) for each in arguments)
    names = {each if path is None else os.path.abspath(path) for each, path in paths}
    return sorted(without_password(name) for name in names)


def _local(argument: str) -> List[Listed]:
    path = path_of(argument)
    assert path is not None
    if os.path.isdir(path):
        names = [str(each) for each in videos_below(path)]
    elif glob.has_magic(str(path)) and not os.path.exists(path):
        names = [str(each) for each in files_matching(str(path))]
    else:
        names = [str(path)]
    return [stamped(name) for name in names]


def stamped(name: str) -> Listed:
    """A local file with what changes with its bytes."""
    try:
        found = os.stat(name)
    except OSError:
        return Listed(name)
    return Listed(name, f"{found.st_size} {found.st_mtime_ns}", found.st_size)


def _remote(argument: str) -> List[Listed]:
    """A URL, those that match a pattern, or the videos below a folder (a URL that ends in a slash)."""
    import_fsspec()
    import fsspec

    place, _, behind = argument.partition("::")
    if not _is_many(place):
        if "://" not in place and _is_many(behind.partition("::")[0]):
            raise ConfigError(
                f"{without_password(argument)}: {place} opens one file; leave {place}:: out, or name each"
            )
        return [Listed(argument)]
    if place.startswith(_WITHOUT_HOST):
        raise ConfigError(f"{without_password(argument)}: such servers are not listed; name each file, or mount it")
    try:
        system, path = fsspec.core.url_to_fs(argument)
        patterned = _is_patterned(place)
        entries = system.glob(path, detail=True) if patterned else system.find(path, detail=True)
        files = [each for each in entries.values() if each.get("type") == "file"]
        wanted = files if patterned else [each for each in files if _is_video(str(each["name"]))]
        return [_told(system.unstrip_protocol(each["name"]), argument, each) for each in wanted]
    except ImportError as error:
        raise ConfigError(without_passwords(f"{argument}: {reason(error)}", argument)) from error
    except Exception as error:  # each file system of fsspec has errors of its own
        told = f"{argument}: cannot be listed ({reason(error)})"
        raise DatasetError(without_passwords(told, argument)) from error


def _is_patterned(place: str) -> bool:
    return glob.has_magic(place.partition("?")[0] if place.startswith("http") else place)


def _is_many(place: str) -> bool:
    return _is_patterned(place) or place.endswith("/")


def _told(name: str, argument: str, entry: Dict[str, Any]) -> Listed:
    _, chained, rest = argument.partition("::")
    stamps = (entry.get(key) for key in ("size", *_STAMPS))
    stamp = " ".join(str(each) for each in stamps if each is not None)
    return Listed(f"{name}::{rest}" if chained else name, stamp, int(entry.get("size") or 0))


def _is_video(name: str) -> bool:
    return Path(name).suffix.lower() in VIDEO_SUFFIXES and not Path(name).name.startswith(".")


def import_fsspec() -> None:
    """Raises ConfigError where fsspec is not installed."""
    need_extra("scan", "scanning URLs", "fsspec")


class RemoteFile:
    """A file of fsspec's under the name that it was asked for, for whoever reads containers."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self.name = name
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """So many bytes, fewer at the end; raises OSError whatever its file system raises."""
        try:
            return self._file.read(size)
        except OSError:
            raise
        except Exception as error:  # each file system of fsspec has errors of its own
            raise OSError(f"{type(error).__name__}: {reason(error)}") from error


@contextmanager
def opened_source(name: str, timeout: float) -> Iterator[Union[str, RemoteFile]]:
    """What a stream is opened with: a path as it is, all else by fsspec. Raises what fsspec raises.

    `timeout`: seconds without data after which an HTTP server is given up; other stores have their own.
    """
    if path_of(name) is not None:
        yield name
        return
    import_fsspec()
    import fsspec

    with fsspec.open(name, "rb", **_patience(name, timeout)) as file:
        yield RemoteFile(file, without_password(name))


def _patience(name: str, timeout: float) -> Dict[str, Any]:
    """What fsspec takes so that an HTTP server is given up in time, beside what it is configured with."""
    scheme = name.partition("://")[0].lower()
    if scheme not in ("http", "https"):
        return {}
    import fsspec
    from aiohttp import ClientTimeout

    configured = fsspec.config.conf.get(scheme, {}).get("client_kwargs", {})
    patience = ClientTimeout(total=None, sock_connect=timeout, sock_read=timeout)
    return {"client_kwargs": {"timeout": patience, **configured}}
