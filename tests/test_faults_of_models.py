"""What can befall a model, injected: a server that hangs, errs or talks nonsense, weights that are damaged, no memory.

In each case the rest of the study goes on, no score is made of what is not an answer, and when the fault is gone the
same command ends with the results of a run that never met it.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from completions import CompletionsServer, Reply, answer
from kept import results

from scalecurve.models.mock import fraction
from scalecurve.pipeline import run_study
from scalecurve.runner.model_run import Silent
from scalecurve.store import RunDirectory
from scalecurve.study.study import Study, parse_study

LAB = Path(__file__).parent.parent / "src" / "scalecurve" / "lab" / "weights"


# ── Servers ──────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def server() -> Iterator[CompletionsServer]:
    made = CompletionsServer()
    yield made
    made.close()


def far(server: CompletionsServer, **options: Any) -> Study:
    model = {"name": "far", "backend": "endpoint", "location": server.url, "params_non_embedding": 10**6}
    models = [model | {"options": {"timeout": 20.0, "retries": 2} | options}]
    return parse_study({"name": "far", "models": models, "tasks": ["lab:facts_choice"], "limit": 12, "part_size": 6})


@pytest.fixture(scope="module")
def unharmed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The results of that study with a server that is well. Where the server is enters the parts' names only."""
    server = CompletionsServer()
    run, outcome = run_study(far(server), tmp_path_factory.mktemp("well") / "run")
    server.close()
    assert outcome.complete
    return nameless(run)


def nameless(run: RunDirectory) -> dict[str, bytes]:
    return {name.rpartition("-")[0] or name: data for name, data in results(run.path).items()}


def struck(body: dict[str, Any]) -> bool:
    """Whether a prompt is one of those the fault befalls: about every sixth."""
    return fraction(body["prompt"]) < 0.05


def told_badly(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], Reply]:
    """A reply that is well but for what ``change`` does to its log-probabilities."""

    def reply(body: dict[str, Any]) -> Reply:
        whole = answer(body)
        change(whole["choices"][0]["logprobs"])
        return 200, json.dumps(whole).encode()

    return reply


LASTING: dict[str, tuple[Callable[[dict[str, Any]], Reply], str]] = {
    "429": (lambda body: (429, b'{"error": {"message": "slow down"}}'), "RateLimitError"),
    "500": (lambda body: (500, b"<html>oops</html>"), "InternalServerError"),
    "cut JSON": (lambda body: (200, json.dumps(answer(body)).encode()[:60]), "reply is not understood"),
    "no JSON": (lambda body: (200, b"<html>welcome</html>"), "reply is not understood"),
    "no choices": (lambda body: (200, json.dumps(answer(body) | {"choices": []}).encode()), "reply is not understood"),
    "one log-probability short": (told_badly(lambda told: told["token_logprobs"].pop()), "log-probabilities"),
    "both lists short": (
        told_badly(lambda told: (told["token_logprobs"].pop(), told["top_logprobs"].pop())),
        "log-probabilities",
    ),
    "one too many": (told_badly(lambda told: told["token_logprobs"].append(-1.0)), "log-probabilities"),
    "not a number": (
        told_badly(lambda told: told.update(token_logprobs=[float("nan")] * len(told["tokens"]))),
        "not a number",
    ),
}


@pytest.mark.parametrize("fault", LASTING)
def test_a_server_that_errs_on_some_questions_costs_those(
    fault: str, server: CompletionsServer, unharmed: dict[str, bytes], tmp_path: Path
) -> None:
    reply, words = LASTING[fault]
    server.fault = lambda body, times: reply(body) if struck(body) else None
    run, outcome = run_study(far(server), tmp_path / "run")
    assert 0 < outcome.failed_examples < 12
    assert not outcome.failed_cells
    assert words in outcome.first_error
    scores = pl.read_parquet(run.scores).filter(pl.col("metric") == "multiple_choice_grade")
    assert scores["value"].null_count() == outcome.failed_examples, "missing, never zero"
    curve = pl.read_parquet(run.curves).filter(pl.col("metric") == "multiple_choice_grade")
    assert curve["failed"].to_list() == [outcome.failed_examples]

    server.fault = lambda body, times: None
    _, outcome = run_study(far(server), run.path, retry_failed=True)
    assert outcome.complete
    assert nameless(run) == unharmed


@pytest.mark.parametrize("fault", ["429", "500", "cut JSON"])
def test_a_server_that_errs_for_a_moment_costs_nothing(
    fault: str, server: CompletionsServer, unharmed: dict[str, bytes], tmp_path: Path
) -> None:
    reply, _ = LASTING[fault]
    server.fault = lambda body, times: reply(body) if struck(body) and times == 1 else None
    run, outcome = run_study(far(server), tmp_path / "run")
    assert outcome.complete
    assert nameless(run) == unharmed
    assert set(server.asked.values()) == {1, 2}


def test_a_server_that_hangs_costs_those_questions(
    server: CompletionsServer, unharmed: dict[str, bytes], tmp_path: Path
) -> None:
    def hang(body: dict[str, Any], times: int) -> None:
        if struck(body):
            server.closing.wait(60)

    server.fault = hang
    began = time.monotonic()
    run, outcome = run_study(far(server, timeout=0.5, retries=0), tmp_path / "run")
    assert 0 < outcome.failed_examples < 12
    assert "APITimeoutError" in outcome.first_error
    assert time.monotonic() - began < 50, "it gave up on them long before the server did"

    server.fault = lambda body, times: None
    manifest = run.read_manifest()
    assert {cell["status"] for cell in manifest["cells"]} == {"done"}
    assert manifest["totals"]["failed_examples"] == outcome.failed_examples


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    server = CompletionsServer()
    server.close()
    run, outcome = run_study(far(server, retries=0), tmp_path / "run")
    assert "APIConnectionError" in outcome.first_error
    assert [key for key, _ in outcome.failed_cells] == [cell["key"] for cell in run.read_manifest()["cells"]]


# ── Weights ──────────────────────────────────────────────────────────────────────────────────────────────────
class Ears(Silent):
    """A watcher that keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A model's weights that may be damaged."""
    shutil.copytree(LAB / "lab-3k", tmp_path / "model")
    return tmp_path / "model" / "model.safetensors"


def near(weights: Path) -> Study:
    models = [
        {"name": name, "backend": "transformers", "location": str(place), "params_total": size}
        for name, place, size in (("mine", weights.parent, 3000), ("other", LAB / "lab-12k", 12000))
    ]
    return parse_study({"name": "near", "models": models, "tasks": ["lab:facts_choice"], "limit": 8})


def test_a_weights_file_cut_short_costs_that_model_only(weights: Path, tmp_path: Path) -> None:
    whole = weights.read_bytes()
    unharmed, _ = run_study(near(weights), tmp_path / "unharmed")
    weights.write_bytes(whole[: len(whole) // 2])
    run, outcome = run_study(near(weights), tmp_path / "run")
    ((key, reason),) = outcome.failed_cells
    assert "mine" in key
    assert str(weights.parent) in reason
    assert reason.endswith("the weights are damaged; fetch them again")
    weights.write_bytes(whole)
    _, outcome = run_study(near(weights), run.path)
    assert outcome.computed == 8, "the other model is not asked again"
    assert results(run.path) == results(unharmed.path)


def test_weights_that_change_between_two_runs_are_noticed_and_never_mixed(weights: Path, tmp_path: Path) -> None:
    whole = weights.read_bytes()
    run, _ = run_study(near(weights), tmp_path / "run")
    before = results(run.path)
    weights.write_bytes(whole[:-40] + bytes(byte ^ 0x40 for byte in whole[-40:]))
    ears = Ears()
    _, outcome = run_study(near(weights), run.path, watcher=ears)
    assert "mine: not the weights this run began with; its parts are computed anew" in ears.notes
    assert outcome.computed == 8
    assert not set(results(run.path)) & {name for name in before if "mine" in name}, (
        "no part of the old weights is left"
    )
    weights.write_bytes(whole)
    _, outcome = run_study(near(weights), run.path)
    assert outcome.computed == 8
    assert results(run.path) == before


def test_weights_that_give_no_numbers_give_no_scores(weights: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(weights)
    tensors["model.norm.weight"][:] = float("nan")
    save_file(tensors, weights, metadata={"format": "pt"})
    run, outcome = run_study(near(weights), tmp_path / "run")
    ((_, reason),) = outcome.failed_cells
    assert "log-probability that is not a number" in reason
    scores = pl.read_parquet(run.scores)
    assert scores.filter(pl.col("rung") == "mine")["value"].null_count() > 0
    assert scores.filter((pl.col("rung") == "mine") & pl.col("value").is_not_null()).is_empty(), "missing, never zero"


# ── Memory ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_too_little_memory_for_a_batch_halves_it(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same scores to rounding: other batches add up in another order."""
    import torch

    from scalecurve.engine.forward import Forward

    unharmed, _ = run_study(near(weights), tmp_path / "unharmed")
    real, refused = Forward._pack, []

    def pack(self: Forward, trie: Any, low: int, high: int, *rest: Any) -> Any:
        if high - low > 100:
            refused.append(high - low)
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, trie, low, high, *rest)

    monkeypatch.setattr(Forward, "_pack", pack)
    run, outcome = run_study(near(weights), tmp_path / "run")
    assert refused
    assert outcome.complete
    tables = [pl.read_parquet(each.scores).sort(pl.all().exclude("value")) for each in (run, unharmed)]
    assert tables[0]["value"].to_list() == pytest.approx(tables[1]["value"].to_list(), abs=1e-5)


def test_a_model_too_large_for_the_memory_is_recorded_and_the_rest_goes_on(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from scalecurve.models import local

    real = local._load

    def load(rung: Any, transformers: Any, source: Any, *more: Any) -> Any:
        if source.folder == weights.parent:
            torch.empty(1 << 46)  # more than a process can address: refused by the allocator itself
        return real(rung, transformers, source, *more)

    monkeypatch.setattr(local, "_load", load)
    run, outcome = run_study(near(weights), tmp_path / "run")
    ((key, reason),) = outcome.failed_cells
    assert "mine" in key
    assert "memory" in reason
    monkeypatch.undo()
    _, outcome = run_study(near(weights), run.path)
    assert outcome.complete
    assert outcome.computed == 8
