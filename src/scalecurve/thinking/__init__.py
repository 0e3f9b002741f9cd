"""WHEN to think: a quick answer, a slow one, and the controller that chooses.

``Thinker`` does it live. ``Pairs`` holds stored fast and slow answers to the same questions: a controller is fitted on
some of them (``policies``) and replayed on others (``replay``, ``evaluate``) without any model.
"""

from scalecurve.metrics.ranking import auroc, risk_coverage
from scalecurve.thinking.evaluate import RungReport, evaluate_run, fit_run, save_controllers
from scalecurve.thinking.measures import FlipMatrix, calibration_error, flip_matrix
from scalecurve.thinking.pairs import Pairs, read_bbh_outputs, read_run_pairs
from scalecurve.thinking.policies import budgeted, calibrated, learned, threshold, thrifty
from scalecurve.thinking.replay import Estimate, Outcome, baselines, front, replay
from scalecurve.thinking.thinker import Inquiry, Thinker

__all__ = [
    "Estimate",
    "FlipMatrix",
    "Inquiry",
    "Outcome",
    "Pairs",
    "RungReport",
    "Thinker",
    "auroc",
    "baselines",
    "budgeted",
    "calibrated",
    "calibration_error",
    "evaluate_run",
    "fit_run",
    "flip_matrix",
    "front",
    "learned",
    "read_bbh_outputs",
    "read_run_pairs",
    "replay",
    "risk_coverage",
    "save_controllers",
    "threshold",
    "thrifty",
]
