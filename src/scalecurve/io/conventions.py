"""Conventions of results measured elsewhere: what is a number, what stands for none, and which way a metric counts."""

from __future__ import annotations

import math
import re
from functools import cache

_LOWER = re.compile(
    r"(^|_)(ppl|perplexity|bits_per_byte|bpb|brier|loss|nll|wer|cer|ter|mae|mse|rmse|ece|calibration_error|error"
    r"|error_rate|edit_distance|distance|cross_entropy|xent|hallucination|hallucination_rate|toxicity|toxic_frac|likelihood_diff|likelihood_difference|pct_stereotype)(_|$)"
)
_SHARE = re.compile(
    r"(^|_)(acc|accuracy|em|exact_match|match|f1|recall|precision|pass@\d+|mc1|mc2|includes|correct|solved|resolved"
    r"|success_rate|win_rate|pass_rate|accuracies|mc1_targets|mc2_targets)(_|$)"
)
_MISSING = frozenset(
    '"" - – — -- … ... ? / nan n/a n.a. na null none #n/a #div/0! #value! oom tbd todo pending failed error timeout '
    "missing 无 缺失 未测 暂无 失败".replace('""', "").split()
) | {""}
PERPLEXITIES = re.compile(r"(^|_)(ppl|perplexity)(_|$)")
"""Metrics that are at least 1 and no share of anything."""


def finite(value: object) -> float | None:
    """A finite number, or None for anything else ("N/A", NaN, missing)."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a whole number of more than 308 digits
        return None


def item_score(value: object) -> float | None:
    """An item's score: ``finite``, and booleans as 0 and 1."""
    return float(value) if isinstance(value, bool) else finite(value)


@cache
def higher_is_better(metric: str) -> bool:
    """Which way a metric counts, by its name (what stands before a comma)."""
    return not _LOWER.search(metric.partition(",")[0].lower())


@cache
def is_share(metric: str) -> bool:
    """Whether a metric is a share of items by definition, by its name."""
    name = metric.partition(",")[0].lower()
    return bool(_SHARE.search(name)) and not _LOWER.search(name) and not name.endswith(("_pct", "_percent"))


def missing_mark(value: object) -> bool:
    """Whether a text stands for a score that is not there."""
    return isinstance(value, str) and value.strip().lower() in _MISSING


def safe_name(name: str) -> str:
    """lm-evaluation-harness's rule for folders, and ours for samples; a NUL, which no name can hold, goes too."""
    return re.sub(r"[\"<>:/|\\?*\[\]\0]+", "__", name)


def words(text: str) -> int:
    """The length of a text whose tokens were not counted."""
    return len(text.split())
