"""One text in the making: choosing its next token, and knowing when it is finished."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from scalecurve.engine.grammar import Constraint, constraint
from scalecurve.engine.text import NOT_A_NUMBER, Encoder, finish
from scalecurve.types import Output, Request
from scalecurve.util.thinking import answer_begins

LOOK_BACK = 16  # tokens decoded at each step to notice a stop string; the whole text is decoded when one may be there


@dataclass(slots=True)
class Draft:
    """A text after ``prompt`` (token ids). ``logprobs``: of its tokens and the one that ended it, at temperature 1.

    ``cut``: its limit ended it.
    """

    index: int
    sample: int
    request: Request
    prompt: tuple[int, ...]
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    text: str = ""
    finished: bool = False
    cut: bool = False
    luck: random.Random = field(default_factory=random.Random)
    draws: list[float] = field(default_factory=list)
    constraint: Constraint | None = None

    def __post_init__(self) -> None:
        # Sampling depends on the seed, the prompt and the sample's number, never on what else is in the batch.
        name = f"{self.request.seed}|{self.sample}|{self.request.prompt}"
        self.luck.seed(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))

    def draw(self) -> float:
        """The random number of the next token: the same when it has to be chosen again."""
        while len(self.draws) <= len(self.logprobs):
            self.draws.append(self.luck.random())
        return self.draws[len(self.logprobs)]

    @property
    def tokens(self) -> tuple[int, ...]:
        """The prompt and what is written so far."""
        return (*self.prompt, *self.ids)

    def extend(self, token: int, logprob: float, encoder: Encoder) -> None:
        """Add a token; finish at an end-of-text token, a stop string, or the last allowed token."""
        self.logprobs.append(logprob)
        complete = self.constraint is not None and self.constraint.take(token)
        if token in encoder.ends:
            self._end(encoder)
            return
        self.ids.append(token)
        stops = [stop for stop in self.request.stop if stop]
        if stops:
            reach = LOOK_BACK + max(map(len, stops))
            tail = encoder.tokenizer.decode(self.ids[-reach:], skip_special_tokens=False)
            if any(stop in tail for stop in stops) and self._has_stopped(token, stops, encoder):
                self._end(encoder)
                return
        if complete or len(self.ids) >= self.request.limit:
            self.cut = not complete
            self._end(encoder)

    def _has_stopped(self, token: int, stops: Sequence[str], encoder: Encoder) -> bool:
        """Whether a stop string is in the text, or in a special token, which the text does not show."""
        so_far = self._decoded(encoder)
        if finish(so_far, self.request)[1]:
            return True
        if answer_begins(so_far, self.request.prompt, expected=self.request.thinking_tokens > 0) is None:
            return False
        shown = encoder.tokenizer.decode([token], skip_special_tokens=False)
        return token in encoder.tokenizer.all_special_ids and any(stop in shown for stop in stops)

    def _decoded(self, encoder: Encoder) -> str:
        return str(encoder.tokenizer.decode(self.ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _end(self, encoder: Encoder) -> None:
        self.text, _ = finish(self._decoded(encoder), self.request)
        self.finished = True


def choose(drafts: Sequence[Draft], logits: torch.Tensor) -> tuple[list[int], list[float]]:
    """The next token of each draft and its log-probability, from float32 ``logits`` (drafts, vocabulary).

    A constraint takes away choices; the log-probability is still that of the model itself, over all tokens.
    """
    logprobs = torch.log_softmax(logits, dim=-1)
    open_to = _constrained(drafts, logprobs)
    tokens = open_to.argmax(dim=-1)
    for row, draft in enumerate(drafts):
        if draft.request.temperature > 0:
            source = logits if draft.constraint is None else open_to
            warmed = torch.softmax(source[row].double() / draft.request.temperature, dim=-1).cumsum(0)
            tokens[row] = torch.searchsorted(warmed, draft.draw() * warmed[-1]).clamp(max=len(warmed) - 1)
    picked = logprobs.gather(1, tokens[:, None])[:, 0]
    both = torch.stack([tokens.double(), picked.double()]).tolist()
    return [int(token) for token in both[0]], both[1]


def _constrained(drafts: Sequence[Draft], logprobs: torch.Tensor) -> torch.Tensor:
    """``logprobs`` with −∞ where a draft's constraint forbids a token."""
    held = {row: draft.constraint for row, draft in enumerate(drafts) if draft.constraint is not None}
    masked = logprobs.clone() if held else logprobs
    for row, one in held.items():
        masked[row, torch.from_numpy(~one.allowed(logprobs.shape[1])).to(logprobs.device)] = -torch.inf
    return masked


def start(index: int, request: Request, prompt: tuple[int, ...], encoder: Encoder) -> list[Draft]:
    """The drafts of a request: one, or one a sample. Greedy samples are all the same, so that one is made.

    ``ValueError`` where the request's grammar is none.
    """
    count = 1 if request.temperature <= 0 else request.samples
    drafts = [Draft(index, sample, request, prompt) for sample in range(count)]
    for draft in drafts if request.grammar else ():
        draft.constraint = constraint(request.grammar, encoder)
    return drafts


def gather(request: Request, drafts: Sequence[Draft], flags: tuple[str, ...]) -> Output:
    """The output of a request whose drafts are all finished."""
    copies = request.samples // len(drafts)
    if any(math.isnan(logprob) for draft in drafts for logprob in draft.logprobs):
        return Output(error=NOT_A_NUMBER)
    ordered = sorted(drafts, key=lambda draft: draft.sample)
    return Output(
        texts=tuple(draft.text for draft in ordered) * copies,
        text_logprobs=tuple(tuple(draft.logprobs) for draft in ordered) * copies,
        prompt_tokens=len(ordered[0].prompt),
        generated_tokens=sum(len(draft.logprobs) for draft in ordered),
        flags=flags,
        cut=tuple(draft.cut for draft in ordered) * copies,
    )
