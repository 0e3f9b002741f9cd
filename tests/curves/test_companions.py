"""What one companion says of a jump, worked out by hand."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from scalecurve.curves import artefact_check, decomposition, exact_match_account
from scalecurve.curves.artefact import CompanionFinding, examine, jumped
from scalecurve.nouns import Verdict

from .helpers import curve_of

STEP = [0.25, 0.25, 0.26, 0.25, 0.55, 0.75, 0.80, 0.82]  # four scales on the floor, three tenths of a decade apart
CALM = (-3.0, -3.01, -2.99, -3.0, -1.8, -1.2, -1.0, -0.9)  # bends where the score does
JUMP = Verdict("emergent", threshold=10**7.5, artefact="untested", reasons=("It jumps.",))


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
    assert CompanionFinding("m", gain, pace, bends, near, False).says == says


def test_gain_and_pace_on_the_floor():
    other = companion([-3.0, -2.5, -2.8, -2.4, -1.5, -1.2, -1.0, -0.9], se=(0.3, 0.1, 0.1, 0.4, 0.1, 0.1, 0.1, 0.2))
    found = examine(curve_of(STEP), other)
    assert found.floor_gain == pytest.approx(0.6 / 0.5)
    assert found.pace == pytest.approx((0.6 / 3) / (2.1 / 7))
    turned = replace(other, y=tuple(-v for v in other.y), higher_is_better=False)
    assert examine(curve_of(STEP), turned).floor_gain == pytest.approx(1.2)
    shuffled = replace(other, rungs=other.rungs[::-1], x=other.x[::-1], y=other.y[::-1], se=other.se[::-1])
    assert examine(curve_of(STEP), shuffled) == found


def test_copies_say_how_sure_the_gain_on_the_floor_is():
    other = companion([-3.0, -2.5, -2.8, -2.4, -1.5, -1.2, -1.0, -0.9])
    copies = np.array(other.y) + np.random.default_rng(0).normal(0, 0.3, (500, 8))
    spread = (copies[:, 3] - copies[:, 0]).std()
    assert examine(curve_of(STEP), other, copies).floor_gain == pytest.approx(0.6 / spread)
    hundredths = replace(other, y=tuple(100 + 10 * v for v in other.y), ceiling=100.0)  # judged on a scale to 1
    assert examine(curve_of(STEP), hundredths, 100 + 10 * copies).floor_gain == pytest.approx(0.6 / spread)
    same = np.tile(np.array(other.y), (5, 1))  # copies that never vary say nothing
    assert examine(curve_of(STEP), other, same).floor_gain == examine(curve_of(STEP), other).floor_gain


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
    short = replace(other, rungs=other.rungs[:5] + other.rungs[6:], x=other.x[:5] + other.x[6:])
    short = replace(short, y=other.y[:5] + other.y[6:], se=other.se[:5] + other.se[6:])
    assert examine(curve, short) is None
    assert examine(curve, short, outlier=5) is not None
    assert examine(curve, replace(other, se=(*other.se[:-1], float("nan")))) is None


def test_an_outlier_is_left_out_of_the_floor():
    odd = curve_of([0.25, 0.25, 0.60, 0.25, 0.55, 0.75, 0.80, 0.82])
    other = companion([-3.0, -3.0, 9.0, -2.0, -1.5, -1.2, -1.0, -0.9], se=(0.3, 0.1, 9.0, 0.4, 0.1, 0.1, 0.1, 0.2))
    assert examine(odd, other, outlier=2).floor_gain == pytest.approx(1.0 / 0.5)
    assert examine(odd, other).floor_gain == pytest.approx(0)  # its first two points alone


# ── The link ─────────────────────────────────────────────────────────────────────────────────────────────────
DRIVE = np.linspace(-6, 3, 8)


def logistic(height, chance=0.25):
    return chance + height / (1 + np.exp(-2 * DRIVE))


@pytest.mark.parametrize(
    ("low", "high", "ceiling"), [(0.25, 1.0, 1.0), (0.25, 0.9, 0.9), (0.25, 1.0, None), (0.0, 1.0, 1.0)]
)
def test_a_logistic_link_explains_what_follows_it(low, high, ceiling):
    y = logistic(high - low, low)
    linked = examine(curve_of(y, low, ceiling=ceiling), companion(DRIVE))
    assert linked.explains
    for off, explained in ((1.9, True), (2.1, False), (-1.9, True), (-2.1, False)):
        se = (0.01,) * 8
        moved = curve_of([*y[:-1], y[-1] + off * 0.01], low, ceiling=ceiling, se=se)
        assert examine(moved, companion(DRIVE)).explains is explained


def test_a_companion_that_stands_still_until_the_last_explains_nothing():
    assert not examine(curve_of(STEP), companion([-3.0] * 7 + [-1.0])).explains


# ── Several findings ─────────────────────────────────────────────────────────────────────────────────────────
def test_findings_are_told_in_plain_words():
    curve = curve_of(STEP)
    climbs, calm = companion(np.linspace(-4, -1, 8), "correct_logprob"), companion(CALM)
    early = companion([0, 0.4, 0.9, 1, 1, 1, 1, 1], "soft")
    checked = artefact_check(curve, JUMP, [calm, climbs, early])
    assert checked.reasons == (
        "It jumps.",
        "target_logprob hardly moves where the score is at chance and bends where the score jumps.",
        "correct_logprob already improves where the score is at chance (45.5 standard errors, 100% of its overall "
        "pace) and has no bend of its own.",
        checked.reasons[3],
    )
    assert checked.reasons[3].startswith("soft already improves where the score is at chance (35.4 standard errors, ")
    assert checked.flags == ()
    assert artefact_check(curve, JUMP, [calm]).flags == ("one-companion",)
    assert artefact_check(curve, replace(JUMP, flags=("unpaired",)), [calm]).flags == ("unpaired", "one-companion")


def test_a_bend_elsewhere_is_said_to_be_elsewhere():
    (_, said) = artefact_check(curve_of(STEP), JUMP, [companion([0, 0, 0, 0, 0, 0, 1, 2], se=0.01)]).reasons
    assert said == "target_logprob hardly moves where the score is at chance and bends elsewhere."


def test_undetermined_companions_leave_the_word_to_the_others():
    curve = curve_of(STEP)
    unclear = companion([-3.0, -2.9, -3.1, -3.0, -2.9, -3.0, -3.1, -2.9], "brier", 0.5)
    assert artefact_check(curve, JUMP, [unclear]).artefact == "undetermined"
    assert artefact_check(curve, JUMP, [unclear, companion(CALM)]).artefact == "metric-robust"
    assert artefact_check(curve, JUMP, [companion(np.linspace(-4, -1, 8)), unclear]).artefact == "metric-artefact"


def test_copies_and_the_outlier_reach_the_examination():
    climbs = companion(np.linspace(-4, -1, 8))
    copies = np.array(climbs.y) + np.random.default_rng(0).normal(0, 2.0, (500, 8))
    assert artefact_check(curve_of(STEP), JUMP, [climbs]).artefact == "metric-artefact"
    assert artefact_check(curve_of(STEP), JUMP, [climbs], {"target_logprob": copies}).artefact == "undetermined"
    assert artefact_check(curve_of(STEP), JUMP, [climbs], {"brier": copies}).artefact == "metric-artefact"
    short = replace(climbs, rungs=("other", *climbs.rungs[1:]))
    assert artefact_check(curve_of(STEP), JUMP, [short]).artefact == "untested"
    assert artefact_check(curve_of(STEP), JUMP, [short], outlier=0).artefact == "metric-artefact"


@pytest.mark.parametrize(
    ("shape", "sublabel", "jumps"),
    [
        ("emergent", "", True),
        ("inconclusive", "emergent", True),
        ("smooth", "late-onset", True),
        ("smooth", "concave", False),
        ("flat", "", False),
    ],
)
def test_what_counts_as_a_jump(shape, sublabel, jumps):
    verdict = Verdict(shape, sublabel, threshold=1e7, artefact="untested")
    assert jumped(verdict) is jumps
    checked = artefact_check(curve_of(STEP), verdict, [companion(CALM)])
    assert checked.artefact == ("metric-robust" if jumps else "")
    assert artefact_check(curve_of(STEP), replace(verdict, threshold=None), [companion(CALM)]).artefact == ""
    assert artefact_check(curve_of(STEP), replace(verdict, artefact=""), []).artefact == ("untested" if jumps else "")


# ── Tables ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_account_of_exact_match_leaves_out_what_is_not_known():
    account = exact_match_account(np.array([np.log(0.25), np.nan, np.log(0.81)]), np.array([1.0, 7.0, 2.0]))
    assert account == {
        "exact_match": pytest.approx(0.53),
        "p": pytest.approx((0.25 * 0.81) ** (1 / 3)),
        "T": pytest.approx(1.5),
        "edit_distance": pytest.approx(1.5 * (1 - (0.25 * 0.81) ** (1 / 3))),
    }
    assert exact_match_account(np.log(np.array([0.5, 1.0]))) == {"exact_match": pytest.approx(0.75)}


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
