"""Ways of asking by name: a strategy that comes along, a function of a Python file, or a prompt file.

    "direct"                        a strategy of ``scalecurve.strategies``
    "my_strategies.py:socratic"     a generator function of the user's own; code, so it runs only when allowed
    "prompts/lettered.toml"         a prompt file (``scalecurve.strategies.prompt``)

A Way carries the file's text, so that every process of a run asks alike even when the file is edited meanwhile, and
the text's SHA-256, so that answers of an earlier text are never taken for those of this one.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from types import ModuleType

from scalecurve.errors import UserError
from scalecurve.strategies.prompt import Prompt, ask_as, parse_prompt
from scalecurve.strategies.protocol import Strategy, get_strategy, least_shots, strategy_names
from scalecurve.util.guard import regular
from scalecurve.util.text import did_you_mean, one_line

BUDGET = "@"
"""What parts the name of a way from its budget."""

TAKES = {
    "step_tokens": ("chain_of_thought", "zero_shot_cot", "least_to_most", "self_consistency"),
    "samples": ("self_consistency",),
}
"""The strategies for which a setting changes anything; a setting that is not here is for all."""


@dataclass(frozen=True, slots=True)
class Way:
    """``name`` in cells and tables; for one from a file its ``path``, ``function`` ("" in a prompt file) and text.

    ``effort`` is the setting, and its value, by which it differs from the way that it is named after.
    """

    name: str
    path: str = ""
    function: str = ""
    source: str = ""
    effort: tuple[str, int | str] | None = None

    @property
    def plain(self) -> str:
        """The name without the budget."""
        return self.name.rpartition(BUDGET)[0] if self.effort else self.name

    @property
    def settings(self) -> dict[str, int | str]:
        """What its budget sets: a model whose steps are cut is asked for its answer then."""
        if self.effort is None:
            return {}
        return {self.effort[0]: self.effort[1]} | ({"force_answer": True} if self.effort[0] == "step_tokens" else {})

    def with_budgets(self, effort: Mapping[str, Sequence[int | str]]) -> tuple[Way, ...]:
        """One way for each of a study's budgets; itself alone where they change nothing for it."""
        ((setting, values),) = effort.items()
        strategy = self.prompt.strategy if self.prompt else self.name
        if not self.function and strategy not in TAKES.get(setting, strategy_names()):
            return (self,)
        return tuple(replace(self, name=f"{self.name}{BUDGET}{value}", effort=(setting, value)) for value in values)

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
        return _load(self.path, self.source, self.function) if self.path else get_strategy(self.plain)

    def shots(self, asked: Sequence[int]) -> tuple[int, ...]:
        """Those of ``asked`` that it can be asked with, or the number it brings along. ``UserError`` for none."""
        if self.prompt is not None and self.prompt.shots is not None:
            return (len(self.prompt.shots),)
        least = least_shots(self.prompt.strategy if self.prompt else self.plain)
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
            fix = did_you_mean(name, strategy_names(), f"known: {', '.join(strategy_names())}")
            raise UserError(f"strategies: unknown {name!r}; {fix}, or name a file, as mine.py:FUNCTION or mine.toml")
    get_strategy(ref)  # refuses what cannot stand before another
    return Way(ref)


def _read(path: str) -> str:
    try:
        return regular(Path(path), 1 << 24).read_text(encoding="utf-8")
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
        raise UserError(f"{path}: not valid Python: {one_line(error) or 'nested too deeply'}") from None
    defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    module = ModuleType(f"scalecurve_own_{sha256(f'{path}|{source}'.encode()).hexdigest()[:16]}")
    module.__file__ = path
    sys.modules[module.__name__] = module  # dataclasses and pickling look their module up
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
    try:
        exec(compile(tree, path, "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        raise UserError(f"{path}: fails when it is imported: {type(error).__name__}: {one_line(error)}") from None
    found: Strategy | None = getattr(module, function, None)
    if found is None:
        fix = did_you_mean(function, defined, f"it defines {', '.join(defined) or 'none'}")
        raise UserError(f"{path}: no function {function!r}; {fix}")
    if not inspect.isgeneratorfunction(found):
        raise UserError(f"{path}: {function} is no generator function; a strategy yields tuples of Request")
    try:
        inspect.signature(found).bind(object())
    except TypeError:
        raise UserError(f"{path}: {function} must take one argument, the question") from None
    return found
