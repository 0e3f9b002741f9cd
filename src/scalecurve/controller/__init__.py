"""WHAT decides whether a fast answer is kept, thought about slowly, or taken to a larger rung; and which one stays.

``Signals`` is what is known before any slow token is spent, ``Afterthoughts`` what a slow answer adds. A ``Controller``
reads both. It is plain numbers, saved as JSON, and the same object decides in replays of stored answers
(``scalecurve.thinking``) and while a model answers (``scalecurve.prompts.reason``). Fitting one is done elsewhere.
"""

from scalecurve.controller.fitted import Logistic, LogLinear, Space
from scalecurve.controller.policies import Calibrated, Learned, Policy, Threshold
from scalecurve.controller.signals import Afterthoughts, Signals, confidence_of, said, signals_of
from scalecurve.controller.stored import Controller, Controllers, Gate, load_controllers

__all__ = [
    "Afterthoughts",
    "Calibrated",
    "Controller",
    "Controllers",
    "Gate",
    "Learned",
    "LogLinear",
    "Logistic",
    "Policy",
    "Signals",
    "Space",
    "Threshold",
    "confidence_of",
    "load_controllers",
    "said",
    "signals_of",
]
