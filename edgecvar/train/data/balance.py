"""Classes of few clips and classes of many, made to count alike."""

from __future__ import annotations

from typing import List, Sequence

import numpy as np
from numpy.typing import NDArray


def class_weights(labels: Sequence[int], classes: int) -> List[float]:
    """How much a clip of each class counts, so that all classes count alike and the clips 1 on the average.

    `labels`: the class of each clip; every class has one.
    """
    counts = np.bincount(np.asarray(labels), minlength=classes)
    return [len(labels) / (classes * int(count)) for count in counts]


def balanced_order(labels: Sequence[int], rng: np.random.Generator) -> NDArray[np.int64]:
    """As many places as there are clips, shared evenly among the classes: numbers of clips, shuffled.

    A class gives all its clips equally often, or once more; which do, and which stay out where it has more clips than
    places, is drawn anew on each call.
    """
    kinds = np.asarray(labels)
    classes = rng.permutation(np.unique(kinds))
    edges = [number * len(kinds) // len(classes) for number in range(len(classes) + 1)]
    chosen: List[NDArray[np.int64]] = []
    for each, places in zip(classes, np.diff(edges)):
        clips = rng.permutation(np.flatnonzero(kinds == each))
        chosen.append(np.resize(clips, int(places)))
    return rng.permutation(np.concatenate(chosen))
