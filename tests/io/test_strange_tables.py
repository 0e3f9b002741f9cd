"""Tables in which something is written otherwise than usual: read as meant, or refused in a line that says why."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from cases import rows_of
from command_line import Call

from scalecurve.errors import UserError
from scalecurve.io.cells import model_name
from scalecurve.io.headings import heading, of_error
from scalecurve.io.importing import Imported, import_run
from scalecurve.io.sources import Said

SIZES = ("110m", "350m", "1.3b", "2.7b", "6.7b")


def brought(folder: Path, text: str | bytes, name: str = "t.csv", **more: Any) -> tuple[dict[str, list[Any]], Imported]:
    """Task and metric → scores, the smallest model first; and what the import told."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    done = import_run([folder / name], folder / "run", **more)
    curves = pl.read_parquet(folder / "run" / "curves.parquet").sort("params_total")
    found: dict[str, list[Any]] = {}
    for row in curves.iter_rows(named=True):
        found.setdefault(f"{row['task'].removeprefix('leaderboard:')} {row['metric']}", []).append(row["y"])
    return found, done


def table(head: str, *cells: tuple[Any, ...]) -> str:
    return head + "\n" + "".join(",".join(map(str, row)) + "\n" for row in cells)


def models(*columns: list[Any]) -> list[tuple[Any, ...]]:
    return [(f"mymodel-{size}", *values) for size, *values in zip(SIZES, *columns, strict=True)]


UP = [0.55, 0.6, 0.65, 0.7, 0.75]


# ── Percent and fractions ────────────────────────────────────────────────────────────────────────────────────
def test_fractions_among_percents_of_one_task_are_refused(tmp_path: Path) -> None:
    text = table("model,task,metric,score", *((m, "piqa", "acc", v) for m, v in models([0.55, 60, 0.65, 70, 75])))
    with pytest.raises(UserError, match=r"piqa: 0.55, 0.65 are fractions, 75 is in percent; .*--percent piqa"):
        brought(tmp_path, text)


def test_a_small_percentage_where_guessing_earns_nothing_stands(tmp_path: Path) -> None:
    found, _ = brought(
        tmp_path, table("model,task,metric,score", *((m, "gsm8k", "acc", v) for m, v in models([0.5, 0.9, 4, 9, 30])))
    )
    assert found["gsm8k acc"] == pytest.approx([0.005, 0.009, 0.04, 0.09, 0.3])


# ── Columns ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_columns_of_errors_belong_to_their_scores(tmp_path: Path) -> None:
    head = "Model,piqa_acc,piqa_acc_stderr,arc_easy,arc_easy SE,boolq,boolq (std)"
    found, done = brought(tmp_path, table(head, *models(UP, [0.011] * 5, UP, [0.01] * 5, UP, [0.2] * 5)))
    assert set(found) == {"piqa acc", "arc_easy score", "boolq score"}
    rows = rows_of(tmp_path / "run")
    assert rows["mymodel", "mymodel-1.3b", "leaderboard:piqa", "acc"]["se"] == 0.011
    assert rows["mymodel", "mymodel-1.3b", "leaderboard:arc_easy", "score"]["se"] == 0.01
    assert (
        rows["mymodel", "mymodel-1.3b", "leaderboard:boolq", "score"]["se"] is None
    )  # a deviation is no standard error
    assert done.left_out == ("1 columns that are no benchmark: boolq (std)",)


def test_harness_columns_of_two_metrics_each_with_its_error(tmp_path: Path) -> None:
    head = 'model,task,"acc,none","acc_stderr,none","acc_norm,none","acc_norm_stderr,none"'
    rows = [(m, "piqa", *more) for m, *more in models(UP, [0.01] * 5, UP, [0.02] * 5)]
    found, _ = brought(tmp_path, table(head, *rows))
    assert set(found) == {"piqa acc,none", "piqa acc_norm,none"}
    curves = rows_of(tmp_path / "run")
    assert [curves["mymodel", "mymodel-350m", "piqa", f"{one},none"]["se"] for one in ("acc", "acc_norm")] == [
        0.01,
        0.02,
    ]


@pytest.mark.parametrize("name", ["base", "phase", "reverse", "house", "score", "stderr", "piqa"])
def test_no_error_is_seen_in_other_names(name: str) -> None:
    assert not of_error(name)


@pytest.mark.parametrize(
    ("name", "task", "metric", "shots"),
    [
        ("MMLU (5-shot)", "MMLU", "", 5),
        ("GSM8K (8-shot, EM)", "GSM8K", "em", 8),
        ("HumanEval (pass@1)", "HumanEval", "pass@1", None),
        ("MATH (4-shot, Minerva)", "MATH (Minerva)", "", 4),
        ("ARC-C 25-shot", "ARC-C", "", 25),
        ("arc_challenge_25shot", "arc_challenge_25shot", "", 25),
        ("ARC (easy)", "ARC (easy)", "", None),
        ("常识（5-shot，准确率）", "常识", "accuracy", 5),
        ("2-digit sums", "2-digit sums", "", None),
    ],
)
def test_what_a_heading_says(name: str, task: str, metric: str, shots: int | None) -> None:
    told = heading(name)
    assert (told.task, told.metric, told.shots) == (task, metric, shots)


def test_shots_in_headings_are_heeded(tmp_path: Path) -> None:
    brought(tmp_path, table("Model,MMLU (5-shot),piqa (%)", *models([26, 30, 40, 50, 60], [55, 60, 65, 70, 75])))
    found = {task: (row["shots"], row["chance"]) for (_, _, task, _), row in rows_of(tmp_path / "run").items()}
    assert found == {"leaderboard:MMLU": (5, 0.25), "leaderboard:piqa": (0, 0.5)}


def test_scores_below_guessing_are_no_shares_of_right_answers(tmp_path: Path) -> None:
    brought(tmp_path, table("Model,GPQA_diamond", *models([0.01, 0.02, 0.05, 0.1, 0.3])))  # normalised: 0 is guessing
    assert {row["chance"] for row in rows_of(tmp_path / "run").values()} == {None}


# ── Cells ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_words_for_missing_scores_are_counted(tmp_path: Path, call: Call) -> None:
    text = table("model,piqa,arc_easy", *models(["OOM", "TBD", 0.65, "failed", 0.75], [0.4, "see note", 0.6, 0.7, 0.7]))
    found, done = brought(tmp_path, text)
    assert found == {"piqa score": [None, None, 0.65, None, 0.75], "arc_easy score": [0.4, None, 0.6, 0.7, 0.7]}
    assert any("column arc_easy: see note is no number, and counted as missing" in note for note in done.notes)
    assert len(done.missing) == 2


@pytest.mark.parametrize(
    "written",
    ["{0} ± {1}", "{0}±{1}", "{0} ({1})", "{0} +/- {1}", "{0} (SE {1})", "**{0}** ± {1}", "{0}% ± {1}%", "{0} ± {1} %"],
)
@pytest.mark.parametrize("wide", [True, False], ids=["wide", "long"])
def test_an_error_behind_a_score_is_its_standard_error(wide: bool, written: str, tmp_path: Path) -> None:
    cells = [written.format(f"{100 * value:.1f}", 1.1) for value in UP]
    text = table("model,piqa", *models(cells))
    if not wide:
        text = table("model,task,score", *((m, "piqa", v) for m, v in models(cells)))
    found, done = brought(tmp_path, text)
    assert found["piqa score"] == pytest.approx(UP)
    assert [row["se"] for row in rows_of(tmp_path / "run").values()] == pytest.approx([0.011] * 5)
    assert any("is the standard error" in note for note in done.notes)


def test_what_so_many_questions_cannot_have_is_no_standard_error(tmp_path: Path) -> None:
    """Of 1,838 questions (piqa): an error of 1.1 points is theirs, 2.2 half of a 95 % interval, 0.2 of seeds."""
    for name, error, se in (("interval", "2.2", 0.022 / 1.96), ("seeds", "0.2", None)):
        cells = [f"{100 * value:.1f} ± {error}" for value in UP]
        _, done = brought(tmp_path / name, table("model,piqa", *models(cells)))
        read = [row["se"] for row in rows_of(tmp_path / name / "run").values()]
        assert read == ([None] * 5 if se is None else pytest.approx([se] * 5))
        assert any(("half of a 95 % interval" if se else "is left out") in note for note in done.notes)


def test_ranks_counts_and_intervals_behind_scores_are_left_out(tmp_path: Path) -> None:
    behind = ["(3)", "(n=1838)", "[0.63, 0.67]", "(+0.05)", "(std 0.01)"]
    cells = [f'"{value} {one}"' for value, one in zip(UP, behind, strict=True)]
    found, done = brought(tmp_path, table("model,piqa", *models(cells)))
    assert found["piqa score"] == UP
    assert {row["se"] for row in rows_of(tmp_path / "run").values()} == {None}
    assert any("what stands behind the score is left out ('0.55 (3)')" in note for note in done.notes)


def test_right_of_all_is_a_share_with_its_items(tmp_path: Path) -> None:
    found, _ = brought(
        tmp_path, table("model,task,score", *((m, "quiz", f"{n}/40") for m, n in models([12, 17, 22, 27, 32])))
    )
    assert found["quiz score"] == pytest.approx([0.3, 0.425, 0.55, 0.675, 0.8])
    assert {row["n"] for row in rows_of(tmp_path / "run").values()} == {40}


@pytest.mark.parametrize("marks", ["✓✗", "✅❌", ("yes", "no"), ("对", "错"), ("True", "False"), ("correct", "wrong")])
def test_items_marked_right_and_wrong(tmp_path: Path, marks: Any) -> None:
    rows = [
        (f"mymodel-{size}", "quiz", q, marks[(q * 7 + at * 3) % 10 >= 3 + at])
        for at, size in enumerate(SIZES)
        for q in range(40)
    ]
    found, done = brought(tmp_path, table("model,task,question_id,score", *rows))
    assert found["quiz score"] == pytest.approx([0.3, 0.4, 0.5, 0.6, 0.7])
    assert (done.answers, done.missing) == (200, ())


def test_decimals_of_a_database_are_numbers(tmp_path: Path) -> None:
    frame = pl.DataFrame({"model": [f"mymodel-{one}" for one in SIZES], "task": ["piqa"] * 5, "acc": UP})
    frame.with_columns(pl.col("acc").cast(pl.Decimal(10, 4)), pl.col("model").cast(pl.Categorical)).write_parquet(
        tmp_path / "a.parquet"
    )
    found, _ = brought(tmp_path, (tmp_path / "a.parquet").read_bytes(), "t.parquet")
    assert found["piqa acc"] == UP


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("🟢 [me/model-7b](https://example.org/x)", "me/model-7b"),
        ("**model-7b** ⭐", "model-7b"),
        ('<a href="x">me/model-7b</a>', "me/model-7b"),
        ("我的模型-7b", "我的模型-7b"),
        ("🟢", "🟢"),
    ],
)
def test_models_as_leaderboards_write_them(written: str, name: str) -> None:
    assert model_name(written) == name


# ── Languages ────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_chinese_tables(encoding: str, tmp_path: Path) -> None:
    rows = [
        (m, "常识推理", "准确率", v, "1.2%", 1838, f"{n}亿")
        for m, v, n in models([f"{100 * v:.1f}" for v in UP], [1, 4, 13, 27, 67])
    ]
    text = table("模型,任务,指标,得分,标准误,样本数,参数量", *rows).replace("mymodel", "我的模型")
    found, done = brought(tmp_path, text.encode(encoding))
    assert found == {"常识推理 accuracy": pytest.approx(UP)}
    sizes = {rung: row["params_total"] for (_, rung, *_), row in rows_of(tmp_path / "run").items()}
    assert sizes["我的模型-1.3b"] == 1_300_000_000
    assert not done.missing


def test_models_stand_in_order_where_the_first_task_lacks_some(tmp_path: Path, call: Call) -> None:
    brought(tmp_path, table("model,a_task,z_task", *models(["-", "-", 0.65, "-", 0.75], UP)))
    said = call("curves", str(tmp_path / "run"))
    assert said.out.split("curve", 1)[1].split("chance")[0].split() == [f"mymodel-{size}" for size in SIZES]


def test_arrows_say_which_way_is_better(tmp_path: Path) -> None:
    head = "Model,WikiText PPL ↓,LAMBADA acc ↑,CER ↓,Bias (↓),Arena Elo"
    cells = (
        [60, 50, 40, 30, 20],
        UP,
        [0.4, 0.35, 0.3, 0.2, 0.1],
        [0.3, 0.28, 0.2, 0.2, 0.1],
        [900, 950, 1000, 1100, 1200],
    )
    found, _ = brought(tmp_path, table(head, *models(*cells)), said=Said(fractions=frozenset({"Bias (↓)"})))
    assert set(found) == {"WikiText ppl", "LAMBADA acc", "CER cer", "Bias score", "Arena elo"}
    assert found["WikiText ppl"] == cells[0]
    better = {task: row["higher_is_better"] for (_, _, task, _), row in rows_of(tmp_path / "run").items()}
    lower = {"leaderboard:WikiText", "leaderboard:CER", "leaderboard:Bias"}
    assert {task for task, up in better.items() if not up} == lower


@pytest.mark.parametrize("long", [True, False])
def test_percent_signs_are_heeded_beside_percents_without(long: bool, tmp_path: Path) -> None:
    signed, plain = ["10%", "19%", "28 %", "37%", "46％"], [55, 60, 65, 70, 75]
    text = table("model,won,piqa", *models(signed, plain))
    if long:
        rows = [(m, task, "acc", v) for task, own in (("won", signed), ("piqa", plain)) for m, v in models(own)]
        text = table("model,task,metric,score", *rows)
    found, _ = brought(tmp_path, text)
    assert {key.split()[0]: values for key, values in found.items()} == {
        "won": pytest.approx([0.1, 0.19, 0.28, 0.37, 0.46]), "piqa": pytest.approx(UP)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model,task,score\na-1b,piqa,0.5\na-1b,piqa,0.6\n", "stands in several rows; .*--map seed=COLUMN"),
        ("model,params,task,score\na,2,700M,piqa,0.5\n", "a row has more cells than there are names of columns"),
        ("<!DOCTYPE html><html><body>404</body></html>", "web page, download the file itself"),
        ("", "it is empty"),
    ],
    ids=["rows-twice", "comma-in-a-number", "web-page", "empty"],
)
def test_what_is_wrong_is_said_with_what_to_do(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "t.csv").write_text(text)
    with pytest.raises(UserError, match=said):
        import_run([tmp_path / "in"], tmp_path / "run")


# ── Models and their states ──────────────────────────────────────────────────────────────────────────────────
def test_names_that_differ_in_case_only_are_one_model(tmp_path: Path) -> None:
    rows = [("Me/MyModel-1B", "piqa", 0.6), ("me/mymodel-1b", "arc_easy", 0.5), ("EleutherAI/Pythia-1B", "piqa", 0.7)]
    _, done = brought(tmp_path / "a", table("model,task,acc", *rows))
    assert {key[1] for key in rows_of(tmp_path / "a" / "run")} == {"MyModel-1B", "pythia-1b"}
    assert "names that differ in case only are taken as one model: Me/MyModel-1B and me/mymodel-1b" in done.notes
    with pytest.raises(UserError, match=r"me/mymodel-1b at 0 shots \(Me/MyModel-1B and me/mymodel-1b are one\)"):
        brought(tmp_path / "b", table("model,task,acc", *rows, ("me/mymodel-1b", "piqa", 0.5)))


@pytest.mark.parametrize(
    ("name", "axis"),
    [("epoch", "epoch"), ("Epochs", "epoch"), ("训练轮数", "epoch"), ("step", "step"), ("iteration", "step")],
)
def test_epochs_and_steps_are_states_and_the_first_is_none_of_the_last(name: str, axis: str, tmp_path: Path) -> None:
    """An untrained model, state 0, was once taken for the finished one, and an epoch for a step."""
    rows = [("EleutherAI/pythia-1b", at, "piqa", 0.5 + at / 20) for at in range(4)]
    _, done = brought(tmp_path, table(f"model,{name},task,acc", *rows))
    curves = pl.read_parquet(tmp_path / "run" / "curves.parquet").sort(axis)
    assert (curves[axis].to_list(), curves["y"].to_list()) == ([0, 1, 2, 3], [0.5, 0.55, 0.6, 0.65])
    assert curves["family"].unique().to_list() == ["pythia-1b-checkpoints"]
    assert f"4 models (checkpoints: 4 by their {axis})" in done.understood
