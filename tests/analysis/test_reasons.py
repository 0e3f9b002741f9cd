"""Why a curve has its shape: a code with its arguments, and a sentence for it in every language."""

import string

import numpy as np
import pytest

from scalecurve.analysis import judge
from scalecurve.analysis.verdicts.explain import answer_flags
from scalecurve.analysis.verdicts.reasons import LANGUAGES, Reason, kept, read, say, sentences

from .helpers import curve_of
from .test_verdicts import GOLDEN


def arguments_of(sentence):
    """One argument for each place of a sentence: a number where it is formatted as one."""
    places = {int(name): spec for _, name, spec, _ in string.Formatter().parse(sentence) if name is not None}
    return tuple(0.25 if places[i] else "emergent" for i in range(len(places)))


@pytest.mark.parametrize("code", sentences())
def test_every_code_has_a_sentence_in_every_language(code):
    arguments = arguments_of(sentences()[code][0])
    said = [say(Reason(code, arguments), lang) for lang in LANGUAGES]
    assert all(said)
    assert len(arguments_of(sentences()[code][1])) == len(arguments), "the same arguments in both"
    if code != "sentence":
        assert len(set(said)) == len(LANGUAGES)
        assert any("\u4e00" <= letter <= "\u9fff" for letter in said[1])
        assert "emergent" not in said[1], "shapes are translated too"


@pytest.mark.parametrize("golden", GOLDEN)
def test_reasons_survive_a_table_and_are_all_known(golden):
    scores, chance, n, *_ = golden
    verdict = judge(curve_of([float(v) for v in scores.split()], chance, n), replicates=0)
    assert [read(text) for text in kept(verdict.reasons)] == list(verdict.reasons)
    assert {reason.code for reason in verdict.reasons} <= set(sentences())
    for code, arguments in verdict.reasons:
        assert say(Reason(code, arguments), "zh") != say(Reason(code, arguments))


def test_sentences_of_old_runs_are_shown_as_they_are():
    old = "The jump or bend remains when any one scale is left out."
    assert say(old) == say(old, "zh") == str(read(old)) == old
    assert say("[not json") == "[not json"


def said(curve, **more):
    return [str(reason) for reason in judge(curve, replicates=0, **more).reasons]


def test_what_is_said_of_a_jump():
    reasons = said(curve_of([0.25, 0.25, 0.26, 0.25, 0.55, 0.75, 0.80, 0.82]))
    assert reasons[:2] == ["Goes from 0.25 to 0.82.", "The first 4 of 8 scales are at chance."]
    assert reasons[2].startswith("The rise takes 0.8")
    assert "No rise of 1.4 decades or more, and none without a jump, explains the points." in reasons


def test_a_flat_curve_is_told_with_its_bound():
    curve = curve_of([0.25, 0.26, 0.24, 0.25, 0.27, 0.25])
    bound = judge(curve, replicates=0).bound
    assert 0.02 < bound < 0.08
    assert said(curve)[0].startswith(f"A straight line through the scores changes by no more than {bound:.2g} ")


def test_a_flat_curve_whose_last_model_rises_says_so():
    last = "r6 alone lies +0.04 from the mean of the smaller models, more than their errors explain;"
    rising = said(curve_of([0, 0, 0, 0, 0, 0, 0.04], 0.0))
    assert any(text.startswith(last) for text in rising), rising
    assert not any("alone lies" in text for text in said(curve_of([0, 0, 0, 0, 0, 0, 0.002], 0.0)))


def test_scores_are_named_in_the_units_of_their_metric():
    bleu = curve_of([0.2, 0.6, 0.4, 0.5, 30, 45, 60, 70], 0.0, ceiling=100.0, se=(0.2,) * 8)
    assert said(bleu)[0] == "Goes from 0.2 to 70."
    loss = curve_of([3.0, 2.9, 2.5, 2.0, 1.2, 0.4], None, se=(0.02,) * 6, higher_is_better=False)
    assert said(loss)[0] == "Goes from 3 to 0.4 (lowest 0.4, highest 3)."


def test_what_cannot_be_judged_says_why():
    assert said(curve_of([0.25, 0.30, 0.40])) == ["A shape needs at least 4 scales; here: 3."]
    narrow = said(curve_of([0.1, 0.3, 0.5, 0.7], 0.0, x=[1e8, 2e8, 4e8, 9.5e8]))
    assert narrow == ["The scales span a factor of 9.5; a shape needs at least 10."]
    unsure = judge(curve_of([0.1, 0.3, 0.5, 0.7], None, se=(0.1, 0.1, 0.1, np.nan)))
    assert (unsure.shape, unsure.artefact) == ("inconclusive", "")
    assert [reason.code for reason in unsure.reasons] == ["no-errors"]


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
