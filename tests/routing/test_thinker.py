"""The Thinker: what is asked of whom, what stays and why; and on real weights, live as replayed."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from scalecurve import Thinker
from scalecurve.errors import UserError
from scalecurve.models import Model
from scalecurve.pipeline import run_study
from scalecurve.routing import (
    Calibrated,
    Controller,
    Controllers,
    Gate,
    Inquiry,
    Threshold,
    fit_run,
    read_run_pairs,
    save_controllers,
)
from scalecurve.routing.policies import FamilyStats
from scalecurve.routing.trace import Step
from scalecurve.store import read_outputs
from scalecurve.strategies.gating import ANSWERABLE
from scalecurve.study.study import parse_study
from scalecurve.tasks import load_tasks
from scalecurve.types import Output, Request

CHAIN = "Let's think step by step."


class Scripted(Model):
    """Says ``fast`` when asked directly and ``slow`` after the cue for steps, and keeps every call.

    Questions with the word "nonsense" are held unanswerable by the gate.
    """

    def __init__(self, name: str, fast: str = "7", slow: str = " So the answer is 8.", sure: float = -1.0) -> None:
        self.name, self.fingerprint = name, name
        self.fast, self.slow, self.sure = fast, slow, sure
        self.calls: list[list[Request]] = []

    def parameters(self) -> tuple[int, int]:
        return 0, 0

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def run(self, requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        self.calls.append(list(requests))
        for index, request in enumerate(requests):
            on_output(index, self.output(request))

    def output(self, request: Request) -> Output:
        if "broken" in request.prompt:
            return Output(error="out of memory")
        if request.options:
            nonsense = "nonsense" in request.prompt.rpartition("Question:")[2]
            worth = [-0.1 if (option.strip() == ANSWERABLE) is not nonsense else -5.0 for option in request.options]
            return Output(logprobs=tuple(worth), prompt_tokens=30)
        text = self.slow if request.prompt.endswith(CHAIN) else self.fast
        return Output(
            texts=(text,), text_logprobs=((self.sure,),), prompt_tokens=10, generated_tokens=len(text.split())
        )

    def close(self) -> None:
        pass


def stages(steps: Sequence[Step]) -> list[str]:
    return [step.stage for step in steps]


def habit(**changes: object) -> Calibrated:
    values = {"knots": ((), ()), "fast": 0.4, "settled": 0.7, "cost": 5.0, "agreed": 0.9, "differ": (0.2, 0.6)}
    return Calibrated({"": FamilyStats(**(values | {"unfound": 0.3} | changes))})


# ── What is asked and what stays ─────────────────────────────────────────────────────────────────────────────
def test_without_a_controller_the_fast_answer_is_kept() -> None:
    model = Scripted("one")
    (trace,) = Thinker([model]).ask(["What is 3+4?"])
    assert (trace.status, trace.response, trace.who, trace.how) == ("ok", "7", "one", "direct")
    assert stages(trace.steps) == ["fast", "settle"]
    assert trace.slow_tokens == 0
    assert len(model.calls) == 1


def test_a_doubtful_answer_is_thought_about_and_the_trace_says_why() -> None:
    (trace,) = Thinker([Scripted("one")], Controller(Threshold(0.9))).ask(["What is 3+4?"])
    assert (trace.response, trace.how) == ("8", "chain_of_thought")
    assert stages(trace.steps) == ["fast", "slow", "settle"]
    assert [step.response for step in trace.steps] == ["7", "8", "8"]
    assert trace.slow_tokens == 5
    assert (trace.prompt_tokens, trace.generated_tokens) == (20, 6)
    assert trace.steps[0].confidence == pytest.approx(0.3679, abs=1e-4)
    assert "+0.532" in trace.steps[1].why


def test_a_sure_answer_is_not() -> None:
    (trace,) = Thinker([Scripted("one", sure=-0.01)], Controller(Threshold(0.9))).ask(["What is 3+4?"])
    assert (trace.response, trace.slow_tokens) == ("7", 0)


def test_slow_does_not_override_fast_where_the_evidence_is_against_it() -> None:
    for differ, response in (((0.6, 0.2), "7"), ((0.2, 0.6), "8")):
        (trace,) = Thinker([Scripted("one")], Controller(habit(differ=differ))).ask(["What is 3+4?"])
        assert stages(trace.steps) == ["fast", "slow", "settle"]
        assert (trace.response, trace.confidence) == (response, 0.6)


def test_a_slow_answer_that_is_not_found_leaves_the_fast_one() -> None:
    (trace,) = Thinker([Scripted("one", slow=" hm")], Controller(habit())).ask(["What is 3+4?"])
    assert (trace.response, trace.confidence, trace.how) == ("7", 0.3, "direct")


def test_options_are_chosen_by_their_probability() -> None:
    (trace,) = Thinker([Scripted("one")]).ask([Inquiry("Sense?", options=("answerable", "no"))])
    assert trace.response == "answerable"
    assert trace.confidence == pytest.approx(1 / (1 + 2.718281828**-4.9))
    assert trace.generated_tokens == 0


def test_nonsense_is_refused_before_any_slow_token_is_spent() -> None:
    model = Scripted("one")
    gated = Controllers({"one": Controller(Threshold(1.0))}, gates={"one": Gate(0.0)})
    sense, nonsense = Thinker([model], gated).ask(["What is 3+4?", "What is nonsense+4?"])
    assert (sense.status, sense.response, sense.slow_tokens) == ("ok", "8", 5)
    assert (nonsense.status, nonsense.response) == ("unanswerable", "")
    assert stages(nonsense.steps) == ["gate"]
    assert (nonsense.slow_tokens, nonsense.generated_tokens) == (0, 0)
    generated = [request.prompt for call in model.calls for request in call if not request.options]
    assert generated
    assert not any("nonsense" in prompt for prompt in generated)
    (open_door,) = Thinker([model], gated, gate=False).ask(["What is nonsense+4?"])
    assert open_door.status == "ok"


def test_what_is_not_sure_enough_is_withheld() -> None:
    for least, status in ((0.5, "ok"), (0.7, "abstained")):
        (trace,) = Thinker([Scripted("one")], Controller(habit()), abstain_below=least).ask(["What is 3+4?"])
        assert (trace.status, bool(trace.response)) == (status, status == "ok")
        assert trace.slow_tokens == 5


def test_a_larger_rung_is_asked_and_settled_with() -> None:
    for differ, response, who in (((0.2, 0.6), "9", "large"), ((0.6, 0.2), "7", "small")):
        small = Controller(habit(settled=0.1), larger="large", larger_policy=habit(differ=differ))
        both = Controllers({"small": small, "large": Controller(habit(settled=0.1))})
        large = Scripted("large", fast="9")
        (trace,) = Thinker([Scripted("small"), large], both).ask(["What is 3+4?"])
        assert (trace.response, trace.who) == (response, who)
        assert [(step.stage, step.who) for step in trace.steps] == [
            ("fast", "small"),
            ("settle", "small"),
            ("larger", "large"),
            ("settle", "large"),
            ("settle", "small"),
        ]
        assert len(large.calls) == 1
    alone = Thinker([Scripted("small")], both).ask(["What is 3+4?"])[0]
    assert (alone.response, len(alone.steps)) == ("7", 2), "who is not there is not asked"


def test_what_no_rung_is_sure_enough_of_is_withheld() -> None:
    """The settled answer of two rungs is held to the same bar as that of one."""
    for least, status in ((0.3, "ok"), (0.5, "ok"), (0.7, "abstained")):
        small = Controller(habit(settled=0.1), larger="large", larger_policy=habit(differ=(0.2, 0.6)))
        both = Controllers({"small": small, "large": Controller(habit(settled=0.1, fast=0.9))})
        rungs = [Scripted("small"), Scripted("large", fast="9")]
        (trace,) = Thinker(rungs, both, abstain_below=least).ask(["What is 3+4?"])
        assert (trace.status, trace.who, trace.confidence) == (status, "large", 0.6)
        assert trace.response == ("9" if status == "ok" else "")
    (trace,) = Thinker(rungs, Controllers({"small": small, "large": Controller(habit(settled=0.1))}),
                       abstain_below=0.7).ask(["What is 3+4?"])  # fmt: skip
    assert (trace.status, trace.response, trace.confidence) == ("abstained", "", 0.3), "the larger one withheld its own"


# ── Many at once ─────────────────────────────────────────────────────────────────────────────────────────────
def test_many_questions_go_to_the_model_stage_by_stage() -> None:
    model = Scripted("one")
    gated = Controllers({"one": Controller(Threshold(0.9))}, gates={"one": Gate(0.0)})
    heard: list[tuple[int, str]] = []
    questions = [f"What is {i}+4?" for i in range(40)] + ["nonsense"] * 10
    traces = Thinker([model], gated).ask(questions, on_step=lambda at, step: heard.append((at, step.stage)))
    assert [trace.question for trace in traces] == questions
    assert [len(call) for call in model.calls] == [50, 40, 40]
    assert sorted(heard) == sorted((at, step.stage) for at, trace in enumerate(traces) for step in trace.steps)


def test_a_failure_is_one_questions_own() -> None:
    good, bad = Thinker([Scripted("one")], Controller(Threshold(0.9))).ask(["What is 3+4?", "broken"])
    assert (good.status, bad.status, bad.error, bad.response) == ("ok", "error", "out of memory", "")


def test_questions_join_and_leave_between_stages() -> None:
    model, done = Scripted("one"), []
    thinker = Thinker([model], Controller(Threshold(0.9)))
    first = thinker.begin(Inquiry("first"), "", lambda step: None, done.append)
    thinker.begin(Inquiry("second"), "", lambda step: None, done.append)
    thinker.turn()
    thinker.begin(Inquiry("third"), "", lambda step: None, done.append)
    thinker.call_off(first)
    while len(thinker):
        thinker.turn()
    assert [trace.question for trace in done] == ["second", "third"]
    assert [len(call) for call in model.calls] == [2, 2, 1]


def test_names_that_are_not_there() -> None:
    with pytest.raises(UserError, match="'two' is not here; use one"):
        Thinker([Scripted("one")]).ask(["?"], rung="two")
    with pytest.raises(UserError, match="two rungs are named 'one'"):
        Thinker([Scripted("one"), Scripted("one")])
    with pytest.raises(UserError, match="none was fitted for one; there are some for two"):
        Thinker([Scripted("one")], Controllers({"two": Controller(Threshold(0.5))}))
    with pytest.raises(UserError, match="no such file"):
        Thinker([Scripted("one")], "nowhere.json")


# ── Real weights ─────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.slow
def test_live_as_replayed_and_in_a_run(tmp_path: Path) -> None:
    """A controller fitted on stored answers decides live, in a run of its own, as it does on the stored ones."""
    tasks = [{"ref": "lab:two_hop_facts"}, {"ref": "lab:addition"}]
    base = {
        "name": "two", "models": [{"ref": "lab", "rungs": ["lab-332k"]}], "tasks": tasks, "metrics": ["exact_match"],
        "shots": [2], "limit": 24, "shot_policy": "fixed",
    }  # fmt: skip
    run, _ = run_study(parse_study(base | {"strategies": ["direct", "chain_of_thought"]}), tmp_path / "run")
    fitted = fit_run(run, kind="learned", tokens=25)
    save_controllers(fitted, tmp_path / "controller.json")
    pairs = read_run_pairs(run, "lab-332k")
    controller = fitted.of("lab-332k")
    defer = controller.defer(pairs.signals)
    take, _ = controller.policy.settle(pairs.signals, pairs.after)
    assert 0 < defer.mean() < 1
    expected = {
        item.rpartition("|")[2] + item.split("|")[1]: after if deferred and slow else before
        for item, deferred, slow, before, after in zip(
            pairs.item, defer, take, pairs.signals.answer, pairs.after.answer, strict=True
        )
    }
    settings = {"controller": str(tmp_path / "controller.json")}
    dual, outcome = run_study(parse_study(base | {"strategies": ["dual"], "settings": settings}), tmp_path / "dual")
    assert outcome.complete
    rows = read_outputs(dual).collect().to_dicts()
    assert len(rows) == len(expected)
    for row in rows:
        assert row["response"] == expected[row["example_id"] + row["task"]]
        assert ("dual:slow" in row["flags"]) or ("dual:fast" in row["flags"])
    spent = (pairs.fast_cost + defer * pairs.slow_cost).sum()
    assert sum(row["generated_tokens"] for row in rows) == spent


@pytest.mark.slow
def test_strangers_are_refused_by_a_real_gate_without_slow_tokens(tmp_path: Path) -> None:
    tasks = [
        {"ref": "lab:answerability", "strategies": ["gate"], "shots": [0], "metrics": ["gate_auroc"]},
        {"ref": "lab:two_hop_facts"},
    ]
    study = {
        "name": "gate", "models": [{"ref": "lab", "rungs": ["lab-332k"]}], "tasks": tasks, "limit": 60, "shots": [2],
        "strategies": ["direct", "chain_of_thought"], "metrics": ["exact_match"], "shot_policy": "fixed",
        "settings": {"gate_dismissal": "unknown"},
    }  # fmt: skip
    run, _ = run_study(parse_study(study), tmp_path / "run")
    fitted = fit_run(run, kind="learned")
    gate = fitted.gate("lab-332k")
    assert gate is not None
    assert gate.n == 60
    always = Controllers({"lab-332k": Controller(Threshold(1.0))}, gates=fitted.gates)
    seen = set(read_outputs(run).filter(strategy="gate").collect()["input"])
    asked = [one for one in load_tasks("lab:answerability")[0].examples if one.input not in seen]
    with Thinker(["lab:lab-332k"], always) as thinker:
        traces = thinker.ask([one.input for one in asked])
    refused = [trace.status == "unanswerable" for trace in traces]
    unanswerable = [not one.metadata["answerable"] for one in asked]
    assert all(
        trace.slow_tokens == 0 and trace.generated_tokens == 0 for trace in traces if trace.status == "unanswerable"
    )
    assert all(trace.slow_tokens > 0 for trace, no in zip(traces, refused, strict=True) if not no)
    caught = sum(no for no, bad in zip(refused, unanswerable, strict=True) if bad) / sum(unanswerable)
    wrongly = sum(no for no, bad in zip(refused, unanswerable, strict=True) if not bad) / unanswerable.count(False)
    assert caught > wrongly + 0.2
