"""What scores by scale mean: curves, their descriptors, and verdicts with a measured error rate."""

from scalecurve.curves.artefact import artefact_check, decomposition, exact_match_account
from scalecurve.curves.backtest import backtest, summarise
from scalecurve.curves.belief import belief_effects
from scalecurve.curves.descriptors import breakthroughness, linearity, noise_null, noise_p_values
from scalecurve.curves.errors import benjamini_hochberg, chance_level, flatness, holm, standard_error
from scalecurve.curves.forecast import forecast
from scalecurve.curves.gaps import gap_curves, gap_scores, gap_table
from scalecurve.curves.gather import AXES, axis_of, curves_from_frame
from scalecurve.curves.inverse import (
    classification_loss,
    log_odds,
    log_odds_shift,
    sequence_loss,
    trend_test,
)
from scalecurve.curves.judge import judge
from scalecurve.curves.pool import pool_repeats, pool_subtasks
from scalecurve.curves.probes import Probe, appears_at, ladder, probe_curves, probe_scores, read_probes
from scalecurve.curves.table import judge_all
from scalecurve.curves.unlock import extraction_explains, simultaneous, unlock

__all__ = [
    "AXES",
    "Probe",
    "appears_at",
    "artefact_check",
    "axis_of",
    "backtest",
    "belief_effects",
    "benjamini_hochberg",
    "breakthroughness",
    "chance_level",
    "classification_loss",
    "curves_from_frame",
    "decomposition",
    "exact_match_account",
    "extraction_explains",
    "flatness",
    "forecast",
    "gap_curves",
    "gap_scores",
    "gap_table",
    "holm",
    "judge",
    "judge_all",
    "ladder",
    "linearity",
    "log_odds",
    "log_odds_shift",
    "noise_null",
    "noise_p_values",
    "pool_repeats",
    "pool_subtasks",
    "probe_curves",
    "probe_scores",
    "read_probes",
    "sequence_loss",
    "simultaneous",
    "standard_error",
    "summarise",
    "trend_test",
    "unlock",
]
