"""Texts that must follow a grammar: which tokens may come next (llguidance, github.com/guidance-ai/llguidance)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalecurve.engine.text import Encoder


class Constraint:
    """How far one text has come in its grammar."""

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher

    def allowed(self, vocabulary: int) -> NDArray[np.bool_]:
        """Which of ``vocabulary`` tokens may come next; the end of the text is among them where it may end."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        may = np.unpackbits(bits, bitorder="little").astype(bool)[:vocabulary]
        return np.pad(may, (0, vocabulary - len(may)))  # logits may be padded beyond the tokenizer's vocabulary

    def take(self, token: int) -> bool:
        """Note the token that was chosen; whether nothing can follow it."""
        self._matcher.consume_token(token)
        return bool(self._matcher.is_stopped())


def constraint(grammar: str, encoder: Encoder) -> Constraint:
    """The constraint of a new text by ``grammar`` (Lark). ``ValueError`` in one line where it is no grammar."""
    from llguidance import LLMatcher

    if grammar not in encoder.grammars:  # read once: a copy costs a tenth of it
        lark = LLMatcher.grammar_from_lark(grammar)
        wrong = " ".join(str(LLMatcher.validate_grammar(lark)).split())[:200]
        if wrong:
            raise ValueError(f"grammar: {wrong}")
        encoder.grammars[grammar] = LLMatcher(_tokenizer(encoder), lark)
    return Constraint(encoder.grammars[grammar].deep_copy())


def _tokenizer(encoder: Encoder) -> Any:
    """llguidance's view of the tokenizer; made once, as it takes a second for a large vocabulary."""
    if encoder.guide is None:
        from llguidance.hf import from_tokenizer

        encoder.guide = from_tokenizer(encoder.tokenizer, eos_token=sorted(encoder.ends) or None)
    return encoder.guide
