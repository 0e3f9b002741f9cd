"""Fast or slow, which rung, or no answer at all.

``FastFeatures`` is what is known before any slow token is spent, ``SlowFeatures`` what a slow answer adds. A
``Controller`` reads both. It is plain numbers, saved as JSON, and the same object decides in replays of stored answers
(``replay``, ``evaluate``) and while a model answers (``router``). ``Pairs`` holds stored fast and slow answers to the
same questions: a controller is fitted on some of them (``fit``) and replayed on others without any model.
"""

from scalecurve.metrics.ranking import auroc, risk_coverage
from scalecurve.routing.answer_pairs import Pairs, read_run_pairs
from scalecurve.routing.controllers import Controller, Controllers, Gate, load_controllers
from scalecurve.routing.evaluate import RungReport, evaluate_run, fit_run, save_controllers
from scalecurve.routing.features import FastFeatures, SlowFeatures, confidence_of, fast_features_of, said
from scalecurve.routing.fit import budgeted, calibrated, learned, threshold, thrifty
from scalecurve.routing.measures import FlipMatrix, calibration_error, flip_matrix
from scalecurve.routing.policies import Calibrated, Learned, Policy, Threshold
from scalecurve.routing.regression import FeatureSpace, Logistic, LogLinear
from scalecurve.routing.replay import MeanInterval, ReplayOutcome, baselines, front, replay
from scalecurve.routing.router import Inquiry, Thinker

__all__ = [
    "Calibrated",
    "Controller",
    "Controllers",
    "FastFeatures",
    "FeatureSpace",
    "FlipMatrix",
    "Gate",
    "Inquiry",
    "Learned",
    "LogLinear",
    "Logistic",
    "MeanInterval",
    "Pairs",
    "Policy",
    "ReplayOutcome",
    "RungReport",
    "SlowFeatures",
    "Thinker",
    "Threshold",
    "auroc",
    "baselines",
    "budgeted",
    "calibrated",
    "calibration_error",
    "confidence_of",
    "evaluate_run",
    "fast_features_of",
    "fit_run",
    "flip_matrix",
    "front",
    "learned",
    "load_controllers",
    "read_run_pairs",
    "replay",
    "risk_coverage",
    "said",
    "save_controllers",
    "threshold",
    "thrifty",
]
