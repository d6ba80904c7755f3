"""Made data in the layout that each published data set has: its official lists' formats, clips named as its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List, Mapping, Sequence

Clips = Mapping[str, Sequence[Path]]
"""Some clips of each class."""

PARTS = 3
"""Clips of a class that a set has at least, one of which tests in each official split."""


def put(clips: Sequence[Path], folder: Path, names: Sequence[str]) -> None:
    """The clips under other names; the last stands in for those that are not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        (folder / name).write_bytes(clips[min(number, len(clips) - 1)].read_bytes())


def ucf101(root: Path, clips: Clips) -> Dict[str, str]:
    """videos/<class>/v_<class>_g01_c01.avi; lists/classInd.txt, trainlist01.txt, testlist01.txt, ... 03."""
    lists = root / "lists"
    lists.mkdir(parents=True)
    (lists / "classInd.txt").write_text("".join(f"{number} {label}\r\n" for number, label in enumerate(clips, 1)))
    for label, files in clips.items():
        put(files, root / "videos" / label, [f"v_{label}_g0{place}_c01.avi" for place in range(1, PARTS + 1)])
    for split in range(1, PARTS + 1):
        lines: Dict[str, List[str]] = {"train": [], "test": []}
        for number, label in enumerate(clips, start=1):
            for place in range(1, PARTS + 1):
                name = f"{label}/v_{label}_g0{place}_c01.avi"
                lines["test" if place == split else "train"].append(name if place == split else f"{name} {number}")
        for part, told in lines.items():
            (lists / f"{part}list0{split}.txt").write_text("\r\n".join(told) + "\r\n")
    return {"data": str(root / "videos"), "split.files": str(lists)}


def hmdb51(root: Path, clips: Clips) -> Dict[str, str]:
    """videos/<class>/<clip>.avi; lists/<class>_test_split1.txt, ... 3, where 0 is in neither part."""
    lists = root / "lists"
    lists.mkdir(parents=True)
    for label, files in clips.items():
        names = [f"some_#{place}_(x)_{label}.avi" for place in range(PARTS + 1)]
        put(files, root / "videos" / label, names)
        for split in range(1, PARTS + 1):
            uses = [2 if place == split - 1 else 0 if place == PARTS else 1 for place in range(PARTS + 1)]
            told = "".join(f"{name} {use} \n" for name, use in zip(names, uses))
            (lists / f"{label}_test_split{split}.txt").write_text(told)
    return {"data": str(root / "videos"), "split.files": str(lists)}


def kinetics(root: Path, clips: Clips) -> Dict[str, str]:
    """videos/<part>/<class>/<id>_000003_000013.mp4; lists/train.csv, val.csv."""
    (root / "lists").mkdir(parents=True)
    rows: Dict[str, List[str]] = {"train": [], "val": []}
    for label, files in clips.items():
        for place in range(PARTS):
            part = "val" if place == PARTS - 1 else "train"
            name = f"-{label}id{place}"
            put(files[place:] or files[-1:], root / "videos" / part / label, [f"{name}_000003_000013.mp4"])
            rows[part].append(f'"{label}",{name},3,13,{part}')
    for part, told in rows.items():
        header = "label,youtube_id,time_start,time_end,split\n"
        (root / "lists" / f"{part}.csv").write_text(header + "\n".join(told) + "\n")
    return {"data": str(root / "videos"), "split.files": str(root / "lists")}


def something_v1(root: Path, clips: Clips) -> Dict[str, str]:
    """videos/<number>.webm; lists/something-something-v1-{labels,train,validation}.csv with ; between."""
    (root / "lists").mkdir(parents=True)
    rows: Dict[str, List[str]] = {"labels": [f"Moving something {label}" for label in clips]}
    for number, (label, files) in enumerate(clips.items()):
        put(files, root / "videos", [f"{number}{place}.webm" for place in range(PARTS)])
        for place in range(PARTS):
            part = "validation" if place == PARTS - 1 else "train"
            rows.setdefault(part, []).append(f"{number}{place};Moving something {label}")
    for part, told in rows.items():
        (root / "lists" / f"something-something-v1-{part}.csv").write_text("\n".join(told) + "\n")
    return {"data": str(root / "videos"), "split.files": str(root / "lists")}


def something_v2(root: Path, clips: Clips) -> Dict[str, str]:
    """videos/<number>.webm; lists/something-something-v2-{labels,train,validation}.json."""
    (root / "lists").mkdir(parents=True)
    entries: Dict[str, List[Dict[str, str]]] = {"train": [], "validation": []}
    for number, (label, files) in enumerate(clips.items()):
        put(files, root / "videos", [f"{number}{place}.webm" for place in range(PARTS)])
        for place in range(PARTS):
            part = "validation" if place == PARTS - 1 else "train"
            named = {"label": f"moving a cup {label}", "template": f"Moving [something] {label}"}
            entries[part].append({"id": f"{number}{place}", **named})
    labels = {f"Moving something {label}": str(number) for number, label in enumerate(clips)}
    for part, told in (("labels", labels), *entries.items()):
        (root / "lists" / f"something-something-v2-{part}.json").write_text(json.dumps(told))
    return {"data": str(root / "videos"), "split.files": str(root / "lists")}


LAYOUTS = {
    "ucf101": ucf101,
    "hmdb51": hmdb51,
    "kinetics400": kinetics,
    "kinetics-n50": kinetics,
    "something-v1": something_v1,
    "something-v2": something_v2,
}
"""By the folder of recipes."""
