"""Direct: the answer is asked for at once."""

from __future__ import annotations

from scalecurve.strategies.as_built import ask_as_built
from scalecurve.strategies.protocol import Asking, Question, strategy
from scalecurve.strategies.render import build_prompt
from scalecurve.strategies.scoring import accounting, scored_fields, scoring_requests
from scalecurve.tasks.bbh import ANSWER as BBH_ANSWER
from scalecurve.tasks.postprocess import DEFAULT_REGEX, FIRST_LINE, LAST_NUMBER, filtered, postprocess
from scalecurve.types import Answer, Postprocess, Request

_WITHIN_A_LINE = frozenset(
    {DEFAULT_REGEX, FIRST_LINE, LAST_NUMBER, BBH_ANSWER, r"[-+]?\d+", r"[^\n]+", r"[a-h][1-8]", r"[\w]+", r"[a-z]+"}
)
"""Regexes whose first match on the first line is their first match in any longer text."""


@strategy("direct")
def direct(question: Question) -> Asking:
    """Score the options, score the targets, generate a text: each as far as it is wanted, all after one prompt.

    Generation ends at the first line break where that cannot change the response; a response not found on the first
    line is looked for in a second generation that goes on to ``max_tokens``. A task of lm-evaluation-harness itself
    says where a generation ends and how it becomes the response.
    """
    task, query = question.task, question.query
    if task.harness and task.harness.built:
        return (yield from ask_as_built(question))
    prompt = build_prompt(task, query.example, query.shots)
    requests = scoring_requests(question, prompt)
    early = task.harness is None and _line_is_enough(task.postprocess)
    if "text" in question.wants:
        stop = task.harness.until if task.harness else ("\n",) if early else ()
        requests["text"] = Request(prompt, max_tokens=question.max_tokens, stop=stop, grammar=question.grammar)
    replies = yield tuple(requests.values())
    outputs = dict(zip(requests, replies, strict=True))
    text, response = None, None
    if "text" in outputs:
        text = outputs["text"].texts[0]
        response = filtered(text, task.harness.filters) if task.harness else postprocess(text, task.postprocess)
        if early and not response and task.postprocess.regex not in (FIRST_LINE, BBH_ANSWER):
            (longer,) = yield (Request(prompt, max_tokens=question.max_tokens),)
            outputs["text"], replies, text = longer, (*replies, longer), longer.texts[0]
            response = postprocess(text, task.postprocess)
    return Answer(
        example_id=query.example.id,
        prompt=prompt,
        text=text,
        response=response,
        text_logprob=sum(outputs["text"].text_logprobs[0]) if text is not None and _has_logprobs(outputs) else None,
        **scored_fields(question, outputs),
        **accounting(*replies),
    )


def _line_is_enough(rules: Postprocess) -> bool:
    return not rules.stop and rules.regex in _WITHIN_A_LINE


def _has_logprobs(outputs: object) -> bool:
    return isinstance(outputs, dict) and bool(outputs["text"].text_logprobs)
