"""Labels and names of files that hold anything: what a verb prints never moves a cursor, in success or in error."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import pytest

from edgecvar.cli.main import VERBS
from tests.moving_clip import moving_clip
from tests.tiny_bundle import add_precision, tiny_bundle

SIGNS = "\x1b[31m\n\x07\r\x9b2J\u202e"
"""Colours, a line's end, a bell, a line written over, a screen cleared, text turned round."""
NAME = f"a{SIGNS}\udcff"
"""A file's name: its last byte is no UTF-8."""
LABELS = [f"{number}[bold]:car:{SIGNS}" for number in range(3)]

FAILING = ("models", "train", "ablate", "compile", "build", "deploy", "doctor")
"""Verbs whose errors alone are asked for: what they do takes long."""

Commands = List[Tuple[Any, ...]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip, a file that is none, class folders and a bundle, all under such names."""
    root = tmp_path_factory.mktemp("hostile") / NAME
    root.mkdir()
    moving_clip(root.parent / "plain.mp4", pictures=40)
    shutil.move(root.parent / "plain.mp4", root / f"{NAME}.mp4")
    (root / f"no{NAME}.mp4").write_bytes(b"no video")
    add_precision(tiny_bundle(root, labels=LABELS), "fp16")
    for label in LABELS:
        (root / "data" / label).mkdir(parents=True)
        for file in (f"{NAME}.mp4", f"no{NAME}.mp4"):
            shutil.copy(root / file, root / "data" / label / file)
    (root / f"{NAME}.yaml").write_text("model: [\n")
    (root / f"well{NAME}.yaml").write_text(json.dumps({"page": False, "sources": {"door[bold]": "test://"}}))
    (root / f"ill{NAME}.yaml").write_text(json.dumps({"page": False, SIGNS: SIGNS, "sources": {"door": "test://"}}))
    return root


def commands(folder: Path, out: Path) -> Dict[str, Commands]:
    """What each verb is asked for: what it can do, and what it cannot."""
    clip, broken, data = folder / f"{NAME}.mp4", folder / f"no{NAME}.mp4", folder / "data"
    bundle, document = next(folder.glob("*.edgecvar")), folder / f"{NAME}.yaml"
    run = ("run", "--bundle", bundle, "--every", "4")
    return {
        "run": [
            *((*run, clip, form) for form in ("--json", "--csv")),
            (*run, data / LABELS[0], "--overlay", out),
            (*run, clip, "-o", out / f"{NAME}.csv"),
            (*run, broken),
            ("run", clip, "--bundle", broken),
            (*run, f"rtsp://127.0.0.1:1/{NAME}", "--no-reconnect"),
            (*run, clip, f"--{NAME}"),
        ],
        "serve": [
            ("--check", folder / f"well{NAME}.yaml"),
            ("--example",),
            (folder / f"ill{NAME}.yaml",),
            (document,),
            ("--check", broken),
            (folder / NAME,),
        ],
        "inspect": [(subject, *flags) for subject in (clip, broken) for flags in ((), ("--json",))]
        + [(clip, "--picture", out / f"{NAME}.png"), (f"{SIGNS}net",)],
        "sources": [(), ("--json",), (clip,)]
        + [(uri,) for uri in (f"test://{NAME}", f"test://?{NAME}=1", f"rtsp://127.0.0.1:1/{NAME}", f"csi://{NAME}")]
        + [(f"v4l2:///dev/{NAME}",), (f"test://?size={NAME}",)],
        "extract": [(clip, "-o", out / f"{NAME}.npz", *flags) for flags in ((), ("--json",))]
        + [(broken, "-o", out / "no.npz"), (clip, "-o", out / NAME)],
        "models": [(NAME,)],
        "synth": [
            (out / f"{NAME}.mp4", "--sequence", "still", "--pictures", "2", "--size", "64x64"),
            (out / f"{NAME}.mp4", "--sequence", NAME),
            (out, "--size", NAME),
        ],
        "prepare": [
            *((data, "-o", out / f"p{NAME}", "--as", "attp", "--workers", "0", *form) for form in ((), ("--json",))),
            *((data, "-o", out / f"q{NAME}", "--as", "attp", "--dry-run", *form) for form in ((), ("--json",))),
            (folder / NAME, "-o", out, "--as", "attp"),
            (data, "-o", data / NAME, "--as", "attp"),
        ],
        "train": [(document,), (folder / NAME,), ("--resume", folder), (f"{NAME}={NAME}",)],
        "ablate": [(document,), (folder / NAME,)],
        "compile": [("--checkpoint", broken), ("--model", NAME), ("--device", NAME), ("--precision", NAME)],
        "build": [(broken,), (bundle, "--device", NAME), (bundle, "--precision", NAME)],
        "deploy": [
            *(("me@127.0.0.1", broken), (f"{NAME}@h", bundle), ("-oProxyCommand=x", bundle)),
            *(("-p", "1", "me@127.0.0.1", bundle, *more) for more in ((), ("--config", folder / NAME))),
        ],
        "devices": [(), (NAME,)],
        "verify": [
            (bundle, "--data", clip, "--runners", "onnx", "--samples", "20", *form) for form in ((), ("--json",))
        ]
        + [(bundle, "--data", data, "--runners", "onnx", "--samples", "40"), (broken,), (bundle, "--runners", NAME)],
        "eval": [(bundle, data, "--jobs", "1", "--every", "8", *form) for form in ((), ("--json",))]
        + [(bundle, folder), (broken, data), (bundle, data, "--match", f"({NAME}")]
        + [(bundle, data, "--jobs", "1", "--every", "8", "--html", out / f"{NAME}.html"), (bundle, data, "--html", out)]
        + [(bundle, "--sources", data, f"{data}/.", "--jobs", "1", "--every", "8")],
        "doctor": [(NAME,)],
        "scan": [
            *(
                (clip, broken, "--bundle", bundle, "--workers", "1", "-o", out / f"{form}{NAME}.parquet", *form)
                for form in ((), ("--json",))
            ),
            (clip, "--bundle", bundle, "--workers", "1", "-o", out / f"whole{NAME}.parquet"),
            *((folder / f"gone{NAME}", "-o", out / "no.parquet"), (clip, "-o", out / NAME)),
            (f"{NAME}://x", "-o", out / "no.parquet"),
        ],
        "bundle": [("info", bundle, *form) for form in ((), ("--json",))]
        + [("diff", bundle, bundle, *form) for form in ((), ("--json",))]
        + [("check", bundle), ("check", broken), ("check", bundle, "--trust", broken), ("diff", bundle, folder / NAME)]
        + [("sign", bundle, "--key", broken), ("keygen", folder / NAME / NAME, "--no-password"), (NAME,)],
        "bench": [
            (clip, "--bundle", bundle, "--seconds", "0.1", "--save", out / NAME),
            *(("--from", saved) for saved in (out / NAME, broken)),
            *((broken,), ("extract", broken), ("networks", broken), ("streams", broken)),
            ("streams", clip, "--bundle", bundle, "--seconds", "0.2", "--most", "1"),
        ],
    }


def test_every_verb_is_asked(tmp_path: Path) -> None:
    (tmp_path / "x.edgecvar").mkdir()
    assert set(commands(tmp_path, tmp_path)) == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_nothing_that_a_name_holds_reaches_the_terminal(
    edgecvar: Callable[..., Tuple[Any, str, str]], folder: Path, tmp_path: Path, verb: str
) -> None:
    if verb in ("train", "ablate", "compile", "models") and not importlib.util.find_spec("torch"):
        pytest.skip("wants the train extra")
    if verb == "scan":
        pytest.importorskip("pyarrow", reason="wants the scan extra")
        pytest.importorskip("fsspec", reason="wants the scan extra")
    named, done = 0, 0
    for command in commands(folder, tmp_path)[verb]:
        arguments = command if command and command[0] == verb else (verb, *command)
        code, out, err = edgecvar(*arguments)
        done += code == 0
        raw = [sign for sign in out + err if not (sign.isprintable() or sign == "\n")]
        assert not raw, (arguments, out, err)
        if code == 1 and not out:
            assert err.startswith("error: ") and err.count("\n") == 1, err
        named += "\\u202e" in out + err
    assert named and done >= (0 if verb in FAILING else 2 if verb not in ("synth", "devices", "scan") else 1)


def test_documents_hold_the_label_itself_and_the_name_as_text(edgecvar: Any, folder: Path) -> None:
    clip, bundle = folder / f"{NAME}.mp4", next(folder.glob("*.edgecvar"))
    _, out, _ = edgecvar("run", clip, "--bundle", bundle, "--every", "8", "--json")
    first = json.loads(out.split("\n")[0])
    assert first["label"] in LABELS
    assert first["source"] == str(clip).replace("\udcff", "\\udcff")


def test_labels_are_listed_without_markup_or_emoji(edgecvar: Any, folder: Path) -> None:
    _, out, _ = edgecvar("eval", next(folder.glob("*.edgecvar")), folder / "data", "--jobs", "1", "--every", "8")
    assert "0[bold]:car:\\x1b[31m\\n" in out


def test_a_source_that_fails_under_such_a_name_is_left_out_alone(edgecvar: Any, folder: Path, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="wants the scan extra")
    pytest.importorskip("fsspec", reason="wants the scan extra")
    for name in ("no\udcff.mp4", "yes.mp4"):
        shutil.copy(folder / f"{'no' if name.startswith('no') else ''}{NAME}.mp4", tmp_path / name)
    bundle, output = next(folder.glob("*.edgecvar")), tmp_path / "seen.parquet"
    code, out, _ = edgecvar("scan", tmp_path, "--bundle", bundle, "--workers", "1", "-o", output, "--json")
    (failure,) = json.loads(out)["failures"]
    assert code == 1 and failure["source"] == f"{tmp_path}/no\\udcff.mp4"
    assert failure["reason"].startswith(f"{failure['source']}: ")
    assert len(pq.read_table(output)) and len(pq.read_table(tmp_path / "seen.sources.parquet")) == 2
