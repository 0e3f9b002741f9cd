"""Groups of tasks that the field reports as one: a curve beside their parts, weighted as their authors do."""

import base64
import csv
import gzip
import json
import re
from pathlib import Path

import polars as pl
import pytest
from cases import acc, result
from typer.testing import CliRunner

from scalecurve.cli._app import app, load_commands
from scalecurve.io.groups import task_groups
from scalecurve.io.importing import import_run
from scalecurve.report import write_report

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


# ── Other groups ─────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", sorted({group.name for group in task_groups()} - {"mmlu", "agieval_en"}))
def test_every_known_group_is_one_curve_with_its_parts_below(name: str, tmp_path: Path) -> None:
    group = next(one for one in task_groups() if one.name == name)
    tasks = {f"{group.prefixes[0]}{part}": 100 + 10 * at for at, part in enumerate(group.parts)}
    import_run([table(tmp_path, tasks)], tmp_path / "run")
    curves = pl.read_parquet(tmp_path / "run" / "curves.parquet").filter(task=name).sort("params_total")
    weights = [1 if group.alike else n for n in tasks.values()]
    mean = sum(w * n for w, n in zip(weights, tasks.values(), strict=True)) / sum(weights) / 100_000
    assert curves["y"].to_list() == pytest.approx([0.25 + mean, 0.35 + mean, 0.45 + mean])
    assert curves["n"].to_list() == [sum(tasks.values())] * 3
    records = json.loads((tmp_path / "run" / "manifest.json").read_text())["tasks"]
    found = {record["ref"]: record["parent"] for record in records if record["ref"] != "agieval_en"}  # ten of agieval
    assert found == dict.fromkeys(tasks, name) | {name: ""}


def test_parts_without_a_score_of_the_whole_are_kept_together(tmp_path: Path) -> None:
    tasks = {f"mmlu_{name}": n for name, n in list(MMLU.parts.items())[:5]} | {"piqa": 1838}
    import_run([table(tmp_path, tasks)], tmp_path / "run")
    records = json.loads((tmp_path / "run" / "manifest.json").read_text())["tasks"]
    assert [record["parent"] for record in records] == ["mmlu"] * 5 + [""]


def test_a_group_that_nobody_knows_is_named_by_its_file(tmp_path: Path) -> None:
    scores = {"mine": acc(0.35), "mine_a": acc(0.4), "mine_b": acc(0.3)}
    result(
        tmp_path / "in", "EleutherAI/pythia-70m", scores, group_subtasks={"mine": ["mine_a", "mine_b"], "mine_a": []}
    )
    import_run([tmp_path / "in"], tmp_path / "run")
    records = json.loads((tmp_path / "run" / "manifest.json").read_text())["tasks"]
    assert {record["ref"]: record["parent"] for record in records} == {
        "lm-eval:mine_a": "mine",
        "lm-eval:mine_b": "mine",
    }


def test_the_report_folds_the_parts_of_a_group(tmp_path: Path) -> None:
    tasks = {f"mmlu_{name}": n for name, n in MMLU.parts.items()}
    import_run([table(tmp_path, tasks)], tmp_path / "run")
    html = write_report([tmp_path / "run"], tmp_path / "report.html").read_text()
    packed = re.search(r'<script type="application/gzip" id="data">([^<]*)</script>', html)
    assert packed
    shown = json.loads(gzip.decompress(base64.b64decode(packed[1])))["tasks"]
    whole = next(task for task in shown if task["ref"] == "mmlu")
    assert sum(task["parent"] == whole["name"] for task in shown) == 57
