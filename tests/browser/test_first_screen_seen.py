"""The first screen in a real browser: what a stranger asks of it, in sight or one click away; one meaning a colour."""

import pytest
from chromium import Page
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from scalecurve.report import write_report

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_smallest_model_that_is_good_enough_is_named_and_that_of_every_ability_a_click_away(page) -> None:
    page.open().wait("document.querySelector('#hero svg')")
    hero = page.run(
        "return W_screen().hero.map(i => [state.data.curves[i].y, rungsOf(state.data.curves[i]).map(r => r.name)])"
    )

    def smallest(least: float) -> set[str]:
        found = set()
        for ys, names in hero:
            below = [at for at, y in enumerate(ys) if y is None or y < least]
            first = below[-1] + 1 if below else 0
            found.add(names[first] if first < len(ys) else "none")
        return found

    named = "return [...document.querySelectorAll('#hero-enough b')].map(b => b.textContent)"
    assert set(page.run(named)) == smallest(0.8)
    page.browser.find_element(By.CSS_SELECTOR, "#hero-enough a").click()
    page.wait("Math.abs(document.getElementById('h-heat').getBoundingClientRect().top) < innerHeight / 2")
    Select(page.browser.find_element(By.CSS_SELECTOR, "#heat-good select")).select_by_value("0.5")
    assert set(page.run(named)) == smallest(0.5)
    assert "at 0.5 or more" in page.run("return document.getElementById('hero-enough').textContent")


def test_what_two_models_wrote_stands_word_for_word_behind_one_click(page) -> None:
    page.open().wait("document.querySelector('#changed summary')")
    page.browser.find_element(By.CSS_SELECTOR, "#changed summary").click()
    shown = page.run("return [...document.querySelectorAll('#changed .exact')].map(p => p.innerText.trim())")
    rungs = page.run("return [...document.querySelectorAll('#changed details .note')].map(p => p.textContent)")
    lead = "state.data.curves[W_screen().lead]"
    assert rungs == page.run(f"return {lead}.b.map(at => rungsOf({lead})[at].name)")
    question = page.run("return document.querySelector('#changed q').textContent")
    page.browser.find_element(By.CSS_SELECTOR, "#changed > p a").click()
    page.wait("document.querySelectorAll('.example').length")
    card = (
        "const card = [...document.querySelectorAll('.example')]"
        f".find(e => e.querySelector('.ask').textContent.trim() === {question!r});"
        "const fold = [...card.querySelectorAll('details')].at(-1); fold.open = true;"
        "return [...fold.querySelectorAll('.exact')].map(p => p.innerText.trim())"
    )
    assert shown == page.run(card)


@pytest.mark.parametrize(("width", "height"), [(390, 844), (768, 1024), (1280, 800), (1600, 1000)])
def test_both_are_above_the_fold(page, width: int, height: int) -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        page.open().wait("document.querySelector('#hero svg') && document.querySelector('#changed summary')")
        ends = (
            "return ['#hero-enough', '#changed summary'].map(s => document.querySelector(s))"
            ".map(n => n.getBoundingClientRect().bottom)"
        )
        assert max(page.run(ends)) <= height
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_colour_of_a_curve_means_nothing_else(page) -> None:
    page.open().wait("document.querySelectorAll('.spark').length > 9")
    palette = page.run("const n = document.createElement('i'); document.body.append(n); return colours().palette"
                       ".map(c => { n.style.color = c; return getComputedStyle(n).color; })")  # fmt: skip
    own = page.run(
        "return [...document.querySelectorAll('.spark path[fill=none]')].map(p => getComputedStyle(p).stroke)"
    )
    assert set(own) <= set(palette)
    sparks = page.run("return chosen().map(c => colours().palette[styleOf(c).colour])")
    rows = page.run(
        "return [...document.querySelectorAll('#curves .spark path[fill=none]')].map(p => p.getAttribute('stroke'))"
    )
    assert rows == sparks
    others = (
        "const use = (s, key) => [...document.querySelectorAll(s)].map(n => getComputedStyle(n)[key]);"
        "return [...use('.glyph, .badge, .chip, .better, .worse, .rung b, a', 'color'),"
        "...use('.count i, #heat td, .option i', 'backgroundColor'), ...use('.rung', 'borderLeftColor')]"
    )
    assert not set(page.run(others)) & set(palette)
    page.open("#/ability/0").wait("document.querySelectorAll('.example').length")
    assert not set(page.run(others)) & set(palette)


def test_ways_of_asking_keep_their_colour_whatever_the_shots(page) -> None:
    page.open()
    page.run("const all = state.data.curves; for (const c of all) if (c.t === 1) c.k = 2; state.arms = null;"
             "all.push({ ...all.find(c => c.t === 1 && c.p && c.s === 'direct'), k: 5 })")  # fmt: skip
    seen = page.run("return state.data.curves.filter(c => c.p && c.s === 'direct' && c.t < 3)"
                    ".map(c => [c.t, c.k, styleOf(c).colour])")  # fmt: skip
    colours = {(task, shots): colour for task, shots, colour in seen}
    assert colours[0, 0] == colours[1, 2] == colours[2, 0] != colours[1, 5]


def test_a_score_that_is_missing_is_told_under_the_chart(page) -> None:
    page.open()
    page.run("const c = state.data.curves[W_screen().hero[0]]; c.y[2] = null; drawFirst()")
    name = page.run("return rungsOf(state.data.curves[W_screen().hero[0]])[2].name")
    assert f"No score: {name}" in page.run("return document.getElementById('hero-note').textContent")


def test_names_too_long_differ_at_both_ends(browser, tmp_path) -> None:
    from scalecurve.io import import_run

    tasks = [f"a_benchmark_{'with_a_very_long_name_' * 8}and_part_{end}" for end in "abcd"]
    lines = [f"m-{size}b,{task},{size}e9,acc,{0.3 + size / 40},200\n" for size in (1, 3, 7, 13) for task in tasks]
    (tmp_path / "t.csv").write_text("model,task,params,metric,score,n\n" + "".join(lines))
    import_run([tmp_path / "t.csv"], tmp_path / "run")
    page = Page(browser, write_report([tmp_path / "run"], tmp_path / "report.html").as_uri()).open()
    names = page.run("return [...document.querySelectorAll('#findings .sub a')].map(a => a.textContent)")
    assert len(set(names)) == len(names) > 1
    assert not page.run("return /⟨\\d+⟩/.test(document.body.innerText)")


def test_a_phones_chart_names_models_and_no_line_breaks_a_name(browser, tmp_path) -> None:
    from scalecurve.io import import_run

    names, scores = ("3k", "13k", "36k", "109k", "332k", "1m", "3m"), (0.01, 0.0, 0.02, 0.01, 0.92, 0.95, 0.97)
    lines = [f"net-{name},links,{3e3 * 3**at},acc,{scores[at]},400\n" for at, name in enumerate(names)]
    (tmp_path / "t.csv").write_text("model,task,params,metric,score,n\n" + "".join(lines))
    import_run([tmp_path / "t.csv"], tmp_path / "run")
    page = Page(browser, write_report([tmp_path / "run"], tmp_path / "report.html").as_uri())
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        page.open().wait("document.querySelector('#hero[data-drawn] svg')")
        ticks = page.run("return [...document.querySelectorAll('#hero .role-axis-label text')].map(t => t.textContent)")
        assert "3m" in ticks
        assert len(set(ticks) & set(names)) > 2
        wide = "document.querySelector('#hero .role-axis-title text').getBoundingClientRect().width"
        assert page.run(f"return {wide} <= document.getElementById('hero').clientWidth")
        whole = page.run(
            "return [...document.querySelectorAll('h1.finding .whole, .doubt .whole')]"
            ".map(s => [s.textContent, s.getClientRects().length])"
        )
        assert "net-332k" in dict(whole)
        assert set(dict(whole).values()) == {1}
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
