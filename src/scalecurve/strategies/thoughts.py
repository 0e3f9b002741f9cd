"""What a model thought before its texts, set apart from them; and which texts their limit cut off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scalecurve.models import Model
from scalecurve.types import Answer, Output, Request
from scalecurve.util.thinking import split_thinking


@dataclass(frozen=True, slots=True)
class Heard:
    """All that a strategy has been told so far: thoughts, their tokens, texts that were cut; and of its last texts
    whether one of them was."""

    thoughts: tuple[str, ...] = ()
    tokens: int = 0
    cut: int = 0
    last_cut: bool = False

    def and_(self, outputs: Sequence[Output]) -> Heard:
        """What has been told after ``outputs``, in which thinking is set apart."""
        written = [output for output in outputs if output.texts]
        return Heard(
            (*self.thoughts, *(thought for output in written for thought in output.thinking if thought)),
            self.tokens + sum(output.thinking_tokens for output in written),
            self.cut + sum(sum(output.cut) for output in written),
            any(any(output.cut) for output in written) if written else self.last_cut,
        )

    def told_in(self, answer: Answer) -> Answer:
        """``answer`` with what was thought and cut; censored where its last text was cut before it said anything."""
        if not (self.thoughts or self.cut or self.tokens):
            return answer
        lost = self.last_cut and answer.text is not None and not answer.response and not answer.error
        return replace(
            answer,
            thinking="\n\n".join(self.thoughts),
            thinking_tokens=self.tokens,
            cut=self.cut,
            censored=answer.censored or lost,
        )


NOTHING = Heard()


def set_apart(model: Model, request: Request, output: Output) -> Output:
    """``output`` with the thinking taken out of its texts, counted in tokens, and ``cut`` told for each text.

    A text that ended while it was still thinking is cut, whatever ended it. Where a model does not tell which texts its
    limit ended, those with as many tokens as they may have were.
    """
    if not output.texts:
        return output
    parted = [split_thinking(text) for text in output.texts]
    told = output.thinking or ("",) * len(parted)
    thinking = tuple("\n".join(filter(None, (mine, own.thinking))) for mine, own in zip(told, parted, strict=True))
    cut = output.cut or _by_count(request, output)
    tokens = output.thinking_tokens
    if any(thinking) and not tokens:
        tokens = min(output.generated_tokens, sum(model.count_tokens(text) for text in thinking if text))
    return replace(
        output,
        texts=tuple(own.answer for own in parted),
        cut=tuple(short or not own.closed for short, own in zip(cut, parted, strict=True)),
        thinking=thinking if any(thinking) else (),
        thinking_tokens=tokens,
    )


def _by_count(request: Request, output: Output) -> tuple[bool, ...]:
    if output.text_logprobs and any(output.text_logprobs):
        return tuple(len(each) >= request.limit for each in output.text_logprobs)
    return (output.generated_tokens >= request.limit * len(output.texts),) * len(output.texts)
