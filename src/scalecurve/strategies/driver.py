"""Strategies in step: many are run together, and at each stage the model sees the requests of all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from scalecurve.errors import UserError
from scalecurve.models import Model
from scalecurve.strategies import Asking
from scalecurve.strategies.thoughts import NOTHING, Heard, set_apart
from scalecurve.types import Answer, Output, Request


def drive(
    model: Model,
    example_ids: Sequence[str],
    generators: Sequence[Asking],
    on_requests: Callable[[int, int], None] | None = None,
) -> list[Answer]:
    """Run strategies together: at each stage, the requests of all of them go to the model in one call.

    A strategy that raises, or gets an output with an error, ends in an Answer with that error. Strategies see texts
    without thinking; what was thought, and what a limit cut off, is added to their Answers here.
    """
    answers: dict[int, Answer] = {}
    talks = Conversations()
    for at, generator in enumerate(generators):
        talks.begin(example_ids[at], generator, partial(answers.__setitem__, at))
    while talks:
        talks.stage(model, on_requests)
    return [answers[at] for at in range(len(generators))]


def requested(yielded: object) -> tuple[Request, ...]:
    """What a strategy yielded, where it is a tuple of requests; the strategy may be a user's own."""
    if isinstance(yielded, tuple) and all(isinstance(one, Request) for one in yielded):
        return yielded
    raise UserError(f"the strategy yielded {type(yielded).__name__}; it must yield a tuple of Request")


def returned(value: object, example_id: str, prompt: str) -> Answer:
    """What a strategy returned, where it is an Answer to its own question; else an Answer that says what is wrong."""
    if not isinstance(value, Answer):
        said = f"the strategy returned {type(value).__name__}; it must return an Answer"
    elif value.example_id != example_id:
        said = f"the strategy returned the Answer of example {value.example_id!r}; use question.query.example.id"
    elif not all(text is None or isinstance(text, str) for text in (value.text, value.response)):
        said = "the strategy returned an Answer whose text or response is no text"
    else:
        return value
    return Answer(example_id, prompt, error=said)


class Conversations:
    """Strategies that are under way with one model; others may begin between two stages, or be called off."""

    def __init__(self) -> None:
        self._waiting: dict[int, _Talk] = {}
        self._begun = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self, example_id: str, generator: Asking, done: Callable[[Answer], None]) -> int:
        """Start ``generator``; ``done`` gets its Answer, at once where it asks nothing. Returns its number."""
        number, self._begun = self._begun, self._begun + 1
        self._go_on(number, _Talk(example_id, generator, done), None)
        return number

    def call_off(self, number: int) -> None:
        """End one without an answer."""
        talk = self._waiting.pop(number, None)
        if talk is not None:
            talk.generator.close()

    def stage(self, model: Model, on_requests: Callable[[int, int], None] | None = None) -> None:
        """Send what all of them ask to the model in one call, and let each go on with its outputs."""
        stage, self._waiting = self._waiting, {}
        asked = [request for talk in stage.values() for request in talk.requests]
        try:
            replies = iter(ask(model, asked, on_requests))
        except BaseException:
            self._waiting = stage
            raise
        for number, talk in stage.items():
            outputs = tuple(set_apart(model, request, next(replies)) for request in talk.requests)
            error = next((output.error for output in outputs if output.error), "")
            if error:
                talk.generator.close()
                talk.done(Answer(talk.example_id, talk.prompt, error=error))
            else:
                self._go_on(number, replace(talk, heard=talk.heard.and_(outputs)), outputs)

    def _go_on(self, number: int, talk: _Talk, outputs: tuple[Output, ...] | None) -> None:
        try:
            requests = requested(next(talk.generator) if outputs is None else talk.generator.send(outputs))
        except StopIteration as stop:
            talk.done(talk.heard.told_in(returned(stop.value, talk.example_id, talk.prompt)))
        except Exception as error:  # of a strategy, which may be a user's: its Answer tells it, the others go on
            talk.done(Answer(talk.example_id, talk.prompt, error=reason(error)))
        else:
            self._waiting[number] = replace(talk, requests=requests)


@dataclass(frozen=True, slots=True)
class _Talk:
    """A strategy under way: what it is about, who hears its answer, what it asks now, and what it heard so far."""

    example_id: str
    generator: Asking
    done: Callable[[Answer], None]
    requests: tuple[Request, ...] = ()
    heard: Heard = NOTHING

    @property
    def prompt(self) -> str:
        return self.requests[0].prompt if self.requests else ""


def ask(model: Model, requests: Sequence[Request], on_requests: Callable[[int, int], None] | None) -> list[Output]:
    """The model's reply to each of ``requests``, in their order; ``on_requests(done, total)`` hears of each.

    A reply that never came is an ``Output`` whose ``error`` says so.
    """
    outputs = [Output(error="the model gave no output")] * len(requests)
    done = 0

    def on_output(index: int, output: Output) -> None:
        nonlocal done
        done += 1
        outputs[index] = output
        if on_requests:
            on_requests(done, len(requests))

    if requests:
        model.run(requests, on_output)
    return outputs


def reason(error: BaseException) -> str:
    """An exception in one line."""
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, UserError) and text else f"{type(error).__name__}: {text}"
