"""Running means over the clips of an epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Mapping, Optional

from torch import Tensor


@dataclass
class Tally:
    """Running means over clips."""

    loss: float = 0.0
    right: int = 0
    judged: int = 0
    clips: int = 0
    waiting: float = 0.0
    terms: Dict[str, float] = field(default_factory=dict)

    def add(self, loss: float, terms: Mapping[str, float], scores: Optional[Tensor], labels: Tensor) -> None:
        self.loss += loss * len(labels)
        for name, value in terms.items():
            self.terms[name] = self.terms.get(name, 0.0) + value * len(labels)
        self.clips += len(labels)
        if scores is not None:
            self.right += int((scores.argmax(1) == labels).sum())
            self.judged += len(labels)

    @property
    def top1(self) -> Optional[float]:
        return self.right / self.judged if self.judged else None
