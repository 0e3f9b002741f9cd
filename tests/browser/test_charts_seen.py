"""Charts in a real browser: what is drawn, how it is labelled, and what can be taken away."""

import itertools
import re
from pathlib import Path

import pytest
from chromium import Page
from seen import MARKS
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select
from synthetic import make_run

from scalecurve.report import write_report

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_marks_are_counted(page) -> None:
    page.open("#/ability/0").wait(f"{MARKS} > 0")
    # two ways of asking at six rungs; circles around unlock points and legend symbols are not role-mark of this layer
    assert page.run(f"return {MARKS}") >= 12
    page.open("#/map").wait("'drawn' in document.getElementById('map').dataset")
    points = page.run("return document.querySelectorAll('#map .mark-symbol.role-mark path').length")
    known = page.run(
        "return state.data.curves.filter(c => c.p && c.v && typeof c.v.linearity_share === 'number').length"
    )
    assert points == known > 0
    assert page.run("return document.querySelectorAll('#map .mark-rect.role-mark path').length") == 1


def test_a_model_that_the_verdict_leaves_out_is_hollow_and_named(page) -> None:
    page.open("#/overview")
    left = page.run("const c = state.data.curves.find(c => c.p && c.t === 1 && c.s === 'direct'); c.o = [2];"
                    "location.hash = addressOf(1); return rungsOf(c)[2].name")  # fmt: skip
    page.wait("document.querySelector('#headline svg')?.textContent.includes('left out')")
    assert f"{left} left out" in page.run("return document.querySelector('#headline svg').textContent")
    assert f"{left} left out" in page.run("return document.querySelector('.claim').textContent")
    paper = page.run("return colours().paper")
    fills = page.run(
        "return [...document.querySelectorAll('#headline .mark-symbol path')].map(p => p.getAttribute('fill'))"
    )
    assert fills.count(paper) == 1


def test_a_curve_has_one_colour_everywhere(page) -> None:
    page.open("#/ability/0").wait("'drawn' in document.getElementById('headline').dataset")
    keys = page.run(
        "return [...document.querySelectorAll('.claim .key')].map(k => getComputedStyle(k).backgroundColor)"
    )
    lines = page.run(
        "return [...document.querySelectorAll('#headline .mark-line path')].map(p => getComputedStyle(p).stroke)"
    )
    assert len(set(keys)) == 2
    assert set(keys) <= set(lines)


def test_numbers_of_a_chart_can_be_taken_away(page) -> None:
    page.open("#/ability/0").wait("document.querySelectorAll('.take button').length >= 4")
    curves = "state.data.curves.filter(c => c.p && c.t === 0)"
    rows = page.run(f"return scoreSpec({curves}, 600, {{extras: true, named: true}}).usermeta.rows")
    head = {
        "ability",
        "prompt",
        "metric",
        "kind",
        "model",
        "params_non_embedding",
        "score",
        "low_95",
        "high_95",
        "items",
    }
    assert {*rows[0]} >= head | {"chance"}
    assert {row["kind"] for row in rows} == {"measured", "forecast"}
    known = page.run(f"return {curves}[0].y")
    assert [row["score"] for row in rows if row["kind"] == "measured" and row["prompt"] == "direct"] == known
    table = page.run("return csv([{ series: '=1+1', x: 3, note: 'a,\"b\"' }])")
    assert table == 'series,x,note\n\'=1+1,3,"a,""b"""\n'


def test_axis_and_log_switch(page, tmp_path: Path) -> None:
    page.open("#/ability/1").wait("'drawn' in document.getElementById('headline').dataset")
    Select(page.browser.find_element(By.ID, "axis")).select_by_value("training_flops")
    page.wait("document.querySelector('#headline svg')?.textContent.includes('FLOPs')")
    assert page.run("return document.getElementById('log-box').hidden"), "a span of 300 is never drawn linearly"
    assert "known by Parameters" in page.run("return document.querySelector('.pair + .note').textContent")
    Select(page.browser.find_element(By.ID, "axis")).select_by_value("loss")
    page.wait("document.querySelector('#headline svg')?.textContent.includes('loss')")
    assert page.run("const box = document.getElementById('log'); return [box.checked, box.disabled]") == [False, True]
    ticks = page.run("return [...document.querySelectorAll('#headline .role-axis-label text')].map(t => t.textContent)")
    assert "2.4" in ticks
    assert not any("m" in tick for tick in ticks)
    short = make_run(tmp_path / "short", tasks=1, rung_count=3, examples=20)
    near = Page(page.browser, write_report([short], tmp_path / "short.html").as_uri())
    near.open("#/ability/0").wait("'drawn' in document.getElementById('headline').dataset")
    near.browser.find_element(By.ID, "log").click()
    near.wait(f"'drawn' in document.getElementById('headline').dataset && {MARKS} >= 6")
    assert "log=0" in near.run("return location.hash")
    assert page.errors() == []


LABELS = """
return [...document.querySelectorAll('#headline svg .mark-text.role-mark text')].filter(t => t.textContent)
    .map(t => [t.textContent, t.getBoundingClientRect()]).map(([text, b]) => [text, b.left, b.right, b.top, b.bottom])
"""


def test_no_label_of_a_chart_lies_on_another_and_each_has_a_halo(page) -> None:
    page.open("#/overview")
    page.run("const c = state.data.curves.find(c => c.p && c.t === 0 && c.s !== 'direct'); c.o = [2];"
             "c.unlock = rungsOf(c)[3].name; location.hash = addressOf(0)")  # fmt: skip
    page.wait("document.querySelector('#headline svg')?.textContent.includes('left out')")
    labels = page.run(LABELS)
    texts = [text for text, *_ in labels]
    assert "first above direct" in texts
    assert sum(text.endswith("left out") for text in texts) == 1
    apart = [one for at, one in enumerate(labels) if one not in labels[:at]]  # a name is drawn over its own halo
    for at, (text, left, right, top, bottom) in enumerate(apart):
        for other, l2, r2, t2, b2 in apart[:at]:
            over = min(right, r2) - max(left, l2) > 1 and min(bottom, b2) - max(top, t2) > 3
            assert not over or text == other, (text, other)
    order = page.run(
        "return getComputedStyle(document.querySelector('#headline .mark-text.role-mark text')).paintOrder"
    )
    assert order.startswith("stroke")


def test_every_chart_names_its_models_and_shares_go_from_0_to_1(page) -> None:
    names = page.open().run("return state.data.families[0].rungs.map(r => r.name)")
    for hash in ("#/ability/0", "#/ability/2"):
        page.open(hash).wait("'drawn' in document.getElementById('headline').dataset")
        shown = "return [...document.querySelectorAll('#headline .role-axis-label text')].map(t => t.textContent)"
        ticks = page.run(shown)
        stem = page.run("return document.querySelector('#headline .role-axis-title text').textContent")
        assert {*names} <= {*ticks} or (
            "without “syn-”" in stem and {name.removeprefix("syn-") for name in names} <= {*ticks}
        )
        assert {"0.0", "1.0"} <= {*ticks}


def test_scores_near_the_floor_have_an_axis_that_shows_their_rise(page) -> None:
    page.open("#/overview")
    page.run("for (const c of state.data.curves.filter(c => c.p && c.t === 0)) { c.fan = undefined;"
             "c.y = c.y.map((_, i) => i === c.y.length - 1 ? .08 : 0); c.e = c.e.map(() => .01); c.c = 0; }"
             "location.hash = addressOf(0)")  # fmt: skip
    page.wait("'drawn' in document.getElementById('headline').dataset")
    ticks = page.run("return [...document.querySelectorAll('#headline .role-axis-label text')].map(t => t.textContent)")
    assert "0.10" in ticks
    assert "1.0" not in ticks
    boxes = page.run("return [...document.querySelectorAll('#headline .mark-symbol path')]"
                     ".map(p => p.getBoundingClientRect()).map(b => (b.top + b.bottom) / 2)")  # fmt: skip
    assert max(boxes) - min(boxes) > 100, "a rise of .08 is seen"


def test_strip_claims_table_and_parts_name_the_same_two_models(page) -> None:
    page.open("#/overview")
    rows = page.run("return thresholdSpec(900).usermeta.rows.map((r, i) => [r.begins_after, r.begins_by,"
                    "thresholdCurves()[i].v.claim, appears(thresholdCurves()[i], []), r.verdict])")  # fmt: skip
    assert rows
    table = page.run("return [...document.querySelectorAll('#curves .of-threshold')].map(c => c.textContent)")
    for a, b, claim, part, verdict in rows:
        assert f"{a} – {b}" in table
        assert part == f"begins between {a} and {b}"
        if verdict == "late":
            assert f"up to {a}, then" in claim


def test_a_rise_made_by_the_metric_is_a_ring_with_a_word_in_the_legend(page) -> None:
    page.open("#/methods")
    page.run("thresholdCurves()[0].v.artefact = 'metric-artefact'; location.hash = '#/overview'")
    page.run("document.getElementById('thresholds').scrollIntoView()")
    page.wait("'drawn' in document.getElementById('thresholds').dataset")
    legend = page.run("return [...document.querySelectorAll('#thresholds .role-legend text')].map(t => t.textContent)")
    assert "metric artefact" in legend
    holed = page.run("return [...document.querySelectorAll('#thresholds .mark-symbol.role-mark path')]"
                     ".filter(p => (p.getAttribute('d').match(/M/g) || []).length === 2).length")  # fmt: skip
    assert holed == 1


def test_ticks_of_where_abilities_appear_are_round_and_apart(page) -> None:
    """1 and 3 of each power of ten; over a range that holds one of these only, 1, 2 and 5."""
    for low, high, wanted in ((3.4e4, 4.1e5, ["100k", "300k"]), (6.1e4, 2.2e5, ["100k", "200k"])):
        page.open("#/methods")
        page.run(
            f"for (const c of thresholdCurves()) {{ c.v.threshold = c.v.threshold_lo = {low};"
            f"c.v.threshold_hi = {high}; delete c.st; }}; location.hash = '#/overview'"
        )
        page.run("document.getElementById('thresholds').scrollIntoView()")
        page.wait("document.querySelector('#thresholds .role-axis-label text')")
        page.run("document.getElementById('thresholds').scrollIntoView()")
        page.wait("'drawn' in document.getElementById('thresholds').dataset")
        ticks = page.run("return [...document.querySelectorAll('#thresholds .role-axis-label text')]"
                         ".filter(t => /^\\d+[kMB]?$/.test(t.textContent)).map(t => [t.getBoundingClientRect().left,"
                         "t.textContent, t.getBoundingClientRect().right])")  # fmt: skip
        ticks.sort()
        assert [text for _, text, _ in ticks] == wanted
        assert all(one[2] < other[0] for one, other in itertools.pairwise(ticks))


def test_the_ring_is_explained_whatever_the_verdict_leaves_out(page) -> None:
    page.open("#/overview")
    rung = page.run("const c = state.data.curves.find(c => c.p && c.t === 0 && c.s !== 'direct');"
                    "c.unlock = rungsOf(c)[3].name; location.hash = addressOf(0); return c.unlock")  # fmt: skip
    page.wait("'drawn' in document.getElementById('headline').dataset")
    note = "return document.querySelector('.pair + .note').textContent"
    assert f"Ring: {rung}, the first model significantly better than when asked directly" in page.run(note)
    page.open("#/overview")
    page.run("const c = state.data.curves.find(c => c.p && c.t === 0 && c.s !== 'direct');"
             "c.o = [2]; c.unlock = rungsOf(c)[3].name; location.hash = addressOf(0)")  # fmt: skip
    page.wait("document.querySelector('#headline svg')?.textContent.includes('left out')")
    assert f"Ring: {rung}, the first model significantly better than when asked directly, as are all" in page.run(note)


def test_the_words_at_a_point_stay_on_the_screen(page) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    for width in (390, 760, 1280):
        page.browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": False},
        )
        try:
            page.open("#/ability/0").wait(MARKS)
            marks = page.browser.find_elements(By.CSS_SELECTOR, "#headline .mark-symbol.role-mark path")
            for mark in (marks[0], marks[-1]):
                page.run("document.getElementById('headline').scrollIntoView({ block: 'center' })")
                ActionChains(page.browser).move_to_element(mark).perform()
                page.wait("document.querySelector('#vg-tooltip-element.visible')")
                left, right, size = page.run(
                    "const b = document.getElementById('vg-tooltip-element').getBoundingClientRect();"
                    "return [b.left, b.right, b.width]"
                )
                assert left >= 0
                assert right <= width
                assert size <= min(352, 0.92 * width) + 1
                rows = page.run(
                    "return [...document.querySelectorAll('#vg-tooltip-element tr')].map(r => r.textContent)"
                )
                assert sum(row.startswith("95%") for row in rows) == 1
                assert any(re.fullmatch(r"95%:?\s*[\d.]+ – [\d.]+", row.strip()) for row in rows), rows
        finally:
            page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
