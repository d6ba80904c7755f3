"""What a run has reached, epoch by epoch: JSON lines, and a picture of them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Dict, List, Optional

from pydantic import BaseModel, ConfigDict, Field

from edgecvar.documents import parse_json, read_text
from edgecvar.errors import ConfigError, reason
from edgecvar.files import named, whole_file
from edgecvar.terminal import printable

METRICS, CURVES = "metrics.jsonl", "curves.png"


class EpochRecord(BaseModel):
    """One epoch: mean loss and top-1 (0 to 1) by clip, the learning rate of its last step.

    `train_loss` is what the epoch's last step minimised, `terms` the losses that it saw by name, before their weights.
    In a phase that trains a teacher alone `train_top1` is its own and nothing validates; where no loss judges scores
    there is none.
    `seconds` is the whole epoch, `waiting` the part in which torch waited for batches. `skipped` counts clips that
    could not be read, `damaged` those with packets that gave no picture.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch: int
    lr: float
    train_loss: float
    train_top1: Optional[float] = None
    terms: Dict[str, float] = Field(default_factory=dict)
    validation_loss: Optional[float] = None
    validation_top1: Optional[float] = None
    clips: int
    skipped: int
    damaged: int
    seconds: float
    waiting: float

    def better_than(self, other: Optional[EpochRecord]) -> bool:
        """Higher validation top-1, then lower validation loss; without validation the later epoch."""
        if other is None or self.validation_top1 is None or other.validation_top1 is None:
            return True
        mine = (self.validation_top1, -(self.validation_loss or 0.0))
        return mine > (other.validation_top1, -(other.validation_loss or 0.0))


def append_record(folder: Path, record: EpochRecord) -> None:
    """Add one whole line to metrics.jsonl; raises OSError, which names it."""
    with named(folder / METRICS), (folder / METRICS).open("a", encoding="utf-8") as file:
        file.write(record.model_dump_json() + "\n")


def read_records(folder: Path) -> List[EpochRecord]:
    """The records of a run folder; a last line without its end, left by a kill, does not count."""
    file = folder / METRICS
    if not file.is_file():
        return []
    try:
        lines = read_text(file).split("\n")[:-1]
        return [EpochRecord.model_validate(parse_json(line)) for line in lines]
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: not the metrics of a run: {reason(error, 120)}") from error


def keep_records(folder: Path, epochs: int) -> List[EpochRecord]:
    """Drop what lies after the first `epochs` epochs (a run killed before its checkpoint); returns the rest."""
    records = [record for record in read_records(folder) if record.epoch <= epochs]
    with whole_file(folder / METRICS) as draft:
        draft.write_text("".join(record.model_dump_json() + "\n" for record in records), encoding="utf-8")
    return records


def draw_curves(
    folder: Path, records: List[EpochRecord], best: Optional[EpochRecord], subject: str, chance: float
) -> None:
    """curves.png: loss and top-1 of training and validation, the best epoch, and what chance gets (0 to 1)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    # Text as it is: a dollar is no formula.
    figure.suptitle(printable(f"{subject}: {_reached(records, best)}"), fontsize=10, parse_math=False)
    _draw_loss(figure.add_subplot(1, 2, 1), records, best)
    _draw_top1(figure.add_subplot(1, 2, 2), records, best, chance)
    with whole_file(folder / CURVES) as draft, warnings.catch_warnings():
        # Letters that its font lacks become boxes, as they should.
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(draft, format="png", dpi=110)


def _reached(records: List[EpochRecord], best: Optional[EpochRecord]) -> str:
    done = f"epoch {records[-1].epoch}" if records else "no epoch yet"
    if best is None or best.validation_top1 is None:
        return done
    return f"{done}, best {best.epoch} with validation top-1 {best.validation_top1:.1%}"


def _draw_loss(axes: Any, records: List[EpochRecord], best: Optional[EpochRecord]) -> None:
    axes.set_title("loss")
    _draw_lines(axes, records, "loss", best)


def _draw_top1(axes: Any, records: List[EpochRecord], best: Optional[EpochRecord], chance: float) -> None:
    axes.set_title("top-1 in %")
    axes.axhline(100 * chance, color="grey", linestyle=":", label=f"chance, {100 * chance:.3g} %")
    _draw_lines(axes, records, "top1", best, 100)
    axes.set_ylim(0, 102)


def _draw_lines(
    axes: Any, records: List[EpochRecord], name: str, best: Optional[EpochRecord], factor: float = 1
) -> None:
    """Of training and validation by epoch, with the best epoch marked."""
    epochs = [record.epoch for record in records]
    for part in ("train", "validation"):
        values = [getattr(record, f"{part}_{name}") for record in records]
        if any(value is not None for value in values):
            shown = [float("nan") if value is None else factor * value for value in values]
            # A single epoch is no line.
            axes.plot(epochs, shown, label=part, marker="o" if len(epochs) == 1 else None)
    if best is not None:
        axes.axvline(best.epoch, color="tab:green", linestyle="--", linewidth=1, label=f"best, epoch {best.epoch}")
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(fontsize=8)
