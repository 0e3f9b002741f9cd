"""Questions of tasks that lm-evaluation-harness built: its requests, word by word, and the replies in its order."""

from __future__ import annotations

from scalecurve.strategies.protocol import Asking, Question
from scalecurve.strategies.scoring import accounting
from scalecurve.tasks.harness.build import settings_of
from scalecurve.types import Answer, Request


def ask_as_built(question: Question) -> Asking:
    """An example's own requests; ``option_logprobs`` and ``samples`` hold the replies, each kind in its order."""
    example, harness = question.query.example, question.task.harness
    kept = example.metadata.get("requests")
    if kept:
        requests = [_request(*one) for one in kept]
    elif example.options:
        requests = [Request(example.input, options=example.options)]
    else:
        until = harness.until if harness else ()
        requests = [Request(example.input, max_tokens=question.max_tokens, stop=until)]
    replies = yield tuple(requests)
    scored = [reply for request, reply in zip(requests, replies, strict=True) if request.options]
    texts = tuple(
        text for request, reply in zip(requests, replies, strict=True) if not request.options for text in reply.texts
    )
    right = [at for at, score in enumerate(example.option_scores) if score] if example.targets else []
    sums = tuple(value for reply in scored for value in reply.logprobs)
    counts = tuple(value for reply in scored for value in reply.token_counts)
    return Answer(
        example_id=example.id,
        prompt=example.input,
        options=tuple(option for request in requests for option in request.options),
        option_logprobs=sums,
        option_tokens=counts,
        option_greedy=tuple(value for reply in scored for value in reply.greedy),
        target_logprobs=tuple(sums[at] for at in right) if not kept and scored else (),
        target_tokens=tuple(counts[at] for at in right) if not kept and scored else (),
        text=texts[0] if texts else None,
        response=texts[0] if texts else None,
        samples=texts if len(texts) > 1 else (),
        **accounting(*replies),
    )


def _request(kind: str, context: str, more: object, repeats: int) -> Request:
    if kind == "loglikelihood":
        return Request(context, options=(str(more),))
    until, length, temperature = settings_of(more if isinstance(more, dict) else {})
    return Request(context, max_tokens=length, stop=until, temperature=temperature, samples=repeats)
