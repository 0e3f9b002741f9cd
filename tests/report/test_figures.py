"""Figures for papers, the notebook's run, and the live view."""

import json
import shutil
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from synthetic import make_run

import scalecurve
from scalecurve.nouns import UserError
from scalecurve.report.figures import PRESETS, plot, save
from scalecurve.report.notebook import Run
from scalecurve.report.server import serve


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("figures") / "run", tasks=6, rung_count=5, examples=50)


def points_of(chart: object) -> list[dict]:
    spec = chart.to_dict()
    return [row for rows in spec["datasets"].values() for row in rows if "rung" in row]


def test_plot_draws_every_rung_of_every_way(run: Path, tmp_path: Path) -> None:
    points = points_of(plot([run], "steady_1"))
    assert len(points) == 5 * 2
    assert {point["series"] for point in points} == {"direct, 0-shot", "chain of thought, 0-shot"}
    assert save(plot([run], "steady_1"), tmp_path / "a.svg").read_text().startswith("<svg")
    assert save(plot([run], "steady_1"), tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert save(plot([run], "steady_1"), tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_draw(run: Path, preset: str) -> None:
    assert points_of(plot([run], preset=preset))


def test_axis_of_compute(run: Path) -> None:
    points = points_of(plot([run], "steady_1", axis="training_flops"))
    assert min(point["x"] for point in points) == pytest.approx(6.0 * 8000 * 1e8)


def test_plot_names_what_is_wrong(run: Path) -> None:
    with pytest.raises(UserError, match=r"task: 'stedy_1' is not in the run; it has .*steady_1"):
        plot([run], "stedy_1")
    with pytest.raises(UserError, match="--preset: 'nope'"):
        plot([run], preset="nope")
    with pytest.raises(UserError, match=r"--metric: 'bleu' is not in steady 1"):
        plot([run], "steady_1", metric="bleu")


def test_a_run_in_python(run: Path) -> None:
    loaded = scalecurve.load_run(run)
    assert isinstance(loaded, Run)
    view = loaded.curve("steady_1")
    assert view.curve.strategy == "direct"
    assert len(points_of(view.plot())) == 5
    assert loaded.curve("steady_1", strategy="chain_of_thought").curve.strategy == "chain_of_thought"
    assert view.verdict is not None
    html = loaded._repr_html_()
    assert html.count("<tr>") == 1 + 6 * 2
    with pytest.raises(UserError, match="none fits task 'nothing'"):
        loaded.curve("nothing")


def get(url: str, **headers: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=150) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_view_follows_a_run_that_goes_on(run: Path, tmp_path: Path) -> None:
    going = tmp_path / "going"
    shutil.copytree(run, going)
    for derived in ("curves.parquet", "verdicts.parquet", "scores.parquet"):
        (going / derived).unlink()
    manifest = json.loads((going / "manifest.json").read_text())
    whole = dict(manifest)
    manifest |= {"finished": None, "cells": manifest["cells"][:20]}
    (going / "manifest.json").write_text(json.dumps(manifest))
    server, view = serve([going], patience=0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        status, page = get(f"{address}/")
        assert status == 200
        assert "connect-src" in page
        before = get(f"{address}/version")[1]
        assert len(json.loads(get(f"{address}/examples/0")[1])["q"]) == 50
        assert get(f"{address}/examples/99")[0] == 404
        assert get(f"{address}/../../etc/passwd")[0] == 404
        assert get(f"{address}/", Host="evil.example")[0] == 403
        assert get(f"{address}/examples/0", Origin="https://evil.example")[0] == 403
        assert get(f"{address}/examples/0", Origin=address)[0] == 200
        assert server.server_address[0] == "127.0.0.1"
        (going / "manifest.json").write_text(json.dumps(whole | {"finished": None}))
        assert get(f"{address}/version")[1] != before
        assert get(f"{address}/examples/5")[0] == 200
        assert not (going / "curves.parquet").exists()
    finally:
        server.shutdown()
        server.server_close()
        view.close()


def test_colour_shape_and_dash_share_one_legend(run: Path) -> None:
    import vl_convert

    legends = vl_convert.vegalite_to_vega(plot([run], "steady_1").to_dict())["legends"]
    assert len(legends) == 1
    assert {"shape", "strokeDash"} <= set(legends[0])
