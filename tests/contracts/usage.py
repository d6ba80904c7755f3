"""Check what a Python source does with a module against the surface of that module, by following types through it.

Types come from annotations, from `module.X(...)`, and from what the surface says that calls and properties give. Code
in a class whose GENERATIONS leave a version out is not checked against it.
"""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Sequence, Set, Union

from tests.contracts.source_types import Known, Names, Returns, Type, item, many
from tests.contracts.surface import Signature, Surface

Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]


@dataclass(frozen=True)
class Use:
    """A name of the module that a source uses, where it is written."""

    file: str
    line: int
    column: int
    name: str


@dataclass
class Findings:
    """What a scan found: the names in use, and what is wrong with them, in words."""

    uses: Set[Use] = field(default_factory=set)
    problems: List[str] = field(default_factory=list)


def scan(sources: Dict[str, str], module: str, surface: Surface, generation: str = "") -> Findings:
    """Check `sources` (text by file name), which may use each other's classes and functions."""
    trees = {file: _parse(text) for file, text in sources.items()}
    known = Known(module, surface, generation, trees)
    findings = Findings()
    for file, tree in trees.items():
        # What a class keeps in self is known once all of its methods were seen.
        _Walk(file, known, Findings()).block(tree.body, {})
        _Walk(file, known, findings).block(tree.body, {})
    return findings


@functools.lru_cache(maxsize=64)
def _parse(text: str) -> ast.Module:
    return ast.parse(text)


class _Walk:
    """Follows one file, statement by statement; `names` are the types of the variables in sight."""

    def __init__(self, file: str, known: Known, findings: Findings) -> None:
        self.file, self.known, self.findings, self.surface = file, known, findings, known.surface

    def block(self, body: Sequence[ast.stmt], names: Names) -> None:
        for statement in body:
            self.statement(statement, names)

    def statement(self, node: ast.stmt, names: Names) -> None:
        if isinstance(node, ast.Import):
            names.update(self.known.imported(node))
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            self.function(node, names, None)
        elif isinstance(node, ast.ClassDef):
            self.class_body(node, names)
        elif isinstance(node, ast.AnnAssign):
            self.infer(node.value, names)
            self.bind(node.target, self.annotation(node.annotation, names), names)
        elif isinstance(node, ast.Assign):
            given = self.infer(node.value, names)
            for target in node.targets:
                self.bind(target, given, names)
        elif isinstance(node, (ast.For, ast.AsyncFor)):
            self.bind(node.target, item(self.infer(node.iter, names)), names)
            self.block([*node.body, *node.orelse], names)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            for each in node.items:
                given = self.infer(each.context_expr, names)
                if each.optional_vars is not None:
                    self.bind(each.optional_vars, given, names)
            self.block(node.body, names)
        elif isinstance(node, ast.Try):
            self.block(node.body, names)
            for handler in node.handlers:
                self.infer(handler.type, names)
                self.block(handler.body, names)
            self.block([*node.orelse, *node.finalbody], names)
        else:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.stmt):
                    self.statement(child, names)
                elif isinstance(child, ast.expr):
                    self.infer(child, names)

    def function(self, node: Function, outside: Names, owner: Optional[str]) -> None:
        names = dict(outside)
        parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        for parameter in parameters:
            names[parameter.arg] = self.annotation(parameter.annotation, names)
        static = any(isinstance(each, ast.Name) and each.id == "staticmethod" for each in node.decorator_list)
        if owner is not None and parameters and not static:
            names[parameters[0].arg] = Type("own", owner)
        self.annotation(node.returns, names)
        for default in (*node.args.defaults, *node.args.kw_defaults, *node.decorator_list):
            self.infer(default, outside)
        self.block(node.body, names)

    def class_body(self, node: ast.ClassDef, names: Names) -> None:
        if not self.known.applies(node):
            return
        own = self.known.classes[node.name]
        for base in node.bases:
            given = self.infer(base, names)
            if given is not None and given.sort == "class":
                own.base = given.name
            elif given is not None and given.sort == "own class" and given.name not in own.parents:
                own.parents.append(given.name)
        for each in node.body:
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                given = self.annotation(each.annotation, names)
                own.attributes.update({each.target.id: given} if given else {})
            elif isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.function(each, names, node.name)

    def bind(self, target: ast.expr, given: Optional[Type], names: Names) -> None:
        if isinstance(target, ast.Name):
            names[target.id] = given
        elif isinstance(target, ast.Attribute):
            owner = self.infer(target.value, names)
            if owner is not None and owner.sort == "own":
                known = self.known.classes.get(owner.name)
                if known is not None and given is not None:
                    known.attributes[target.attr] = given
            elif owner is not None and owner.sort == "object":
                self.used(target)
                attribute = self.surface.attribute(owner.name, target.attr)
                if attribute is None or not attribute.settable:
                    self.wrong(target, f"{owner.name} has no property {target.attr!r} to set")
            elif owner is None and target.attr in self.known.telling:
                self.wrong(target, f"cannot tell whose {target.attr!r} this is: annotate it")
        elif isinstance(target, (ast.Tuple, ast.List)):
            # What items() and enumerate() give comes last.
            row = given.row if given is not None and given.row else [*[None] * (len(target.elts) - 1), given]
            for each, part in zip(target.elts, row):
                self.bind(each, part, names)
        else:
            self.infer(target, names)

    def infer(self, node: Optional[ast.AST], names: Names) -> Optional[Type]:
        """The type of an expression, None where it is nothing of the module's; all of it is checked."""
        if isinstance(node, ast.Name):
            own = Type("own class", node.id) if node.id in self.known.classes else None
            return names.get(node.id, own)
        if isinstance(node, ast.Attribute):
            return self.attribute(node, names)
        if isinstance(node, ast.Call):
            return self.call(node, names)
        if isinstance(node, ast.Subscript):
            return self.subscript(node, names)
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
            inside = dict(names)
            for each in node.generators:
                self.bind(each.target, item(self.infer(each.iter, inside)), inside)
                for test in each.ifs:
                    self.infer(test, inside)
            if isinstance(node, ast.DictComp):
                self.infer(node.key, inside)
                return many(self.infer(node.value, inside))
            return many(self.infer(node.elt, inside))
        if isinstance(node, ast.Tuple):
            return Type("row", row=tuple(self.infer(each, names) for each in node.elts))
        if isinstance(node, ast.List):
            return many(next(filter(None, [self.infer(each, names) for each in node.elts]), None))
        if isinstance(node, (ast.IfExp, ast.BoolOp, ast.BinOp)):
            return next(filter(None, [self.infer(each, names) for each in ast.iter_child_nodes(node)][::-1]), None)
        for child in ast.iter_child_nodes(node) if node is not None else ():
            self.infer(child, names)
        return None

    def attribute(self, node: ast.Attribute, names: Names) -> Optional[Type]:
        owner = self.infer(node.value, names)
        if owner is None or owner.sort in ("call", "many", "row", "own class"):
            if node.attr in self.known.telling and (owner is None or owner.sort != "own class"):
                self.wrong(node, f"cannot tell whose {node.attr!r} this is: annotate it")
            if owner is not None and owner.sort == "many" and node.attr in ("values", "copy", "items", "get", "pop"):
                return Type("many call", item=owner.item)
            return None
        if owner.sort == "own":
            lineage = self.known.lineage(owner.name)
            for own in lineage:
                if node.attr in own.methods:
                    return Type("own call", item=self.given(own.methods[node.attr]))
                if node.attr in own.attributes:
                    return own.attributes[node.attr]
            base = next((own.base for own in lineage if own.base is not None), None)
            if base is None or not self.offered(Type("object", base), node.attr):
                return None
            owner = Type("object", base)
        if owner.sort not in ("module", "class", "object"):
            return None
        self.used(node)
        if not self.offered(owner, node.attr):
            self.wrong(node, f"{owner.name or self.known.module} has no {node.attr!r}")
            return None
        return self.member(owner, node.attr)

    def offered(self, owner: Type, name: str) -> bool:
        if owner.sort == "module":
            return name in {**self.surface.classes, **self.surface.functions, **self.surface.constants}
        found = (self.surface.method(owner.name, name), self.surface.attribute(owner.name, name))
        enum = self.surface.member(owner.name, name), self.surface.classes[owner.name].members and name == "name"
        return any(each is not None for each in (*found, enum[0])) or bool(enum[1])

    def member(self, owner: Type, name: str) -> Optional[Type]:
        """What an attribute that is there gives."""
        surface = self.surface
        if owner.sort == "module":
            if name in surface.classes:
                return Type("class", name)
            if name in surface.functions:
                return Type("call", name, calls=tuple(surface.functions[name]))
            constant = surface.constants[name]
            return self.kind(constant.split(".")[0] if surface.module is None else type(constant).__name__)
        if surface.member(owner.name, name) is not None:
            return Type("object", owner.name)
        calls = surface.method(owner.name, name)
        if calls is not None:
            # A method taken from its class is given self as well, except a static one.
            unbound = [each if each.static or owner.sort == "object" else Signature(anything=True) for each in calls]
            return Type("call", f"{owner.name}.{name}", calls=tuple(unbound))
        attribute = surface.attribute(owner.name, name)
        nested = owner.sort == "class" and attribute is not None and attribute.kind == name
        return Type("class", name) if nested else self.kind(attribute.kind if attribute else "")

    def kind(self, kind: str) -> Optional[Type]:
        known = self.surface.known(kind)
        return Type("object", known) if known is not None and kind != "Dims" else None

    def call(self, node: ast.Call, names: Names) -> Optional[Type]:
        target = self.infer(node.func, names)
        positional = [self.infer(each, names) for each in node.args]
        named = {each.arg or "**": self.infer(each.value, names) for each in node.keywords}
        if isinstance(node.func, ast.Name) and node.func.id not in names:
            if node.func.id in ("list", "tuple", "sorted", "reversed", "enumerate", "next"):
                given = positional[0] if positional else None
                return item(given) if node.func.id == "next" else given
            if node.func.id in self.known.functions and node.func.id not in self.known.classes:
                return self.given(self.known.functions[node.func.id])
        if target is None:
            return None
        if target.sort == "own class":
            return Type("own", target.name)
        if target.sort in ("own call", "many call"):
            return target.item if target.sort == "own call" else many(target.item)
        if target.sort == "class":
            made = self.surface.method(target.name, "__init__")
            if made is None:
                self.wrong(node, f"{target.name} has no constructor")
            self.fits(node, target.name, made or [Signature(anything=True)], positional, named)
            return Type("object", target.name)
        if target.sort == "call":
            chosen = self.fits(node, target.name, target.calls, positional, named)
            return self.kind(chosen.returns) if chosen is not None else None
        return None

    def fits(
        self,
        node: ast.Call,
        title: str,
        signatures: Sequence[Signature],
        positional: List[Optional[Type]],
        named: Dict[str, Optional[Type]],
    ) -> Optional[Signature]:
        """The overload that a call fits; reports it where none does."""
        if "**" in named or any(isinstance(each, ast.Starred) for each in node.args):
            self.wrong(node, f"{title}: cannot check a call with * or **")
            return None
        reasons = []
        for signature in signatures:
            try:
                bound = signature.bind(positional, named)
            except TypeError as error:
                reasons.append(str(error))
                continue
            wrong = [
                f"{each.name} is no {each.kind}"
                for each, given in bound.items()
                if given is not None and given.sort == "object" and not self.is_a(given.name, each.kind)
            ]
            if not wrong:
                return signature
            reasons += wrong
        self.wrong(node, f"{title}: {'; '.join(reasons)}")
        return None

    def is_a(self, name: str, kind: str) -> bool:
        wanted = self.surface.known(kind)
        buffer = kind in ("buffer", "Buffer") and name != "IHostMemory"
        return not buffer if wanted is None else any(each.name == wanted for each in self.surface.lineage(name))

    def subscript(self, node: ast.Subscript, names: Names) -> Optional[Type]:
        owner = self.infer(node.value, names)
        self.infer(node.slice, names)
        if owner is not None and owner.sort == "object":
            given = self.surface.method(owner.name, "__getitem__")
            if given is None:
                self.wrong(node, f"{owner.name} cannot be indexed")
            return self.kind(given[0].returns) if given else None
        return item(owner)

    def annotation(self, node: Optional[ast.AST], names: Names) -> Optional[Type]:
        """The type that an annotation means; names of the module in it are checked."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self.annotation(ast.parse(node.value, mode="eval").body, names)
        if isinstance(node, ast.Attribute):
            given = self.attribute(node, names)
            return Type("object", given.name) if given is not None and given.sort == "class" else None
        if isinstance(node, ast.Name):
            if node.id in self.known.aliases and node.id not in self.known.classes:
                alias = self.known.aliases[node.id]
                return self.annotation(alias, names) if isinstance(alias, ast.Subscript) else None
            return Type("own", node.id) if node.id in self.known.classes else None
        if isinstance(node, ast.BinOp):
            return self.annotation(node.left, names) or self.annotation(node.right, names)
        if isinstance(node, ast.Subscript):
            index = getattr(node.slice, "value", node.slice) if type(node.slice).__name__ == "Index" else node.slice
            inside = index.elts if isinstance(index, ast.Tuple) else [index]  # Python 3.8 wraps it in an Index
            parts = [self.annotation(each, names) for each in inside]
            given = next(filter(None, parts[::-1]), None)
            outer = node.value.id if isinstance(node.value, ast.Name) else getattr(node.value, "attr", "")
            if outer in ("Tuple", "tuple") and given and not isinstance(inside[-1], ast.Constant):
                return Type("row", row=tuple(parts))
            return given if outer in ("Optional", "Union", "ClassVar", "Final") else many(given)
        return None

    def given(self, returns: Returns) -> Optional[Type]:
        """What a function of our own gives; its annotation is checked where it is written."""
        there = _Walk(returns.file, self.known, Findings())
        return there.annotation(returns.annotation, self.known.modules[returns.file])

    def used(self, node: ast.Attribute) -> None:
        column = (node.end_col_offset or 0) - len(node.attr)
        self.findings.uses.add(Use(self.file, node.end_lineno or node.lineno, column, node.attr))

    def wrong(self, node: ast.expr, what: str) -> None:
        self.findings.problems.append(f"{self.file}:{node.lineno}: {what} in {self.surface.version}")
