"""Which clips belong together by their file names: of one person, scene or recording, or neighbours in number."""

from __future__ import annotations

import re
from collections import Counter
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from edgecvar.clips.labelled import Clip
from edgecvar.documents import DIGITS
from edgecvar.errors import DatasetError

NUMBERS, CLIPS = "numbers", "clips"
"""Rules beside regular expressions: stretches of neighbouring numbers, and every clip for itself."""

WORDS = (
    *("person", "people", "subject", "subj", "sub", "actor", "user", "signer", "participant", "player", "p", "s", "id"),
    *("scene", "place", "session", "video", "vid", "group", "grp", "g"),
)
"""What names call a person, a place or a recording by, before its number."""

FEWEST = 3
"""Groups that a rule must find."""
REPEATED = 1.5
"""Clips of a class with one number, in the mean, from which on the number names a group and does not count clips."""
MOST_OF_ALL = 0.6
"""Part of all clips that one group may hold."""
MANY = 20
"""Numbers to validate from which on they are two stretches: one alone may lie in a single recording."""

_LAST = re.compile(r"(\d+)[^0-9A-Za-z]*\.\w+$")
_FIRST = r"(?<![0-9A-Za-z])(\d+)"


def find_rule(clips: Sequence[Clip]) -> str:
    """The rule that the names show: a regular expression whose group 1 is the group, `numbers` or `clips`.

    A number after the same letters in every name is a group's where the letters are one of `WORDS` and the classes
    share its values, or where several clips of a class share one; else it counts clips, and neighbours go together.
    """
    found: List[Tuple[bool, int, str]] = []
    for letters, pattern in _candidates(clips):
        values = [match.group(1) for match in (re.search(pattern, clip.path.name) for clip in clips) if match]
        known = letters.lower() in WORDS
        if len(values) == len(clips) and _are_groups(clips, values, known):
            found.append((known, len(set(values)), pattern))
    if found:
        return max(found)[2]
    return NUMBERS if _are_counted(clips) else CLIPS


def groups_of(clips: Sequence[Clip], rule: str, fraction: float) -> List[str]:
    """The group of each clip; `fraction`: how long stretches of numbers are. Raises DatasetError for names without."""
    if rule == CLIPS:
        return [f"{clip.label}/{clip.path.name}" for clip in clips]
    if rule == NUMBERS:
        return _stretches(clips, fraction)
    return [_first_group(clip, rule) for clip in clips]


def _candidates(clips: Sequence[Clip]) -> Iterator[Tuple[str, str]]:
    """(letters before the number, pattern) of each number that every name may have; bare ones the first of two."""
    name = clips[0].path.name
    for letters in dict.fromkeys(re.findall(r"(?<![A-Za-z])([A-Za-z]+)\d+", clips[0].path.stem)):
        yield letters, rf"(?<![A-Za-z])({letters}\d+)"
    if len(re.findall(_FIRST, name)) > 1:
        yield "", _FIRST


def _are_groups(clips: Sequence[Clip], values: Sequence[str], known: bool) -> bool:
    sizes = Counter(values)
    if not FEWEST <= len(sizes) <= len(clips) / 2 or max(sizes.values()) > MOST_OF_ALL * len(clips):
        return False
    pairs = {(clip.label, value) for clip, value in zip(clips, values)}
    by_class, by_value = Counter(label for label, _ in pairs), Counter(value for _, value in pairs)
    if 2 * sum(1 for count in by_class.values() if count > 1) < len(by_class):  # it rather names the class
        return False
    shared = 2 * sum(1 for count in by_value.values() if count > 1) >= len(by_value)
    return (known and shared) or len(clips) >= REPEATED * len(pairs)


def _are_counted(clips: Sequence[Clip]) -> bool:
    """Whether every name ends in a number, most of which differ in a class."""
    numbers = [_number(clip) for clip in clips]
    return None not in numbers and len({(c.label, n) for c, n in zip(clips, numbers)}) > 0.9 * len(clips)


def _number(clip: Clip) -> Optional[int]:
    found = _LAST.search(clip.path.name)
    return None if found is None or len(found.group(1)) > DIGITS else int(found.group(1))


def _first_group(clip: Clip, rule: str) -> str:
    found = re.search(rule, clip.path.name)
    if found is None or found.group(1) is None:
        raise DatasetError(
            f"{clip.path}: split_by {rule!r} finds no group in this name; give an expression that fits every name, or "
            f"{NUMBERS} or {CLIPS}"
        )
    return found.group(1)


def _stretches(clips: Sequence[Clip], fraction: float) -> List[str]:
    """Stretches of the numbers at the names' ends, the same for all classes where these share their numbers.

    They are as many as make one of them, or two where there are `MANY` numbers, the wanted fraction.
    """
    numbers: List[int] = []
    for clip in clips:
        number = _number(clip)
        if number is None:
            raise DatasetError(f"{clip.path}: split_by {NUMBERS} wants names that end in a number; give an expression")
        numbers.append(number)
    classes: Dict[str, List[int]] = {}
    for clip, number in zip(clips, numbers):
        classes.setdefault(clip.label, []).append(number)
    several = Counter(number for each in classes.values() for number in set(each))
    if 2 * sum(1 for count in several.values() if count > 1) >= len(several):
        names = _cut(sorted(several), fraction)
        return [names[number] for number in numbers]
    inside = {label: _cut(sorted(set(each)), fraction) for label, each in classes.items()}
    return [f"{clip.label} {inside[clip.label][number]}" for clip, number in zip(clips, numbers)]


def _cut(numbers: Sequence[int], fraction: float) -> Dict[int, str]:
    """The name of each number's stretch."""
    several = 2 if fraction * len(numbers) >= MANY else 1
    count = min(len(numbers), max(2, round(several / fraction)))
    edges = [place * len(numbers) // count for place in range(count + 1)]
    names = {}
    for start, end in zip(edges, edges[1:]):
        first, last = numbers[start], numbers[end - 1]
        names.update(dict.fromkeys(numbers[start:end], f"{first}" if first == last else f"{first} to {last}"))
    return names
