"""A run written for other tools, and a run that goes out and comes back."""

import json
import math
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from scalecurve.cli._app import app, load_commands
from scalecurve.errors import UserError
from scalecurve.io import import_files
from scalecurve.io.exporters.export import FORMATS, Wanted, export
from scalecurve.io.tidy_run import is_tidy_run, read_tidy_run
from scalecurve.pipeline import rescore, run_study
from scalecurve.store import RunDirectory, read_outputs
from scalecurve.study.study import parse_study

load_commands()
HARNESS = Path(__file__).parents[1] / "fixtures" / "harness"
SIZES = (10**3, 10**4, 10**5, 10**6)
ANSWERS = {"1+6": "7", "6+9": "15", "Which film": "nothing"}

PICKY = """
from scalecurve.strategies.direct import direct

def picky(question):
    if question.query.example.input.count("6"):
        raise ValueError("not sixes")
    return (yield from direct(question))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Four sizes, one broken; options and texts; two ways of asking; a failed rung; awkward names."""
    models: list[dict[str, Any]] = [
        {"name": f"mock={size}", "backend": "mock", "location": f"m/{size}", "params_non_embedding": size,
         "options": {"ability": math.log10(size) / 7, "answers": ANSWERS}}
        for size in SIZES
    ]  # fmt: skip
    models.append({"name": "gone", "backend": "transformers", "location": "/no/such/model", "params_non_embedding": 10})
    study = parse_study(
        {
            "name": "out",
            "models": models,
            "tasks": ["lab:rebus:title", "lab:addition:1_digit"],
            "strategies": ["direct", "chain_of_thought"],
            "limit": 12,
            "part_size": 5,
        }
    )
    made, outcome = run_study(study, tmp_path_factory.mktemp("runs") / "run")
    assert len(outcome.failed_cells) == 4
    return made


def files(run: RunDirectory) -> dict[str, bytes]:
    names = ("manifest.json", "study.toml", "scores.parquet", "curves.parquet", "verdicts.parquet")
    paths = [run.path / name for name in names] + sorted(run.outputs.glob("*/part-*.parquet"))
    return {str(path.relative_to(run.path)): path.read_bytes() for path in paths}


# ── Out and in again ─────────────────────────────────────────────────────────────────────────────────────────
def test_a_run_exported_and_imported_is_identical(run: RunDirectory, tmp_path: Path) -> None:
    written = export(run, "parquet", str(tmp_path / "out"))
    assert {Path(path).name for path in written} >= {"outputs.parquet", "scores.parquet", "export.json"}
    again = RunDirectory(tmp_path / "again")
    read_tidy_run(tmp_path / "out", again)
    for table in ("scores", "curves", "verdicts"):
        before, after = (pl.read_parquet(getattr(one, table)) for one in (run, again))
        assert len(before) > 4
        assert_frame_equal(before, after, check_exact=True)
    assert_frame_equal(read_outputs(run).collect(), read_outputs(again).collect(), check_exact=True)
    assert files(run) == files(again), "bit for bit, parts and all"
    rescore(again.path)
    assert files(run) == files(again), "and it is a run that can be worked with"


def test_the_tables_say_what_they_hold(run: RunDirectory, tmp_path: Path) -> None:
    export(run, "parquet", str(tmp_path / "out"))
    scores = pl.read_parquet(tmp_path / "out" / "scores.parquet")
    assert scores.columns[:9] == [
        "family", "rung", "task", "strategy", "shots", "seed", "example_id", "metric", "value",
    ]  # fmt: skip
    assert set(scores["params_non_embedding"].unique()) == set(SIZES)
    assert len(scores) == len(pl.read_parquet(run.scores))


def test_csv_holds_the_same(run: RunDirectory, tmp_path: Path) -> None:
    export(run, "csv", str(tmp_path / "out"))
    scores = pl.read_csv(tmp_path / "out" / "scores.csv")
    stored = pl.read_parquet(run.scores)
    assert scores["value"].to_list() == stored["value"].to_list()
    verdicts = pl.read_csv(tmp_path / "out" / "verdicts.csv")
    stored = pl.read_parquet(run.verdicts)
    assert [json.loads(text) for text in verdicts["reasons"]] == stored["reasons"].to_list()
    outputs = pl.read_csv(tmp_path / "out" / "outputs.csv", infer_schema_length=None)
    assert len(outputs) == len(read_outputs(run).collect())
    with pytest.raises(UserError, match="only parquet is read back"):
        read_tidy_run(tmp_path / "out", RunDirectory(tmp_path / "again"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda out: (out / "outputs.parquet").unlink(), "outputs.parquet: is missing"),
        (lambda out: (out / "curves.parquet").write_bytes(b"PAR1"), "curves.parquet: is not what was exported"),
        (lambda out: (out / "export.json").write_text("{"), "export.json: cannot be read"),
        (lambda out: (out / "export.json").write_text("{}"), "format: is not"),
    ],
)
def test_a_damaged_export_is_refused_whole(run: RunDirectory, tmp_path: Path, damage: Any, message: str) -> None:
    out = tmp_path / "out"
    export(run, "parquet", str(out))
    damage(out)
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        read_tidy_run(out, RunDirectory(tmp_path / "again"))
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"], "nothing half-imported"


def test_a_file_name_in_the_index_leads_nowhere_else(run: RunDirectory, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(run, "parquet", str(out))
    index = json.loads((out / "export.json").read_text())
    index["files"]["../secret"] = "0"
    (out / "export.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match="is missing"):
        read_tidy_run(out, RunDirectory(tmp_path / "again"))


def test_command_out_and_in(run: RunDirectory, tmp_path: Path) -> None:
    out, again = str(tmp_path / "out"), str(tmp_path / "again")
    assert CliRunner().invoke(app, ["export", "parquet", str(run.path), "--out", out]).exit_code == 0
    assert is_tidy_run(Path(out))
    done = CliRunner().invoke(app, ["import", "auto", out, "--into", again])
    assert done.exit_code == 0, done.output
    assert files(run) == files(RunDirectory(Path(again)))


def test_what_an_export_refuses(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    for name in ("parquet", "csv", "lm-eval", "model-card"):
        with pytest.raises(UserError, match="exists already"):
            export(run, name, str(tmp_path / "full"))
    with pytest.raises(UserError, match="unknown format 'parket'; use parquet"):
        export(run, "parket", str(tmp_path / "out"))
    with pytest.raises(UserError, match="--axis: parquet exports everything"):
        export(run, "parquet", str(tmp_path / "out"), Wanted(axis="step"))
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]
    assert not (tmp_path / "out").exists()


# ── lm-evaluation-harness ────────────────────────────────────────────────────────────────────────────────────
def test_lm_eval_layout(run: RunDirectory, tmp_path: Path) -> None:
    export(run, "lm-eval", str(tmp_path / "out"))
    place = tmp_path / "out" / "direct_0shot_seed0" / "out__mock=1000000"
    (results_file,) = place.glob("results_*.json")
    assert re.fullmatch(r"results_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.json", results_file.name)
    results = json.loads(results_file.read_text())
    curves = pl.read_parquet(run.curves).filter(strategy="direct", rung="mock=1000000")
    known = {(row["task"], row["metric"]): row for row in curves.to_dicts()}
    row = results["results"]["lab:rebus:title"]
    assert row["multiple_choice_grade,none"] == known["lab:rebus:title", "multiple_choice_grade"]["y"]
    assert row["multiple_choice_grade_stderr,none"] == known["lab:rebus:title", "multiple_choice_grade"]["se"]
    assert results["n-shot"] == {"lab:rebus:title": 0, "lab:addition:1_digit": 0}
    assert results["n-samples"]["lab:rebus:title"]["effective"] == 12
    assert results["higher_is_better"]["lab:rebus:title"]["brier"] is False
    assert results["config"]["model_args"] == {"pretrained": "m/1000000"}
    assert not list((tmp_path / "out").rglob("*gone*")), "a model without answers is left out"

    samples = [json.loads(line) for line in next(place.glob("samples_lab__rebus__title_*.jsonl")).open()]
    stored = read_outputs(run).collect().filter(strategy="direct", rung="mock=1000000", task="lab:rebus:title")
    assert [line["doc_id"] for line in samples] == list(range(12))
    first = stored.to_dicts()[0]
    assert samples[0]["arguments"]["gen_args_1"] == {"arg_0": first["prompt"], "arg_1": first["options"][1]}
    assert [float(pair[0]) for pair in samples[0]["filtered_resps"]] == first["option_logprobs"]
    assert samples[0]["resps"] == [[pair] for pair in samples[0]["filtered_resps"]]
    grades = [line["multiple_choice_grade"] for line in samples]
    assert sum(grades) / 12 == pytest.approx(row["multiple_choice_grade,none"])
    texts = [json.loads(line) for line in next(place.glob("samples_lab__addition*.jsonl")).open()]
    assert all(isinstance(line["resps"][0][0], str) and line["filter"] == "none" for line in texts)


def test_lm_eval_layout_comes_back(run: RunDirectory, tmp_path: Path) -> None:
    out, again = tmp_path / "out", tmp_path / "again"
    export(run, "lm-eval", str(out))
    done = CliRunner().invoke(app, ["import", "lm-eval", str(out / "direct_0shot_seed0"), "--into", str(again)])
    assert done.exit_code == 0, done.output
    key = ["task", "metric", "y", "se"]
    mine = pl.read_parquet(run.curves).filter(pl.col("strategy") == "direct", pl.col("y").is_not_null())
    mine = mine.filter(~pl.col("metric").str.starts_with("probe:"))  # partial abilities are not in that layout
    mine = mine.with_columns(pl.concat_str(pl.lit("lm-eval:"), "task").alias("task")).select(key).sort(key)
    back = pl.read_parquet(RunDirectory(again).curves).select(key).sort(key)
    back = back.join(mine, on=["task", "metric"], how="semi")  # answers that came along can be scored otherwise too
    assert_frame_equal(mine, back, check_exact=True)
    asked = read_outputs(run).filter(pl.col("strategy") == "direct", pl.col("rung") != "gone").collect()
    assert len(read_outputs(RunDirectory(again)).collect()) == len(asked)


def test_ways_of_asking_come_back_apart(tmp_path: Path) -> None:
    """The embedded study asks the same questions with and without steps, at as many shots."""
    models = [{"name": name, "backend": "mock", "location": name} for name in ("mock-100", "mock-9000")]
    tasks = [{"ref": "lab:addition:2_digits", "strategies": ["direct", "chain_of_thought"], "shots": [2]}]
    study = {"name": "ways", "models": models, "tasks": tasks, "limit": 4, "shot_policy": "fixed"}
    run, _ = run_study(parse_study(study), tmp_path / "run")
    export(run, "lm-eval", str(tmp_path / "out"))
    again = RunDirectory(tmp_path / "again")
    import_files([tmp_path / "out"], again, "lm-eval")
    key = ["rung", "strategy", "shots", "metric", "y"]
    mine, back = (pl.read_parquet(one.curves).drop_nulls("y").select(key).sort(key) for one in (run, again))
    assert set(back["strategy"]) == {"direct", "chain_of_thought"}
    assert_frame_equal(mine, back.join(mine, on=key[:-1], how="semi").sort(key), check_exact=True)


@pytest.mark.parametrize("source", ["helm", "inspect/letters_canned.json", "lighteval", "lm_eval", "opencompass"])
def test_imported_results_go_out_in_that_layout_and_come_back(source: str, tmp_path: Path) -> None:
    first, again = RunDirectory(tmp_path / "first"), RunDirectory(tmp_path / "again")
    came = import_files([HARNESS / source], first)
    export(first, "lm-eval", str(tmp_path / "out"))
    back = import_files([tmp_path / "out"], again, "lm-eval")
    assert back.answers == came.answers > 0
    key = ["task", "rung", "metric", "y", "se"]
    mine, theirs = (pl.read_parquet(one.curves).select(key) for one in (first, again))
    known = theirs.rows()
    for task, *rest in mine.filter(pl.col("y").is_not_null()).rows():
        assert (f"lm-eval:{task.removeprefix('lm-eval:')}", *rest) in known


def test_an_answer_that_failed_comes_back_as_one(tmp_path: Path) -> None:
    (tmp_path / "picky.py").write_text(PICKY)
    asked = {"models": ["mock"], "tasks": ["lab:addition:1_digit"], "strategies": [f"{tmp_path}/picky.py:picky"]}
    made, _ = run_study(parse_study({"name": "out", "limit": 12, **asked}), tmp_path / "run", allow_code=True)
    errors = read_outputs(made).collect().filter(pl.col("error") != "")
    export(made, "lm-eval", str(tmp_path / "out"))
    again = RunDirectory(tmp_path / "again")
    import_files([tmp_path / "out"], again, "lm-eval")
    assert read_outputs(again).collect().filter(pl.col("error") != "")["error"].to_list() == errors["error"].to_list()
    assert len(errors) > 0


# ── Hugging Face ─────────────────────────────────────────────────────────────────────────────────────────────
def test_model_card_is_read_by_the_hub_library(run: RunDirectory, tmp_path: Path) -> None:
    from huggingface_hub import ModelCard

    written = export(run, "model-card", str(tmp_path / "out"))
    assert len(written) == len(SIZES)
    card = ModelCard.load(tmp_path / "out" / "out__mock=1000" / "README.md")
    results = card.data.eval_results
    assert card.data.model_name == "mock=1000"
    curves = pl.read_parquet(run.curves).filter(pl.col("preferred"), pl.col("rung") == "mock=1000")
    assert len(results) == len(curves) == 4
    found = {(one.dataset_type, one.dataset_config): one for one in results}
    assert len(found) == 4, "two ways of asking one task are two entries"
    for row in curves.to_dicts():
        one = found[row["task"], f"{row['strategy']}, {row['shots']}-shot"]
        assert (one.metric_type, one.metric_value) == (row["metric"], row["y"])
        assert one.metric_args["stderr"] == row["se"]
        assert one.dataset_args == {"strategy": row["strategy"], "num_few_shot": row["shots"]}
        assert one.verified is None


def test_model_card_of_a_named_metric(run: RunDirectory, tmp_path: Path) -> None:
    from huggingface_hub import ModelCard

    export(run, "model-card", str(tmp_path / "out"), Wanted(metrics=("brier",)))
    card = ModelCard.load(tmp_path / "out" / "out__mock=1000" / "README.md")
    assert {one.metric_type for one in card.data.eval_results} == {"brier"}
    with pytest.raises(UserError, match="no score under bleu; it has bits_per_byte, brier"):
        export(run, "model-card", str(tmp_path / "none"), Wanted(metrics=("bleu",)))


# ── Trackers ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_tensorboard_event_files(run: RunDirectory, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    export(run, "tensorboard", str(tmp_path / "out"))
    events = EventAccumulator(str(tmp_path / "out" / "out"), size_guidance={"tensors": 0}).Reload()
    curves = pl.read_parquet(run.curves).filter(pl.col("y").is_not_null())
    curve = curves.filter(metric="multiple_choice_grade", strategy="direct").sort("params_non_embedding")
    name = "multiple_choice_grade/lab:rebus:title/direct_0shot"
    points = events.Tensors(name)
    assert [point.step for point in points] == list(SIZES)
    assert [point.tensor_proto.float_val[0] for point in points] == pytest.approx(curve["y"].to_list())
    assert f"{name}/stderr" in events.Tags()["tensors"]


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_a_tracker_that_is_not_installed_is_named(
    name: str, run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(UserError, match=re.escape(f"{name}: is not installed")) as caught:
        export(run, name, str(tmp_path / "out"))
    assert f"pip install 'scalecurve[{name}]'" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_an_axis_of_whole_numbers_that_every_model_has(run: RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'loss' has no whole numbers"):
        export(run, "tensorboard", str(tmp_path / "out"), Wanted(axis="loss"))
    with pytest.raises(UserError, match="not every model has a value on step"):
        export(run, "tensorboard", str(tmp_path / "out"), Wanted(axis="step"))


def test_every_format_is_in_the_help() -> None:
    said = CliRunner().invoke(app, ["export", "--help"]).output
    assert all(name in said for name in FORMATS)
