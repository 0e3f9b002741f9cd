"""WHEN to think: a quick answer, a slow one, and the controller that chooses; judged on stored outputs.

``Pairs`` holds fast and slow answers to the same questions. A controller is fitted on some of them (``policies``) and
replayed on others (``replay``) without any model.
"""

from scalecurve.metrics.ranking import auroc, risk_coverage
from scalecurve.thinking.measures import FlipMatrix, calibration_error, flip_matrix
from scalecurve.thinking.pairs import Pairs, read_bbh_outputs, read_run_pairs
from scalecurve.thinking.policies import Controller, budgeted, calibrated, learned, threshold
from scalecurve.thinking.replay import Outcome, baselines, front, replay

__all__ = [
    "Controller",
    "FlipMatrix",
    "Outcome",
    "Pairs",
    "auroc",
    "baselines",
    "budgeted",
    "calibrated",
    "calibration_error",
    "flip_matrix",
    "front",
    "learned",
    "read_bbh_outputs",
    "read_run_pairs",
    "replay",
    "risk_coverage",
    "threshold",
]
