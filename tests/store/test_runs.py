"""The run directory: parts come back as they went in, files are whole or absent, one run at a time."""

import hashlib
import json
import math
import multiprocessing
import os
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalecurve.analysis.derive import derive
from scalecurve.errors import UserError
from scalecurve.store import (
    RunDirectory,
    finished_parts,
    open_run,
    part_totals,
    read_cell,
    read_outputs,
    task_of,
    task_record,
    write_part,
)
from scalecurve.store.atomic import write_bytes
from scalecurve.store.parts import part_bytes
from scalecurve.types import Answer, Cell, Example, Task

CELL = Cell("lab", "lab-3k", "lab:addition:1_digit", "direct", 0, 0)
KEY, OTHER_KEY = "0123456789abcdef", "fedcba9876543210"

texts = st.text(max_size=12)
numbers = st.floats(allow_nan=False, width=32)
examples = st.builds(
    Example,
    id=texts,
    input=texts,
    targets=st.lists(texts, max_size=3).map(tuple),
    options=st.lists(texts, max_size=3).map(tuple),
    option_scores=st.lists(numbers, max_size=3).map(tuple),
    metadata=st.dictionaries(texts, st.integers() | texts | st.lists(st.integers(), max_size=2), max_size=2),
)
answers = st.builds(
    Answer,
    example_id=texts,
    prompt=texts,
    options=st.lists(texts, max_size=3).map(tuple),
    option_logprobs=st.lists(numbers, max_size=3).map(tuple),
    option_tokens=st.lists(st.integers(0, 99), max_size=3).map(tuple),
    option_greedy=st.lists(st.booleans(), max_size=3).map(tuple),
    target_logprobs=st.lists(numbers, max_size=2).map(tuple),
    target_tokens=st.lists(st.integers(0, 99), max_size=2).map(tuple),
    text=st.none() | texts,
    response=st.none() | texts,
    samples=st.lists(texts, max_size=2).map(tuple),
    text_logprob=st.none() | numbers,
    prompt_tokens=st.integers(0, 2**40),
    generated_tokens=st.integers(0, 2**40),
    flags=st.lists(texts, max_size=2).map(tuple),
    error=texts,
)


rows_of_a_part = st.lists(
    st.tuples(examples, answers).map(lambda row: (row[0], replace(row[1], example_id=row[0].id))), max_size=4
)


@settings(max_examples=50)
@given(rows=rows_of_a_part)
def test_a_part_comes_back_as_it_went_in(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    run = RunDirectory(tmp_path_factory.mktemp("run"))
    write_part(run, CELL, 0, KEY, part_bytes(CELL, rows))
    assert read_cell(run, CELL, {0: KEY}) == rows


def test_the_same_rows_give_the_same_bytes() -> None:
    rows = [(Example("1", "1+1", ("2",)), Answer("1", "Q", text="2", target_logprobs=(-0.25,)))]
    assert part_bytes(CELL, rows) == part_bytes(CELL, rows)


def test_a_part_under_another_key_is_replaced(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    old, new = (Example("1", "old"), Answer("1", "")), (Example("1", "new"), Answer("1", ""))
    write_part(run, CELL, 0, KEY, part_bytes(CELL, [old]))
    write_part(run, CELL, 1, KEY, part_bytes(CELL, [old]))
    write_part(run, CELL, 0, OTHER_KEY, part_bytes(CELL, [new]))
    assert finished_parts(run, CELL) == {(0, OTHER_KEY), (1, KEY)}
    assert [example.input for example, _ in read_cell(run, CELL, {1: KEY, 0: OTHER_KEY})] == ["new", "old"]


def test_unfinished_and_foreign_files_are_no_parts(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    folder = run.cell(CELL)
    folder.mkdir(parents=True)
    (folder / f".part-00000-{KEY}.parquet.77.tmp").write_bytes(b"half")
    (folder / "part-0-x.parquet").write_bytes(b"?")
    assert finished_parts(run, CELL) == set()


def test_totals_are_read_from_the_part(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    rows = [
        (Example("1", ""), Answer("1", "", prompt_tokens=5, generated_tokens=2)),
        (Example("2", ""), Answer("2", "", prompt_tokens=7, error="too long")),
        (Example("3", ""), Answer("3", "", text="hm", response="")),
        (Example("4", ""), Answer("4", "", text="hm", cut=2, censored=True)),
        (Example("5", ""), Answer("5", "", text="2", response="2", thinking="so", thinking_tokens=4, cut=1)),
    ]
    data = part_bytes(CELL, rows)
    write_part(run, CELL, 0, KEY, data)
    assert part_totals(run, CELL, 0, KEY) == {
        "prompt_tokens": 12,
        "generated_tokens": 2,
        "failed": 1,
        "texts": 3,
        "unextracted": 2,
        "censored": 1,
        "cut": 3,
        "thinking_tokens": 4,
        "reason": "too long",
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    path = write_part(run, CELL, 0, KEY, b"not parquet")
    with pytest.raises(UserError, match=rf"{path.name}: cannot be read .* delete this file"):
        read_cell(run, CELL, {0: KEY})


def test_all_outputs_of_a_run_are_one_table(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    assert read_outputs(run).collect().height == 0
    row = (Example("1", "1+1", ("2",)), Answer("1", "Q"))
    for rung in ("a", "b"):
        cell = replace(CELL, rung=rung)
        write_part(run, cell, 0, KEY, part_bytes(cell, [row]))
    frame = read_outputs(run).collect()
    assert frame.select("rung", "task", "input", "targets").rows() == [
        ("a", CELL.task, "1+1", ["2"]),
        ("b", CELL.task, "1+1", ["2"]),
    ]


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")

    def fail(_: int) -> None:
        raise OSError("the disk is on fire")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UserError, match=r"file: cannot be written \(the disk is on fire\)"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def _try_lock(path: Path, said: "multiprocessing.Queue[str]") -> None:
    try:
        with RunDirectory(path).lock():
            said.put("locked")
    except UserError as error:
        said.put(str(error))


def test_second_run_is_refused_and_the_first_named(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    said: multiprocessing.Queue[str] = context.Queue()
    for expected in (f"in use by process {os.getpid()} on", "locked"):
        process = context.Process(target=_try_lock, args=(tmp_path / "run", said))
        if expected == "locked":
            process.start()
        else:
            with RunDirectory(tmp_path / "run").lock():
                process.start()
                process.join()
        process.join()
        assert expected in said.get(timeout=5)


def test_failure_before_any_output_leaves_nothing(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")

    def fail() -> None:
        with run.lock():
            run.study.write_text("x")
            raise UserError("no weights")

    with pytest.raises(UserError, match="no weights"):
        fail()
    assert not run.path.exists()
    run.outputs.mkdir(parents=True)
    with pytest.raises(UserError, match="no weights"):
        fail()
    assert run.outputs.exists()


def test_only_a_run_directory_opens(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such run directory"):
        open_run(tmp_path / "none")
    with pytest.raises(UserError, match=r"no manifest\.json"):
        open_run(tmp_path)
    (tmp_path / "manifest.json").write_text('{"cells": [')
    with pytest.raises(UserError, match=r"manifest\.json: not valid JSON"):
        open_run(tmp_path).read_manifest()


TASK = Task(
    name="sums",
    examples=tuple(Example(str(i), f"{i}+{i}", (str(2 * i),)) for i in range(4)),
    metrics=("exact_match",),
    preferred_metric="exact_match",
    keywords=("arithmetic",),
)


def test_a_task_comes_back_from_its_record() -> None:
    record = json.loads(json.dumps(task_record("sums", TASK, ["exact_match"])))
    assert task_of(record, TASK.examples) == TASK


def _answered(run: RunDirectory, cell: Cell, responses: list[str | None]) -> dict:
    rows = [
        (example, Answer(example.id, "Q", text=text, response=text, error="" if text is not None else "out of memory"))
        for example, text in zip(TASK.examples, responses, strict=True)
    ]
    write_part(run, cell, 0, KEY, part_bytes(cell, rows))
    fields = {name: getattr(cell, name) for name in ("family", "rung", "task", "strategy", "shots", "seed")}
    return {**fields, "examples": len(rows), "parts": {"0": KEY}}


def _rung(name: str, size: int) -> dict:
    axes = dict.fromkeys(("params_total", "training_flops", "training_tokens", "step", "loss"))
    return {"family": "f", "name": name, "params_non_embedding": size, **axes}


def test_scores_and_curves_follow_from_outputs(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    small, large = (Cell("f", rung, "sums", "direct", 0, 0) for rung in ("small", "large"))
    cells = [_answered(run, small, ["0", "x", None, "6"]), _answered(run, large, ["0", "2", "4", "6"])]
    record = task_record("sums", TASK, ["exact_match", "edit_similarity"])
    run.write_manifest({"tasks": [record], "cells": cells, "rungs": [_rung("small", 10), _rung("large", 1000)]})
    derive(run)

    scores = pl.read_parquet(run.scores).filter(pl.col("metric") == "exact_match")
    assert scores.filter(pl.col("rung") == "small")["value"].to_list() == [1.0, 0.0, None, 1.0]
    assert scores["example_id"].to_list() == ["0", "1", "2", "3"] * 2

    curve = pl.read_parquet(run.curves).filter(pl.col("metric") == "exact_match").rows(named=True)
    first = curve[0]
    assert [point["rung"] for point in curve] == ["small", "large"]
    assert (first["n"], first["failed"], first["params_non_embedding"]) == (3, 1, 10)
    assert math.isclose(first["y"], 2 / 3), "a missing score is not a zero"
    assert first["se"] >= math.sqrt(2 / 3 * (1 / 3) / 3) - 1e-12
    assert (curve[1]["y"], curve[1]["n"], curve[1]["failed"]) == (1.0, 4, 0)
    assert (first["chance"], first["ceiling"], first["higher_is_better"], first["preferred"]) == (0.0, 1.0, True, True)


def test_a_cell_without_any_answer_is_a_gap_not_a_zero(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    cell = Cell("f", "small", "sums", "direct", 0, 0)
    record = _answered(run, cell, [None] * 4)
    run.write_manifest(
        {"tasks": [task_record("sums", TASK, ["exact_match"])], "cells": [record], "rungs": [_rung("small", 10)]}
    )
    derive(run)
    point = pl.read_parquet(run.curves).row(0, named=True)
    assert (point["y"], point["se"], point["n"], point["failed"]) == (None, None, 0, 4)


def test_seeds_of_a_point_are_averaged(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    cells = [
        _answered(run, Cell("f", "small", "sums", "direct", 0, seed), responses)
        for seed, responses in enumerate((["0", "2", "x", "x"], ["0", "2", "4", "6"]))
    ]
    run.write_manifest(
        {"tasks": [task_record("sums", TASK, ["exact_match"])], "cells": cells, "rungs": [_rung("small", 10)]}
    )
    derive(run)
    (point,) = pl.read_parquet(run.curves).rows(named=True)
    assert (point["y"], point["n"]) == (0.75, 4)
    assert math.isclose(point["se"], math.sqrt((1 / 12 + 1 / 16) / 2)), "root mean square of the two errors"
