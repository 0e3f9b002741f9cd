"""The commands forecast and backtest on a run directory made by hand."""

import json
import sys

import numpy as np
import polars as pl
import pytest

from scalecurve.cli import main
from scalecurve.schema import AXES

from .helpers import curve_of
from .test_forecast import frame_of


@pytest.fixture
def run(tmp_path):
    rng = np.random.default_rng(1)
    curves = [
        curve_of(rng.binomial(1000, 0.3 + 0.5 / (1 + np.exp(-np.linspace(-3, 2, 8)))) / 1000, task=f"lab:t{i}")
        for i in range(3)
    ]
    frame = frame_of(curves).with_columns(preferred=pl.lit(True), failed=pl.lit(0))
    unknown = [pl.lit(None).alias(axis) for axis in AXES if axis not in frame.columns]
    frame.with_columns(unknown).write_parquet(tmp_path / "curves.parquet")
    (tmp_path / "manifest.json").write_text("{}")
    return tmp_path


def call(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["scalecurve", *map(str, arguments)])
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    said = capsys.readouterr()
    return code, said.out, said.err


def test_forecast(monkeypatch, capsys, run):
    code, out, _ = call(monkeypatch, capsys, "forecast", run, "--to", "3B", "--to", "1e10", "--task", "t1")
    assert code == 0
    assert out.count("combined") == 2
    assert "lab:t0" not in out
    code, out, _ = call(monkeypatch, capsys, "forecast", run, "--to", "3B", "--json")
    rows = json.loads(out)
    assert {row["task"] for row in rows} == {"lab:t0", "lab:t1", "lab:t2"}
    assert all(row["x"] == 3e9 for row in rows)


@pytest.mark.parametrize(("to", "says"), [("huge", "no scale"), ("-3B", "no scale"), ("10M", "larger scale")])
def test_forecast_tells_what_is_wrong(monkeypatch, capsys, run, to, says):
    code, _, err = call(monkeypatch, capsys, "forecast", run, f"--to={to}")
    assert code == 2
    assert says in err
    assert err.count("\n") == 1


def test_backtest(monkeypatch, capsys, run):
    code, out, _ = call(monkeypatch, capsys, "backtest", run)
    assert code == 0
    assert "combined" in out
    assert "last value" in out
    code, out, _ = call(monkeypatch, capsys, "backtest", run / "curves.parquet", "--by", "task", "--json")
    assert {row["task"] for row in json.loads(out)} == {"lab:t0", "lab:t1", "lab:t2"}
    code, _, err = call(monkeypatch, capsys, "backtest", run, "--by", "colour")
    assert code == 2
    assert "colour" in err
    code, _, err = call(monkeypatch, capsys, "backtest", run / "manifest.json")
    assert code == 2
    assert "not a curves table" in err
