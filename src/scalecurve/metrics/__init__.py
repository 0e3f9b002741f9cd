"""What an answer is worth: one function a metric, from an Example and an Answer to a value."""

from scalecurve.metrics.bounds import bounds
from scalecurve.metrics.registry import (
    Corpus,
    Metric,
    aggregate,
    all_metrics,
    get_metric,
    held,
    metric,
    needed,
    refusal,
    score,
    summary,
)

METRICS = all_metrics()

__all__ = [
    "METRICS",
    "Corpus",
    "Metric",
    "aggregate",
    "bounds",
    "get_metric",
    "held",
    "metric",
    "needed",
    "refusal",
    "score",
    "summary",
]
