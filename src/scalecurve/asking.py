"""Strategies in step: many are run together, and at each stage the model sees the requests of all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scalecurve.models import Model
from scalecurve.nouns import Answer, Output, Request, UserError
from scalecurve.prompts import Asking


def drive(
    model: Model,
    example_ids: Sequence[str],
    generators: Sequence[Asking],
    on_requests: Callable[[int, int], None] | None = None,
) -> list[Answer]:
    """Run strategies together: at each stage, the requests of all of them go to the model in one call.

    A strategy that raises, or gets an output with an error, ends in an Answer with that error.
    """
    answers: dict[int, Answer] = {}
    waiting: dict[int, tuple[Request, ...]] = {}

    def go_on(at: int, outputs: tuple[Output, ...] | None, prompt: str) -> None:
        try:
            waiting[at] = requested(next(generators[at]) if outputs is None else generators[at].send(outputs))
        except StopIteration as stop:
            answers[at] = returned(stop.value, example_ids[at], prompt)
        except Exception as error:
            answers[at] = Answer(example_ids[at], prompt, error=reason(error))

    for at in range(len(generators)):
        go_on(at, None, "")
    while waiting:
        stage, waiting = waiting, {}
        replies = iter(ask(model, [request for requests in stage.values() for request in requests], on_requests))
        for at, requests in stage.items():
            outputs = tuple(next(replies) for _ in requests)
            error = next((output.error for output in outputs if output.error), "")
            prompt = requests[0].prompt if requests else ""
            if error:
                generators[at].close()
                answers[at] = Answer(example_ids[at], prompt, error=error)
            else:
                go_on(at, outputs, prompt)
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


def ask(model: Model, requests: Sequence[Request], on_requests: Callable[[int, int], None] | None) -> list[Output]:
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
