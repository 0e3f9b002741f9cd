"""Every small change of a module that mutmut would make, and those it leaves out; for ``mutation.py``.

mutmut leaves decorated functions, constants and defaults alone, which are changed here too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ALIASES = ("NDArray", "dict", "tuple", "Callable", "Literal")  # of types: `Floats = NDArray[np.float64]`
UNCHANGED = ("dataclass", "property", "cache", "lru_cache")  # decorators


@dataclass(frozen=True)
class Mutant:
    """``text`` in place of the characters ``start`` to ``stop`` of a file; ``function``: "" for what runs at import."""

    path: str
    line: int
    function: str
    start: int
    stop: int
    text: str
    was: str
    now: str

    def source(self) -> str:
        code = Path(self.path).read_text("utf-8")
        return code[: self.start] + self.text + code[self.stop :]

    def module(self) -> str:
        return ".".join(Path(self.path).with_suffix("").parts[1:])  # without src/


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Every change of one file; not of imports, types, ``__all__``, and arguments of ``len`` and ``isinstance``."""
    import libcst as cst
    from libcst.metadata import MetadataWrapper, PositionProvider
    from mutmut.mutation.file_mutation import MutationVisitor
    from mutmut.mutation.mutators import mutation_operators
    from mutmut.mutation.pragma_handling import get_ignored_lines

    class Visitor(MutationVisitor):
        def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
            match node:
                case cst.FunctionDef():
                    return False
                case cst.Decorator(decorator=cst.Call(func=cst.Name(name)) | cst.Name(name)):
                    return name in UNCHANGED
                case cst.Import() | cst.ImportFrom() | cst.Decorator() | cst.If(test=cst.Name("TYPE_CHECKING")):
                    return True
                case cst.Assign(targets=[cst.AssignTarget(target=cst.Name("__all__"))]):
                    return True
                case cst.Assign(value=cst.Subscript(value=cst.Name(name))) if name in ALIASES:
                    return True
            return super()._skip_node_and_children(node)

    code = path.read_text("utf-8")
    wrapper = MetadataWrapper(cst.parse_module(code))
    visitor = Visitor(mutation_operators, get_ignored_lines(str(path), code, wrapper, None))
    module, places = wrapper.visit(visitor), wrapper.resolve(PositionProvider)
    functions: dict[int, str] = {}  # id of a node → the function, or method, whose body it is in
    statements: dict[int, tuple[int, Any]] = {}  # id of a node → where its statement of the module begins, and it

    def walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        yield node
        for child in node.children:
            yield from walk(child)

    def enter(body: Any, prefix: str) -> None:
        for one in body:
            if isinstance(one, cst.ClassDef):
                enter(one.body.body, f"{prefix}{one.name.value}.")
            elif isinstance(one, cst.FunctionDef):
                functions.update((id(node), prefix + one.name.value) for node in walk(one.body))

    enter(module.body, "")
    begin = 0
    for statement in module.body:
        text = module.code_for_node(statement)
        begin = code.index(text, begin)
        statements.update((id(node), (begin, statement)) for node in walk(statement))
        begin += len(text)
    seen = {code}
    for mutation in visitor.mutations:
        node = mutation.original_node
        begin, statement = statements[id(node)]
        old = module.code_for_node(statement)
        changed = module.code_for_node(statement.deep_replace(node, mutation.mutated_node))
        new = code[:begin] + changed + code[begin + len(old) :]
        if new in seen:
            continue
        seen.add(new)
        start = begin + shared(old, changed)
        tail = shared(code[start:][::-1], new[start:][::-1])
        line = code.count("\n", 0, start)
        was, now = (text.splitlines()[line].strip() if line < text.count("\n") else "" for text in (code, new))
        at = places[node].start.line if node in places else line + 1
        function, stop = functions.get(id(node), ""), len(code) - tail
        yield Mutant(str(path), at, function, start, stop, new[start : len(new) - tail], was, now)


def shared(a: str, b: str) -> int:
    """How many characters two texts begin with alike."""
    return next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
