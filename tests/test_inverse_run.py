"""From traps and the Prize's files to curves and verdicts, and the commands that show them."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from scalecurve.cli import main
from scalecurve.pipeline import rescore, run_study
from scalecurve.study.study import load_study, parse_study

MODELS = [
    {"name": f"mock-{size}", "backend": "mock", "location": f"mock-{size}", "params_non_embedding": size}
    for size in (10**3, 10**4, 10**5, 10**6)
]
CSV = "prompt,other_prompt,classes,answer_index\n" + "".join(
    f"Is {k} odd? I think so.,Is {k} odd?,\"[' Yes', ' No']\",{1 - k % 2}\n" for k in range(30)
)
Call = Callable[..., str]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Call the command in this process; returns what it printed, and the code after a failure."""

    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["scalecurve", *map(str, arguments)])
        try:
            main()
        except SystemExit as stop:
            if stop.code:
                return f"{stop.code}: {capsys.readouterr().err}"
        return capsys.readouterr().out

    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a kind with both its parts, a kind without its control, a file of pairs, and beliefs."""
    folder = tmp_path_factory.mktemp("inverse")
    (folder / "odd.csv").write_text(CSV)
    (folder / "study.toml").write_text(
        'tasks = ["inverse:neqa:n=80", "inverse:memo_trap:trap:n=20", "inverse:odd.csv"]\n'
        'strategies = ["direct", "belief_none", "belief_wrong", "belief_irrelevant", "belief_own"]\n'
        + "".join("[[models]]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in model.items()) for model in MODELS)
    )
    study = load_study(folder / "study.toml")
    assert study.tasks[2].ref == f"inverse:{folder / 'odd.csv'}"
    return run_study(study, folder / "run")[0].path


def test_gaps_have_curves_and_verdicts(run: Path) -> None:
    curves, scores = pl.read_parquet(run / "curves.parquet"), pl.read_parquet(run / "scores.parquet")
    gap = curves.filter(pl.col("metric") == "gap:multiple_choice_grade", pl.col("strategy") == "direct")
    assert set(gap["task"]) == {"inverse:neqa-n80:trap", "inverse:odd:prompt"}
    first = gap.filter(task="inverse:neqa-n80:trap", rung="mock-1000").row(0, named=True)
    parts = [
        scores.filter(
            task=f"inverse:neqa-n80:{part}", rung="mock-1000", strategy="direct", metric="multiple_choice_grade"
        )
        for part in ("trap", "control")
    ]
    assert first["y"] == pytest.approx(parts[0]["value"].mean() - parts[1]["value"].mean())
    assert (first["n"], first["chance"]) == (80, None)
    verdicts = pl.read_parquet(run / "verdicts.parquet")
    assert verdicts.filter(metric="gap:multiple_choice_grade").height == 2 * 5


def test_the_shift_of_log_odds_heads_a_pair_of_prompts(run: Path) -> None:
    curves, scores = pl.read_parquet(run / "curves.parquet"), pl.read_parquet(run / "scores.parquet")
    heads = curves.filter("preferred", task="inverse:odd:prompt", strategy="direct")
    assert set(heads["metric"]) == {"log_odds_shift"}
    odds = [
        scores.filter(task=f"inverse:odd:{part}", rung="mock-1000", strategy="direct", metric="log_odds")["value"]
        for part in ("prompt", "other_prompt")
    ]
    assert heads.filter(rung="mock-1000")["y"][0] == pytest.approx((odds[0] - odds[1]).mean())


def test_rescoring_changes_nothing(run: Path) -> None:
    tables = [run / name for name in ("scores.parquet", "curves.parquet", "verdicts.parquet")]
    before = [path.read_bytes() for path in tables]
    rescore(run)
    assert [path.read_bytes() for path in tables] == before


def test_gaps_are_printed(run: Path, call: Call) -> None:
    said = call("gaps", run)
    assert "inverse:neqa-n80:trap against inverse:neqa-n80:control" in said
    assert "memo_trap" not in said
    assert "a decade" in said
    assert "over scale the gap is" in said
    control = pl.read_parquet(run / "curves.parquet").filter(
        task="inverse:neqa-n80:control", metric="multiple_choice_grade", strategy="direct"
    )
    (direct, *_) = json.loads(call("gaps", run, "--json", "--task", "neqa"))
    above = (control["y"] - 0.5 > 2 * control["se"]).to_list()
    assert [row["control_above_chance"] for row in direct["rungs"]] == above
    assert ("control ≈ chance" in said.partition("An interval holds")[0]) is not all(above)
    found = json.loads(call("gaps", run, "--json", "--task", "neqa", "--metric", "log_odds"))
    assert found[0]["rungs"][0]["control_above_chance"] is None
    assert [one["strategy"] for one in found] == [
        "direct", "belief_none", "belief_wrong", "belief_irrelevant", "belief_own"]  # fmt: skip
    assert [row["rung"] for row in found[0]["rungs"]] == [model["name"] for model in MODELS]
    shifts = pl.read_parquet(run / "curves.parquet").filter(
        task="inverse:neqa-n80:trap", metric="log_odds_shift", strategy="direct"
    )
    assert [row["gap"] for row in found[0]["rungs"]] == pytest.approx(shifts["y"].to_list())
    assert found[0]["trend"]["p_slope"] == 1  # the mock answers alike at every size


def test_belief_is_printed(run: Path, call: Call) -> None:
    said = call("belief", run, "--task", "neqa-n80:trap")
    assert "inverse:neqa-n80:trap: belief wrong against none" in said
    assert "statements that held the right answer:" in said
    (found,) = json.loads(call("belief", run, "--task", "neqa-n80:trap", "--json"))
    wrong = [row for row in found["rows"] if row["arm"] == "wrong"]
    assert [row["n"] for row in wrong] == [80] * 4
    outputs = pl.read_parquet(list((run / "outputs").rglob("*.parquet")))
    asked = outputs.filter(task="inverse:neqa-n80:trap", rung="mock-1000")
    chose = {
        arm: {
            row["example_id"]: (
                row["options"][max(range(2), key=row["option_logprobs"].__getitem__)],
                next((flag[7:] for flag in row["flags"] if flag.startswith("stated:")), None),
            )
            for row in asked.filter(strategy=f"belief_{arm}").iter_rows(named=True)
        }
        for arm in ("none", "wrong")
    }
    moved = [choice == stated for item, (choice, stated) in chose["wrong"].items() if chose["none"][item][0] != stated]
    assert (wrong[0]["items"], wrong[0]["flips"]) == (len(moved), sum(moved))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("gaps", "--task", "memo_trap"), "no task with its control contains 'memo_trap'"),
        (("gaps", "--metric", "bleu"), "was not scored by 'bleu'; it has multiple_choice_grade"),
        (("gaps", "--axis", "step"), "--axis: no rung"),
        (("belief", "--task", "nothing"), "no task with 'nothing' was asked under belief_none"),
        (("belief", "--axis", "length"), "--axis: no rung"),
    ],
)
def test_commands_say_what_is_missing(run: Path, call: Call, arguments: tuple[str, ...], says: str) -> None:
    said = call(arguments[0], run, *arguments[1:])
    assert said.startswith("2: scalecurve: ")
    assert says in said
    assert said.count("\n") == 1


def test_a_study_without_traps_has_no_gaps(tmp_path: Path, call: Call) -> None:
    study = parse_study({"name": "plain", "models": MODELS[:1], "tasks": ["lab:remap"], "limit": 5})
    made, _ = run_study(study, tmp_path / "run")
    assert "no task with its control; ask both parts of a kind" in call("gaps", made.path)
    assert "was asked under belief_none" in call("belief", made.path)
