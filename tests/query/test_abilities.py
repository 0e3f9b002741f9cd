"""Measured abilities: the table, the rung that is chosen by it, calibration; and cascades."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pytest

from scalecurve.errors import UserError
from scalecurve.pipeline import run_study
from scalecurve.query.rungs.ladder import wilson_lower
from scalecurve.query.session import Session
from scalecurve.store import RunDirectory
from scalecurve.study.study import parse_study
from scalecurve.types import Output, Request

from .helpers import Told, rows, session

ITEMS = 80


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A family of three mock models that know 30, 85 and 100 % of a task, and a run that measured them."""
    made = tmp_path_factory.mktemp("abilities")
    examples = [
        {"input": f"{i}+{i}?", "target_scores": {str(2 * i): 1, str(2 * i + 1): 0, "none": 0}} for i in range(ITEMS)
    ]
    task = {"name": "sums", "description": "Sums.", "keywords": [], "metrics": ["multiple_choice_grade"],
            "append_choices_to_input": False}  # fmt: skip
    (made / "task.json").write_text(json.dumps(task | {"examples": examples}))
    answers = ", ".join(f'"{i}+{i}?" = "{2 * i}"' for i in range(ITEMS))
    rungs = [
        f'[[rung]]\nname = "{name}"\nbackend = "mock"\nlocation = "mock"\nparams_non_embedding = {size}\n'
        f"options = {{ ability = {ability}, answers = {{ {answers} }} }}\n"
        for name, size, ability in (("small", 100, 0.3), ("middle", 1000, 0.85), ("large", 10_000, 1.0))
    ]
    (made / "fam.toml").write_text('family = "fam"\n' + "\n".join(rungs))
    study = {"name": "fam", "models": [str(made / "fam.toml")], "tasks": [str(made / "task.json")], "shots": [0],
             "strategies": ["direct", "zero_shot_cot"]}  # fmt: skip
    run_study(parse_study(study), made / "run")
    return made


@pytest.fixture
def asked(folder: Path) -> Session:
    table = pl.DataFrame({"q": [f"{i}+{i}?" for i in range(20)]})
    return Session(str(folder / "fam.toml"), attach={"t": table}, runs=[folder / "run"])


def test_the_table_says_what_the_run_says(asked: Session, folder: Path) -> None:
    found = asked.run("SELECT * FROM abilities WHERE strategy = 'direct' ORDER BY params").pl()
    curve = pl.read_parquet(RunDirectory(folder / "run").curves).filter("preferred", strategy="direct")
    assert found["acc"].to_list() == curve.sort("params_non_embedding")["y"].to_list()
    for row in found.iter_rows(named=True):
        assert row["n"] == ITEMS
        assert row["wilson_lo"] == wilson_lower(row["correct"], ITEMS)
        assert row["chance"] == pytest.approx(1 / 3)
        assert row["family"] == "fam"
    assert found["auroc"][0] > 0.5, "what it knows it is sure of"
    assert found["eval_hash"].n_unique() == 1
    assert rows(asked, "SELECT count(DISTINCT o.example_id) FROM outputs o JOIN scores s USING (example_id)") == [
        (ITEMS,)
    ]
    assert rows(asked, "SELECT count(*) > 0 FROM curves, verdicts") == [(True,)]


def test_the_same_questions_under_other_seeds_are_no_further_evidence(folder: Path, tmp_path: Path) -> None:
    """Greedy answers without shots are the same whatever the seed: counted thrice, they would look thrice as sure."""
    study = {"name": "fam", "models": [str(folder / "fam.toml")], "tasks": [str(folder / "task.json")],
             "strategies": ["direct", "zero_shot_cot"], "seeds": [3, 1, 2]}  # fmt: skip
    run_study(parse_study(study), tmp_path / "run")
    columns = "model, strategy, n, correct, wilson_lo, pairs, fixed, broken, auroc"
    once, thrice = (
        Session(str(folder / "fam.toml"), runs=[run]).run(f"SELECT {columns} FROM abilities ORDER BY ALL").pl()
        for run in (folder / "run", tmp_path / "run")
    )
    assert thrice.rows() == once.rows()
    assert thrice["n"].unique().to_list() == [ITEMS]


def test_models_that_differ_in_their_options_only_are_told_apart(asked: Session) -> None:
    rungs = asked.models.ladder().rungs
    opened = [asked.models.open(rung) for rung in rungs]
    assert len({model.fingerprint for model in opened}) == len({model.name for model in opened}) == 3
    assert asked.models.open(rungs[0]) is opened[0]


def ask(asked: Session, options: str) -> pl.DataFrame:
    text = f"SELECT ai_ask(q, ['0', '2', 'none'], ability := 'sums') FROM t USING {options}"
    plan = asked.run(f"EXPLAIN {text}").pl()
    assert asked.models.total().calls == 0
    return plan


@pytest.mark.parametrize(("demand", "model"), [(0.5, "middle"), (0.9, "large"), (0.94, "large")])
def test_the_smallest_rung_that_is_surely_good_enough(asked: Session, demand: float, model: str) -> None:
    plan = ask(asked, f"model ladder, min_accuracy {demand}")
    assert plan["model"].to_list() == [model]
    assert "wilson_lo" in plan["why"][0]


def test_none_is_good_enough(asked: Session) -> None:
    with pytest.raises(UserError, match=r"no rung passes min_accuracy 0\.999"):
        ask(asked, "model ladder, min_accuracy .999")
    assert ask(asked, "model ladder, min_accuracy .999, on_fail best")["model"].to_list() == ["large"]
    text = "SELECT ai_ask(q, ['0', '2']) AS a FROM t USING min_accuracy .999, on_fail abstain, ability 'sums'"
    result = asked.run(text)
    assert result.pl()["a"].null_count() == 20
    assert "20 abstained; no rung passes min_accuracy" in result.summary
    assert result.usage.calls == 0


def test_an_ability_must_be_measured(asked: Session) -> None:
    with pytest.raises(UserError, match="'reading' of fam is not measured"):
        asked.run("SELECT ai_ask(q) FROM t USING min_accuracy .5, ability 'reading'")
    bare = session(Told(lambda question: "yes"), {"t": pl.DataFrame({"q": ["?"]})})
    with pytest.raises(UserError, match="attach a run"):
        bare.run("SELECT ai_ask(q) FROM t USING min_accuracy .5")


def test_a_named_model_must_be_good_enough_too(asked: Session) -> None:
    plan = asked.run("EXPLAIN SELECT ai_ask('0+0?', ['0', '1']) USING model 'mock', on_fail best, seed 1").pl()
    assert plan["model"].to_list() == ["mock"]


def test_a_model_that_stands_alone_is_known_by_its_name(folder: Path) -> None:
    alone = session(Told(lambda question: "yes", "middle"), runs=[folder / "run"])
    plan = alone.run("EXPLAIN SELECT ai_ask('?', 'BOOLEAN') USING min_accuracy .5").pl()
    assert "wilson_lo" in plan["why"][0]
    plan = alone.run("EXPLAIN SELECT ai_ask('?', 'BOOLEAN') USING ability 'sums'").pl()
    assert plan["model"][0] == "middle"
    with pytest.raises(UserError, match="'sum' of middle is not measured"):
        alone.run("SELECT ai_ask('?', 'BOOLEAN') USING ability 'sum'")
    stranger = session(Told(lambda question: "yes", "stranger"), runs=[folder / "run"])
    assert rows(stranger, "SELECT ai_ask('?', 'BOOLEAN') USING ability 'sums'") == [(True,)]
    with pytest.raises(UserError, match="of stranger is not measured"):
        stranger.run("SELECT ai_ask('?', 'BOOLEAN') USING min_accuracy .5")


def test_steps_are_written_only_where_they_surely_help(asked: Session) -> None:
    """Zero-shot steps do nothing for these models, so that auto does not use them."""
    plan = ask(asked, "model ladder, min_accuracy .5, strategy auto")
    assert "no measured uplift is surely above 0" in plan["why"][0]
    assert plan["calls"].to_list() == ["20"]


def test_probabilities_are_calibrated_by_the_run(asked: Session) -> None:
    calibrate = asked.asker.calibrations["small"]
    values = [calibrate(p / 20) for p in range(21)]
    assert values == sorted(values)
    assert 0 <= values[0] < 0.3
    assert values[-1] > 0.9


# ── Cascades ─────────────────────────────────────────────────────────────────────────────────────────────────
class Unsure(Told):
    """Says yes with a probability that the text states: ``p=0.73``."""

    def run(self, requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        for index, request in enumerate(requests):
            self.asked.append(request.prompt)
            p = float(request.prompt.split("p=")[1].split()[0])
            on_output(index, Output(logprobs=(math.log(p), math.log(1 - p)), token_counts=(1, 1), prompt_tokens=9))


def texts(n: int) -> pl.DataFrame:
    """Texts that state a probability, and whether the large model says yes, which it mostly does where it is high."""
    import numpy as np

    rng = np.random.default_rng(3)
    p = np.clip(rng.beta(0.4, 0.6, n), 0.001, 0.999)
    yes = rng.random(n) < p
    return pl.DataFrame({"x": [f"{i} p={p[i]:.4f} {'YES' if yes[i] else 'NO'}" for i in range(n)]})


def test_a_cascade_keeps_its_promise_with_fewer_calls_of_the_oracle() -> None:
    small = Unsure(lambda question: "", "small", size=10)
    large = Told(lambda question: "yes" if "YES" in question else "no", "large", size=1000)
    table = texts(1500)
    asked = session([small, large], {"t": pl.concat([table, table])})
    text = "SELECT x FROM t WHERE ai_filter('?', x) AND x IS NOT NULL USING model ladder, recall .9, precision .9"
    plan = asked.run(f"EXPLAIN {text}").pl()
    assert plan["calls"].to_list() == ["at most 3000"]
    assert plan["guarantee"][0] == (
        "recall ≥ 0.9 and precision ≥ 0.9 over distinct arguments, against the answers of large (not the truth), "
        "but for probability 0.2; proxy small"
    )
    assert small.asked == large.asked == []
    found = set(asked.run(text).pl()["x"])
    wanted = set(table.filter(pl.col("x").str.ends_with("YES"))["x"])
    assert len(small.asked) == 1500
    assert 64 <= len(large.asked) < 1000
    assert len(found & wanted) >= 0.9 * len(wanted)
    assert len(found & wanted) >= 0.9 * len(found)
    analysed = asked.run(f"EXPLAIN ANALYZE {text}").pl()
    assert "accept ≥" in analysed["thresholds"][0]
    assert analysed["actual_calls"].to_list() == [0], "all of it is kept"


def test_what_a_cascade_has_learnt_is_kept_for_the_same_query_and_for_no_other(tmp_path: Path) -> None:
    def opened(table: pl.DataFrame) -> tuple[Session, list[str]]:
        small = Unsure(lambda question: "", "small", size=10)
        large = Told(lambda question: "yes" if "YES" in question else "no", "large", size=1000)
        small.fingerprint, large.fingerprint = "small", "large"
        return session([small, large], {"t": table}, cache=tmp_path / "kept.sqlite"), large.asked

    text = "SELECT x FROM t WHERE ai_filter('?', x) USING model ladder, recall .9, precision .9, delta .2"
    table = texts(800)
    first, asked = opened(table)
    found = rows(first, text)
    assert len(asked) > 64
    first.close()

    again, asked = opened(table.sample(fraction=1.0, shuffle=True, seed=1))
    plan = again.run(f"EXPLAIN {text}").pl()
    assert plan["calls"].to_list() == ["0"]
    assert "accept ≥" in plan["thresholds"][0]
    assert sorted(rows(again, text)) == sorted(found)
    assert asked == []

    for other in (text.replace("delta .2", "delta .01"), text.replace("'?'", "'??'")):
        assert again.run(f"EXPLAIN {other}").pl()["calls"][0].startswith("at most")
    again.close()
    more, asked = opened(pl.concat([table, texts(820).tail(20)]))
    assert more.run(f"EXPLAIN {text}").pl()["calls"][0].startswith("at most")
    rows(more, text)
    assert len(set(asked)) == len(asked) > 0
    more.close()


def test_a_cascade_needs_a_smaller_rung() -> None:
    only = Told(lambda question: "yes", "only")
    with pytest.raises(UserError, match="a rung smaller than only"):
        session(only, {"t": texts(3)}).run("SELECT x FROM t WHERE ai_filter('?', x) USING recall .9")


def test_scores_that_came_without_answers_are_abilities_too_but_no_rung_is_chosen_by_them(tmp_path: Path) -> None:
    from scalecurve.io.importing import import_run
    from scalecurve.query.rungs.abilities import abilities_of, measured

    models = ("EleutherAI/pythia-410m", "EleutherAI/pythia-1b")
    lines = [f"{model},piqa,{metric},0.{6 + at},200" for at, model in enumerate(models) for metric in ("acc", "f1")]
    (tmp_path / "t.csv").write_text("\n".join(["model,task,metric,score,n", *lines]))
    import_run([tmp_path / "t.csv"], tmp_path / "run")
    table = abilities_of([RunDirectory(tmp_path / "run")])
    found = table.select("model", "n", "correct", "acc", "chance", "tokens").rows()
    assert found == [("pythia-410m", 200, 120, 0.6, 0.5, None), ("pythia-1b", 200, 140, 0.7, 0.5, None)]
    assert table["wilson_lo"].to_list() == [wilson_lower(120, 200), wilson_lower(140, 200)]
    assert measured(table, "piqa", "pythia", ["pythia-410m", "pythia-1b"]) == []
