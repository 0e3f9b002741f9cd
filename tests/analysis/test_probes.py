import polars as pl
import pytest

from scalecurve.analysis import Probe, appears_at, judge_all, ladder, probe_curves, probe_scores, read_probes
from scalecurve.errors import UserError

PROBES = (
    Probe("a number", pattern=r"\d"),
    Probe("last digit", grade=lambda text, targets: float(any(text[-1:] == t[-1] for t in targets))),
    Probe("right", pattern=r"^{target}$"),
)


def outputs(skills):
    """Outputs of rungs: share of items with a number, with the right last digit, and wholly right."""
    rows = []
    for i, shares in enumerate(skills):
        for k in range(200):
            level = sum(k < 200 * share for share in shares)
            response = (None, "9", "15", "25")[level]
            own = {"family": "f", "rung": f"r{i}", "task": "t", "strategy": "direct", "shots": 0, "seed": 0}
            rows.append(own | {"example_id": str(k), "response": response, "targets": ["25"], "error": ""})
    return pl.DataFrame(rows, infer_schema_length=None)


SKILLS = [(0, 0, 0), (0, 0, 0), (0, 0, 0), (0.6, 0, 0), (0.8, 0, 0), (0.9, 0.5, 0), (0.95, 0.7, 0), (1, 0.8, 0.4)]
SCALES = pl.DataFrame(
    {
        "family": ["f"] * 8,
        "rung": [f"r{i}" for i in range(8)],
        "params_non_embedding": [10 ** (6 + i) for i in range(8)],
        "task": ["t"] * 8,
        "preferred": [True] * 8,
    }
)


def test_probes_turn_one_curve_into_a_ladder_of_abilities():
    scores = probe_scores(outputs(SKILLS), PROBES)
    curves = probe_curves(scores, SCALES, PROBES)
    number = curves.filter(pl.col("metric") == "probe:a number").sort("params_non_embedding")
    assert number["y"].to_list() == pytest.approx([0, 0, 0, 0.6, 0.8, 0.9, 0.95, 1])
    steps = ladder(judge_all(curves, scores, replicates=200))
    assert steps["probe"].to_list() == ["a number", "last digit", "right"]
    assert steps["threshold"][0] < steps["threshold"][1] < steps["threshold"][2]


def test_declared_probes_are_checked():
    probes = read_probes({"number": r"\d+", "half": {"subtask": "lab:t:half", "chance": 0.5}})
    assert probes[0].score("a 5", ()) == 1
    assert probes[0].score(None, ()) == 0
    assert (probes[1].subtask, probes[1].chance) == ("lab:t:half", 0.5)
    for wrong in ({"x": {"chance": 0.1}}, {"x": "("}, {"x": {"pattern": "a", "chance": 2}}, {"x": {"patern": "a"}}):
        with pytest.raises(UserError, match=r"probes\.x"):
            read_probes(wrong)


def test_a_target_in_a_pattern_is_taken_literally():
    probe = Probe("has it", pattern="{target}")
    assert probe.score("about 1.5 or so", ["1.5"]) == 1
    assert probe.score("about 175 or so", ["1.5"]) == 0


def test_subtask_probes_bring_their_own_curve():
    own = SCALES.with_columns(
        task=pl.lit("lab:t:half"),
        strategy=pl.lit("direct"),
        shots=0,
        metric=pl.lit("exact_match"),
        y=0.5,
        se=0.01,
        n=100,
    ).with_columns(chance=0.0, ceiling=1.0, higher_is_better=True)
    scores = probe_scores(outputs(SKILLS), PROBES[:1])
    curves = probe_curves(scores, own, (*PROBES[:1], Probe("half", subtask="lab:t:half")))
    assert set(curves.filter(pl.col("task") == "lab:t")["metric"]) == {"probe:half"}
    with pytest.raises(UserError, match="no curve"):
        probe_curves(scores, own, (Probe("gone", subtask="lab:t:gone"),))


@pytest.mark.parametrize(
    ("pattern", "said", "earned"),
    [
        ("{word}", "Ship of fools", 1),
        ("{word}", "Shipping wolves", 0),
        (r"\A{words}", "the Ship and the Wolf", 1),
        (r"\A{words}", "the Ship", 0),
        ("{target}|{word}", "", 0),
    ],
)
def test_words_of_the_target_stand_in_patterns(pattern, said, earned):
    (probe,) = read_probes({"x": pattern})
    assert probe.score(said, ["Wolf Ship"]) == earned
    assert probe.score(said, []) == 0


@pytest.mark.parametrize(
    ("y", "chance", "at"),
    [
        ([0.25, 0.26, 0.60, 0.70], 0.25, 2),
        ([0.60, 0.26, 0.60, 0.70], 0.25, 2),  # lost in between
        ([0.60, None, 0.60, 0.70], 0.25, 0),  # stepped over
        ([0.25, 0.60, 0.70, 0.26], 0.25, None),
        ([0.25, 0.60, 0.70, None], 0.25, 1),
        ([0.0, 0.0, 0.0, 0.01], 0.0, None),  # two items of 200 are no ability
        ([0.1, 0.2, 0.3, 0.4], None, None),
        ([None, None], 0.0, None),
        ([], 0.0, None),
    ],
)
def test_where_an_ability_appears(y, chance, at):
    assert appears_at(y, [None] * len(y), [200] * len(y), chance) == at


def test_a_loss_appears_below_chance():
    assert appears_at([0.7, 0.69, 0.5, 0.3], [0.01] * 4, [200] * 4, 0.693, higher_is_better=False) == 2


def test_scores_of_probes_by_hand():
    table = pl.concat([outputs([(1, 1, 1)])[:2], outputs([(0, 0, 0)])[:1]]).with_columns(
        error=pl.Series(["", "away", ""]), extra=pl.lit("x")
    )
    subtask = Probe("half", subtask="lab:t:half")
    found = probe_scores(table, (*PROBES[:2], subtask))
    assert found.columns == ["family", "rung", "task", "strategy", "shots", "seed", "example_id", "metric", "value"]
    assert found.select("example_id", "metric", "value").rows() == [
        ("0", "probe:a number", 1.0), ("1", "probe:a number", None), ("0", "probe:a number", 0.0),
        ("0", "probe:last digit", 1.0), ("1", "probe:last digit", None), ("0", "probe:last digit", 0.0),
    ]  # fmt: skip
    assert probe_scores(table.drop("error"), PROBES[:1])["value"].to_list() == [1.0, 1.0, 0.0]
    nothing = probe_scores(table, (subtask,))
    assert (nothing.height, nothing.schema) == (0, found.schema)
    untargeted = table.with_columns(targets=pl.lit(None, pl.List(pl.String)))
    assert probe_scores(untargeted, PROBES[2:])["value"].to_list() == [0.0, None, 0.0]


def test_curves_of_probes_by_hand():
    probes = (Probe("a number", pattern=r"\d", chance=0.1), PROBES[1], Probe("half", subtask="a:b:half"))
    own = SCALES.with_columns(
        task=pl.lit("a:b:half"), strategy=pl.lit("direct"), shots=0, metric=pl.lit("acc"), y=0.5, se=0.01, n=100,
        chance=0.5, ceiling=0.9, higher_is_better=True,
    )  # fmt: skip
    unpreferred = own.with_columns(metric=pl.lit("brier"), preferred=pl.lit(False))
    curves = probe_curves(probe_scores(outputs(SKILLS), probes), pl.concat([own, unpreferred]), probes)
    by_metric = {m: curves.filter(pl.col("metric") == f"probe:{m}").row(0, named=True) for m in
                 ("a number", "last digit", "half")}  # fmt: skip
    assert {m: (row["task"], row["chance"], row["ceiling"]) for m, row in by_metric.items()} == {
        "a number": ("t", 0.1, 1.0), "last digit": ("t", 0.0, 1.0), "half": ("a:b", 0.5, 0.9),
    }  # fmt: skip
    assert curves.height == 3 * 8
    assert curves["higher_is_better"].all()
    assert not curves["preferred"].any()
    with pytest.raises(UserError) as refused:
        probe_curves(probe_scores(outputs(SKILLS), ()), own, (Probe("gone", subtask="a:b:gone"),))
    assert str(refused.value) == "probe gone: subtask 'a:b:gone' has no curve in this run"


def test_a_ladder_is_sorted_within_each_task_and_unreached_probes_are_last():
    rows = [
        ("u", "probe:x", 1e6),
        ("t", "probe:y", None),
        ("t", "probe:z", 1e8),
        ("t", "acc", 1e5),
        ("t", "probe:w", 1e7),
    ]
    key = {"family": "f", "strategy": "direct", "shots": 0}
    steps = ladder(pl.DataFrame([key | {"task": t, "metric": m, "threshold": x} for t, m, x in rows]))
    assert steps["probe"].to_list() == ["w", "z", "y", "x"]
    assert steps["threshold"].to_list() == [1e7, 1e8, None, 1e6]
    assert "place" not in steps.columns
    families = [key | {"family": f, "shots": s, "task": "t", "metric": "probe:x", "threshold": 1.0} for f, s in
                (("g", 0), ("f", 2), ("f", 0))]  # fmt: skip
    assert ladder(pl.DataFrame(families)).select("family", "shots").rows() == [("f", 0), ("f", 2), ("g", 0)]


def test_three_standard_errors_above_chance_and_no_less():
    assert appears_at([0.2799], [0.01], [200], 0.25) is None
    assert appears_at([0.2801], [0.01], [200], 0.25) == 0
    assert appears_at([0.9], [None], [1], 0.0) is None  # one item proves nothing
    assert appears_at([0.2, 0.2], [0.01, 0.01], [200, 200], 0.25, higher_is_better=False) == 0
