"""Tables whose rows differ in a column beside model and task: told apart, or refused in a line that names it."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from scalecurve.errors import UserError
from scalecurve.io.importing import Imported, import_run

SIZES = ("110m", "1.3b", "6.7b")


def records(column: str, values: list[Any], *, wide: bool = False) -> list[dict[str, Any]]:
    """Three models on two values of a column, the second .05 lower."""
    rows = []
    for at, size in enumerate(SIZES):
        for place, value in enumerate(values):
            score = round(0.5 + at / 10 - place / 20, 3)
            own = {"piqa": score, "boolq": score} if wide else {"task": "piqa", "acc": score}
            rows.append({"model": f"mymodel-{size}", column: value, **own})
    return rows


def brought(folder: Path, rows: list[dict[str, Any]], kind: str = "csv", **more: Any) -> tuple[pl.DataFrame, Imported]:
    folder.mkdir(exist_ok=True)
    path, frame = folder / f"t.{kind}", pl.DataFrame(rows)
    {"csv": frame.write_csv, "parquet": frame.write_parquet, "jsonl": frame.write_ndjson}[kind](path)
    done = import_run([path], folder / "run", **more)
    return pl.read_parquet(folder / "run" / "curves.parquet").sort("params_total"), done


def curves(frame: pl.DataFrame) -> dict[tuple[str, str], list[float]]:
    """(family, task) → scores, the smallest model first."""
    found: dict[tuple[str, str], list[float]] = {}
    for row in frame.iter_rows(named=True):
        found.setdefault((row["family"], row["task"].removeprefix("leaderboard:")), []).append(row["y"])
    return found


UP, BELOW = [0.5, 0.6, 0.7], [0.45, 0.55, 0.65]
PARTS = [
    ("split", ["validation", "test"]),
    ("Subset", ["easy", "hard"]),
    ("lang", ["en", "fr"]),
    ("Language", ["English", "German"]),
    ("category", ["STEM", "Humanities"]),
    ("level", [1, 2]),
    ("语言", ["英文", "中文"]),
]


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(("column", "values"), PARTS)
def test_parts_of_a_task_are_tasks(column: str, values: list[Any], wide: bool, tmp_path: Path) -> None:
    frame, done = brought(tmp_path, records(column, values, wide=wide))
    found = curves(frame)
    for value, scores in zip(values, (UP, BELOW), strict=True):
        assert found["mymodel", f"piqa_{value}"] == scores
    assert len(found) == (4 if wide else 2)
    assert any(f"rows of one task differ in {column}, and each is a task of its own" in note for note in done.notes)


@pytest.mark.parametrize(
    ("kind", "wide"), [("csv", False), ("csv", True), ("parquet", False), ("parquet", True), ("jsonl", False)]
)
@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("quant", ["none", "int4"]),
        ("Quantization", ["fp16", "gptq-4bit"]),
        ("precision", ["bfloat16", "int8"]),
        ("bits", [16, 4]),
        ("adapter", [None, "lora"]),
    ],
)
def test_quantised_models_are_other_models(
    column: str, values: list[Any], wide: bool, kind: str, tmp_path: Path
) -> None:
    found = curves(brought(tmp_path, records(column, values, wide=wide), kind)[0])
    assert found["mymodel", "piqa"] == UP
    assert found[f"mymodel+{column.lower()}={values[1]}", "piqa"] == BELOW


def test_two_full_precisions_of_one_model_are_two_models(tmp_path: Path) -> None:
    found = curves(brought(tmp_path, records("dtype", ["bfloat16", "float32"]))[0])
    assert found == {("mymodel@bfloat16", "piqa"): UP, ("mymodel@float32", "piqa"): BELOW}


def test_models_that_differ_in_full_precision_only_are_one_ladder(tmp_path: Path) -> None:
    rows = [one | {"dtype": ("float16", "bfloat16", "float32")[at]} for at, one in enumerate(records("x", ["y"]))]
    assert curves(brought(tmp_path, rows)[0]) == {("mymodel", "piqa"): UP}


@pytest.mark.parametrize("column", ["split", "lang", "quant"])
def test_rows_that_differ_without_meeting_are_told_apart_too(column: str, tmp_path: Path) -> None:
    """Two models on one part, the third on another: no two rows clash, and yet they are no curve."""
    values = ("none", "int4") if column == "quant" else ("a", "b")
    rows = [one | {column: values[at == 2]} for at, one in enumerate(records("x", ["y"]))]
    assert len(curves(brought(tmp_path, rows)[0])) == 2


def test_a_column_of_one_value_and_what_says_something_of_the_models_change_no_task(tmp_path: Path) -> None:
    rows = [
        one | {"type": ("base", "chat", "base")[at], "lang": "en"} for at, one in enumerate(records("split", ["test"]))
    ]
    assert curves(brought(tmp_path, rows)[0]) == {("mymodel", "piqa"): UP}


def test_parts_are_decided_task_by_task(tmp_path: Path) -> None:
    rows = [one | {"task": "boolq"} for one in records("split", ["test"])] + records("split", ["validation", "test"])
    assert {task for _, task in curves(brought(tmp_path, rows)[0])} == {"boolq", "piqa_validation", "piqa_test"}


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("template", ["plain", "chat"]),
        ("temperature", [0.0, 0.7]),
        ("prompt_name", ["A", "B"]),
        ("harness_version", ["0.4.2", "0.4.9"]),
        ("date", ["2024-01-01", "2024-06-01"]),
        ("hardware", ["A100", "H100"]),
    ],
)
def test_settings_in_which_rows_of_one_kind_differ_are_named(
    column: str, values: list[Any], wide: bool, tmp_path: Path
) -> None:
    rows = records(column, values, wide=wide)
    with pytest.raises(UserError, match=rf"stands in several rows; they differ in {column}; .*--map strategy={column}"):
        brought(tmp_path / "a", rows)
    frame, _ = brought(
        tmp_path / "b", rows, columns={"strategy": column, "model": "model"} | ({} if wide else {"task": "task"})
    )
    own = frame.filter(pl.col("task").is_in(["piqa", "leaderboard:piqa"]))
    assert {name: group["y"].to_list() for (name,), group in own.group_by("strategy")} == {
        str(values[0]): UP, str(values[1]): BELOW
    }  # fmt: skip


def test_settings_that_differ_between_models_are_told(tmp_path: Path) -> None:
    rows = [one | {"chat_template": at == 2} for at, one in enumerate(records("x", ["y"]))]
    _, done = brought(tmp_path, rows)
    assert any(note.startswith("results differ in chat_template: ") for note in done.notes)


def test_shots_seeds_and_strategies_of_a_wide_table_are_heeded(tmp_path: Path) -> None:
    """They were once filed under 0 shots, whatever the table said."""
    frame, _ = brought(tmp_path / "a", records("shots", [0, 5], wide=True))
    assert set(frame["shots"]) == {0, 5}
    frame, _ = brought(tmp_path / "b", records("seed", [1, 2], wide=True))
    assert frame.filter(task="leaderboard:piqa")["y"].to_list() == pytest.approx([0.475, 0.575, 0.675])
    frame, _ = brought(tmp_path / "c", records("strategy", ["direct", "cot"], wide=True))
    assert set(frame["strategy"]) == {"direct", "cot"}


def test_filters_are_part_of_the_metric(tmp_path: Path) -> None:
    rows = [one | {"metric": "exact_match"} for one in records("filter", ["strict-match", "flexible-extract"])]
    frame, _ = brought(tmp_path, [{"score" if k == "acc" else k: v for k, v in one.items()} for one in rows])
    assert set(frame["metric"]) == {"exact_match,strict-match", "exact_match,flexible-extract"}
