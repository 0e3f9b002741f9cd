"""Groups of tasks that the field reports as one: a curve beside their parts, weighted as their authors do."""

import csv
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from scalecurve.cli._app import app, load_commands
from scalecurve.io.groups import task_groups
from scalecurve.io.importing import import_run

load_commands()
MODELS = ("EleutherAI/pythia-410m", "EleutherAI/pythia-1b", "EleutherAI/pythia-2.8b")
(MMLU,) = (group for group in task_groups() if group.name == "mmlu")


def table(folder: Path, tasks: dict[str, int], gap: str = "") -> Path:
    """Scores of every task and model: the larger a task, the better; ``gap``: a task that the first model lacks."""
    path = folder / "scores.csv"
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["model", "task", "metric", "score", "stderr", "n", "shots"])
        for at, model in enumerate(MODELS):
            for task, n in tasks.items():
                if (at, task) != (0, gap):
                    out.writerow([model, task, "acc", 0.25 + at / 10 + n / 100_000, (0.2 / n) ** 0.5, n, 5])
    return path


def test_the_57_subjects_are_one_curve_weighted_by_questions(tmp_path: Path) -> None:
    assert (len(MMLU.parts), sum(MMLU.parts.values())) == (57, 14042)
    tasks = {f"mmlu_{name}": n for name, n in MMLU.parts.items()}
    done = import_run([table(tmp_path, tasks)], tmp_path / "run")
    curves = pl.read_parquet(tmp_path / "run" / "curves.parquet")
    whole = curves.filter(task="mmlu").sort("params_total")
    mean = sum(n * n for n in tasks.values()) / 14042 / 100_000
    assert whole["y"].to_list() == pytest.approx([0.25 + mean, 0.35 + mean, 0.45 + mean])
    assert whole["se"].to_list() == pytest.approx([(0.2 / 14042) ** 0.5] * 3)
    assert whole["n"].to_list() == [14042] * 3
    assert whole["chance"].to_list() == [0.25] * 3
    assert curves["task"].n_unique() == 58
    assert any("made of the scores of its parts" in note for note in done.notes)
    drawn = CliRunner().invoke(app, ["plot", str(tmp_path / "run"), "mmlu", "--out", str(tmp_path / "mmlu.svg")])
    assert drawn.exit_code == 0, drawn.output
    told = CliRunner().invoke(app, ["verdicts", str(tmp_path / "run"), "--json"])
    assert '"mmlu"' in told.output


def test_a_model_that_lacks_a_part_has_no_score_of_the_whole(tmp_path: Path) -> None:
    tasks = {f"hendrycksTest-{name}": n for name, n in MMLU.parts.items()}
    import_run([table(tmp_path, tasks, gap="hendrycksTest-anatomy")], tmp_path / "run")
    curves = pl.read_parquet(tmp_path / "run" / "curves.parquet").filter(task="mmlu")
    assert sorted(curves["rung"]) == ["pythia-1b", "pythia-2.8b"]


def test_a_group_that_the_source_reports_itself_is_left_as_it_is(tmp_path: Path) -> None:
    tasks = {f"mmlu_{name}": n for name, n in MMLU.parts.items()} | {"mmlu": 14042}
    import_run([table(tmp_path, tasks)], tmp_path / "run")
    curves = pl.read_parquet(tmp_path / "run" / "curves.parquet").filter(task="mmlu")
    assert curves["y"].max() == pytest.approx(0.45 + 0.14042)


def test_categories_of_a_group_are_no_parts_of_it(tmp_path: Path) -> None:
    import_run([table(tmp_path, {"mmlu_stem": 3018, "mmlu_anatomy": 135})], tmp_path / "run")
    curves = pl.read_parquet(tmp_path / "run" / "curves.parquet")
    assert not curves.filter(task="mmlu").height
