"""Compares two outputs of `edgecvar run --json`: same pictures, same labels, probabilities within a tolerance.

The tolerance allows for float32 sums in another order: another processor's kernels add in another order, which moves a
probability by some 10^-6 a layer; the bundle's stages are some tens of layers deep.
"""

import json
import sys

TOLERANCE = 1e-4


def read(path):
    """The decisions; the last line sums up, and has times in it."""
    with open(path, encoding="utf-8") as lines:
        return [item for item in map(json.loads, lines) if "display_index" in item]


def difference(one, other):
    """The largest difference of probability; SystemExit with one line where the decisions differ."""
    if [item["display_index"] for item in one] != [item["display_index"] for item in other]:
        sys.exit(f"different pictures: {len(one)} decisions and {len(other)}, or not at the same display indices")
    if not one:
        sys.exit("no decisions to compare")
    largest = 0.0
    for left, right in zip(one, other):
        if left["label"] != right["label"]:
            sys.exit(f"picture {left['display_index']}: {left['label']} and {right['label']}")
        largest = max(largest, abs(left["probability"] - right["probability"]))
    if largest > TOLERANCE:
        sys.exit(f"probabilities differ by {largest:.2g}, more than {TOLERANCE:g}")
    return largest


def main(paths):
    if len(paths) != 2:
        sys.exit("usage: same_decisions.py ONE.jsonl OTHER.jsonl")
    one, other = map(read, paths)
    largest = difference(one, other)
    labels = len({item["label"] for item in one})
    print(f"the same {len(one)} decisions ({labels} labels); probabilities differ by at most {largest:.1g}")


if __name__ == "__main__":
    main(sys.argv[1:])
