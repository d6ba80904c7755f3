"""What the sources themselves tell of types: classes and functions of our own, names that only the module has."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Set, Tuple

from tests.contracts.surface import Signature, Surface


@dataclass(frozen=True)
class Type:
    """`sort`: "module", "class" or "object" of the surface's `name`; "own" object or "own class" of ours; "call".

    Containers are "many" of `item`, or "row" of `row`.
    """

    sort: str
    name: str = ""
    item: Optional[Type] = None
    row: Tuple[Optional[Type], ...] = ()
    calls: Tuple[Signature, ...] = ()


Names = Dict[str, Optional[Type]]


@dataclass(frozen=True)
class Returns:
    """What a function of our own gives: its annotation, and the file that it is written in."""

    file: str
    annotation: Optional[ast.expr]


@dataclass
class Own:
    """A class of our own: its attributes, what its methods give, its bases of our own and the one in the module."""

    attributes: Dict[str, Type] = field(default_factory=dict)
    methods: Dict[str, Returns] = field(default_factory=dict)
    parents: List[str] = field(default_factory=list)
    base: Optional[str] = None


class Known:
    """What all sources together define, and which attributes only the module can have."""

    def __init__(self, module: str, surface: Surface, generation: str, trees: Dict[str, ast.Module]) -> None:
        self.module, self.surface, self.generation = module, surface, generation
        self.classes: Dict[str, Own] = {}
        self.functions: Dict[str, Returns] = {}
        self.aliases: Dict[str, ast.expr] = {}
        self.modules: Dict[str, Names] = {file: {} for file in trees}
        defined: Set[str] = set()
        for file, node in ((file, node) for file, tree in trees.items() for node in ast.walk(tree)):
            if isinstance(node, ast.Import):
                self.modules[file].update(self.imported(node))
            if isinstance(node, ast.ClassDef) and self.applies(node):
                functions = [each for each in node.body if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))]
                self.classes[node.name] = Own(methods={each.name: Returns(file, each.returns) for each in functions})
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.functions[node.name] = Returns(file, node.returns)
                defined.add(node.name)
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.aliases[node.targets[0].id] = node.value
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, (ast.Name, ast.Attribute)):
                defined.add(node.target.id if isinstance(node.target, ast.Name) else node.target.attr)
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                defined |= {node.attr} if isinstance(node.value, ast.Name) and node.value.id == "self" else set()
        plain = {name for each in (str, list, dict, set, tuple, bytes, int, BaseException) for name in dir(each)}
        offered = {name for each in surface.classes.values() for name in (*each.methods, *each.attributes)}
        self.telling = {name for name in offered - plain - defined if "_" in name.strip("_")}

    def imported(self, node: ast.Import) -> Names:
        """The names under which a statement imports the module."""
        return {each.asname or each.name: Type("module") for each in node.names if each.name == self.module}

    def lineage(self, name: str) -> List[Own]:
        """A class of our own and its bases, nearest first."""
        own = self.classes.get(name, Own())
        return [own, *(each for parent in own.parents for each in self.lineage(parent))]

    def applies(self, node: ast.ClassDef) -> bool:
        for each in node.body:
            targets = [each.target] if isinstance(each, ast.AnnAssign) else getattr(each, "targets", [])
            if self.generation and any(isinstance(at, ast.Name) and at.id == "GENERATIONS" for at in targets):
                return self.generation in ast.literal_eval(getattr(each, "value", None) or ast.Tuple([], ast.Load()))
        return True


def many(item: Optional[Type]) -> Optional[Type]:
    return Type("many", item=item) if item is not None else None


def item(given: Optional[Type]) -> Optional[Type]:
    return (given.item or next(filter(None, given.row), None)) if given is not None else None
