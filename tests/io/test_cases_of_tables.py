"""Results as people have them: tables, metrics, and what is known of tasks."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from cases import PYTHIA, acc, bring, result, rows_of
from command_line import Call

from scalecurve.io.cells import amount, number, shots_in
from scalecurve.io.conventions import higher_is_better, is_share
from scalecurve.io.importing import import_run
from scalecurve.io.known import chance_of, known
from scalecurve.io.sources import Said


# ── Tables ───────────────────────────────────────────────────────────────────────────────────────────────────
def table(path: Path, head: str, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join((head, *lines)) + "\n")
    return path


def test_percent_is_decided_task_by_task(tmp_path: Path) -> None:
    values = {"t1": (30.1, 35.2, 44, 50), "t2": (0.25, 0.3, 0.35, 0.41)}
    lines = [
        f"EleutherAI/pythia-{PYTHIA[at]},{task},acc,{value},{1.0 if task == 't1' else 0.01},2000"
        for task, own in values.items()
        for at, value in enumerate(own)
    ]
    bring(table(tmp_path / "s.csv", "model,task,metric,score,stderr,n", *lines), tmp_path / "run")
    found = {(key[1], key[2]): row["y"] for key, row in rows_of(tmp_path / "run").items()}
    assert [found[f"pythia-{size}", "t1"] for size in PYTHIA[:4]] == pytest.approx([0.301, 0.352, 0.44, 0.5])
    assert [found[f"pythia-{size}", "t2"] for size in PYTHIA[:4]] == [0.25, 0.3, 0.35, 0.41]


def test_shares_below_one_percent_are_known_by_their_errors(tmp_path: Path) -> None:
    lines = [f"m{at},{task},acc,{v},{e},1000" for at in (1, 2)
             for task, v, e in (("t1", 40, 1.5), ("t2", 0.5 + at / 10, 0.25))]  # fmt: skip
    bring(table(tmp_path / "s.csv", "model,task,metric,score,stderr,n", *lines), tmp_path / "run")
    found = {(key[1], key[2]): row["y"] for key, row in rows_of(tmp_path / "run").items()}
    assert found["m1", "t2"] == pytest.approx(0.006)


def test_what_cannot_be_told_is_refused_with_the_option_that_says_it(tmp_path: Path, call: Call) -> None:
    for name, head, lines in (
        ("long", "model,task,acc", ("m1,t1,30", "m2,t1,40", "m1,t2,0.5", "m2,t2,0.95")),
        ("wide", "model,t1,t2", ("m1,30,0.5", "m2,40,0.95")),
    ):
        path = str(table(tmp_path / f"{name}.csv", head, *lines))
        said = call("import", "auto", path, "--into", str(tmp_path / name))
        assert said.code == 2
        assert "t1 is in percent, t2 could be either; say --percent t2 or --fraction t2" in said.err
        for option, value in (("percent", 0.005), ("fraction", 0.5)):
            run = tmp_path / f"{name}-{option}"
            assert call("import", "auto", path, "--into", str(run), f"--{option}", "t2").code == 0
            found = {(key[1], key[2].removeprefix("leaderboard:")): row["y"] for key, row in rows_of(run).items()}
            assert found["m1", "t2"] == pytest.approx(value)
            assert found["m1", "t1"] == pytest.approx(0.3)


def test_a_known_tasks_chance_tells_its_unit(tmp_path: Path) -> None:
    head, lines = "model,HumanEval,ARC,MMLU", ("m1,30,0.3,25.1", "m2,40,0.5,31")
    bring(table(tmp_path / "s.csv", head, *lines), tmp_path / "run")
    found = {(key[1], key[2]): row["y"] for key, row in rows_of(tmp_path / "run").items()}
    assert found["m1", "leaderboard:ARC"] == 0.3


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7B", 7e9), ("70b", 7e10), ("1.1B", 1.1e9), ("350M", 3.5e8), ("7,000,000,000", 7e9), ("8x7B", 5.6e10),
        ("8 x 22B", 1.76e11), ("7 billion", 7e9), ("~7B", 7e9), ("30B-A3B", 3e10), ("1.5e9", 1.5e9), (7e9, 7e9),
        ("410M params", 4.1e8), (".35B", 3.5e8), ("124_000_000", 1.24e8), ("large", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_sizes_as_people_write_them(text: Any, value: float | None) -> None:
    assert amount(text) == (None if value is None else pytest.approx(value))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (5, 5),
        ("5", 5),
        ("5-shot", 5),
        ("5 shots", 5),
        ("zero-shot", 0),
        ("k=3", 3),
        (5.0, 5),
        ("few-shot", None),
        ("", None),
    ],
)
def test_shots_as_people_write_them(text: Any, value: int | None) -> None:
    assert shots_in(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("0,30", 0.3), ("25%", 0.25), ("25 %", 0.25), ("1,234.5", 1234.5), ("-", None)]
)
def test_numbers_as_people_write_them(text: str, value: float | None) -> None:
    assert number(text) == value


def test_a_column_of_sizes(tmp_path: Path, call: Call) -> None:
    sizes = ("7B,ARC,55.1", "70B,ARC,66", "1.1B,ARC,30", "350M,ARC,27", "huge,ARC,70", "8x7B,ARC,64")
    lines = [f"{name},acme,{size}" for name, size in zip("abcdef", sizes, strict=True)]
    path = table(tmp_path / "lb.csv", "model,family,params,task,acc", *lines)
    said = call("import", "auto", str(path), "--into", str(tmp_path / "run"))
    found = {key[1]: row["params_total"] for key, row in rows_of(tmp_path / "run").items()}
    assert found == {"a": 7 * 10**9, "b": 7 * 10**10, "c": 1_100_000_000, "d": 350_000_000, "e": None, "f": 56 * 10**9}
    assert "not understood as params_total: huge" in said.err
    assert "8x7B is taken as 5.6e+10" in said.err


def test_small_numbers_of_parameters_are_billions_and_it_is_said(tmp_path: Path, call: Call) -> None:
    lines = [f"m{at},acme,{size},ARC,{30 + at}" for at, size in enumerate((7, 70, 1.1, 0.35))]
    path = table(tmp_path / "lb.csv", "model,family,params,task,acc", *lines)
    said = call("import", "auto", str(path), "--into", str(tmp_path / "run"))
    assert {row["params_total"] for row in rows_of(tmp_path / "run").values()} == {
        7 * 10**9, 7 * 10**10, 1_100_000_000, 350_000_000
    }  # fmt: skip
    assert "numbers without a unit are taken as billions (7 is 7B)" in said.err


@pytest.mark.parametrize(
    ("sizes", "meant"),
    [
        ((3000, 9000, 27000, 243000), (3000, 9000, 27000, 243000)),  # small ones continue the large ones
        ((7, 1.3, 350000000, 125000000), (7 * 10**9, 1_300_000_000, 350_000_000, 125_000_000)),
    ],
)
def test_small_numbers_beside_large_ones_are_what_makes_one_ladder(
    tmp_path: Path, call: Call, sizes: tuple[float, ...], meant: tuple[int, ...]
) -> None:
    lines = [f"m{at},acme,{size},ARC,{30 + at}" for at, size in enumerate(sizes)]
    path = table(tmp_path / "lb.csv", "model,family,params,task,acc", *lines)
    said = call("import", "auto", str(path), "--into", str(tmp_path / "run"))
    found = {key[1]: row["params_total"] for key, row in rows_of(tmp_path / "run").items()}
    assert found == {f"m{at}": size for at, size in enumerate(meant)}
    assert ("taken as billions" in said.err) == (min(meant) > 1e6)


def test_a_table_in_which_only_total_parameters_are_known(tmp_path: Path, call: Call) -> None:
    lines = [
        f"acme-{at},acme,{size}e9,ARC,{0.27 + at * 0.08},2376" for at, size in enumerate((0.35, 1.1, 3, 7, 30, 70))
    ]
    path = table(tmp_path / "s.csv", "model,family,params,task,acc,n", *lines)
    run = str(tmp_path / "run")
    assert call("import", "auto", str(path), "--into", run).code == 0
    for command in (("curves", run), ("verdicts", run), ("forecast", run, "--to", "200B"), ("backtest", run)):
        assert call(*command).code == 0, command
    assert call("plot", run, "ARC", "--out", str(tmp_path / "p.svg")).code == 0
    (curve,) = json.loads(call("curves", run, "--json").out)
    assert (curve["axis"], curve["chance"]) == ("params_total", 0.25)


@pytest.mark.parametrize(("mark", "comma"), [(";", ","), ("\t", "."), ("|", "."), (";", ".")])
def test_other_separators(tmp_path: Path, mark: str, comma: str) -> None:
    lines = [mark.join((f"EleutherAI/pythia-{size}", "t", "acc", value.replace(".", comma)))
             for size, value in (("70m", "0.30"), ("160m", "0.35"))]  # fmt: skip
    path = table(tmp_path / "s.csv", mark.join(("model", "task", "metric", "score")), *lines)
    done = bring(path, tmp_path / "run")
    assert sorted(row["y"] for row in rows_of(tmp_path / "run").values()) == [0.3, 0.35]
    assert any(f"separated by {mark!r}" in note for note in done.notes)


def test_a_cell_without_a_score_is_missing_in_any_table(tmp_path: Path, call: Call) -> None:
    for name, head, lines in (
        ("wide", "model,piqa,arc_easy", ("EleutherAI/pythia-70m,0.6,0.4", "EleutherAI/pythia-160m,-,0.5")),
        ("long", "model,task,acc", ("EleutherAI/pythia-70m,piqa,0.6", "EleutherAI/pythia-160m,piqa,nan")),
        ("percent", "model,piqa", ("EleutherAI/pythia-70m,60%", "EleutherAI/pythia-160m,")),
    ):
        path = table(tmp_path / f"{name}.csv", head, *lines)
        said = call("import", "auto", str(path), "--into", str(tmp_path / name))
        assert (said.code, "no finite score of 1 models (pythia-160m)" in said.err) == (1, True), (name, said.err)


def test_two_families_are_named_in_every_row(tmp_path: Path, call: Call) -> None:
    lines = [
        f"EleutherAI/pythia-{size}{end},t,acc,{0.25 + (at * 0.07 if not end else 0)},.01,2000,.25"
        for at, size in enumerate(PYTHIA)
        for end in ("", "-deduped")
    ]
    path = table(tmp_path / "s.csv", "model,task,metric,score,stderr,n,chance", *lines)
    run = str(tmp_path / "run")
    call("import", "auto", str(path), "--into", run)
    for command in (("verdicts", run), ("forecast", run, "--to", "12B")):
        out = call(*command).out
        assert "t · pythia " in out
        assert "t · pythia-deduped " in out
        alone = call(*command, "--family", "pythia").out
        assert "deduped" not in alone
        assert call(*command, "--family", "pythias").code == 2


# ── Metrics ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_metrics_of_crows_pairs_are_no_abilities(tmp_path: Path, call: Call) -> None:
    for size, value in zip(PYTHIA, (5.34, 5.24, 3.83, 3.64, 3.5, 3.32), strict=True):
        row = {"likelihood_difference": value, "likelihood_difference_stderr": 0.09, "pct_stereotype": 0.45,
               "pct_stereotype_stderr": 0.012}  # fmt: skip
        content = {"results": {"crows_pairs_french": row}, "versions": {"crows_pairs_french": 0}}
        config = {"model": "hf", "model_args": f"pretrained=EleutherAI/pythia-{size}", "num_fewshot": 0}
        (tmp_path / f"{size}.json").write_text(json.dumps(content | {"config": config}))
    call("import", "auto", str(tmp_path), "--into", str(tmp_path / "run"))
    shapes = {row["shape"] for row in json.loads(call("verdicts", str(tmp_path / "run"), "--json").out)}
    assert "inverse" not in shapes


@pytest.mark.parametrize(
    ("metric", "share", "up"),
    [
        ("prompt_level_strict_acc", True, True), ("extractive_match", True, True), ("pass@1", True, True),
        ("exact_match,strict-match", True, True), ("acc_norm", True, True), ("humaneval_pass@1", True, True),
        ("pct_stereotype", False, False), ("likelihood_difference", False, False), ("word_perplexity", False, False),
        ("ppl", False, False), ("brier_score", False, False), ("bits_per_byte", False, False), ("elo", False, True),
        ("inst_level_loose_acc", True, True), ("error_rate", False, False), ("quasi_exact_match", True, True),
    ],
)  # fmt: skip
def test_metrics_by_their_names(metric: str, share: bool, up: bool) -> None:
    assert (is_share(metric), higher_is_better(metric)) == (share, up)


@pytest.mark.parametrize("metric", ["prompt_level_strict_acc", "grade_given_by_our_rubric"])
def test_a_share_of_any_name_stays_below_one(tmp_path: Path, metric: str, call: Call) -> None:
    for at, size in enumerate(PYTHIA):
        value = 0.3 + at * 0.1
        row = {f"{metric},none": value, f"{metric}_stderr,none": (value * (1 - value) / 540) ** 0.5}
        result(tmp_path / "in" / size, f"EleutherAI/pythia-{size}", {"own": row}, n=541)
    run = str(tmp_path / "run")
    call("import", "auto", str(tmp_path / "in"), "--into", run)
    (row,) = [
        row for row in json.loads(call("forecast", run, "--to", "1T", "--json").out) if row["method"] == "combined"
    ]
    assert row["hi95"] <= 1
    assert row["lo95"] >= 0


def test_a_perplexity_is_foretold_above_one_and_has_one_sign(tmp_path: Path, call: Call) -> None:
    for size, value in zip(PYTHIA, (45.0, 30.0, 20.0, 15.0, 12.5, 6.0), strict=True):
        result(
            tmp_path / "in" / size, f"EleutherAI/pythia-{size}", {"lam": {"ppl,none": value, "ppl_stderr,none": 0.5}}
        )
    run = str(tmp_path / "run")
    call("import", "auto", str(tmp_path / "in"), "--into", run)
    for scale in ("100B", "100T"):
        found = json.loads(call("forecast", run, "--to", scale, "--methods", "--json").out)
        assert all(row["y"] >= 1 for row in found)
        (row,) = [row for row in found if row["method"] == "combined"]
        assert 1 <= row["lo95"] <= row["lo80"] <= row["y"] <= row["hi80"] <= row["hi95"]
    (curve,) = json.loads(call("curves", run, "--json").out)
    (verdict,) = json.loads(call("verdicts", run, "--json").out)
    assert curve["linearity"] == pytest.approx(verdict["linearity"])
    assert curve["linearity"] > 0


# ── What is known of tasks ───────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("task", "metric", "chance", "items"),
    [
        ("lm-eval:piqa", "acc", 0.5, 1838), ("lm-eval:arc_easy", "acc_norm", 0.25, 2376),
        ("lm-eval:hendrycksTest-anatomy", "acc", 0.25, 135), ("lm-eval:mmlu_anatomy", "acc", 0.25, None),
        ("leaderboard:MMLU-PRO", "score", None, 12032), ("lm-eval:gsm8k", "exact_match,strict-match", 0.0, 1319),
        ("lm-eval:leaderboard_bbh_snarks", "acc_norm", pytest.approx(0.503, abs=1e-3), 178),
        ("lm-eval:arc_challenge_chat", "exact_match", None, None), ("lm-eval:own_task", "acc", None, None),
        ("lm-eval:piqa", "f1", None, 1838), ("lm-eval:crows_pairs_french", "pct_stereotype", None, None),
    ],
)  # fmt: skip
def test_known_tasks(task: str, metric: str, chance: float | None, items: int | None) -> None:
    assert (chance_of(task, metric), known(task).items) == (chance, items)


def test_published_multiple_choice_can_be_emergent(tmp_path: Path, call: Call) -> None:
    values = (0.25, 0.251, 0.249, 0.25, 0.252, 0.251, 0.8, 0.81)
    for size, value in zip((*PYTHIA, "6.9b", "12b"), values, strict=True):
        result(tmp_path / "in" / size, f"EleutherAI/pythia-{size}", {"hellaswag": acc(value, None)}, n=None)
    run = str(tmp_path / "run")
    call("import", "auto", str(tmp_path / "in"), "--into", run)
    (verdict,) = json.loads(call("verdicts", run, "--json").out)
    assert verdict["shape"] == "emergent"


def test_the_user_may_say_the_chance(tmp_path: Path) -> None:
    result(tmp_path / "in", "EleutherAI/pythia-70m", {"own": acc(0.2), "piqa": acc(0.6)})
    bring(tmp_path / "in", tmp_path / "run", said=Said(chance={"own": 0.2}))
    found = {key[2]: row["chance"] for key, row in rows_of(tmp_path / "run").items()}
    assert found == {"lm-eval:own": 0.2, "lm-eval:piqa": 0.5}


def test_rescoring_a_run_of_score_files_keeps_it(tmp_path: Path, call: Call) -> None:
    from scalecurve.io.bigbench_files import ModelData, ScoreFile, write_score_file
    from scalecurve.tasks.task_score import TaskScore

    for at, size in enumerate((10**6, 10**7, 10**8, 10**9)):
        model = ModelData("fam", f"m{at}", non_embedding_params=size, flop_matched_non_embedding_params=size)
        scores = TaskScore("t", 0, {"multiple_choice_grade": 0.2 + at / 10}, "multiple_choice_grade", 0.2, 1.0)
        write_score_file(tmp_path / "in", ScoreFile("t", model, (scores,)))
    run = tmp_path / "run"
    assert call("scores", "import", str(tmp_path / "in"), str(run)).code == 0
    before = pl.read_parquet(run / "curves.parquet")
    assert call("rescore", str(run)).code == 0
    after = pl.read_parquet(run / "curves.parquet")
    assert before.height == after.height == 4
    assert after.select(before.columns).sort("rung").equals(before.sort("rung"))


def chance_of_import(tmp_path: Path, call: Call, task: str, scores: Sequence[float], *options: str) -> tuple[Any, str]:
    """What guessing earns by a table of one task, and what its import said."""
    lines = [f"net-{3**at}m,{task},{3**at}e6,{score},400" for at, score in enumerate(scores)]
    path = table(tmp_path / "t.csv", "model,task,params,acc,n", *lines)
    said = call("import", "auto", str(path), "--into", str(tmp_path / "run"), *options)
    return pl.read_parquet(tmp_path / "run" / "published" / "points.parquet")["chance"][0], said.err


JUMP = (0.0, 0.01, 0.0, 0.01, 0.9, 0.95, 0.97)


def test_guessing_earns_nothing_where_models_do(tmp_path: Path, call: Call) -> None:
    chance, said = chance_of_import(tmp_path, call, "links", JUMP)
    assert chance == 0
    assert "guessing is taken to earn 0 in links, as two models do (--chance links=0.25)" in said
    assert "emergent (1)" in call("verdicts", str(tmp_path / "run")).out


def test_guessing_is_as_stated_whatever_models_earn(tmp_path: Path, call: Call) -> None:
    chance, said = chance_of_import(tmp_path, call, "links", JUMP, "--chance", "links=0.1")
    assert chance == 0.1
    assert "guessing is" not in said


@pytest.mark.parametrize("task", ["mmlu_generative", "my_quiz_chat", "piqa"])
def test_a_letter_that_is_not_written_is_no_guess(tmp_path: Path, call: Call, task: str) -> None:
    chance, _ = chance_of_import(tmp_path, call, task, JUMP)
    assert chance != 0


def test_what_guessing_earns_is_asked_for_where_nothing_tells_it(tmp_path: Path, call: Call) -> None:
    chance, said = chance_of_import(tmp_path, call, "my_quiz", (0.25, 0.26, 0.24, 0.25, 0.9, 0.95, 0.97))
    assert chance is None
    assert "what guessing earns is not known of my_quiz" in said
    assert "--chance my_quiz=0.25" in said


@pytest.mark.parametrize(
    ("scores", "level"),
    [((0.49, 0.51, 0.5, 0.9), "0.5"), ((0.34, 0.32, 0.6, 0.9), "0.333"), ((0.03, 0.1, 0.3, 0.5), "0"),
     ((0.41, 0.6, 0.7, 0.8), "0.25")],
)  # fmt: skip
def test_an_unknown_level_of_guessing_is_proposed_from_the_scores(
    scores: tuple[float, ...], level: str, tmp_path: Path
) -> None:
    rows = "".join(f"m-{at + 1}b,quiz,{score},400\n" for at, score in enumerate(scores))
    (tmp_path / "t.csv").write_text(f"model,task,accuracy,n\n{rows}")
    done = import_run([tmp_path / "t.csv"], tmp_path / "run")
    assert any(note.endswith(f"(say it, as --chance quiz={level})") for note in done.notes)


def test_one_right_of_several_guesses_is_as_likely_as_that(tmp_path: Path) -> None:
    rows = "".join(f"m-{at}b,{task},0.{at},0.{at + 3}\n" for at in range(1, 5) for task in ("HumanEval", "piqa"))
    (tmp_path / "t.csv").write_text(f"model,task,pass@1,pass@2\n{rows}")
    import_run([tmp_path / "t.csv"], tmp_path / "run")
    curves = pl.read_parquet(tmp_path / "run" / "curves.parquet").unique(["task", "metric"])
    found = {(row["task"], row["metric"]): row["chance"] for row in curves.iter_rows(named=True)}
    assert found == {
        ("HumanEval", "pass@1"): 0,
        ("HumanEval", "pass@2"): 0,
        ("piqa", "pass@1"): 0.5,
        ("piqa", "pass@2"): 0.75,
    }


@pytest.mark.parametrize(("cells", "told"), [("0.2,", True), ("0.2,400", False), ("0.2 ± 0.01,", False)])
def test_scores_without_errors_are_told_with_what_mends_it(cells: str, told: bool, tmp_path: Path) -> None:
    rows = "".join(f"m-{at}b,quiz,{cells}\n" for at in range(1, 5))
    (tmp_path / "t.csv").write_text(f"model,task,accuracy,n\n{rows}")
    done = import_run([tmp_path / "t.csv"], tmp_path / "run")
    assert any("no shape is judged there; give errors" in note for note in done.notes) == told


def test_guessing_that_options_tell_is_not_said_to_earn_nothing(tmp_path: Path) -> None:
    for name in ("me/mymodel-1b", "me/mymodel-2b", "me/mymodel-4b"):
        path = result(tmp_path / "in" / name, name, {"quiz": acc(0.0)}, n=2)
        lines = [
            {"doc_id": at, "doc": {"q": at, "choices": list("abcd"), "answer": 3}, "target": 3,
             "arguments": [[f"Q{at}", f" {letter}"] for letter in "abcd"], "doc_hash": f"h{at}", "acc": 0.0,
             "resps": [[[-1.0 - n, False]] for n in range(4)],
             "filtered_resps": [[-1.0 - n, False] for n in range(4)]} for at in (0, 1)
        ]  # fmt: skip
        samples = path.parent / path.name.replace("results_", "samples_quiz_").replace(".json", ".jsonl")
        samples.write_text("".join(json.dumps(line) + "\n" for line in lines))
    notes = bring(tmp_path / "in", tmp_path / "run").notes
    assert {row["chance"] for key, row in rows_of(tmp_path / "run").items() if key[3] == "acc"} == {0.25}
    assert not [note for note in notes if note.startswith("guessing is taken")]
