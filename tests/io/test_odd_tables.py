"""Tables as spreadsheets, papers and hands make them: each stands for its kind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from scalecurve.errors import UserError
from scalecurve.io.importing import Imported, import_run

MODELS = ("EleutherAI/pythia-410m", "EleutherAI/pythia-1b", "EleutherAI/pythia-2.8b")
SCORES = (0.605, 0.655, 0.705)


def imported(folder: Path, text: str, encoding: str = "utf-8", **more: Any) -> tuple[pl.DataFrame, Imported]:
    (folder / "t.csv").write_bytes(text.encode(encoding))
    done = import_run([folder / "t.csv"], folder / "run", **more)
    return pl.read_parquet(folder / "run" / "curves.parquet").sort("params_total"), done


def lines(head: str, row: Callable[[int], str]) -> str:
    return "\n".join([head, *(row(at) for at in range(3))]) + "\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (lines("model;task;score;n", lambda at: f"{MODELS[at]};piqa;0,{SCORES[at] * 1000:.0f};1.838"), "utf-8-sig"),
        (lines("Modell;Aufgabe;Wert;Anzahl;Ü", lambda at: f"{MODELS[at]};piqa;{60 + 5 * at},5 %;1.838;"), "cp1252"),
        (lines("modèle;tâche;score;n", lambda at: f"{MODELS[at]};piqa;{60 + 5 * at},5\u202f%;1\u202f838"), "utf-8-sig"),
        (lines("modèle;tâche;valeur;nombre", lambda at: f"{MODELS[at]};piqa;{60 + 5 * at},5 %;1\xa0838"), "cp1252"),
        (lines("model\ttask\tscore\tn", lambda at: f"{MODELS[at]}\tpiqa\t{SCORES[at]}\t1838"), "utf-16"),
        (lines("model,task,score,n", lambda at: f'{MODELS[at]},piqa,{60.5 + 5 * at} ± 1.1,"1,838"'), "utf-8"),
        (lines("model,task,score,n", lambda at: f"{MODELS[at]},piqa,{SCORES[at]} (0.011),1838.0"), "utf-8"),
        (lines("model,task,score,n", lambda at: f"{MODELS[at]},piqa,**{60.5 + 5 * at}**†,1838"), "utf-8"),
        (lines(" model, task , score , n", lambda at: f" {MODELS[at]} , piqa, {SCORES[at]}, 1838") + ",,,\n", "utf-8"),
        (lines('Model,Task,"Accuracy (%)",# Questions', lambda at: f"{MODELS[at]},piqa,{60.5 + 5 * at},1838"), "utf-8"),
    ],
    ids="german german-windows french french-windows excel-unicode plus-minus parentheses bold blanks units".split(),
)  # fmt: skip
def test_the_same_scores_however_they_are_written(text: str, encoding: str, tmp_path: Path) -> None:
    curves, _ = imported(tmp_path, text, encoding)
    assert curves["rung"].to_list() == ["pythia-410m", "pythia-1b", "pythia-2.8b"]
    assert curves["y"].to_list() == pytest.approx(SCORES)
    assert curves["n"].to_list() == [1838] * 3
    assert curves["metric"].unique().to_list()[0] in ("score", "wert", "valeur", "accuracy")


def test_a_comma_after_a_zero_is_no_mark_of_thousands(tmp_path: Path) -> None:
    curves, _ = imported(
        tmp_path, lines("model,task,score,n", lambda at: f'{MODELS[at]},piqa,"0,{605 + 50 * at}",1838')
    )
    assert curves["y"].to_list() == pytest.approx(SCORES)


def test_a_share_with_a_percent_sign_is_in_percent_however_small(tmp_path: Path) -> None:
    curves, _ = imported(
        tmp_path, lines("model,task,metric,score", lambda at: f"{MODELS[at]},rare,acc,{0.2 + at / 10:.1f}%")
    )
    assert curves["y"].to_list() == pytest.approx([0.002, 0.003, 0.004])


def test_a_row_of_averages_is_no_model(tmp_path: Path) -> None:
    text = lines("model,arc_easy,piqa", lambda at: f"{MODELS[at]},0.5,{SCORES[at]}") + "Average,0.5,0.655\n"
    curves, done = imported(tmp_path, text)
    assert curves["rung"].n_unique() == 3
    assert not done.unmatched


def test_a_checkpoint_whose_state_stands_in_its_name(tmp_path: Path) -> None:
    states = ("stage1-step150-tokens1B", "stage1-step9000-tokens38B", "stage1-step100000-tokens420B")
    curves, done = imported(
        tmp_path, lines("model,task,score", lambda at: f"OLMo-2-1124-7B-{states[at]},piqa,{SCORES[at]}")
    )
    assert not done.unmatched
    assert curves.sort("step")["training_tokens"].to_list() == [10**9, 38 * 10**9, 420 * 10**9]
    assert set(curves["family"]) == {"OLMo-2-1124-7B-checkpoints"}


def test_what_is_missing_is_counted_and_never_a_zero(tmp_path: Path) -> None:
    curves, done = imported(
        tmp_path, lines("model,task,score,n", lambda at: f"{MODELS[at]},piqa,{('#N/A', 'inf', '0.7')[at]},9")
    )
    assert curves["y"].to_list() == [None, None, 0.7]
    assert "2 models" in done.missing[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (lines("model,task,score", lambda at: f"{MODELS[0]},piqa,0.{at + 5}"), "leave one of them out"),
        (lines("model,task,n", lambda at: f"{MODELS[at]},piqa,9"), "--map model=COLUMN"),
        (lines("model,task,score", lambda at: f"{MODELS[at]},piqa,0.5") + "Source: our own,,\n", "a row names no task"),
    ],
    ids=["twice", "no-scores", "footer"],
)
def test_what_cannot_be_understood_is_refused_in_one_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        imported(tmp_path, text)
    assert not (tmp_path / "run").exists()
