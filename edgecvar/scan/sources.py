"""What is to be scanned: files, folders, patterns, and all that fsspec opens."""

from __future__ import annotations

import glob
import os
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Dict, Iterator, List, Sequence, Union

from edgecvar.clips.labelled import VIDEO_SUFFIXES, videos_below
from edgecvar.errors import ConfigError, DatasetError, need_extra, reason
from edgecvar.scan.values import Listed
from edgecvar.stream.sources.address import is_live
from edgecvar.stream.sources.opening import path_of, read_once, without_password


def find_listed(arguments: Sequence[str]) -> List[Listed]:
    """What the arguments name, each once, by name; raises ConfigError and DatasetError where one names nothing.

    A single file or URL that is named is taken as it is: whether it is there shows when it is opened.
    """
    found: Dict[str, Listed] = {}
    for argument in arguments:
        if not argument:
            raise ConfigError("a source is empty; name a file, a folder, a pattern in quotes, or a URL")
        if argument == "-" or is_live(argument) or read_once(argument):
            raise ConfigError(f"{without_password(argument)}: can be read once only, and a scan may be begun again")
        listed = _local(argument) if path_of(argument) is not None else _remote(argument)
        if not listed:
            raise DatasetError(f"{without_password(argument)}: no video there")
        found.update((each.name, each) for each in listed)
    return sorted(found.values(), key=lambda each: os.fsencode(each.name))


def _local(argument: str) -> List[Listed]:
    path = path_of(argument)
    assert path is not None
    if path.is_dir():
        names = [str(each) for each in videos_below(path)]
    elif glob.has_magic(str(path)) and not path.exists():
        names = [each for each in glob.glob(str(path), recursive=True) if Path(each).is_file()]
    else:
        names = [str(path)]
    return [_stamped(name) for name in names]


def _stamped(name: str) -> Listed:
    try:
        found = os.stat(name)
    except OSError:
        return Listed(name)
    return Listed(name, f"{found.st_size} {found.st_mtime_ns}", found.st_size)


def _remote(argument: str) -> List[Listed]:
    """A URL, those that match a pattern, or the videos below a folder (a URL that ends in a slash)."""
    import_fsspec()
    import fsspec

    place = argument.partition("::")[0]
    patterned = glob.has_magic(place.partition("?")[0] if place.startswith("http") else place)
    if not patterned and not place.endswith("/"):
        return [Listed(argument)]
    try:
        system, path = fsspec.core.url_to_fs(argument)
        entries = system.glob(path, detail=True) if patterned else system.find(path, detail=True)
        files = [each for each in entries.values() if each.get("type") == "file"]
        wanted = files if patterned else [each for each in files if _is_video(str(each["name"]))]
        return [_told(system.unstrip_protocol(each["name"]), argument, each) for each in wanted]
    except ImportError as error:
        raise ConfigError(f"{without_password(argument)}: {reason(error)}") from error
    except Exception as error:  # each file system of fsspec has errors of its own
        raise DatasetError(f"{without_password(argument)}: cannot be listed ({reason(error)})") from error


def _told(name: str, argument: str, entry: Dict[str, Any]) -> Listed:
    _, chained, rest = argument.partition("::")
    stamps = (entry.get(key) for key in ("size", "ETag", "etag", "mtime", "LastModified", "updated", "last_modified"))
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
def opened_source(name: str) -> Iterator[Union[str, RemoteFile]]:
    """What a stream is opened with: a path as it is, all else by fsspec. Raises what fsspec raises."""
    if path_of(name) is not None:
        yield name
        return
    import_fsspec()
    import fsspec

    with fsspec.open(name, "rb") as file:
        yield RemoteFile(file, without_password(name))
