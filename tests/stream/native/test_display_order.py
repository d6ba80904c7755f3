"""Display indices from order counts: always the sorted order, and as early as it is certain."""

from __future__ import annotations

import random
from typing import Dict, List, Optional, Sequence, Tuple

import pytest

from edgecvar.stream.native.display_order import DisplayOrder

Coded = Tuple[int, bool]
"""Order count, and whether it resets the order."""


def numbered(
    pictures: Sequence[Coded], reorder: int, step: Optional[int] = None, leading_first: bool = False
) -> Tuple[List[int], List[int]]:
    """Of each picture: its display index, and how many later pictures had come when it was known."""
    order = DisplayOrder(step, leading_first)
    found: Dict[int, int] = {}
    delay: Dict[int, int] = {}
    for number, (poc, resets) in enumerate(pictures):
        for known, index in order.push(number, poc, resets, reorder):
            found[known], delay[known] = index, number - known
    for known, index in order.end():
        found[known], delay[known] = index, len(pictures) - known
    assert order.misplaced == 0
    assert sorted(found.values()) == list(range(len(pictures)))
    return [found[number] for number in range(len(pictures))], [delay[number] for number in range(len(pictures))]


def sorted_order(pictures: Sequence[Coded]) -> List[int]:
    epoch = 0
    keys = []
    for number, (poc, resets) in enumerate(pictures):
        epoch += resets
        keys.append((epoch, poc, number))
    place = {key: index for index, key in enumerate(sorted(keys))}
    return [place[key] for key in keys]


def gop(groups: int, between: int, step: int = 2) -> List[Coded]:
    """An I-picture, then groups of an anchor and the B-pictures before it."""
    pictures: List[Coded] = [(0, True)]
    for group in range(groups):
        first = group * (between + 1) * step
        pictures.append((first + (between + 1) * step, False))
        pictures += [(first + (place + 1) * step, False) for place in range(between)]
    return pictures


@pytest.mark.parametrize("reorder", [0, 4, 16])
def test_a_camera_without_b_pictures_waits_for_nothing(reorder: int) -> None:
    indices, delay = numbered([*gop(40, 0), *gop(40, 0)], reorder, step=2)
    assert indices == list(range(82)) and set(delay) == {0}


def test_without_a_hint_a_stream_learns_its_step() -> None:
    indices, delay = numbered([*gop(40, 0), *gop(40, 0)], 4)
    assert indices == list(range(82))
    assert max(delay) == 4 and set(delay[13:]) == {0}


@pytest.mark.parametrize("step", [1, 2, 4])
@pytest.mark.parametrize("between", [1, 2, 5])
def test_b_pictures_wait_as_long_as_needed(between: int, step: int) -> None:
    pictures = [*gop(12, between, step), *gop(8, between, step)]
    indices, delay = numbered(pictures, 1)
    assert indices == sorted_order(pictures)
    assert max(delay[10 * (between + 1) :]) <= between


def test_equal_orders_need_no_waiting() -> None:
    assert numbered(gop(10, 0), 0)[1] == [0] * 11


def test_order_counts_below_the_picture_that_resets_them() -> None:
    pictures = [(0, True), (0, True), *((-14 + 2 * place, False) for place in range(7)), (2, False)]
    assert numbered(pictures, 16)[0] == sorted_order(pictures) == [0, 8, 1, 2, 3, 4, 5, 6, 7, 9]


def test_leading_pictures_of_an_open_start() -> None:
    pictures = [(8, False), (4, False), (6, False), (14, False), (10, False), (12, False)]
    assert numbered(pictures, 2)[0] == [2, 0, 1, 5, 3, 4]


def leading(count: int, behind: int, resets: bool = True, at: int = 0) -> List[Coded]:
    """An I-picture of HEVC, `count` leading pictures in pyramid order, and anchors with a B-picture before each."""
    pictures: List[Coded] = [(at, resets)]
    pictures += [(at - count // 2 - 1, False)] if count else []
    pictures += [(at - place, False) for place in range(count, 0, -1) if place != count // 2 + 1]
    for group in range(behind):
        pictures += [(at + 2 * group + 2, False), (at + 2 * group + 1, False)]
    return pictures


@pytest.mark.parametrize("counts", [(0, 0, 0), (0, 3, 3), (3, 0, 2), (0, 0, 5)])
def test_leading_pictures_of_hevc_need_no_announcing(counts: Tuple[int, ...]) -> None:
    """They come before all that is displayed behind the picture that they lead to: that one is known with the next."""
    pictures = [each for count in counts for each in leading(count, 6)]
    indices, delay = numbered(pictures, 2, leading_first=True)
    assert indices == sorted_order(pictures)
    starts = [number for number, (_, resets) in enumerate(pictures) if resets]
    assert [delay[start] for start, count in zip(starts, counts) if not count] == [1] * counts.count(0)
    assert all(delay[start] <= count + 1 for start, count in zip(starts, counts))


def test_a_cra_picture_in_midstream_resets_nothing() -> None:
    pictures = [*leading(0, 4), *leading(3, 3, resets=False, at=12)]
    indices, delay = numbered(pictures, 2, leading_first=True)
    assert indices == sorted_order(pictures) and max(delay[1:]) <= 3


def test_hevc_without_reordering_waits_for_nothing() -> None:
    pictures = [(place, place == 0) for _ in range(3) for place in range(0, 24, 3)]
    assert numbered(pictures, 0, leading_first=True) == (list(range(24)), [0] * 24)


@pytest.mark.parametrize("seed", range(40))
def test_any_stream_within_its_limit_is_sorted(seed: int) -> None:
    dice = random.Random(seed)
    reorder = dice.randrange(5)
    pictures: List[Coded] = []
    step = dice.choice((1, 2, 3))
    for _ in range(4):
        left = [step * place for place in range(1, dice.randrange(2, 30)) if dice.random() < 0.9]
        pictures.append((0, True))
        while left:  # a picture may overtake at most `reorder` others
            ahead = sum(poc > left[0] for poc, _ in pictures[len(pictures) - pictures[::-1].index((0, True)) :])
            pick = 0 if ahead >= reorder else dice.randrange(min(len(left), reorder - ahead + 1))
            pictures.append((left.pop(pick), False))
    overtaken = 0
    for number, (poc, _) in enumerate(pictures):
        start = max(place for place in range(number + 1) if pictures[place][1])
        overtaken = max(overtaken, sum(other > poc for other, _ in pictures[start:number]))
    assert numbered(pictures, overtaken)[0] == sorted_order(pictures)


def test_a_picture_below_those_shown_gets_the_next_place_and_is_counted() -> None:
    order = DisplayOrder()
    made = []
    for number, poc in enumerate((0, 4, 8, 2, 12, 16)):
        made += order.push(number, poc, number == 0, 0)
    assert made[:4] == [(0, 0), (1, 1), (2, 2), (3, 3)] and order.misplaced == 1
    assert [index for _, index in [*made, *order.end()]] == list(range(6))
    # Having stated too little once, the stream is given more time.
    order.push(6, 24, False, 0)
    assert (7, 7) not in order.push(7, 28, False, 0)
