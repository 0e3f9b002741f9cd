"""Names that several tables share."""

AXES = ("params_non_embedding", "params_total", "training_flops", "training_tokens", "step", "epoch", "loss")
"""What a curve can be drawn against: columns of ``curves.parquet`` and fields of a rung."""

ANSWER_TOKENS = "answer_tokens"
"""Tokens that a model writes for an answer, steps and thinking included: what it is given at answer time."""

CURVE_AXES = (*AXES, ANSWER_TOKENS)
"""Axes of a curve: a rung's, and what answers were given (``analysis.effort``)."""

CURVE_KEY = ("family", "task", "strategy", "shots", "metric")
"""What tells one curve from another."""

BOUNDS = ("censored", "all_wrong", "all_right")
"""Of a point: answers that a limit cut off, and the score with all of them wrong, and right."""

POINT_KEY = (*CURVE_KEY, "rung")
"""What tells one point of a curve from another."""
