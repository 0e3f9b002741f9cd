"""Files that harnesses really wrote (see tests/fixtures/make): their headline scores, to 1e-9, and their answers."""

import json
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from scalecurve.cli._app import app, load_commands
from scalecurve.errors import UserError
from scalecurve.io import import_files, import_run
from scalecurve.io.stream import json_lines, json_members
from scalecurve.io.zipped import Archive
from scalecurve.pipeline import rescore
from scalecurve.report.server import View
from scalecurve.routing import read_run_pairs
from scalecurve.store import RunDirectory, read_outputs

load_commands()
FILES = Path(__file__).resolve().parents[1] / "fixtures" / "harness"
NAMES = ("lm_eval", "lighteval", "opencompass", "inspect/open_real.eval", "inspect/letters_canned.eval", "helm")
CLOSE = 1e-9


def imported(name: str, folder: Path, **more: Any) -> tuple[RunDirectory, dict[tuple[str, str, str], dict[str, Any]]]:
    run = RunDirectory(folder / "run")
    import_files([FILES / name], run, **more)
    curves = pl.read_parquet(run.curves)
    return run, {(row["rung"], row["task"], row["metric"]): row for row in curves.iter_rows(named=True)}


def test_lm_eval(tmp_path: Path) -> None:
    run, rows = imported("lm_eval", tmp_path)
    compared = 0
    for path in FILES.glob("lm_eval/*/results_*.json"):
        own = json.loads(path.read_text())
        for task, metrics in own["results"].items():
            for key, value in metrics.items():
                metric, _, kind = key.partition(",")
                if kind and not metric.endswith("_stderr"):
                    name = metric if kind == "none" else key
                    row = rows[path.parent.name, f"lm-eval:{task}", name]
                    assert row["y"] == pytest.approx(value, abs=CLOSE)
                    stated = metrics[f"{metric}_stderr,{kind}"]
                    assert row["se"] == (None if stated == "N/A" else stated)
                    assert (row["n"], row["shots"], row["failed"]) == (8, 1, 0)
                    assert row["higher_is_better"] == own["higher_is_better"][task][metric]
                    compared += 1
    assert compared == 18
    # Our own metrics of the same answers agree with the harness's: its Brier score and accuracy, by other code.
    for rung in ("lab-3k", "lab-1m"):
        key = (rung, "lm-eval:tiny_choice")
        assert rows[*key, "brier"]["y"] == pytest.approx(rows[*key, "brier_score"]["y"], abs=1e-6)
        assert rows[*key, "multiple_choice_grade"]["y"] == rows[*key, "acc"]["y"]
        assert rows[*key, "acc"]["chance"] == 0.25
        cloze = rows[rung, "lm-eval:tiny_cloze", "target_logprob"]["y"]
        assert math.exp(-cloze) == pytest.approx(rows[rung, "lm-eval:tiny_cloze", "perplexity"]["y"], rel=1e-6)
    scores = pl.read_parquet(run.scores)
    kept = set(scores.filter(pl.col("task") == "lm-eval:tiny_cloze")["metric"])
    assert kept == {
        "acc",
        "target_logprob",
        "bits_per_byte",
    }  # the items of a perplexity are log-likelihoods, not perplexities
    first = read_outputs(run).filter(pl.col("task") == "lm-eval:tiny_choice", pl.col("rung") == "lab-3k").collect()
    _, line = next(json_lines(next(FILES.glob("lm_eval/lab-3k/samples_tiny_choice_*.jsonl"))))
    row = first.row(0, named=True)
    assert row["option_logprobs"] == [float(pair[0]) for pair in line["filtered_resps"]]
    assert row["choices"] == line["doc"]["choices"]
    assert row["option_scores"][line["doc"]["answer"]] == 1


def test_lighteval(tmp_path: Path) -> None:
    run, rows = imported("lighteval", tmp_path)
    own = json.loads(next(FILES.glob("lighteval/results/*/*.json")).read_text())["results"]
    for key, metrics in own.items():
        if key != "all":
            task, shots = key.split("|")
            for metric, value in metrics.items():
                if not metric.endswith("_stderr"):
                    row = rows["lab-1m", f"lighteval:{task}", metric]
                    assert row["y"] == pytest.approx(value, abs=CLOSE)
                    assert row["se"] == pytest.approx(metrics[f"{metric}_stderr"], abs=CLOSE)
                    assert (row["shots"], row["n"]) == (int(shots), 8)
    assert rows["lab-1m", "lighteval:tiny_choice", "multiple_choice_grade"]["y"] == own["tiny_choice|0"]["acc"]
    assert rows["lab-1m", "lighteval:tiny_generate", "exact_match"]["y"] == own["tiny_generate|1"]["em"]
    assert read_outputs(run).filter(pl.col("text") != "").collect().height == 8


def test_opencompass(tmp_path: Path) -> None:
    run, rows = imported("opencompass", tmp_path)
    compared = 0
    for path in FILES.glob("opencompass/*/results/*/*.json"):
        own = json.loads(path.read_text())
        row = rows[path.parent.name, f"opencompass:{path.stem}", "accuracy"]
        assert 100 * row["y"] == pytest.approx(own["accuracy"], abs=CLOSE)
        assert row["n"] == 8
        scores = pl.read_parquet(run.scores).filter(
            pl.col("rung") == path.parent.name,
            pl.col("task") == f"opencompass:{path.stem}",
            pl.col("metric") == "accuracy",
        )
        marks = [
            one.get("correct", one.get("is_correct"))
            for _, one in json_members(path, "details")
            if isinstance(one, dict)
        ]
        assert scores["value"].to_list() == [float(mark[0] if isinstance(mark, list) else mark) for mark in marks]
        compared += 1
    assert compared == 4
    summary = next(FILES.glob("opencompass/*/summary/*.csv"))
    alone = RunDirectory(tmp_path / "alone")
    import_files([summary], alone)
    rounded = pl.read_parquet(alone.curves).select("rung", "task", "y").rows()
    assert {(rung, task): y for rung, task, y in rounded} == {
        key[:2]: round(row["y"], 4) for key, row in rows.items() if key[2] == "accuracy"
    }


@pytest.mark.parametrize("name", ["open_real", "letters_canned"])
def test_inspect(name: str, tmp_path: Path) -> None:
    run, rows = imported(f"inspect/{name}.eval", tmp_path)
    header = Archive(FILES / "inspect" / f"{name}.eval").json("header.json")
    scores = header["results"]["scores"]
    for score in scores:
        metric = "accuracy" + (f",{score['name']}" if len(scores) > 1 else "")
        (row,) = [row for key, row in rows.items() if key[2] == metric]
        assert row["y"] == pytest.approx(score["metrics"]["accuracy"]["value"], abs=CLOSE)
        assert row["se"] == pytest.approx(score["metrics"]["stderr"]["value"], abs=CLOSE)
        assert row["preferred"] == (score["name"] == header["results"]["headline"]["score"])
        items = pl.read_parquet(run.scores).filter(pl.col("metric") == metric)["value"]
        assert items.mean() == pytest.approx(row["y"], abs=CLOSE)
    texts = read_outputs(run).collect()
    assert texts["text"].null_count() == 0
    assert texts["generated_tokens"].min() > 0
    if name == "letters_canned":
        assert {row["chance"] for key, row in rows.items() if key[2] == "accuracy"} == {0.25}
        assert texts["prompt"].str.contains("ANSWER: $LETTER", literal=True).all()  # kept apart in the log


def test_an_inspect_log_that_was_cut_short_keeps_its_samples(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    done = import_files([FILES / "inspect" / "open_error.eval"], run)
    assert any("status is 'error'" in note for note in done.notes)
    assert done.missing == tuple(
        f"inspect:tiny_open accuracy,{name} of model: 2 of 5 items have no score" for name in ("includes", "match")
    )
    row = pl.read_parquet(run.curves).filter(pl.col("metric") == "accuracy,includes").row(0, named=True)
    assert (row["y"], row["n"], row["failed"]) == (1.0, 3, 2)


def test_the_two_forms_of_an_inspect_log_say_the_same(tmp_path: Path) -> None:
    _, rows = imported("inspect/letters_canned.json", tmp_path)
    (row,) = [row for key, row in rows.items() if key[2] == "accuracy"]
    own = json.loads((FILES / "inspect" / "letters_canned.json").read_text())
    assert row["y"] == own["results"]["scores"][0]["metrics"]["accuracy"]["value"]
    assert row["n"] == 2


def test_helm(tmp_path: Path) -> None:
    run, rows = imported("helm", tmp_path)
    compared = 0
    for folder in (FILES / "helm").iterdir():
        task = folder.name.partition(":")[0]
        for stat in json.loads((folder / "stats.json").read_text()):
            name = stat["name"]
            key = ("model1", f"helm:{task}", name["name"])
            if name.get("split") == "test" and not name.get("perturbation") and key in rows:
                assert rows[key]["y"] == pytest.approx(stat["mean"], abs=CLOSE)
                assert (rows[key]["n"], rows[key]["shots"]) == (8, 5)
                compared += 1
        assert rows["model1", f"helm:{task}", "exact_match"]["failed"] == 0
    assert compared == 20
    outputs = read_outputs(run).collect()
    assert outputs.height == 16
    assert outputs["targets"].list.len().min() == 1


@pytest.mark.parametrize("name", NAMES)
def test_an_imported_run_can_be_rescored_reported_and_viewed(name: str, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    import_run([FILES / name], run.path)
    before = pl.read_parquet(run.curves), pl.read_parquet(run.scores)
    rescore(run.path)
    assert pl.read_parquet(run.curves).equals(before[0])
    assert pl.read_parquet(run.scores).equals(before[1])
    texts = read_outputs(run).filter(pl.col("text").is_not_null()).collect()
    if not texts.is_empty():  # a metric asked for later is computed beside those that came
        rescore(run.path, ["case_insensitive_str_match"])
        added = pl.read_parquet(run.curves).filter(pl.col("metric") == "case_insensitive_str_match", pl.col("n") > 0)
        assert set(added["task"]) == set(texts["task"])
        assert pl.read_parquet(run.curves).filter(pl.col("metric") != "case_insensitive_str_match").equals(before[0])
    cli = CliRunner()
    for command in ("verdicts", "report"):
        assert cli.invoke(app, [command, str(run.path)]).exit_code == 0
    if before[0]["params_non_embedding"].count():
        assert before[0]["task"][0] in cli.invoke(app, ["curves", str(run.path)]).output
    view = View([run.path])
    try:
        assert b"scalecurve import auto" in view.page()
        examples = json.loads(view.examples(0) or b"")
    finally:
        view.close()
    assert examples["all"] in (8, 16)
    assert all(question["q"] for question in examples["q"])
    assert examples["arms"][0]["a"][-1][0] is not None


def renamed(source: Path, folder: Path, old: str, new: str) -> None:
    """A copy of lm-evaluation-harness files in which a task has another name."""
    for path in source.iterdir():
        if path.suffix == ".json":
            content = json.loads(path.read_text())
            for key in ("results", "versions", "n-shot", "n-samples", "higher_is_better", "configs", "group_subtasks"):
                content[key] = {new: content[key][old]} if old in content[key] else {}
            (folder / path.name).write_text(json.dumps(content))
        elif old in path.name:
            (folder / path.name.replace(old, new)).write_text(path.read_text())


def test_one_task_asked_in_two_ways_can_be_replayed(tmp_path: Path) -> None:
    own = FILES / "lm_eval" / "lab-1m"
    (tmp_path / "cot").mkdir()
    renamed(own, tmp_path / "cot", "tiny_generate", "tiny_generate_cot")
    run = RunDirectory(tmp_path / "run")
    import_files([own, tmp_path / "cot"], run, arms=["tiny_generate_cot=tiny_generate:chain_of_thought"])
    pairs = read_run_pairs(run, "lab-1m", fast="published", slow="chain_of_thought", metric="exact_match,strict")
    assert len(pairs) == 8
    assert pairs.fast.tolist() == pairs.slow.tolist()
    assert pairs.fast.mean() == 0.875
    assert pairs.fast_cost.min() > 0


@pytest.mark.parametrize("arm", ["gsm8k", "a=b", "=b:c", "a=:c"])
def test_an_arm_that_is_none(arm: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--arm"):
        import_files([FILES / "lm_eval"], RunDirectory(tmp_path / "run"), arms=[arm])
