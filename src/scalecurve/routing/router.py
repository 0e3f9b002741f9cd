"""The Thinker: models of a ladder that answer fast, think slowly where it pays, ask a larger one, or decline.

from scalecurve import Thinker
with Thinker(["lab:lab-332k"], "controller.json") as thinker:
    trace = thinker.ask(["What is 345+678?"])[0]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

from scalecurve.errors import UserError
from scalecurve.models import Model, open_model, resolve_rung
from scalecurve.routing.controllers import Controller, Controllers, load_controllers
from scalecurve.routing.features import fast_features_of, said
from scalecurve.routing.reason import REFUSED, TO_LARGER, UNSURE, Mind, reason, settle, withheld
from scalecurve.routing.trace import Step, Trace
from scalecurve.strategies import FewShotExample, Question, Shot
from scalecurve.strategies.driver import Conversations
from scalecurve.tasks.postprocess import FIRST_LINE
from scalecurve.types import Answer, Example, Postprocess, Rendering, Rung, Task

MAX_TOKENS = 256
Hear = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A question to a Thinker. With ``options`` one of them is chosen by its log-probability, else a text is written.

    ``shots`` are shown answered before it. ``task`` says how it is rendered and read (None: "Q: …", "A: ", the first
    line); ``family`` is the name the controller knows its task by; ``max_tokens`` bounds each text.
    """

    text: str
    options: tuple[str, ...] = ()
    shots: tuple[Shot, ...] = ()
    task: Task | None = None
    family: str = ""
    max_tokens: int = MAX_TOKENS

    def question(self, rung: str, settings: dict[str, Any]) -> Question:
        """As a strategy takes it."""
        scores = (0.0,) * len(self.options)
        example = Example("question", self.text, options=self.options, option_scores=scores)
        plain = Task("question", (example,), (), "", Rendering(), Postprocess(FIRST_LINE))
        task = replace(self.task or plain, max_tokens=self.max_tokens)
        wants = frozenset({"options"} if self.options else {"text"})
        own = {"rung": rung, "family": self.family, "max_tokens": self.max_tokens}
        return Question(task, FewShotExample(example, self.shots), wants, {**settings, **own})


@dataclass(slots=True)
class _Pending:
    """An inquiry under way: where it is, what was noted, and who hears of it."""

    inquiry: Inquiry
    rung: str
    number: int
    hear: Hear
    done: Callable[[Trace], None]
    steps: list[Step] = field(default_factory=list)
    before: Answer | None = None
    asker: str = ""


class Thinker:
    """Answers questions with the rungs it was given, smallest first; many side by side, so that models batch them.

    ``rungs``: rungs, open models, or names as ``--model`` takes them. ``controllers``: fitted ones or their file; a
    single Controller serves every rung; None keeps every fast answer. ``gate`` False leaves out the gates of the file.
    ``slow``, ``fast``: strategies, those of the file when not given. ``settings`` goes to the strategies. Models open
    when they are first asked. Close it, or use it in ``with``.
    """

    def __init__(
        self,
        rungs: Sequence[Rung | Model | str],
        controllers: Controllers | Controller | str | Path | None = None,
        *,
        gate: bool = True,
        fast: str = "",
        slow: str = "",
        abstain_below: float | None = None,
        settings: dict[str, Any] | None = None,
        device: str = "auto",
        dtype: str = "float32",
    ) -> None:
        if isinstance(controllers, str | Path):
            controllers = load_controllers(controllers)
        self._settings, self._device, self._dtype = dict(settings or {}), device, dtype
        given = [resolve_rung(one) if isinstance(one, str) else one for one in rungs]
        self._rungs = {one.name: one for one in given if isinstance(one, Rung)}
        self._models: dict[str, Model] = {one.name: one for one in given if not isinstance(one, Rung)}
        self.names = tuple(one.name for one in given)
        twice = next((name for at, name in enumerate(self.names) if name in self.names[:at]), None)
        if twice:
            raise UserError(f"thinker: two rungs are named {twice!r}; rename one")
        if not self.names:
            raise UserError("thinker: no model; name one, as lab:lab-332k")
        self._minds = {
            name: _mind(name, controllers, gate, fast, slow, abstain_below, self.names) for name in self.names
        }
        self._talks = {name: Conversations() for name in self.names}
        self._pending: dict[int, _Pending] = {}
        self._begun = 0

    # ── Asking ──────────────────────────────────────────────────────────────────────────────────────────────
    def ask(
        self, questions: Sequence[str | Inquiry], *, rung: str = "", on_step: Callable[[int, Step], None] | None = None
    ) -> list[Trace]:
        """A trace for each question, in order. ``rung``: who is asked first (the smallest when not given).

        ``on_step(index, step)`` hears of every step as it is done.
        """
        traces: dict[int, Trace] = {}
        for at, question in enumerate(questions):
            inquiry = Inquiry(question) if isinstance(question, str) else question
            hear = partial(on_step, at) if on_step else _silent
            self.begin(inquiry, rung, hear, partial(traces.__setitem__, at))
        try:
            while len(self):
                self.turn()
        except BaseException:
            for ticket in list(self._pending):
                self.call_off(ticket)
            raise
        return [traces[at] for at in range(len(questions))]

    # ── Under way ───────────────────────────────────────────────────────────────────────────────────────────
    def __len__(self) -> int:
        """Inquiries under way."""
        return len(self._pending)

    def begin(self, inquiry: Inquiry, rung: str, hear: Hear, done: Callable[[Trace], None]) -> int:
        """Take an inquiry in; ``turn`` carries all of them on. Returns a ticket, for ``call_off``."""
        name = rung or self.names[0]
        if name not in self._talks:
            raise UserError(f"model: {name!r} is not here; use {', '.join(self.names)}")
        ticket, self._begun = self._begun, self._begun + 1
        self._pending[ticket] = _Pending(inquiry, name, -1, hear, done)
        self._start(ticket, name)
        return ticket

    def turn(self) -> None:
        """One stage with every rung that is asked something: all that waits for it goes to it in one call."""
        for name, talks in self._talks.items():
            if len(talks):
                talks.stage(self._model(name))

    def call_off(self, ticket: int) -> None:
        """Drop an inquiry; nobody hears of it any more."""
        pending = self._pending.pop(ticket, None)
        if pending is not None:
            self._talks[pending.rung].call_off(pending.number)

    def count_tokens(self, name: str, text: str) -> int:
        """Tokens of ``text`` for the rung ``name``."""
        return self._model(name).count_tokens(text)

    def close(self) -> None:
        """Give back the models that were opened."""
        for model in self._models.values():
            model.close()
        self._models.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _model(self, name: str) -> Model:
        if name not in self._models:
            self._models[name] = open_model(self._rungs[name], device=self._device, dtype=self._dtype)
        return self._models[name]

    def _start(self, ticket: int, name: str, given: Answer | None = None) -> None:
        pending = self._pending[ticket]

        def note(step: Step) -> None:
            pending.steps.append(step)
            pending.hear(step)

        pending.rung = name
        generator = reason(pending.inquiry.question(name, self._settings), self._minds[name], note, given)
        number = self._talks[name].begin("question", generator, lambda answer: self._answered(ticket, answer))
        if pending.rung == name:  # else it has gone on to a larger rung already
            pending.number = number

    def _answered(self, ticket: int, answer: Answer) -> None:
        """An answer of one rung: it goes on to a larger one, is settled with a smaller one's, or is the end."""
        pending = self._pending[ticket]
        larger = getattr(self._minds[pending.rung].controller, "larger", "")
        if TO_LARGER in answer.flags and larger in self._talks:
            pending.before, pending.asker = answer, pending.rung
            self._start(ticket, larger, answer)
            return
        who = pending.rung
        if pending.before is not None and "dual:slow" not in answer.flags and not answer.error:
            answer, who = self._between(pending, answer)
        del self._pending[ticket]
        pending.done(_trace(pending, answer, who, self._minds[who]))

    def _between(self, pending: _Pending, answer: Answer) -> tuple[Answer, str]:
        """The smaller rung's answer or the larger one's fast answer, whichever stays; neither where that is unsure."""
        assert pending.before is not None
        before = fast_features_of([pending.before], [pending.inquiry.family], [pending.inquiry.text])
        controller = self._minds[pending.asker].controller
        kept, sure, why = settle(controller, before, pending.before, answer, larger=True)
        step = Step("settle", pending.asker, said(kept), sure, why=why)
        pending.steps.append(step)
        pending.hear(step)
        who = pending.asker if kept is pending.before else pending.rung
        unsure = controller is not None and sure is not None and sure < controller.abstain_below
        return (withheld(kept) if unsure else kept), who


def _mind(
    name: str,
    controllers: Controllers | Controller | None,
    gate: bool,
    fast: str,
    slow: str,
    abstain_below: float | None,
    names: Sequence[str],
) -> Mind:
    known = controllers if isinstance(controllers, Controllers) else None
    controller = controllers if isinstance(controllers, Controller) else known.of(name) if known else None
    if controller is not None and abstain_below is not None:
        controller = replace(controller, abstain_below=abstain_below)
    if controller is not None and controller.larger not in names:
        controller = replace(controller, larger="", larger_policy=None)
    return Mind(
        name,
        controller,
        known.gate(name) if known and gate else None,
        fast or (known.fast if known else "direct"),
        slow or (known.slow if known else "chain_of_thought"),
    )


def _trace(pending: _Pending, answer: Answer, who: str, mind: Mind) -> Trace:
    says = said(answer)
    status = "ok" if says else "unparsable"
    for flag, word in ((REFUSED, "unanswerable"), (UNSURE, "abstained")):
        status = word if flag in answer.flags else status
    settled = [step.confidence for step in pending.steps if step.stage == "settle"]
    return Trace(
        question=pending.inquiry.text,
        status="error" if answer.error else status,
        response=says if status == "ok" and not answer.error else "",
        who=who,
        how=mind.slow if "dual:slow" in answer.flags else mind.fast,
        confidence=settled[-1] if settled else None,
        steps=tuple(pending.steps),
        error=answer.error,
    )


def _silent(step: Step) -> None: ...
