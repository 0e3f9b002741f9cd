"""Why a curve has its shape, word for word: verdicts are read by people."""

import numpy as np
import pytest

from scalecurve.curves import judge
from scalecurve.curves.explain import answer_flags

from .helpers import curve_of
from .test_verdicts import GOLDEN

JUMPS = "The jump or bend remains when any one scale is left out."
LATE = "It leaves chance late, but the jump rests on a single scale or is no sharper than a line."
EDGE = "The turn rests on an end point: one more scale could undo it."
REASONS = [
    ("The scores span 0.03; noise explains that (chi² 2.8, p 0.73).",),
    ("Goes from 0.25 to 0.82; the first 4 of 8 scales are at chance.", JUMPS),
    ("Goes from 0.25 to 0.75; the first 7 of 8 scales are at chance.", LATE),
    ("Goes from 0.3 to 0.8; the first 0 of 8 scales are at chance.",),
    ("Goes from 0.7 to 0.3 (lowest 0.3, highest 0.7).",),
    ("Goes from 0.6 to 0.6 (lowest 0.28, highest 0.6).",),
    (EDGE, "Goes from 0.6 to 0.6 (lowest 0.3, highest 0.6)."),
    ("Goes from 0.25 to 0.25 (lowest 0.25, highest 0.65).",),
    ("More than half of the scales are within 0.05 of the ceiling.",),
    ("3 scales; a shape needs at least 4.",),
    (
        "r5 (0.795) stands alone against its neighbours; left out.",
        "Goes from 0.009 to 0.446; the first 4 of 7 scales are at chance.",
        JUMPS,
    ),
    ("The scores span 0.007; noise explains that (chi² 8.4, p 0.29).",),
]


@pytest.mark.parametrize(("golden", "reasons"), list(zip(GOLDEN, REASONS, strict=True)))
def test_golden_reasons(golden, reasons):
    scores, chance, n, *_ = golden
    assert judge(curve_of([float(v) for v in scores.split()], chance, n), replicates=0).reasons == reasons


def test_a_change_too_small_to_matter_is_not_noise():
    verdict = judge(curve_of([0.25, 0.25, 0.28, 0.28], n=10_000), replicates=0)
    why = "no change reaches both 0.05 and three standard errors (chi² 46.3, p 5e-10)"
    assert (verdict.shape, verdict.reasons) == ("flat", (f"The scores span 0.03; {why}.",))


def test_the_first_scale_can_be_the_odd_one_only_as_an_end():
    odd = judge(curve_of([0.25, 0.60, 0.25, 0.26, 0.25, 0.24]), replicates=0)
    assert odd.reasons[0] == "r1 (0.6) stands alone against its neighbours; left out."


def test_scores_are_named_in_the_units_of_their_metric():
    bleu = curve_of([0.2, 0.6, 0.4, 0.5, 30, 45, 60, 70], 0.0, ceiling=100.0, se=(0.2,) * 8)
    assert judge(bleu, replicates=0).reasons[0] == "Goes from 0.2 to 70; the first 4 of 8 scales are at chance."
    loss = curve_of([3.0, 2.9, 2.5, 2.0, 1.2, 0.4], None, se=(0.02,) * 6, higher_is_better=False)
    assert judge(loss, replicates=0).reasons == ("Goes from 3 to 0.4 (lowest 0.4, highest 3).",)


def test_what_cannot_be_judged_says_why():
    narrow = judge(curve_of([0.1, 0.3, 0.5, 0.7], 0.0, x=[1e8, 2e8, 4e8, 9.5e8]))
    assert narrow.reasons == ("The scales span a factor of 9.5; a shape needs at least 10.",)
    unsure = judge(curve_of([0.1, 0.3, 0.5, 0.7], None, se=(0.1, 0.1, 0.1, np.nan)))
    assert (unsure.shape, unsure.artefact) == ("inconclusive", "")
    assert unsure.reasons == ("No standard error is known for some points, so change cannot be told from noise.",)


@pytest.mark.parametrize(
    ("y", "flags"),
    [
        ([0.3], []),
        ([0.3, 0.3], ["constant-answer"]),
        ([0.3, 0.3, 0.3, 0.4], ["constant-answer"]),
        ([0.3, 0.3, 0.3 + 1e-12, 0.4], ["constant-answer"]),
        ([0.3, 0.3, 0.4, 0.5], []),
        ([0.0, 0.0, 0.0, 0.0], ["structural-zero"]),
        ([0.0, 0.0, 0.0, 0.1], []),
        ([0.0, 0.0, 0.0, -0.1], []),
        ([0.0], []),
    ],
)
def test_flags_of_answers_that_never_change(y, flags):
    assert answer_flags(curve_of(y)) == flags
