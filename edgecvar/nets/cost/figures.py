"""What a paper says that its network costs, to be held against what is counted on the modules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Mapping

Quantity = Literal["parameters", "multiply_adds"]


@dataclass(frozen=True)
class Figure:
    """One printed figure: `value` of `quantity`, of the whole network or of the part whose dotted name ends in `part`.

    `where` is the paper's table or section. `options` and `input` are what the figure's variant sets beside the
    entry's own. `tolerance` is relative. `note` says what the paper cannot have meant, where it is missed.
    """

    name: str
    quantity: Quantity
    value: float
    where: str
    part: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    input: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float = 0.03
    note: str = ""
