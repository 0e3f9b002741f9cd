"""Figures for papers, the notebook's run, and the live view."""

import json
import re
import shutil
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from synthetic import make_run

import scalecurve
from scalecurve.errors import UserError
from scalecurve.report.figures import PRESETS, plot, save
from scalecurve.report.notebook import FinishedRun
from scalecurve.report.printed import caption_of, printed_width
from scalecurve.report.progress import RunClock
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


def test_a_point_tells_its_interval_in_one_row(run: Path) -> None:
    import vl_convert

    chart = plot([run], "steady_1")
    told = {row["title"] for layer in chart.to_dict()["layer"] for row in layer["encoding"].get("tooltip", ())}
    assert "95%" in told
    assert not told & {"95% from", "95% to"}
    drawn = vl_convert.vegalite_to_svg(chart.to_dict())
    said = {tuple(map(float, pair)) for pair in re.findall(r"95%: ([\d.]+) – ([\d.]+)", drawn)}
    wanted = {(round(one["lo"], 3), round(one["hi"], 3)) for one in points_of(chart) if one["lo"] > 0}
    assert len(wanted) > 5
    assert said == wanted


def test_axis_of_compute(run: Path) -> None:
    points = points_of(plot([run], "steady_1", axis="training_flops"))
    assert min(point["x"] for point in points) == pytest.approx(6.0 * 8000 * 1e8)


@pytest.mark.parametrize(
    ("what", "width"), [("steady_1", "3.3in"), ("abilities", "5.5in"), ("chain-of-thought", "140mm")]
)
def test_a_figure_for_print_has_the_width_and_the_letters_asked_for(
    run: Path, tmp_path: Path, what: str, width: str
) -> None:
    chart = plot([run], preset=what) if what in PRESETS else plot([run], what)
    inches = printed_width(width)
    svg = save(chart, tmp_path / "a.svg", width=inches, font_size=8).read_text()
    assert float(re.search(r'width="([\d.]+)pt"', svg)[1]) == pytest.approx(72 * inches, abs=1.5)
    assert set(re.findall(r'font-size="([\d.]+)px"', svg)) == {"8"}
    assert len(re.findall(r'aria-roledescription="legend"', svg)) <= 1, "one legend for all panels"


def test_panels_of_one_metric_share_their_scale_and_others_do_not(run: Path) -> None:
    def scale(chart: object) -> str:
        return chart.to_dict()["resolve"]["scale"]["y"]

    assert scale(plot([run], preset="metrics")) == "independent"
    tasks = plot([run], preset="chain-of-thought")
    assert scale(tasks) == "shared"


def test_a_figure_names_the_model_that_its_verdict_leaves_out(run: Path, tmp_path: Path) -> None:
    import polars as pl

    odd = tmp_path / "odd"
    shutil.copytree(run, odd)
    verdicts = pl.read_parquet(odd / "verdicts.parquet")
    reason = json.dumps(["one-model", "syn-81k", 0.9, 0.5, "flat"])
    verdicts.with_columns(reasons=pl.concat_list(pl.col("reasons"), pl.lit(reason))).write_parquet(
        odd / "verdicts.parquet"
    )
    chart = plot([odd], "steady_1")
    hollow = [row for row in points_of(chart) if "label" in row]
    assert {row["label"] for row in hollow} == {"syn-81k left out"}
    assert "left out by the verdict, syn-81k" in caption_of(chart)
    assert "syn-81k" not in caption_of(plot([run], "steady_1"))


@pytest.mark.parametrize("text", ["", "3", "3.3", "0.2in", "90in", "3,3in", "in", "-3in"])
def test_a_width_that_no_page_has_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"--width: .* write it like 3.3in, 84mm or 238pt"):
        printed_width(text)


def test_plot_names_what_is_wrong(run: Path) -> None:
    with pytest.raises(UserError, match=r"task: 'stedy_1' is not in the run; it has .*steady_1"):
        plot([run], "stedy_1")
    with pytest.raises(UserError, match="--preset: 'nope'"):
        plot([run], preset="nope")
    with pytest.raises(UserError, match=r"--metric: 'bleu' is not in steady 1"):
        plot([run], "steady_1", metric="bleu")


def test_a_run_in_python(run: Path) -> None:
    loaded = scalecurve.load_run(run)
    assert isinstance(loaded, FinishedRun)
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


def newer(address: str, before: str) -> str:
    """The version of the page once it is another than ``before``."""
    until = time.monotonic() + 120
    while (now := get(f"{address}/version")[1]) == before:
        assert time.monotonic() < until
        time.sleep(0.05)
    return now


def test_view_works_from_the_first_second(tmp_path: Path) -> None:
    """A run that has only its study yet is waited for, and the page says so; a wrong path is told of."""
    with pytest.raises(UserError, match="no such run directory"):
        serve([tmp_path / "nowhere"])
    (tmp_path / "study.toml").write_text('tasks = ["lab:addition"]\nmodels = ["lab"]\n')
    server, view = serve([tmp_path], patience=0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        status, page = get(f"{address}/")
        assert (status, "followRun" in page) == (200, True)
        far = json.loads(get(f"{address}/progress")[1])
        assert (far["cells"], far["version"], far["finished"]) == (0, "", False)
    finally:
        server.shutdown()
        server.server_close()
        view.close()


def test_time_left_goes_by_the_pace_since_the_first_look() -> None:
    rungs = [{"name": "small", "params_non_embedding": 0}, {"name": "large", "params_non_embedding": 3_000_000}]

    def manifest(small: int, large: int) -> dict[str, object]:
        done = [("small", k < small) for k in range(4)] + [("large", k < large) for k in range(4)]
        cells = [{"rung": rung, "status": "done" if yes else "pending", "examples": 10 * yes} for rung, yes in done]
        return {"rungs": rungs, "cells": cells, "finished": None}

    pace = RunClock()
    assert pace.look([{}], now=0).cells == 0
    assert pace.look([manifest(0, 0)], now=10).left is None
    far = pace.look([manifest(4, 0)], now=30)  # a fifth of the work in twenty seconds
    assert (far.done, far.answers, far.share) == (4, 40, pytest.approx(0.2))
    assert far.left == pytest.approx(80)
    ended = pace.look([manifest(4, 4) | {"finished": "2026"}], now=90)
    assert (ended.finished, ended.left, ended.share) == (True, None, 1.0)


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
        before = newer(address, "")
        far = json.loads(get(f"{address}/progress")[1])
        assert (far["done"], far["cells"], far["finished"], far["version"]) == (20, 20, False, before)
        assert far["answers"] == 20 * 50
        assert 'id="hero"' in get(f"{address}/")[1]
        assert len(json.loads(get(f"{address}/examples/0")[1])["q"]) == 50
        assert get(f"{address}/examples/99")[0] == 404
        assert get(f"{address}/../../etc/passwd")[0] == 404
        assert get(f"{address}/", Host="evil.example")[0] == 403
        assert get(f"{address}/examples/0", Origin="https://evil.example")[0] == 403
        assert get(f"{address}/examples/0", Origin=address)[0] == 200
        assert server.server_address[0] == "127.0.0.1"
        (going / "manifest.json").write_text(json.dumps(whole | {"finished": None}))
        assert newer(address, before) != before
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
