"""What a study will take: counts against the engine's own, rates, prices, and what is printed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scalecurve.cost import Price, estimate, load_prices
from scalecurve.cost.count import CountingModel, Letters, Remembering, Tally
from scalecurve.cost.estimate import side_by_side
from scalecurve.cost.pilot import Pilot, predicted
from scalecurve.errors import UserError
from scalecurve.models import open_model, resolve_rung
from scalecurve.models.local import open_tokens
from scalecurve.runner.part import compute, open_for, parts_of
from scalecurve.study.plan import Plan, make_plan
from scalecurve.study.study import parse_study
from scalecurve.study.task_plan import cells_of
from scalecurve.types import Output, Request, Rung

MOCKS = [
    {"name": name, "backend": "mock", "location": name, "params_non_embedding": size, "params_total": 2 * size}
    for name, size in (("small", 10**6), ("large", 10**7))
]


def mock_plan(**changes: object) -> Plan:
    values = {"name": "s", "models": MOCKS, "tasks": ["lab:rebus:title", "lab:addition:2_digits"], "limit": 20}
    return make_plan(parse_study(values | changes))


# ── Counting ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def lab() -> Rung:
    return resolve_rung("lab:lab-3k")


def requests(shared: bool) -> list[Request]:
    before = "Ada Lovelace lives in Paris. Bruno lives in Rome. " if shared else ""
    return [
        Request(f"{before}Q: who is number {n}?\nA:", options=(" Ada", " Bruno", f" the {n % 3}rd")) for n in range(40)
    ]


@pytest.mark.parametrize("shared", [True, False])
def test_scored_tokens_are_counted_as_the_engine_computes_them(lab: Rung, shared: bool) -> None:
    model = open_model(lab, device="cpu")
    model.run(requests(shared), lambda index, output: None)
    counting = CountingModel(open_tokens(lab), lambda request: [])
    counting.run(requests(shared), lambda index, output: None)
    assert counting.tally.read == model.forwarded_tokens
    assert counting.tally.heads == model.head_positions
    assert counting.tally.sequences == 120


def test_written_tokens_are_counted_nearly_as_the_engine_computes_them(lab: Rung) -> None:
    asked = [Request(f"Q: {n} + {n + 1} =\nA:", max_tokens=12, stop=("\n",)) for n in range(60)]
    model = open_model(lab, device="cpu")
    outputs: dict[int, Output] = {}
    model.run(asked, outputs.__setitem__)
    replies = iter([[(outputs[n].texts[0], outputs[n].generated_tokens)] for n in range(60)])
    counting = CountingModel(open_tokens(lab), lambda request: next(replies))
    counting.run(asked, lambda index, output: None)
    assert counting.tally.written == sum(output.generated_tokens for output in outputs.values())
    assert counting.tally.forwarded == pytest.approx(model.forwarded_tokens, rel=0.1)


def test_an_encoder_that_remembers_gives_the_same_tokens(lab: Rung) -> None:
    plain, remembering = open_tokens(lab), Remembering(open_tokens(lab))
    for _ in range(2):
        assert remembering.pairs(requests(True)) == plain.pairs(requests(True))
        assert remembering.prompts(requests(False)) == plain.prompts(requests(False))


def test_without_a_tokenizer_four_letters_are_a_token() -> None:
    counting = CountingModel(Letters(), lambda request: [("12345678", 2)])
    counting.run([Request("a" * 40, options=("yes!", "no")), Request("b" * 8, max_tokens=5)], lambda i, o: None)
    assert counting.tally == Tally(
        calls=1, requests=2, sequences=3, sent=10 + 1 + 10 + 1 + 2, read=10 + 2, heads=1 + 2, written=2, steps=2
    )


def test_flops_are_two_a_parameter_and_token() -> None:
    assert Tally(read=10, written=5, heads=7).flops(1000, 100) == 2 * (15 * 1000 + 7 * 100)


# ── Rates ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_rates_are_found_again_from_batches_of_two_sizes() -> None:
    def tally(n: int, length: int) -> Tally:
        return Tally(calls=1, sequences=n, read=n * length, written=3 * n, steps=3)

    tallies = tuple(tally(n, length) for n in (6, 32) for length in (10, 40, 90))
    seconds = tuple(0.02 + 0.001 * t.sequences + 0.0001 * t.read for t in tallies)
    rates = Pilot(0.0, (1, 1), tallies, seconds).rates()
    assert min(rates) >= 0
    assert predicted(tally(200, 30), rates) == pytest.approx(0.02 + 0.2 + 0.6, rel=0.02)


def test_the_longest_rungs_go_first_side_by_side() -> None:
    assert side_by_side([5, 1, 4, 2], 2) == 6
    assert side_by_side([5, 1, 4, 2], 1) == 12
    assert side_by_side([5, None], 2) is None


def test_a_pilot_on_a_real_model_foretells_tokens() -> None:
    study = {"name": "s", "models": ["lab:lab-3k"], "tasks": ["lab:addition:2_digits", "lab:rebus:title"], "limit": 60}
    plan = make_plan(parse_study(study))
    (rung,) = estimate(plan, pilot_seconds=2.0).rungs
    assert rung.rate == "measured"
    assert rung.seconds is not None
    assert rung.seconds > 0

    ((family, model_rung),) = plan.rungs()
    model, _ = open_for(plan, model_rung, None)
    done = [
        each
        for at, task in enumerate(plan.tasks)
        for part in parts_of(plan, at, 256)
        for each in compute(model, plan, cells_of(family, model_rung, task), part).values()
    ]
    written = sum(int(each.totals["generated_tokens"]) for each in done)
    assert rung.tally.written == pytest.approx(written, rel=0.25)
    assert rung.tally.forwarded == pytest.approx(model.forwarded_tokens, rel=0.25)


# ── Estimates ────────────────────────────────────────────────────────────────────────────────────────────────
def test_without_a_pilot_texts_are_as_long_as_they_may_become() -> None:
    found = estimate(mock_plan(), pilot_seconds=0)
    assert [(rung.rung, rung.cells, rung.questions) for rung in found.rungs] == [("small", 2, 40), ("large", 2, 40)]
    assert found.seconds is None
    assert found.exact
    small, large = found.rungs
    assert small.tally == large.tally
    assert small.tally.written % 20 == 0
    assert large.flops == 10 * small.flops
    assert small.flops == 2 * (10**6 * small.tally.forwarded + 10**6 * small.tally.heads)


def test_models_of_unknown_size_and_real_ones_beside_mocks_have_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zero parameters would be zero FLOPs, zero seconds and no cost; and a mock's speed is not that of a model."""
    monkeypatch.setattr(sys.modules["scalecurve.cost.estimate"], "_tokenizer", lambda rung: ("letters", Letters()))
    unknown = {"name": "unknown", "backend": "transformers", "location": "nobody/unknown"}
    known = unknown | {"name": "known", "params_non_embedding": 10**6, "params_total": 2 * 10**6}
    for measured, rate in (([MOCKS[0]], ""), (["lab:lab-3k"], "scaled")):
        models = [*measured, unknown, known]
        found = estimate(mock_plan(models=models, tasks=["lab:rebus:title"]), pilot_seconds=0.1)
        told = {rung.rung: (rung.rate, rung.flops is None, rung.seconds is None) for rung in found.rungs}
        assert told["unknown"] == ("", True, True)
        assert told["known"] == (rate, False, not rate)
    card = Price("card", flops=1e14, per_hour=1.0)
    assert card.cost(None, 60.0, 1, 1) is None


def test_large_tasks_are_estimated_from_their_first_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = estimate(mock_plan(limit=200), pilot_seconds=0)
    monkeypatch.setattr(sys.modules["scalecurve.cost.estimate"], "MOST_COUNTED", 40)
    sampled = estimate(mock_plan(limit=200, part_size=20), pilot_seconds=0)
    assert not sampled.exact
    assert sampled.rungs[0].tally.requests == whole.rungs[0].tally.requests
    assert sampled.rungs[0].tally.sent == pytest.approx(whole.rungs[0].tally.sent, rel=0.1)


# ── Prices ───────────────────────────────────────────────────────────────────────────────────────────────────
def prices(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    return path


def test_prices_by_the_hour_and_by_the_token(tmp_path: Path) -> None:
    hour, own, api = load_prices(
        prices(
            tmp_path,
            '[[executor]]\nname = "gpu"\nflops = 1e12\nper_hour = 3.6\n'
            '[[executor]]\nname = "here"\nper_hour = 2\n'
            '[[executor]]\nname = "api"\nper_million_input = 0.5\nper_million_output = 2\n',
        )
    )
    assert hour.cost(1e15, None, 0, 0) == pytest.approx(1.0), "1,000 s at 3.60 an hour"
    assert own.cost(1e15, 1800, 0, 0) == pytest.approx(1.0)
    assert own.cost(1e15, None, 0, 0) is None
    assert api.cost(1e15, None, 3e6, 1e6) == pytest.approx(3.5)
    found = estimate(mock_plan(), [hour, own, api], pilot_seconds=0)
    assert found.total("here") is None
    assert found.total("api") == pytest.approx(sum(rung.costs["api"] or 0 for rung in found.rungs))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[executor]\n", "not valid TOML"),
        ("price = 3\n", "executor: list the executors"),
        ("[[executor]]\nper_hour = 3\n", "executor 1: name: is missing"),
        ('[[executor]]\nname = "a"\nper_day = 3\n', "executor 1: per_day: unknown field"),
        ('[[executor]]\nname = "a"\nper_hour = "x"\n', "executor 1: per_hour: must be a number"),
        ('[[executor]]\nname = "a"\nper_hour = -1\n', "executor 1: per_hour: must be a number"),
        ('[[executor]]\nname = "a"\nflops = 0\nper_hour = 1\n', "executor 1: flops: must be more than 0"),
        ('[[executor]]\nname = "a"\n', "give per_hour, or per_million_input"),
        ('[[executor]]\nname = "a"\nper_hour = 1\nper_million_input = 1\n', "give per_hour, or"),
        ('[[executor]]\nname = "a"\nper_hour = 1\n' * 2, "two are named 'a'"),
    ],
)
def test_wrong_prices_are_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        load_prices(prices(tmp_path, text))
    assert "\n" not in str(caught.value)


# ── The command ──────────────────────────────────────────────────────────────────────────────────────────────
def test_the_command_prints_a_table_or_json_and_writes_nothing(tmp_path: Path) -> None:
    study = tmp_path / "s.toml"
    study.write_text(parse_study({"name": "s", "models": MOCKS, "tasks": ["lab:rebus:title"], "limit": 10}).to_toml())
    given = prices(tmp_path, '[[executor]]\nname = "api"\nper_million_input = 0.5\n')
    command = [Path(sys.executable).with_name("scalecurve"), "plan", study, "--pilot", "0", "--prices", given, "-q"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert shown.splitlines()[0].split() == "model cells requests sent read written FLOPs time api".split()
    assert [line.split()[0] for line in shown.splitlines()[1:3]] == ["small", "large"]
    told = json.loads(subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout)
    assert [rung["rung"] for rung in told["rungs"]] == ["small", "large"]
    assert told["rungs"][0]["tally"]["requests"] == 20, "options scored and a text written, for each of ten questions"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["prices.toml", "s.toml"]
