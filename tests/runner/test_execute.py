"""Running studies: strategies in step, parts whole, resuming, failing in part."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pytest

from scalecurve.errors import UserError
from scalecurve.models import Model
from scalecurve.models.wrapper import ModelWrapper
from scalecurve.pipeline import rescore, run_study
from scalecurve.runner import part as part_of_work
from scalecurve.store import RunDirectory
from scalecurve.strategies import Asking
from scalecurve.strategies import driver as asking
from scalecurve.strategies.driver import drive
from scalecurve.study.study import Study, parse_study
from scalecurve.types import Answer, Output, Request, Rung

TASK = {
    "name": "sums",
    "description": "Adds small numbers, asked for a test of the run.",
    "keywords": ["arithmetic", "testing", "numbers"],
    "metrics": ["multiple_choice_grade", "exact_str_match"],
    "preferred_score": "multiple_choice_grade",
    "examples": [
        {"input": f"{a} + {b}", "target_scores": {str(a + b): 1, str(a + b + 1): 0, str(a * b + 7): 0}}
        for a in range(5)
        for b in range(4)
    ],
}


@pytest.fixture
def task(tmp_path: Path) -> Path:
    path = tmp_path / "sums" / "task.json"
    path.parent.mkdir()
    path.write_text(json.dumps(TASK))
    return path


def study_of(task: Path, **changes: object) -> Study:
    models = [{"name": name, "backend": "mock", "location": "mock"} for name in ("small", "large")]
    values = {"name": "test", "models": models, "tasks": [str(task)], "shots": [0, 2], "part_size": 6}
    return parse_study(values | changes)


def files(run: RunDirectory) -> dict[str, bytes]:
    """Every result of a run that must not depend on how it came about: parts, scores and curves, as bytes."""
    paths = [*run.outputs.rglob("*.parquet"), run.scores, run.curves]
    return {str(path.relative_to(run.path)): path.read_bytes() for path in paths}


# ── Strategies in step ───────────────────────────────────────────────────────────────────────────────────────
class Echo(Model):
    """A model that repeats the prompt's last word, and fails on the word ``bad``. Keeps what it was asked."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def run(self, requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        self.calls.append([request.prompt for request in requests])
        for index in reversed(range(len(requests))):
            word = requests[index].prompt.split()[-1]
            on_output(index, Output(error="bad word") if word == "bad" else Output(texts=(word,)))


def ask(example_id: str, *words: str) -> Asking:
    """One stage for each of ``words``; the answer is what the last stage said."""
    said = ""
    for word in words:
        (output,) = yield (Request(f"{said} {word}", max_tokens=1),)
        said = output.texts[0]
        if said == "raise":
            raise ValueError("cannot\ngo on")
    return Answer(example_id, "", text=said)


def test_each_stage_of_all_strategies_is_one_call() -> None:
    model = Echo()
    answers = drive(model, ["a", "b", "c"], [ask("a", "x"), ask("b", "y", "z"), ask("c")])
    assert [answer.text for answer in answers] == ["x", "z", ""]
    assert model.calls == [[" x", " y"], ["y z"]]


def test_an_error_ends_one_example_only() -> None:
    answers = drive(Echo(), ["a", "b", "c"], [ask("a", "bad"), ask("b", "raise"), ask("c", "x", "y")])
    assert [answer.error for answer in answers] == ["bad word", "ValueError: cannot go on", ""]
    assert [answer.example_id for answer in answers] == ["a", "b", "c"]
    assert answers[2].text == "y"


# ── Whole studies ────────────────────────────────────────────────────────────────────────────────────────────
def test_a_study_ends_in_scores_curves_and_report(task: Path, tmp_path: Path) -> None:
    run, outcome = run_study(study_of(task), tmp_path / "run")
    assert outcome.complete
    assert (outcome.cells, outcome.computed) == (4, 80)
    scores = pl.read_parquet(run.scores)
    assert scores.filter(pl.col("metric") == "multiple_choice_grade").height == 80
    assert scores["value"].null_count() == 0
    curves = pl.read_parquet(run.curves).filter(pl.col("preferred"))
    assert curves.select("rung", "shots", "n", "failed").rows() == [
        ("small", 0, 20, 0),
        ("small", 2, 20, 0),
        ("large", 0, 20, 0),
        ("large", 2, 20, 0),
    ]
    assert curves["chance"].to_list() == pytest.approx([1 / 3] * 4)
    manifest = run.read_manifest()
    assert {cell["status"] for cell in manifest["cells"]} == {"done"}
    assert manifest["totals"]["examples"] == 80
    assert manifest["finished"]
    assert run.report.exists()


def test_finished_run_computes_nothing_and_changes_nothing(task: Path, tmp_path: Path) -> None:
    run, _ = run_study(study_of(task), tmp_path / "run")
    before = files(run)
    times = {path: path.stat().st_mtime_ns for path in run.outputs.rglob("*.parquet")}
    _, outcome = run_study(study_of(task), tmp_path / "run")
    assert outcome.computed == 0
    assert outcome.complete
    assert files(run) == before
    assert {path: path.stat().st_mtime_ns for path in run.outputs.rglob("*.parquet")} == times


def test_only_what_is_missing_is_computed(task: Path, tmp_path: Path) -> None:
    run, _ = run_study(study_of(task), tmp_path / "run")
    before = files(run)
    for part in run.outputs.glob("*large*/part-00002-*.parquet"):
        part.unlink()
    shutil.rmtree(next(run.outputs.glob("*small*0shot*")))
    _, outcome = run_study(study_of(task), tmp_path / "run")
    assert outcome.computed == 2 * 6 + 2 * 20, "the parts of one stretch are computed together"
    assert files(run) == before


def test_a_changed_task_or_model_is_computed_anew(task: Path, tmp_path: Path) -> None:
    run_study(study_of(task), tmp_path / "run")
    task.write_text(json.dumps(TASK | {"example_input_prefix": "\nSum: "}))
    run, outcome = run_study(study_of(task), tmp_path / "run")
    assert outcome.computed == 80
    clean, _ = run_study(study_of(task), tmp_path / "clean")
    assert files(run) == files(clean)


def test_another_study_is_refused_in_the_same_directory(task: Path, tmp_path: Path) -> None:
    run, _ = run_study(study_of(task), tmp_path / "run")
    before = files(run)
    with pytest.raises(UserError, match=r"study\.toml: holds a study that differs in limit; give another directory"):
        run_study(study_of(task, limit=3), tmp_path / "run")
    assert files(run) == before


def test_nothing_is_left_of_a_study_that_names_something_unknown(task: Path, tmp_path: Path) -> None:
    wrong = [
        ({"tasks": ["lab:no_such"]}, r"tasks\[0\]: .*lab:no_such"),
        ({"strategies": ["dirct"]}, "strategies: unknown 'dirct'; did you mean direct"),
        ({"metrics": ["exact_mach"]}, "metrics: unknown 'exact_mach'; did you mean exact_match"),
        ({"models": ["no-such-model"]}, r"models\[0\]: .*no-such-model"),
        ({"shots": [99]}, r"tasks\[0\]: .*too few"),
        ({"mode": "strict"}, r"tasks\[0\]: mode"),
    ]
    for changes, said in wrong:
        with pytest.raises(UserError, match=said) as caught:
            run_study(study_of(task, **changes), tmp_path / "run")
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "run").exists()


def test_two_models_of_one_name_are_refused(task: Path, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    with pytest.raises(UserError, match="'small' is given twice"):
        study_of(task, models=[{"name": "small", "backend": "mock", "location": "mock"}] * 2)
    assert not folder.exists()


def open_all_but(name: str, error: BaseException) -> Callable[..., object]:
    real = part_of_work.open_model

    def open_model(rung: Rung, **settings: object) -> object:
        if rung.name == name:
            raise error
        return real(rung, **settings)

    return open_model


def test_a_failing_model_is_recorded_and_the_study_goes_on(
    task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(part_of_work, "open_model", open_all_but("small", MemoryError("no room")))
        run, outcome = run_study(study_of(task), tmp_path / "run")
    assert not outcome.complete
    assert [reason for _, reason in outcome.failed_cells] == ["MemoryError: no room"] * 2
    cells = {(cell["rung"], cell["status"]) for cell in run.read_manifest()["cells"]}
    assert cells == {("small", "failed"), ("large", "done")}
    missing = pl.read_parquet(run.curves).filter(pl.col("rung") == "small")
    assert missing["y"].null_count() == missing.height
    assert missing["failed"].to_list() == [20] * missing.height

    _, outcome = run_study(study_of(task), tmp_path / "run")
    assert outcome.complete
    assert outcome.computed == 40, "a failed cell is tried again, a finished one is not"
    clean, _ = run_study(study_of(task), tmp_path / "clean")
    assert files(run) == files(clean)


def test_when_no_model_opens_the_user_is_told_and_nothing_is_left(
    task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(rung: Rung, **settings: object) -> object:
        raise UserError(f"{rung.name}: install something")

    monkeypatch.setattr(part_of_work, "open_model", refuse)
    with pytest.raises(UserError, match="small: install something"):
        run_study(study_of(task), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_failed_examples_are_asked_again_on_request(
    task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = asking.ask

    def flaky(model: object, requests: Sequence[Request], heard: object) -> list[Output]:
        outputs = real(model, requests, heard)
        return [
            Output(error="endpoint is down") if "3 + 1" in request.prompt.rpartition("Q: ")[2] else output
            for request, output in zip(requests, outputs, strict=True)
        ]

    with monkeypatch.context() as patched:
        patched.setattr(asking, "ask", flaky)
        run, outcome = run_study(study_of(task), tmp_path / "run")
    assert (outcome.failed_examples, outcome.failed_cells) == (4, ())
    assert outcome.first_error == "endpoint is down"
    assert pl.read_parquet(run.curves)["failed"].min() == 1
    assert run_study(study_of(task), tmp_path / "run")[1].computed == 0
    _, outcome = run_study(study_of(task), tmp_path / "run", retry_failed=True)
    assert outcome.complete
    assert 0 < outcome.computed < 80
    clean, _ = run_study(study_of(task), tmp_path / "clean")
    assert files(run) == files(clean)


def test_rescore_needs_outputs_alone(task: Path, tmp_path: Path) -> None:
    run, _ = run_study(study_of(task), tmp_path / "run")
    before = files(run)
    for derived in (run.scores, run.curves, run.report, task):
        derived.unlink()
    rescore(run.path)
    assert files(run) == before
    rescore(run.path, ["wrong_logprob"])
    assert "wrong_logprob" in pl.read_parquet(run.curves)["metric"].to_list()
    with pytest.raises(UserError, match="unknown 'wrong_logprobs'; did you mean wrong_logprob"):
        rescore(run.path, ["wrong_logprobs"])


def test_an_interrupted_run_can_be_looked_at(task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(part_of_work, "open_model", open_all_but("large", KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            run_study(study_of(task), tmp_path / "run")
    run = rescore(tmp_path / "run")
    manifest = run.read_manifest()
    assert manifest["finished"] is None
    assert {(cell["rung"], cell["status"]) for cell in manifest["cells"]} == {("small", "done"), ("large", "pending")}
    points = pl.read_parquet(run.curves).filter(pl.col("preferred"))
    assert points.select("rung", "n", "failed").rows() == [("small", 20, 0)] * 2 + [("large", 0, 20)] * 2
    _, outcome = run_study(study_of(task), tmp_path / "run")
    assert outcome.computed == 40
    clean, _ = run_study(study_of(task), tmp_path / "clean")
    assert files(run) == files(clean)


def test_batches_stay_as_they_were_begun(task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int | None] = []
    real = part_of_work.open_model

    def open_model(rung: Rung, **settings: object) -> object:
        given.append(settings["batch_tokens"])

        class Batched(ModelWrapper):
            batch_tokens = settings["batch_tokens"] or 777

        return Batched(real(rung, **settings))

    monkeypatch.setattr(part_of_work, "open_model", open_model)
    run_study(study_of(task), tmp_path / "run")
    run_study(study_of(task), tmp_path / "run")
    assert given == [None, None, 777, 777]
