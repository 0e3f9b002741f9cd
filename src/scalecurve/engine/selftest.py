"""Whether a model can take packs: a short text is scored both ways when the model is opened.

An architecture whose attention is not transformers' common one (ALiBi in BLOOM, recurrent layers) shows here, and so
would a kernel that does not do on this device what it does elsewhere. The judgement is by token, against the noise
that rounding makes between two plain passes, and is made twice before packs are given up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from scalecurve.engine import branches
from scalecurve.engine import padded as plain
from scalecurve.engine.attention import windows_seen
from scalecurve.engine.forward import Forward
from scalecurve.engine.score import Pair, Scored, score_pairs

if TYPE_CHECKING:
    from transformers import PreTrainedModel

EXACT = (torch.float32, torch.float64)  # the others are half precision, and judged more loosely
NOISE = 6.0  # times the noise between two plain passes
DIFFER = "packed log-probabilities differ by"
KNOWN_LAYERS = {"full_attention", "sliding_attention"}


def why_not(model: PreTrainedModel, max_length: int, *, fused: bool = True) -> str:
    """Empty when packs give what the model's own forward pass gives, else the reason in a few words."""
    reason = _measure(model, max_length, 0, fused)
    return _measure(model, max_length, 1, fused) if reason.startswith(DIFFER) else reason


def _measure(model: PreTrainedModel, max_length: int, attempt: int, fused: bool) -> str:
    config = model.config.get_text_config()
    odd = set(getattr(config, "layer_types", None) or ()) - KNOWN_LAYERS
    if odd:
        return f"it has layers of type {', '.join(sorted(odd))}"
    pairs = sample(config.vocab_size, max(2, min(max_length, 56)), attempt)
    packed: dict[int, Scored] = {}
    seen: dict[int, list[int]] = {}
    try:
        with windows_seen(seen), Forward(model, 24, tree_tokens=8, fused=fused) as forward:
            score_pairs(forward, pairs, packed.__setitem__)
            seen.clear()  # one pass, to see each layer attend once
            score_pairs(forward, [((1, 2), (3,))], lambda *_: None)
    except Exception as error:  # whatever an architecture does with an unusual call, plain batching is the answer
        if not seen:
            return "its attention is not transformers' common one"
        return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
    if set(seen) != set(range(config.num_hidden_layers)):
        return "not all of its layers use transformers' common attention"
    for layer, windows in seen.items():
        if len(windows) > 1:
            return f"layer {layer} attends {len(windows)} times"
        if _slides(config, layer) != bool(windows[0]):
            return f"layer {layer} does not say how far it sees"
    worst, noise = against_own(model, pairs)
    gap = worst([packed[at][0] for at in range(len(pairs))])
    floor, most = (2e-3, 2e-2) if model.dtype in EXACT else (2e-2, 0.5)
    if not gap <= min(most, max(floor, NOISE * noise)):
        return f"{DIFFER} {gap:.2g} nats a token"
    return ""


def how_to_branch(model: PreTrainedModel, max_length: int) -> str:
    """Which of ``branches.WAYS`` a model without packs goes on by from a copied state; "" where it cannot."""
    pairs = sample(model.config.get_text_config().vocab_size, max(4, min(max_length, 56)))
    shared = pairs[0][0]
    single = [((*shared[:-1], token), (token,)) for token in shared[:3]]  # of which one token each is their own
    judged = [(some, *against_own(model, some)) for some in (pairs, single)]
    floor, most = (1e-4, 2e-3) if model.dtype in EXACT else (2e-2, 0.5)
    noise = max(noise for _, _, noise in judged)
    return branches.how(model, [(some, gap) for some, gap, _ in judged], min(most, max(floor, NOISE * noise)))


def against_own(model: PreTrainedModel, pairs: Sequence[Pair]) -> tuple[branches.Gap, float]:
    """What says how far log-probabilities of ``pairs`` are from the model's own, a token; and by how much those vary.

    The variation is that of two plain passes, of other shapes and, in exact types, with embeddings a last place apart:
    a model that turns rounding into 3e-4 nats cannot be held to a tenth of it. NaN is the farthest.
    """
    own = plain.score_pairs(model, pairs, 1 << 16)
    with _last_place(model):
        twos = plain.score_pairs(model, pairs, 2 * max(len(context) + len(option) for context, option in pairs))

    def worst(other: list[float]) -> float:
        gaps = [abs(a[0] - b) / len(pair[1]) for a, b, pair in zip(own, other, pairs, strict=True)]
        return max(gaps, key=lambda gap: (gap != gap, gap))

    return worst, worst([logprob for logprob, _ in twos])


@contextmanager
def _last_place(model: PreTrainedModel) -> Iterator[None]:
    """Input embeddings half a last place up and down in turn, in types that are exact enough for it to be rounding."""
    if model.dtype not in EXACT:
        yield
        return
    step = torch.finfo(model.dtype).eps

    def moved(_: object, __: object, out: Tensor) -> Tensor:
        signs = torch.ones(out.shape[-1], dtype=out.dtype, device=out.device)
        signs[::2] = -1
        return out * (1 + step * signs)

    handle = model.get_input_embeddings().register_forward_hook(moved)
    try:
        yield
    finally:
        handle.remove()


def sample(vocabulary: int, length: int, attempt: int = 0) -> list[Pair]:
    """Pairs that branch early and late, of up to ``length`` tokens, the same for every model of a vocabulary."""
    ids = [(7919 * i + 31 + 1009 * attempt) % vocabulary for i in range(4 * length)]
    shots = ids[: length // 2]
    pairs = []
    for question in range(3):
        begin = length + question * length // 8
        context = (*shots, *ids[begin : begin + length // 4 + question])
        for option in range(3):
            at = 2 * length + 3 * option
            pairs.append((context, tuple(ids[at : at + 1 + option])))
    pairs += [((ids[0],), (ids[1],)), ((ids[2],), (ids[3],))]
    return pairs


def is_causal(model: PreTrainedModel) -> bool:
    """Whether what comes later, and how much of it, leaves earlier positions alone, as it must in a causal model.

    How much is looked at in float32 only: passes of other lengths differ by much in half precision.
    """
    vocabulary = model.config.get_text_config().vocab_size
    ids = [(7919 * i + 31) % vocabulary for i in range(8)]
    rows = torch.tensor([ids, [*ids[:-1], (ids[-1] + 1) % vocabulary]], device=model.device)
    with torch.inference_mode():
        logprobs = torch.log_softmax(model(input_ids=rows, use_cache=False).logits[:, :-1].float(), dim=-1)
        if model.dtype in EXACT:
            fewer = torch.log_softmax(model(input_ids=rows[:1, :5], use_cache=False).logits[0].float(), dim=-1)
            if float((fewer - logprobs[0, :5]).abs().max()) > 1e-2:
                return False
    return not float((logprobs[0] - logprobs[1]).abs().max()) > (1e-4 if model.dtype in EXACT else 2e-2)


def _slides(config: Any, layer: int) -> bool:
    kinds = getattr(config, "layer_types", None)
    if kinds:
        return bool(kinds[layer] == "sliding_attention")
    return bool(getattr(config, "sliding_window", None)) and getattr(config, "use_sliding_window", True) is not False
