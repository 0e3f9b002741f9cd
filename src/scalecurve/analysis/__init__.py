"""What scores by scale mean: curves, their descriptors, and verdicts with a measured error rate."""

from scalecurve.analysis.compare.belief import belief_effects
from scalecurve.analysis.compare.gaps import gap_curves, gap_scores, gap_table
from scalecurve.analysis.compare.inverse import (
    classification_loss,
    log_odds,
    log_odds_shift,
    sequence_loss,
    trend_test,
)
from scalecurve.analysis.compare.unlock import simultaneous, unlock
from scalecurve.analysis.forecast.ability import by_ability
from scalecurve.analysis.forecast.backtest import backtest, pit_histogram, summarise
from scalecurve.analysis.forecast.forecast import forecast
from scalecurve.analysis.forecast.rank import decisions, rank
from scalecurve.analysis.gather import axis_of, by_axis, curves_from_frame
from scalecurve.analysis.probes import Probe, appears_at, ladder, probe_curves, probe_scores, read_probes
from scalecurve.analysis.stats.descriptors import breakthroughness, linearity, noise_null, noise_p_values
from scalecurve.analysis.stats.errors import benjamini_hochberg, chance_level, flatness, holm, standard_error
from scalecurve.analysis.verdicts.artefact import artefact_check, decomposition
from scalecurve.analysis.verdicts.judge import judge
from scalecurve.analysis.verdicts.table import judge_all
from scalecurve.schema import AXES

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
    "by_ability",
    "by_axis",
    "chance_level",
    "classification_loss",
    "curves_from_frame",
    "decisions",
    "decomposition",
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
    "pit_histogram",
    "probe_curves",
    "probe_scores",
    "rank",
    "read_probes",
    "sequence_loss",
    "simultaneous",
    "standard_error",
    "summarise",
    "trend_test",
    "unlock",
]
