"""Tables as libraries, leaderboards and web pages write them, each a kind of its own."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from scalecurve.errors import UserError
from scalecurve.io.importing import Imported, import_run

SIZES = ("110m", "350m", "1.3b", "6.7b")
NAMES = [f"mymodel-{size}" for size in SIZES]
UP = [0.5, 0.55, 0.6, 0.65]


def brought(folder: Path, content: Any, name: str, **more: Any) -> tuple[pl.DataFrame, Imported]:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    done = import_run([folder / name], folder / "run", **more)
    return pl.read_parquet(folder / "run" / "curves.parquet").sort("params_total", "step", "family"), done


def scores(frame: pl.DataFrame) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in frame.iter_rows(named=True):
        found.setdefault(row["task"].removeprefix("leaderboard:"), []).append(row["y"])
    return found


@pytest.mark.parametrize(
    "content",
    [
        {"model": NAMES, "piqa": UP},
        {
            "columns": ["model", "piqa"],
            "index": [0, 1, 2, 3],
            "data": [list(row) for row in zip(NAMES, UP, strict=True)],
        },
        {"model": dict(zip("0123", NAMES, strict=True)), "piqa": dict(zip("0123", UP, strict=True))},
        {
            "title": "Core scenarios",
            "header": [{"value": "Model"}, {"value": "piqa"}],
            "rows": [
                [{"value": name}, {"value": y, "description": "n = 100"}] for name, y in zip(NAMES, UP, strict=True)
            ],
        },
        {"rows": [{"row_idx": 0, "row": {"model": name, "piqa": y}} for name, y in zip(NAMES, UP, strict=True)]},
        {"meta": {"date": "2024"}, "results": {name: {"piqa": y} for name, y in zip(NAMES, UP, strict=True)}},
    ],
    ids=["lists", "split", "columns", "helm", "viewer", "told"],
)
def test_data_frames_in_json(content: Any, tmp_path: Path) -> None:
    frame, _ = brought(tmp_path, content, "t.json")
    assert scores(frame) == {"piqa": UP}
    assert set(frame["family"]) == {"mymodel"}


def test_scores_inside_records_of_json_lines(tmp_path: Path) -> None:
    lines = [{"model": name, "results": {"piqa": y, "boolq": y}} for name, y in zip(NAMES, UP, strict=True)]
    frame, _ = brought(tmp_path, "".join(json.dumps(line) + "\n" for line in lines), "t.jsonl")
    assert scores(frame) == {"piqa": UP, "boolq": UP}


def test_a_table_of_a_web_page(tmp_path: Path) -> None:
    rows = "".join(
        f"<tr><th>{at}</th><td><a href='x'>{name}</a></td><td>{y}</td></tr>"
        for at, (name, y) in enumerate(zip(NAMES, UP, strict=True))
    )
    head = "<tr style='text-align: right'><th></th><th>model</th><th>piqa</th></tr>"
    page = f"<html><table><tr><td>menu</td></tr></table><table border=1><thead>{head}</thead>{rows}</table></html>"
    frame, _ = brought(tmp_path / "a", page, "t.html")
    assert scores(frame) == {"piqa": UP}
    with pytest.raises(UserError, match=r"t.html: not in the layout of"):
        brought(tmp_path / "b", "<html><p>nothing</p></html>", "t.html")


def test_a_data_frame_as_it_is_printed_keeps_its_columns(tmp_path: Path) -> None:
    """The numbers of its rows once were the models, and its first scores were lost."""
    lines = [f"{at}  {name}  {y:.2f}  {y:.2f}" for at, (name, y) in enumerate(zip(NAMES, UP, strict=True))]
    frame, _ = brought(tmp_path, "\n".join(["         model  piqa  boolq", *lines]) + "\n", "t.txt")
    assert scores(frame) == {"piqa": UP, "boolq": UP}


def test_markdown_as_a_browser_shows_it(tmp_path: Path) -> None:
    text = "| Model | MMLU<br>(5-shot) |\n|:--|--:|\n" + "".join(
        f"| {name}{mark} | {100 * y} |\n"
        for name, y, mark in zip(NAMES, UP, ("", "&nbsp;", "<sup>†</sup>", "¹"), strict=True)
    )
    frame, _ = brought(tmp_path, text, "t.md")
    assert set(frame["shots"]) == {5}
    assert set(frame["family"]) == {"mymodel"}
    assert scores(frame) == {"MMLU": pytest.approx(UP)}


def test_counts_and_differences_are_no_benchmarks(tmp_path: Path) -> None:
    head = ",win_rate,standard_error,n_wins,n_total,avg_length,Δ win_rate,row_idx\n"
    lines = [f"{name},{100 * y},1.5,80,805,900,+5.0,{at}\n" for at, (name, y) in enumerate(zip(NAMES, UP, strict=True))]
    frame, done = brought(tmp_path, head + "".join(lines), "t.csv")
    assert scores(frame) == {"win_rate": pytest.approx(UP)}
    assert frame["se"].to_list() == pytest.approx([0.015] * 4)
    assert any("columns that are no benchmark: n_wins" in line for line in done.left_out)


def test_units_in_a_row_below_the_names(tmp_path: Path) -> None:
    rows = zip("abcd", (110, 350, "1,300", "6,700"), UP, strict=True)
    lines = [f'mymodel-{name},"{size}",{100 * y}\n' for name, size, y in rows]
    frame, _ = brought(tmp_path, "Model,Params,PIQA\n,(M),(%)\n" + "".join(lines), "t.csv")
    assert scores(frame) == {"PIQA": pytest.approx(UP)}
    assert frame["params_total"].to_list() == [110e6, 350e6, 1300e6, 6700e6]


def test_models_that_their_family_and_size_name(tmp_path: Path) -> None:
    lines = [f"mymodel,{size},piqa,{y}\n" for size, y in zip(SIZES, UP, strict=True)]
    frame, _ = brought(tmp_path, "family,size,task,acc\n" + "".join(lines), "t.csv")
    assert (scores(frame), frame["rung"].to_list()) == ({"piqa": UP}, NAMES)


def test_last_folders_that_say_nothing_name_no_model(tmp_path: Path) -> None:
    lines = [f"/scratch/runs/{name}/final,piqa,{y}\n" for name, y in zip(NAMES, UP, strict=True)]
    frame, done = brought(tmp_path, "model,task,acc\n" + "".join(lines), "t.csv")
    assert set(frame["family"]) == {"mymodel"}
    assert (frame["rung"].to_list(), done.unsized) == (NAMES, ())


def test_states_of_a_model_that_nothing_names_are_a_ladder(tmp_path: Path) -> None:
    frame, _ = brought(tmp_path, "task,step1000,step2000,step4000\npiqa,0.5,0.55,0.6\n", "t.csv")
    assert (frame["step"].to_list(), set(frame["family"])) == ([1000, 2000, 4000], {"checkpoints"})


def test_a_chart_of_a_tracker_with_epochs_beside_its_steps(tmp_path: Path) -> None:
    lines = ['"Step","epoch","mymodel-1b - eval/accuracy","mymodel-1b - eval/accuracy__MIN"']
    lines += [f'"{500 * at}","{at}","{y}","{y}"' for at, y in enumerate(UP, 1)]
    frame, _ = brought(tmp_path, "\n".join(lines) + "\n", "t.csv")
    assert (frame["step"].to_list(), scores(frame)) == ([500, 1000, 1500, 2000], {"accuracy": UP})


def test_lists_of_scores_and_second_tables_are_refused_in_a_line(tmp_path: Path) -> None:
    line = json.dumps({"model": "mymodel-1b", "task": "piqa", "acc": [0.5, 0.6]})
    with pytest.raises(UserError, match=r"acc: holds lists; give each number a row of its own"):
        brought(tmp_path / "a", line + "\n", "t.jsonl")
    with pytest.raises(UserError, match=r"model: stands in a row too, where another table begins"):
        brought(tmp_path / "b", "model,piqa\nmymodel-1b,0.5\n\nmodel,boolq\nmymodel-1b,0.6\n", "t.csv")


def test_the_log_of_openai_s_evals(tmp_path: Path) -> None:
    spec = {"completion_fns": ["gpt-3.5-turbo"], "eval_name": "test-match.s1.simple-v0", "base_eval": "test-match"}
    lines = [{"spec": spec}]
    lines += [{"sample_id": str(at), "type": "match", "data": {"correct": at < 3}} for at in range(4)]
    report = {"final_report": {"accuracy": 0.75, "boostrap_std": 0.2}}
    frame, _ = brought(tmp_path / "a", "".join(json.dumps(line) + "\n" for line in [*lines, report]), "t.jsonl")
    (row,) = frame.to_dicts()
    assert (row["task"], row["rung"], row["y"], row["se"], row["n"]) == (
        "openai-evals:test-match", "gpt-3.5-turbo", 0.75, 0.2, 4
    )  # fmt: skip
    with pytest.raises(UserError, match="has no final_report: the run did not end"):
        brought(tmp_path / "b", "".join(json.dumps(line) + "\n" for line in lines), "t.jsonl")
