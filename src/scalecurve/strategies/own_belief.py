"""Own belief: the model first says what it knows about the question, and is then asked with that before it.

A second probe of suggestibility, by the model itself. After BeliefBank (Kassner et al. 2021, arXiv 2109.14723), which
gives a model its own statements back as context.
"""

from __future__ import annotations

import re
from dataclasses import replace

from scalecurve.strategies.belief import right_belief
from scalecurve.strategies.direct import direct
from scalecurve.strategies.protocol import Asking, Question, strategy
from scalecurve.strategies.render import build_prompt
from scalecurve.strategies.typed import setting
from scalecurve.types import Answer, Request

CUE = "One fact about this is that"
MOST_TOKENS = 40
_SENTENCE = re.compile(r"\s*(\S.*?[.!?])(?:\s|$)")


@strategy("belief_own")
def belief_own(question: Question) -> Asking:
    """Direct prompting with a statement of the model's own before the question's text; the shots are as without it.

    The statement is a cue (setting ``own_cue``) after the question without its options, and how the model goes on to
    the end of the sentence or line. ``samples`` keeps it. Flags: ``unstated`` when the model says nothing (the question
    is then asked plainly), ``leak`` when the statement contains the right answer.
    """
    example = question.query.example
    cue = setting(question, "own_cue", str, CUE)
    bare = replace(example, input=f"{example.input}\n{cue}", options=(), option_scores=())
    frame = replace(question.task, rendering=replace(question.task.rendering, output_prefix=""))
    (reply,) = yield (Request(build_prompt(frame, bare), max_tokens=MOST_TOKENS, stop=("\n",)),)
    said = reply.texts[0]
    found = _SENTENCE.match(said)
    going_on = found.group(1) if found else said.strip()
    stated = f"{cue} {going_on}" if re.search(r"\w", going_on) else ""
    asked = replace(example, input=f"{stated} {example.input}" if stated else example.input)
    answer: Answer = yield from direct(replace(question, query=replace(question.query, example=asked)))
    leak = stated and re.search(rf"(?<!\w){re.escape(right_belief(example).strip())}(?!\w)", stated, re.IGNORECASE)
    flags = (("leak",) if leak else ()) if stated else ("unstated",)
    return replace(
        answer,
        samples=(stated,),
        flags=(*answer.flags, *flags),
        prompt_tokens=answer.prompt_tokens + reply.prompt_tokens,
        generated_tokens=answer.generated_tokens + reply.generated_tokens,
    )
