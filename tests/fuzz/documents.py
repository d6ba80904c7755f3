"""What the targets that read a document share: a folder, a bundle with engines, changes that keep the syntax."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any, Dict, List, Tuple, Union

import yaml

from edgecvar.bundle.engines import BuiltStage, EngineKey, write_engines, write_timings
from edgecvar.errors import EdgecvarError
from tests.tiny_bundle import tiny_bundle

KEY = EngineKey(sm="sm87", gpu="Orin", tensorrt="10.3.0", precision="fp16")
ONNX = {"motion": "a" * 64, "fuse": "b" * 64}
ODD: Tuple[Any, ...] = (None, True, 0, -1, 1 << 70, 1e308, float("nan"), float("inf"), "", "../up", "\ud800", [], {})


@lru_cache(maxsize=None)
def folder() -> Path:
    """A folder for what is checked in this process, gone at its end."""
    made = Path(tempfile.mkdtemp(prefix="fuzz"))
    atexit.register(shutil.rmtree, str(made), ignore_errors=True)
    return made


@lru_cache(maxsize=None)
def bundle() -> Path:
    """A bundle with engines."""
    root = tiny_bundle(folder())
    built = {stage: BuiltStage(engine=stage.encode(), onnx_sha256=sha) for stage, sha in ONNX.items()}
    write_engines(root, KEY, built, "built")
    write_timings(root, "sm87", "10.3.0", b"timings")
    return root


def mutated(data: bytes, seed: int) -> bytes:
    """A JSON or YAML document with one of its values dropped, doubled, moved or made odd; others as they are."""
    text, *rest = data.split(b"\0", 1)
    random, is_json = Random(seed), text[:1] == b"{"
    try:
        document = json.loads(text) if is_json else yaml.safe_load(text)
        places = _places(document)
    except (ValueError, RecursionError, yaml.YAMLError):
        return data
    if not places:
        return data
    holder, key = random.choice(places)
    change = random.randrange(4)
    if change == 0:
        del holder[key]
    elif change == 1:
        holder[key] = random.choice(ODD)
    elif change == 2:
        other, place = random.choice(places)
        holder[key] = other[place]
    elif isinstance(holder, list):
        holder.append(holder[key])
    else:
        holder[f"{key}{random.choice(ODD)}"] = holder[key]
    try:  # it may have been moved into itself
        written = json.dumps(document, indent=2) if is_json else yaml.safe_dump(document, sort_keys=False)
    except (ValueError, RecursionError, yaml.YAMLError):
        return data
    return b"\0".join([written.encode("utf-8", "surrogatepass"), *rest])


def one_line(error: EdgecvarError) -> None:
    """Raises AssertionError for an error that is not told in one line."""
    assert str(error) and "\n" not in str(error), error


def _places(document: Any) -> List[Tuple[Union[Dict[Any, Any], List[Any]], Any]]:
    """Every holder and key of a value inside a document, one that is there twice only once."""
    found: List[Tuple[Union[Dict[Any, Any], List[Any]], Any]] = []
    seen, waiting = set(), [document]
    while waiting:
        holder = waiting.pop()
        if isinstance(holder, (dict, list)) and id(holder) not in seen:
            seen.add(id(holder))
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            found += [(holder, key) for key in keys]
            waiting += [holder[key] for key in keys]
    return found
