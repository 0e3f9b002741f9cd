"""Sizes in the names of models that no family file knows: read with evidence, or asked for in one line."""

from pathlib import Path

import polars as pl
import pytest
from cases import acc, bring, result, rows_of
from command_line import Call

from scalecurve.io.importing import import_run
from scalecurve.io.sizes import size_in_name


@pytest.mark.parametrize(
    ("name", "params", "series"),
    [
        ("me/mymodel-1.3b-chat", 1_300_000_000, "mymodel-chat"),
        ("mymodel_350M_v2", 350_000_000, "mymodel-v2"),
        ("opt-like-1p3b", 1_300_000_000, "opt-like"),
        ("8x7B", 56_000_000_000, ""),
        ("350M", 350_000_000, ""),
        ("0.5B-instruct", 500_000_000, "instruct"),
        ("tiny-110k", 110_000, "tiny"),
        ("wide-30B-A3B", 30_000_000_000, "wide"),
        ("mymodel-7B-Instruct-1M", 7_000_000_000, "mymodel-Instruct-1M"),
        ("me__mymodel-2.7b", 2_700_000_000, "mymodel"),
        ("mymodel-1.1B-step-480k-1T", 1_100_000_000, "mymodel-step-480k-1T"),
        ("模型-1.3b", 1_300_000_000, "模型"),
        ("mini-4k-instruct", None, ""),
        ("mini-128k", None, ""),
        ("mymodel-large", None, ""),
        ("mymodel-4bit", None, ""),
        ("mymodel-7b-300b", None, ""),
        ("mymodel-300b-tokens", None, ""),
        ("mymodel-v1.5", None, ""),
        ("run-2026", None, ""),
    ],
)
def test_what_a_name_says(name: str, params: int | None, series: str) -> None:
    found = size_in_name(name)
    assert (found and found.params, found.series if found else "") == (params, series)


def test_models_alike_but_for_their_size_are_a_ladder(tmp_path: Path, call: Call) -> None:
    for at, size in enumerate(("110m", "350m", "1.3b", "2.7b", "6.7b")):
        result(tmp_path / "in" / size, f"me/mymodel-{size}-chat", {"piqa": acc(0.55 + at / 20)})
        result(tmp_path / "in" / f"other{size}", f"me/other-{size}", {"piqa": acc(0.5 + at / 50)})
    run = tmp_path / "run"
    said = call("import", "auto", str(tmp_path / "in"), "--into", str(run))
    assert (said.code, "sizes of 10 models are read from their names" in said.err) == (0, True)
    assert "backend" not in said.err  # nothing is asked
    rows = rows_of(run)
    assert {family for family, *_ in rows} == {"mymodel-chat", "other"}
    assert rows["mymodel-chat", "mymodel-1.3b-chat", "lm-eval:piqa", "acc"]["params_total"] == 1_300_000_000
    for command in (("curves", run), ("verdicts", run), ("forecast", run, "--to", "30B")):
        assert call(*command).code == 0


def test_what_no_name_tells_is_asked_for_in_one_line_and_can_be_said(tmp_path: Path, call: Call) -> None:
    for at, name in enumerate(("me/small", "me/middle", "me/large")):
        result(tmp_path / "in" / str(at), name, {"piqa": acc(0.55 + at / 20)})
    said = call("import", "auto", str(tmp_path / "in"), "--into", str(tmp_path / "run"))
    assert "3 models are in no family file, and nothing tells their sizes; say them (--size small=7B …)" in said.err
    sizes = ("--size", "small=110M", "--size", "middle=1.3B", "--size", "me/large=6.7B")
    said = call("import", "auto", str(tmp_path / "in"), "--into", str(tmp_path / "sized"), *sizes)
    assert (said.code, "family file" in said.err.replace("write a family file", "")) == (0, False)
    found = {rung: row["params_total"] for (_, rung, *_), row in rows_of(tmp_path / "sized").items()}
    assert found == {"small": 110_000_000, "middle": 1_300_000_000, "large": 6_700_000_000}
    wrong = call("import", "auto", str(tmp_path / "in"), "--into", str(tmp_path / "x"), "--size", "small=big")
    assert (wrong.code, "--size: 'small=big' is no size; write it like mymodel-base=1.3B" in wrong.err) == (2, True)


@pytest.mark.parametrize(
    "states",
    [
        ("ep0-ba1000", "ep1-ba2000", "ep1-ba9000"),
        ("checkpoint-1000", "checkpoint-2000", "checkpoint-9000"),
        ("hf_ckpt_1000", "hf_ckpt_2000", "hf_ckpt_9000"),
        ("epoch=0-step=1000.ckpt", "epoch=1-step=2000.ckpt", "epoch=4-step=9000.ckpt"),
        ("iter_0001000", "iter_0002000", "iter_0009000"),
    ],
)
def test_checkpoints_of_a_model_nobody_knows_are_read_over_steps(tmp_path: Path, states: tuple[str, ...]) -> None:
    for at, state in enumerate(states):
        result(tmp_path / "in" / str(at), f"pretrained=/nfs/me/mymodel-1.3b/{state}", {"piqa": acc(0.55 + at / 20)})
    bring(tmp_path / "in", tmp_path / "run")
    rows = rows_of(tmp_path / "run")
    assert {family for family, *_ in rows} == {"mymodel-1.3b-checkpoints"}
    assert sorted(row["step"] for row in rows.values()) == [1000, 2000, 9000]
    assert {row["params_total"] for row in rows.values()} == {1_300_000_000}


def test_a_name_makes_no_shipped_family_larger(tmp_path: Path) -> None:
    result(tmp_path / "in" / "a", "EleutherAI/pythia-1b", {"piqa": acc(0.6)})
    result(tmp_path / "in" / "b", "me/pythia-5b", {"piqa": acc(0.7)})
    result(tmp_path / "in" / "c", "me/twin-5b", {"piqa": acc(0.7)})
    result(tmp_path / "in" / "d", "you/twin-5b", {"piqa": acc(0.6)})
    bring(tmp_path / "in", tmp_path / "run")
    found = {family for family, *_ in rows_of(tmp_path / "run")}
    assert found == {"pythia", "me/pythia", "twin", "you/twin"}


BILLIONS, MILLIONS = ("0.125", "0.35", "1.3", "6.7"), ("125", "350", "1300", "6700")
WRITTEN = ("125M", "350M", "1.3B", "6.7B")


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("params_b", BILLIONS),
        ("ParamsB", BILLIONS),
        ("size_in_billions", BILLIONS),
        ("Number of parameters (in billions)", BILLIONS),
        ("params_m", MILLIONS),
        ("Params [M]", MILLIONS),
        ("n_params_millions", MILLIONS),
        ("Params (B)", WRITTEN),
        ("params_m", WRITTEN),
        ("N", ("125000000", "3.5e8", "1300000000", "6.7e9")),
    ],
)
def test_the_unit_of_sizes_stands_in_the_columns_name_or_in_the_cells(
    column: str, cells: tuple[str, ...], tmp_path: Path
) -> None:
    rows = "".join(f"m{name},{cell},x,0.{at + 2}\n" for at, (name, cell) in enumerate(zip("abcd", cells, strict=True)))
    (tmp_path / "t.csv").write_text(f"model,{column},task,accuracy\n{rows}")
    done = import_run([tmp_path / "t.csv"], tmp_path / "run")
    curves = pl.read_parquet(tmp_path / "run" / "curves.parquet").sort("y")
    assert curves["params_total"].to_list() == [125_000_000, 350_000_000, 1_300_000_000, 6_700_000_000]
    assert not done.unsized
    assert not any("taken as billions" in note for note in done.notes)


@pytest.mark.parametrize(("column", "cells"), [("params", ("3K", "30K", "1M")), ("Params (M)", ("0.003", "0.03", "1"))])
def test_a_small_number_with_a_unit_is_no_number_of_billions(
    column: str, cells: tuple[str, ...], tmp_path: Path
) -> None:
    rows = "".join(f"m{name},{cell},x,0.{at + 2}\n" for at, (name, cell) in enumerate(zip("abc", cells, strict=True)))
    (tmp_path / "t.csv").write_text(f"model,{column},task,accuracy\n{rows}")
    import_run([tmp_path / "t.csv"], tmp_path / "run")
    curves = pl.read_parquet(tmp_path / "run" / "curves.parquet").sort("y")
    assert curves["params_total"].to_list() == [3_000, 30_000, 1_000_000]


def test_a_column_n_of_counts_stays_one_of_questions(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("model,N,task,accuracy\nm-1b,500,x,0.2\nm-3b,500,x,0.3\n")
    import_run([tmp_path / "t.csv"], tmp_path / "run")
    curves = pl.read_parquet(tmp_path / "run" / "curves.parquet").sort("y")
    assert curves["n"].to_list() == [500, 500]
    assert curves["params_total"].to_list() == [1_000_000_000, 3_000_000_000]
