"""Ways of asking by name: a strategy that comes along, a function of a Python file, or a prompt file.

    "direct"                        a strategy of ``scalecurve.prompts.strategies``
    "my_strategies.py:socratic"     a generator function of the user's own; code, so it runs only when allowed
    "prompts/lettered.toml"         a prompt file (``scalecurve.prompts.prompt``)

A Way carries the file's text, so that every process of a run asks alike even when the file is edited meanwhile, and
the text's SHA-256, so that answers of an earlier text are never taken for those of this one.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import linecache
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from types import ModuleType

from scalecurve.nouns import UserError
from scalecurve.prompts.prompt import Prompt, ask_as, parse_prompt
from scalecurve.prompts.strategy import Strategy, get_strategy, least_shots, strategy_names


@dataclass(frozen=True, slots=True)
class Way:
    """``name`` in cells and tables; for one from a file its ``path``, ``function`` ("" in a prompt file) and text."""

    name: str
    path: str = ""
    function: str = ""
    source: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of the file's text; "" for a strategy that comes along."""
        return sha256(self.source.encode()).hexdigest() if self.path else ""

    @property
    def prompt(self) -> Prompt | None:
        """The prompt of a prompt file."""
        return _prompt(self.source, self.path) if self.path and not self.function else None

    def strategy(self) -> Strategy:
        """The generator function that asks. Loads the user's code when there is any."""
        if self.prompt is not None:
            return partial(ask_as, self.prompt)
        return _load(self.path, self.source, self.function) if self.path else get_strategy(self.name)

    def shots(self, asked: Sequence[int]) -> tuple[int, ...]:
        """Those of ``asked`` that it can be asked with, or the number it brings along. ``UserError`` for none."""
        if self.prompt is not None and self.prompt.shots is not None:
            return (len(self.prompt.shots),)
        least = least_shots(self.prompt.strategy if self.prompt else self.name)
        fit = tuple(shots for shots in asked if shots >= least)
        if not fit:
            raise UserError(f"strategies: {self.name} shows answered examples first; give their number, as shots = [3]")
        return fit

    def record(self) -> dict[str, str]:
        """What the manifest keeps of a way from a file."""
        return {"name": self.name, "path": self.path, "sha256": self.digest, "source": self.source}


def find_way(ref: str, *, allow_code: bool = False) -> Way:
    """The way of asking ``ref`` names. ``UserError`` for an unknown name or a file that cannot be used.

    Code is read and run only with ``allow_code``.
    """
    path, _, function = ref.rpartition(":")
    if ref.endswith(".py"):
        raise UserError(f"strategies: {ref}: name a function in it, as {ref}:FUNCTION")
    if path.endswith(".py"):
        source = _read(path)
        if not allow_code:
            raise UserError(f"strategies: {ref} is code; add --allow-code to run it")
        way = Way(f"{Path(path).name}:{function}", path, function, source)
        way.strategy()  # what is wrong with it is said now
        return way
    if ref.endswith(".toml"):
        way = Way(Path(ref).name, ref, "", _read(ref))
        _prompt(way.source, ref)
        return way
    for name in ref.split("+"):  # a stage before it, as in gate+direct
        if name not in strategy_names():
            near = difflib.get_close_matches(name, strategy_names(), n=1, cutoff=0.5)
            fix = f"did you mean {near[0]}?" if near else f"known: {', '.join(strategy_names())}"
            raise UserError(f"strategies: unknown {name!r}; {fix}, or name a file, as mine.py:FUNCTION or mine.toml")
    get_strategy(ref)  # refuses what cannot stand before another
    return Way(ref)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"strategies: {path}: no such file; paths are relative to the study file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"strategies: {path}: cannot be read: {error}") from None


@cache
def _prompt(source: str, path: str) -> Prompt:
    return parse_prompt(source, path)


@cache
def _load(path: str, source: str, function: str) -> Strategy:
    """The generator function ``function`` of the Python text ``source``, once in a process."""
    try:
        tree = ast.parse(source, path)
    except SyntaxError as error:
        raise UserError(f"{path}:{error.lineno}: not valid Python: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:  # a NUL character; nested too deeply
        raise UserError(f"{path}: not valid Python: {_line(error) or 'nested too deeply'}") from None
    defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    module = ModuleType(f"scalecurve_own_{sha256(f'{path}|{source}'.encode()).hexdigest()[:16]}")
    module.__file__ = path
    sys.modules[module.__name__] = module  # dataclasses and pickling look their module up
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
    try:
        exec(compile(tree, path, "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        raise UserError(f"{path}: fails when it is imported: {type(error).__name__}: {_line(error)}") from None
    found: Strategy | None = getattr(module, function, None)
    if found is None:
        near = difflib.get_close_matches(function, defined, n=1, cutoff=0.5)
        fix = f"did you mean {near[0]}?" if near else f"it defines {', '.join(defined) or 'none'}"
        raise UserError(f"{path}: no function {function!r}; {fix}")
    if not inspect.isgeneratorfunction(found):
        raise UserError(f"{path}: {function} is no generator function; a strategy yields tuples of Request")
    try:
        inspect.signature(found).bind(object())
    except TypeError:
        raise UserError(f"{path}: {function} must take one argument, the question") from None
    return found


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
