"""Where reading may begin in a file of H.264 or HEVC, as if all that is before had been read."""

from __future__ import annotations

from pathlib import Path
from typing import List, Tuple

from edgecvar.stream.container import OpenVideo, open_video
from edgecvar.stream.nal.units import SYNTAX, configured_units, kind_of, length_size_of, sets_among, split_units
from edgecvar.stream.packets import coded_packets
from edgecvar.stream.sources.seeking import Entry


def idr_entries(path: Path, pictures: int) -> List[Entry]:
    """The IDR pictures of a file that has `pictures` in all: nothing from one on refers to what is before it.

    None where that may not be all that matters, or they could not be found again: where packets are not one a picture,
    parameter sets change or come to light later, or times are missing or do not rise. An open GOP and a recovery point
    are none: lists begin there with what is left of pictures before. Raises StreamError where it cannot be opened.
    """
    entries, packets = packet_entries(path)
    return entries if packets == pictures else []


def packet_entries(path: Path) -> Tuple[List[Entry], int]:
    """As `idr_entries` of a file of which nobody has counted the pictures, and how many packets it has."""
    if not path.is_file():
        return [], 0
    with open_video(path) as video:
        entries, packets = _idr_entries(video) if video.codec in SYNTAX else ([], 0)
    times = [entry.time for entry in entries if entry.time is not None]
    rising = all(time < following for time, following in zip(times, times[1:]))
    return entries if rising and len(times) == len(entries) else [], packets


def _idr_entries(video: OpenVideo) -> Tuple[List[Entry], int]:
    extradata, codec = video.context.extradata, video.codec
    syntax, length_size = SYNTAX[codec], length_size_of(extradata, codec)
    held = sets_among(configured_units(extradata or b"", codec), codec)
    entries: List[Entry] = []
    broken: List[str] = []
    count = 0
    for number, packet in enumerate(coded_packets(video, broken.append)):
        units = list(split_units(bytes(packet), length_size))
        sets, count = sets_among(units, codec), number + 1
        held = held if number else {**sets, **held}
        if not sets.items() <= held.items():
            return [], count
        kinds = (kind_of(unit, codec) for unit in units)
        if packet.is_keyframe and next(filter(syntax.slices.__contains__, kinds), -1) in syntax.idr:
            entries.append(Entry.of(number, packet))
    return [] if broken else entries, count
