"""What one companion says of a jump, worked out by hand."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from scalecurve.analysis import artefact_check, decomposition
from scalecurve.analysis.verdicts.artefact import CompanionFinding, examine, jumped
from scalecurve.analysis.verdicts.evidence import prepare
from scalecurve.analysis.verdicts.reasons import Reason, say
from scalecurve.types import Verdict

from .helpers import curve_of

STEP = [0.25, 0.25, 0.26, 0.25, 0.55, 0.75, 0.80, 0.82]  # four scales on the floor, three tenths of a decade apart
CALM = (-3.0, -3.01, -2.99, -3.0, -1.8, -1.2, -1.0, -0.9)  # bends where the score does
JUMP = Verdict("emergent", threshold=10**7.5, artefact="untested", reasons=(Reason("sentence", ("It jumps.",)),))


def companion(y, metric="target_logprob", se=0.02, **changes):
    return curve_of(y, None, se=tuple(np.broadcast_to(se, len(y)).tolist()), metric=metric, **changes)


# ── One finding ──────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("gain", "pace", "bends", "near", "says"),
    [
        (3.0, 0.1, False, False, "metric-artefact"),
        (2.99, 0.9, False, False, "undetermined"),
        (3.0, 0.5, True, True, "metric-artefact"),
        (3.0, 0.49, True, True, "metric-robust"),
        (0.0, 0.49, True, True, "metric-robust"),
        (0.0, 0.5, True, True, "undetermined"),
        (0.0, 0.1, True, False, "undetermined"),
        (0.0, 0.1, False, True, "undetermined"),
        (9.0, 0.1, True, False, "undetermined"),
    ],
)
def test_what_a_finding_says(gain, pace, bends, near, says):
    assert CompanionFinding("m", gain, pace, bends, near).says == says


def test_gain_and_pace_on_the_floor():
    other = companion([-3.0, -2.5, -2.8, -2.4, -1.5, -1.2, -1.0, -0.9], se=(0.3, 0.1, 0.1, 0.4, 0.1, 0.1, 0.1, 0.2))
    found = examine(curve_of(STEP), other)
    assert found.floor_gain == pytest.approx(0.6 / 0.5)
    assert found.pace == pytest.approx((0.6 / 3) / (2.1 / 7))
    turned = replace(other, y=tuple(-v for v in other.y), higher_is_better=False)
    assert examine(curve_of(STEP), turned).floor_gain == pytest.approx(1.2)
    shuffled = replace(other, rungs=other.rungs[::-1], x=other.x[::-1], y=other.y[::-1], se=other.se[::-1])
    assert examine(curve_of(STEP), shuffled) == found


def test_items_say_how_sure_the_gain_on_the_floor_is():
    """What items share cancels in the difference of two models."""
    rng = np.random.default_rng(0)
    items = (
        rng.normal(0, 1, (400, 1))
        + rng.normal(0, 0.2, (400, 8))
        + np.array([-3.0, -2.5, -2.8, -2.4, -1.5, -1.2, -1, -0.9])
    )
    y, se = items.mean(axis=0), items.std(axis=0, ddof=1) / 20
    other = companion(y, se=se)
    spread = (items[:, 3] - items[:, 0]).std(ddof=1) / 20
    paired = examine(curve_of(STEP), other, prepare(other, items))
    assert paired.floor_gain == pytest.approx((y[3] - y[0]) / spread, rel=0.02)
    assert paired.floor_gain > 3 * examine(curve_of(STEP), other).floor_gain


def test_a_companion_that_falls_over_all_has_no_pace():
    assert examine(curve_of(STEP), companion(np.linspace(-1, -4, 8))).pace == 0


@pytest.mark.parametrize(
    ("y", "near"),
    [
        ([0, 0, 1, 1, 1, 1, 1, 1], False),
        ([0, 0, 0, 1, 1, 1, 1, 1], True),  # up to one interval before the score leaves the floor
        (STEP, True),
        ([0, 0, 0, 0, 0, 1, 1, 1], True),
        ([0, 0, 0, 0, 0, 0, 1, 1], False),
    ],
)
def test_a_bend_is_near_within_an_interval_of_the_jump(y, near):
    assert examine(curve_of(STEP), companion(y)).near is near


def test_whether_a_companion_bends_is_a_question_of_its_own_errors():
    assert examine(curve_of(STEP), companion(CALM)).bends
    assert not examine(curve_of(STEP), companion(CALM, se=3.0)).bends


@pytest.mark.parametrize(("y", "floor"), [([0.25, 0.5, 0.6, 0.7, 0.8], 1), ([0.25] * 5, 5)])
def test_without_a_floor_and_a_rise_there_is_nothing_to_examine(y, floor):
    assert examine(curve_of(y), companion(np.linspace(-4, -1, 5))) is None


def test_two_points_make_a_floor():
    found = examine(curve_of([0.25, 0.25, 0.6, 0.7, 0.8]), companion([-4.0, -3.0, -2.0, -1.0, 0.0], se=0.5))
    assert found.floor_gain == pytest.approx(1 / 0.5**0.5)
    assert found.pace == pytest.approx(1)


def test_a_companion_must_have_every_rung_that_counts_and_its_errors():
    curve, other = curve_of(STEP), companion(CALM)
    short = replace(other, rungs=other.rungs[:5] + other.rungs[6:], x=other.x[:5] + other.x[6:], n=other.n[1:])
    short = replace(short, y=other.y[:5] + other.y[6:], se=other.se[:5] + other.se[6:])
    assert examine(curve, short) is None
    assert examine(curve, short, outlier=5) is not None
    assert examine(curve, replace(other, se=(*other.se[:-1], float("nan")))) is None


def test_an_outlier_is_left_out_of_the_floor():
    odd = curve_of([0.25, 0.25, 0.60, 0.25, 0.55, 0.75, 0.80, 0.82])
    other = companion([-3.0, -3.0, 9.0, -2.0, -1.5, -1.2, -1.0, -0.9], se=(0.3, 0.1, 9.0, 0.4, 0.1, 0.1, 0.1, 0.2))
    assert examine(odd, other, outlier=2).floor_gain == pytest.approx(1.0 / 0.5)
    assert examine(odd, other).floor_gain == pytest.approx(0)  # its first two points alone


# ── Several findings ─────────────────────────────────────────────────────────────────────────────────────────
WRITTEN = [0.0, 0.0, 0.01, 0.0, 0.40, 0.65, 0.70, 0.75]  # exact match of written answers: no options


def written(**changes):
    return curve_of(WRITTEN, 0.0, **changes)


def test_findings_are_told_in_plain_words():
    climbs, calm = companion(np.linspace(-4, -1, 8), "correct_logprob"), companion(CALM)
    checked = artefact_check(written(), JUMP, [calm, climbs])
    assert [str(reason) for reason in checked.reasons] == [
        "It jumps.",
        "target_logprob does not surely move before the score rises.",
        "target_logprob changes its course where the score rises.",
        "correct_logprob already improves before the score rises (45.5 standard errors, 100% of its overall pace).",
        "correct_logprob shows no clear change of course: a straight line explains it about as well.",
    ]
    assert (checked.artefact, checked.flags) == ("undetermined", ())
    late = artefact_check(written(), JUMP, [companion([0, 0, 0, 0, 0, 0, 1, 2], se=0.01)])
    assert "target_logprob changes its course elsewhere." in [str(reason) for reason in late.reasons]


def test_a_companion_that_gets_worse_first_is_not_said_to_stand_still():
    falls = companion([-5.7, -8, -11, -14.5, -9, -4, -1, -0.5])
    checked = artefact_check(written(), JUMP, [falls])
    assert "target_logprob worsens from -5.7 to -14.5 before the score rises." in map(str, checked.reasons)
    assert "target_logprob 从 -5.7 变差至 -14.5" in say(checked.reasons[1], "zh")
    loss = companion([5.7, 8, 11, 14.5, 9, 4, 1, 0.5], "loss", higher_is_better=False)
    said = [str(reason) for reason in artefact_check(written(), JUMP, [loss]).reasons]
    assert "loss worsens from 5.7 to 14.5 before the score rises." in said


def test_one_companion_alone_never_decides():
    climbs, calm = companion(np.linspace(-4, -1, 8)), companion(CALM)
    for alone in (climbs, calm):
        checked = artefact_check(written(), replace(JUMP, flags=("unpaired",)), [alone])
        assert (checked.artefact, checked.flags) == ("undetermined", ("unpaired", "one-companion"))
    edit = replace(climbs, metric="edit_similarity")
    assert artefact_check(written(), JUMP, [climbs, edit]).artefact == "metric-artefact"
    assert artefact_check(written(), JUMP, [calm, replace(calm, metric="edit_similarity")]).artefact == "metric-robust"
    assert artefact_check(written(), JUMP, [climbs, edit, replace(calm, metric="bleu")]).artefact == "undetermined"


def test_companions_of_options_must_be_normalised_over_them():
    """The log-probability of every option rises with fluency; that says nothing of a choice."""
    climbs = companion(np.linspace(-4, -1, 8))
    fluent = [climbs, replace(climbs, metric="correct_logprob")]
    checked = artefact_check(curve_of(STEP), JUMP, fluent)
    assert checked.artefact == "undetermined"
    assert "rises with fluency" in str(checked.reasons[1])
    margin = [companion(CALM, "option_probability"), companion(CALM, "brier")]
    assert artefact_check(curve_of(STEP), JUMP, [*fluent, *margin]).artefact == "metric-robust"


def test_evidence_and_the_outlier_reach_the_examination():
    climbs = companion(np.linspace(-4, -1, 8))
    edit = replace(climbs, metric="edit_similarity")
    vague = prepare(replace(climbs, se=(3.0,) * 8))
    assert artefact_check(written(), JUMP, [climbs, edit]).artefact == "metric-artefact"
    assert artefact_check(written(), JUMP, [climbs, edit], {"target_logprob": vague}).artefact == "undetermined"
    short = [replace(each, rungs=("other", *each.rungs[1:])) for each in (climbs, edit)]
    assert artefact_check(written(), JUMP, short).artefact == "untested"
    assert artefact_check(written(), JUMP, short, outlier=0).artefact == "metric-artefact"


@pytest.mark.parametrize(
    ("shape", "sublabel", "jumps"),
    [
        ("emergent", "", True),
        ("late", "", True),
        ("inconclusive", "emergent", True),
        ("inconclusive", "late", True),
        ("smooth", "late-onset", True),  # as runs made before have it
        ("smooth", "concave", False),
        ("flat", "", False),
    ],
)
def test_what_counts_as_a_jump(shape, sublabel, jumps):
    verdict = Verdict(shape, sublabel, threshold=1e7, artefact="untested")
    calm = [companion(CALM), companion(CALM, "edit_similarity")]
    assert jumped(verdict) is jumps
    assert artefact_check(written(), verdict, calm).artefact == ("metric-robust" if jumps else "")
    assert artefact_check(written(), replace(verdict, threshold=None), calm).artefact == ""
    assert artefact_check(written(), replace(verdict, artefact=""), []).artefact == ("untested" if jumps else "")


# ── Tables ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_every_column_of_the_decomposition():
    curve = curve_of([0.2, 0.6, 0.4], x=[1e6, 1e7, 1e8])
    loss = companion([3.0, 1.0, 2.0], "loss", 0.1, x=[1e6, 1e7, 1e8], higher_is_better=False)
    still = companion([0.5, 0.5, 0.5], "bleu", 0.1, x=[1e6, 1e7, 1e8])
    own = {"family": "f", "task": "t", "strategy": "direct", "shots": 0, "metric": "target_logprob"}
    values = [("r0", 0.1), ("r0", 0.3), ("r0", None), ("r1", 0.6)]  # the third rung has none
    scores = pl.DataFrame([own | {"rung": r, "value": None if p is None else float(np.log(p))} for r, p in values])
    other = scores.with_columns(task=pl.lit("another"), value=pl.lit(0.0))
    table = decomposition(curve, [loss, still], pl.concat([scores, other]))
    se = curve.se
    expected = [
        ("exact_match", "score", "r0", 1e6, 0.2, se[0], 0.0),
        ("exact_match", "score", "r1", 1e7, 0.6, se[1], 1.0),
        ("exact_match", "score", "r2", 1e8, 0.4, se[2], 0.5),
        ("loss", "companion", "r0", 1e6, 3.0, 0.1, 0.0),
        ("loss", "companion", "r1", 1e7, 1.0, 0.1, 1.0),
        ("loss", "companion", "r2", 1e8, 2.0, 0.1, 0.5),
        *(("bleu", "companion", f"r{i}", 10.0 ** (6 + i), 0.5, 0.1, None) for i in range(3)),
        ("p^T", "account", "r0", 1e6, 0.2, None, 0.0),
        ("p^T", "account", "r1", 1e7, 0.6, None, 1.0),
    ]
    assert table.columns == ["metric", "role", "rung", "x", "y", "se", "share"]
    for found, row in zip(table.iter_rows(), expected, strict=True):
        assert found[:3] == row[:3]
        assert found[3:] == pytest.approx(row[3:])
    assert decomposition(curve, [], other).height == 3
    flat = decomposition(curve, [], scores.filter(pl.col("rung") == "r1"))
    assert flat.row(-1) == ("p^T", "account", "r1", 1e7, pytest.approx(0.6), None, None)
