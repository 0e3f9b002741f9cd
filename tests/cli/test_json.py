"""``--json``: every command that prints a table has it, and what it prints any JSON reader takes."""

import ast
import inspect
import json
import os
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import typer
from bigbench_files import unpack
from command_line import Call, call_main

from scalecurve.cli._app import app, load_commands
from scalecurve.cli._print import as_json
from scalecurve.tasks.bigbench import VARIABLE, tasks_dir
from scalecurve.tasks.bigbench_install import HUMAN

STUDY = """
limit = 24
shot_policy = "fixed"
models = [
  {models}
]
tasks = [
  {{ ref = "lab:addition:1_digit", strategies = ["direct", "chain_of_thought"] }},
  {{ ref = "lab:facts_choice", strategies = ["belief_none", "belief_wrong"] }},
  {{ ref = "twins:12", strategies = ["gate", "direct"] }},
  {{ ref = "inverse:neqa", metrics = ["multiple_choice_grade"] }},
  {{ ref = "bigbench:tense" }},
]
"""
MODEL = '{{ name = "mock-{0}", backend = "mock", location = "mock", params_non_embedding = {0} }},'

# ``study`` is missing: it runs the laboratory's models, and prints what ``run`` does by the same function.
CALLS: dict[str, tuple[object, ...]] = {
    "backtest": ("run",),
    "belief": ("run",),
    "compare": ("run", "run"),
    "curves": ("run",),
    "doctor": ("--no-speed",),
    "elicit": ("--model", "mock", "--task", "twins:24", "--tokens", 200_000, "--quiet"),
    "forecast": ("run", "--to", "1e9"),
    "gaps": ("run",),
    "gate": ("run", "--then", "direct"),
    "metrics list": (),
    "models list": (),
    "plan": ("study.toml", "--pilot", 0, "--quiet"),
    "rank": ("two_families.parquet", "--to", "1e9"),
    "query": ("SELECT 1 AS a, 'nan'::DOUBLE AS b, 'inf'::DOUBLE AS c", "--quiet"),
    "run": ("study.toml", "--out", "run", "--quiet"),
    "scores benchmark": ("run",),
    "scores extraction": ("run",),
    "scores human": (),
    "tasks check": ("bigbench",),
    "tasks list": (),
    "tasks program": (),
    "tasks show": ("lab:addition", "--shots", 1),
    "think ask": ("1+1=", "--model", "mock"),
    "think evaluate": ("run", "--metric", "exact_str_match", "--chart", "chart.svg"),
    "think fit": ("run", "--metric", "exact_str_match"),
    "verdicts": ("run",),
}


def commands() -> dict[str, Any]:
    """Every command of the command line by its words, groups left out."""
    load_commands()

    def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        for name, sub in getattr(command, "commands", {}).items():
            yield from walk(sub, (*words, name))
        if not getattr(command, "commands", {}) or (words and command.invoke_without_command):
            yield " ".join(words), command

    return dict(walk(typer.main.get_command(app), ()))


def has_json(command: Any) -> bool:
    return any("--json" in parameter.opts for parameter in command.params)


def prints_table(callback: Callable[..., Any]) -> bool:
    """Whether a command, or a function of its module that it calls, lays out a table."""
    module = inspect.getmodule(callback)
    assert module is not None
    functions = {node.name: node for node in ast.parse(inspect.getsource(module)).body if hasattr(node, "name")}
    waiting, seen = [inspect.unwrap(callback).__name__], set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        for node in ast.walk(functions[name]):
            used = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("table", "_print.table", "Table"):
                return True
            if used in functions and used not in seen:
                waiting.append(used)
    return False


def strict(text: str) -> Any:
    """The value of a JSON text; NaN and Infinity, which only Python reads, are refused."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def documented() -> dict[str, tuple[str, list[str]]]:
    """What ``docs/cli.md`` says that a command prints: an array or an object, and its fields (none: those asked)."""
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    rows = re.findall(r"^\| `([a-z ]+)` \| (an array|an object) \| .* \| (.*) \|$", page, re.M)
    return {command: (shape, re.findall(r"`(\w+)`", fields)) for command, shape, fields in rows}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the commands are called: a BIG-bench of few tasks, a study of five mock models, and its run."""
    folder, before = tmp_path_factory.mktemp("json"), Path.cwd()
    models = "\n  ".join(MODEL.format(10**size) for size in range(3, 8))
    (folder / "study.toml").write_text(STUDY.format(models=models))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder / "bigbench"))
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        os.chdir(folder)
        program = unpack(folder / "benchmark_tasks") / "talks" / "task.py"
        program.parent.mkdir()
        program.write_text("raise SystemExit\n")
        assert call_main("tasks", "install", "bigbench", "--from", folder / "benchmark_tasks") == 0
        assert call_main("run", "study.toml", "--out", "run", "--quiet") == 0
        curves = pl.read_parquet(folder / "run" / "curves.parquet")
        twice = pl.concat([curves, curves.with_columns(family=pl.lit("another"))])
        twice.write_parquet(folder / "two_families.parquet")
        average = {"tense": {"exact_str_match": np.float64(40.0), "bleu": np.float64(np.nan)}}
        (tasks_dir() / HUMAN).write_bytes(pickle.dumps({"average": average, "expert": {}}, protocol=4))
        yield folder
        os.chdir(before)


def test_every_command_that_prints_a_table_has_json() -> None:
    without = [words for words, command in commands().items() if prints_table(command.callback)]
    assert "curves" in without, "the test sees tables"
    assert [words for words in without if not has_json(commands()[words])] == []
    assert {words for words, command in commands().items() if has_json(command)} == {*CALLS, "study"}, "add it to CALLS"


@pytest.mark.parametrize("words", sorted(CALLS))
def test_json_is_whole_and_strict(words: str, folder: Path, call: Call) -> None:
    said = call(*words.split(), *CALLS[words], "--json")
    assert said.code == 0, said.err
    found = strict(said.out)
    shape, fields = documented()[words]
    assert isinstance(found, dict if shape == "an object" else list)
    rows = [found] if isinstance(found, dict) else found
    assert rows
    assert all(list(row) == list(rows[0]) for row in rows), "rows have the same fields"
    assert fields in ([], list(rows[0])), "docs/cli.md says which"


def test_the_documentation_has_every_command_with_json() -> None:
    assert set(documented()) == set(CALLS)


def test_what_is_not_finite_is_null() -> None:
    odd = (float("inf"), float("-inf"), float("nan"), np.float64("nan"), 0.5)
    assert strict(as_json({"a": odd, 1: Path("x")})) == {"a": [None, None, None, None, 0.5], "1": "x"}


def test_json_of_an_unfinished_run_says_so_and_exits_with_one(tmp_path: Path, call: Call) -> None:
    (tmp_path / "own.py").write_text("def fails(question):\n    yield ()\n    raise ValueError('no luck')\n")
    asked = ("--model", "mock", "--task", "lab:addition:1_digit", "--limit", 2, "--strategy", tmp_path / "own.py:fails")
    said = call("run", *asked, "--allow-code", "--out", tmp_path / "run", "--quiet", "--json")
    assert said.code == 1
    found = strict(said.out)
    assert (found["complete"], found["failed_examples"], found["computed"]) == (False, 2, 2)
    assert "no luck" in found["first_error"]
    assert Path(found["report"]).is_file()
