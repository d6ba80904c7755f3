"""The layout: its import law, its sizes, and that asking for help loads nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Iterator, Tuple

import pytest

import edgecvar
from edgecvar.cli.main import VERBS

PACKAGE = Path(edgecvar.__file__).parent
GROUND = ["errors", "terminal", "console", "progress", "documents", "plain_yaml", "config", "files", "interrupts"]
GROUND += ["workers"]
ORDER = [*GROUND, "stream", "clips", "datasets", "synth", "bundle", "nets", "train", "runners", "predict"]
ORDER += ["run", "sinks", "scan", "serve", "judge", "compile", "bench", "deploy", "cli", "__main__"]
TORCH_FREE = set(ORDER) - {"nets", "train", "compile"}
TRAINING = {"torch", "torchvision", "onnx", "onnxscript", "matplotlib", "cv2"}
HEAVY = ("torch", "av", "onnxruntime", "numpy", "onnx", "matplotlib")
TORCH_RUNNER = PACKAGE / "runners" / "torch.py"


def part_of(module: str) -> str:
    names = module.split(".")
    return names[1] if names[0] == "edgecvar" and len(names) > 1 else ""


def imports(file: Path) -> Iterator[Tuple[ast.stmt, str]]:
    """Every absolute import in a file, wherever it stands, with its statement."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import at line {node.lineno}"
            yield node, str(node.module)
            if node.module == "edgecvar":
                for alias in node.names:
                    yield node, f"edgecvar.{alias.name}"


def files() -> Iterator[Tuple[str, Path]]:
    for file in sorted(PACKAGE.rglob("*.py")):
        relative = file.relative_to(PACKAGE)
        if relative.name != "__init__.py" or len(relative.parts) > 1:
            yield (relative.parts[0][:-3] if len(relative.parts) == 1 else relative.parts[0]), file


def test_every_file_belongs_to_a_part_that_has_a_place_in_the_order():
    assert {part for part, _ in files()} <= set(ORDER)
    assert len(list(files())) > 20


def test_left_does_not_import_right():
    wrong = []
    for part, file in files():
        for node, module in imports(file):
            other = part_of(module)
            if other in ORDER and ORDER.index(other) > ORDER.index(part):
                wrong.append(f"{file.relative_to(PACKAGE)}:{node.lineno} imports {module}")
    assert wrong == []


def test_only_training_parts_import_what_only_training_has():
    """The command line may, inside the verbs that train; `runners` in its torch runner alone."""
    wrong = []
    for part, file in files():
        if part not in TORCH_FREE or file == TORCH_RUNNER:
            continue
        for node, module in imports(file):
            forbidden = module.split(".")[0] in TRAINING or (part != "cli" and part_of(module) in ("nets", "train"))
            if forbidden and not (part == "cli" and node.col_offset > 0):
                wrong.append(f"{file.relative_to(PACKAGE)}:{node.lineno} imports {module}")
    assert wrong == []


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([verb, "--help"] for verb in VERBS)])
def test_help_loads_nothing_heavy(arguments):
    program = (
        "import sys\n"
        "from edgecvar.cli.main import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "except SystemExit as stop:\n"
        "    assert not stop.code, stop.code\n"
        f"print('heavy:', *(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert done.stderr.strip() == "heavy:"


MOST_FILES = 16
"""Of a folder, beside its __init__.py; stream/native holds one subject a file, in two languages."""


def test_no_folder_is_crowded():
    folders = {file.parent for file in PACKAGE.rglob("*.py")} - {PACKAGE / "stream" / "native"}
    counts = {folder: sum(1 for file in folder.glob("*.py") if file.name != "__init__.py") for folder in folders}
    assert {str(folder): count for folder, count in counts.items() if count > MOST_FILES} == {}


def test_every_module_says_what_it_is_in_a_sentence_without_two_ands():
    wrong = []
    for file in PACKAGE.rglob("*.py"):
        text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        sentence = text.split("\n\n")[0]
        if not sentence or sentence.lower().split().count("and") > 1:
            wrong.append(f"{file.relative_to(PACKAGE)}: {sentence!r}")
    assert wrong == []


def test_tests_mirror_the_package():
    here = Path(__file__).parent
    apart = {"contracts", "fuzz"}  # what our calls of NVIDIA's API are held against; what is mutated
    for folder in here.rglob("*/"):
        inside = folder.relative_to(here)
        if any(folder.glob("test_*.py")) and inside.parts[0] not in apart:
            assert (PACKAGE / inside).is_dir(), f"tests/{inside} mirrors no folder of the package"


def test_onnx_runtime_is_loaded_at_one_door():
    doors = {file for _, file in files() if "onnxruntime" in [module for _, module in imports(file)]}
    assert doors == {PACKAGE / "runners" / "onnx.py"}
