"""The report in a real browser: it draws, it stays quiet, its filters and keys work, and nothing foreign runs."""

import itertools
import json
import re
import shutil
from importlib.resources import files
from pathlib import Path

import polars as pl
import pytest
from chromium import Page
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from synthetic import make_run

from scalecurve.report import write_report

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PAGES = ("#/overview", "#/abilities", "#/ability/0", "#/ability/2", "#/models", "#/map", "#/methods")
# Every chart in sight is drawn.
DRAWN = (
    "[...document.querySelectorAll('.chart')].filter(c => c.clientWidth && c.getBoundingClientRect().top < innerHeight)"
    ".every(c => 'drawn' in c.dataset)"
)
MARKS = "document.querySelectorAll('#headline .mark-symbol.role-mark path').length"


@pytest.mark.parametrize("hash", PAGES)
def test_every_page_opens_without_error_or_network(page, hash: str) -> None:
    page.open(hash)
    page.wait(DRAWN)
    assert page.errors() == []
    assert page.requests() == []
    assert page.run("return window.hacked === undefined && !document.querySelector('img')")


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


def test_filters_of_the_table(page) -> None:
    page.open()
    rows = "return document.querySelectorAll('#curves tbody tr').length"
    assert page.run(rows) == 12
    search = page.browser.find_element(By.CSS_SELECTOR, "#filters input[type=search]")
    search.send_keys("steady")
    assert page.run(rows) == 2
    search.send_keys(Keys.CONTROL, "a")
    search.send_keys(Keys.DELETE)
    Select(page.browser.find_elements(By.CSS_SELECTOR, "#filters select")[1]).select_by_value("inverse")
    assert page.run(rows) == page.run("return state.data.curves.filter(c => c.p && c.v.shape === 'inverse').length") > 0
    names = page.run("return [...document.querySelectorAll('#curves tbody th')].map(n => n.textContent)")
    assert set(names) == {"falling 3"}


def test_the_table_sorts(page) -> None:
    page.open()
    page.browser.find_element(By.CSS_SELECTOR, "button[data-key=linearity]").click()
    page.browser.find_element(By.CSS_SELECTOR, "button[data-key=linearity]").click()
    cells = page.run("return [...document.querySelectorAll('#curves tbody tr')].map(r => r.cells[8].textContent)")
    known = [float(cell.replace("−", "-")) for cell in cells if cell != "–"]
    assert known == sorted(known, reverse=True)
    assert page.run("return document.querySelector('th[aria-sort]').getAttribute('aria-sort')") == "descending"


def test_filters_of_the_examples(page) -> None:
    page.open("#/ability/0").wait("document.querySelectorAll('.example').length")
    said = page.run("return document.getElementById('example-counts').textContent")
    a, b = page.run("const c = jumpOf(state.data.curves.filter(c => c.p && c.t === 0));"
                    "return c.b.map(at => rungsOf(c)[at].name)")  # fmt: skip
    assert said.startswith("Of all 100 questions, ")
    assert f"between {a} and {b}" in said
    show = Select(page.browser.find_elements(By.CSS_SELECTOR, "#page-ability .filters select")[1])
    assert show.first_selected_option.get_attribute("value") == "changed"
    assert page.run("return [...document.querySelectorAll('.example')]"
                    ".every(e => e.querySelectorAll('.right').length === 1"
                    " && e.querySelectorAll('.wrong').length === 1)")  # fmt: skip
    every = (
        "let more; while ((more = [...document.querySelectorAll('#page-ability .after button')].find(b => b.textContent"
        " === say('more')))) more.click(); return document.querySelectorAll('.example').length"
    )
    changed, total, counts = page.run(every), page.run("return state.data.tasks[0].n"), {}
    for option in [option.get_attribute("value") for option in show.options]:
        show.select_by_value(option)
        counts[option] = page.run(every)
    assert 20 <= counts["any"] <= total == 100
    assert sum(map(int, re.findall(r"\d+", said)[1:3])) == changed, "all that changed are in the page"
    assert 0 < counts["changed"] == changed == counts["won"] + counts["lost"]
    assert sum(n for key, n in counts.items() if key.startswith("first") or key == "never") == counts["any"]
    after = "return document.querySelector('#page-ability .after').textContent"
    for option in ("changed", "won", "lost", "any"):
        show.select_by_value(option)
        assert page.run(after).startswith(f"{min(20, counts[option])} of {counts[option]} "), "of those that it holds"
    show.select_by_value("first 4")
    pattern = page.run("return [...document.querySelectorAll('.example')].map(e => [...e.querySelectorAll('.rung')]"
                       ".map(r => r.classList.contains('right')).indexOf(true))")  # fmt: skip
    assert pattern
    assert set(pattern) == {4}


def test_a_file_with_fewer_questions_than_changed_says_so(page) -> None:
    page.open("#/overview")
    page.run("const whole = unpack; unpack = async (text) => { const book = await whole(text), kept = 25;"
             "book.q.length = kept; for (const arm of book.arms) for (const own of arm.a) own.length = kept;"
             "return book; }; location.hash = addressOf(0)")  # fmt: skip
    page.wait("document.querySelectorAll('.example').length")
    counted = page.run("return document.getElementById('example-counts').textContent")
    changed = sum(map(int, re.findall(r"\d+", counted)[1:3]))
    after = page.run("return document.querySelector('#page-ability .after').textContent")
    shown, held, again, all_of_them = map(int, re.findall(r"\d+", after))
    assert shown == min(held, 20)
    assert held == again < all_of_them == changed
    assert " that changed are in this file" in after


def test_parts_are_a_strip_in_the_order_in_which_they_are_above_chance(page) -> None:
    page.open("#/ability/4").wait("document.querySelectorAll('.ladder > li .spark').length === 2")
    curves = page.run("return state.data.curves.filter(c => c.p && c.t >= 4).map(c => [c.t, c.a ?? 99, -c.y.at(-1)])")
    first = {task: min(a for t, a, _ in curves if t == task) for task in (4, 5)}
    last = {task: next(y for t, _, y in curves if t == task) for task in (4, 5)}
    order = sorted((4, 5), key=lambda task: (first[task], last[task]))
    names = page.run("return [...document.querySelectorAll('.ladder h3')].map(n => n.textContent)")
    assert names == [page.run(f"return state.data.tasks[{at}].name.split(': ')[1]") for at in order]
    said = page.run("return [...document.querySelectorAll('.ladder > li')].map(n => n.textContent)")
    assert all(any(part in one for part in ("floor from syn-", "chance from syn-", "from the smallest", "not surely"))
               for one in said)  # fmt: skip
    assert page.errors() == []
    page.open("#/ability/0").wait("document.querySelectorAll('.example').length")
    assert page.run("return document.querySelector('.ladder') === null")


SCREENS = {390: 844, 768: 1024, 1280: 800, 1600: 1000}
# A finding in words, a drawn chart and a verdict, all within the first screen.
SEEN = (
    "const seen = n => { const box = n.getBoundingClientRect();"
    " return box.height > 0 && box.top >= 0 && box.bottom <= innerHeight; };"
    "return [seen(document.querySelector('{title}')), seen(document.querySelector('{chart} svg')),"
    " [...document.querySelectorAll('{verdict}')].some(seen)]"
)
FOLDS = {
    "#/overview": ("h1.finding", "#hero", "#findings b"),
    "#/ability/0": ("#page-ability h1", "#headline", ".claim .says"),
}


@pytest.mark.parametrize("width", SCREENS)
def test_finding_chart_and_verdict_are_above_the_fold_and_nobody_is_shut_out(
    browser, report, report_zh, axe: str, width: int
) -> None:
    metrics = {"width": width, "height": SCREENS[width], "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        for file in (report, report_zh):
            page = Page(browser, file.as_uri())
            for theme in ("light", "dark"):
                for hash, (title, chart, verdict) in FOLDS.items():
                    page.open(f"{hash}?theme={theme}").wait(f"document.querySelector('{chart} svg') !== null")
                    seen = SEEN.replace("{title}", title).replace("{chart}", chart).replace("{verdict}", verdict)
                    where = (file.name, width, theme, hash)
                    assert page.run(seen) == [True, True, True], where
                    assert faults(page, axe) == [], where
                    assert browser.get_log("browser") == [], where
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_few_tab_stops_come_before_the_first_chart(page) -> None:
    for hash, chart in (("#/overview", "#hero"), ("#/ability/0", "#headline")):
        page.open(hash).wait(f"document.querySelector('{chart} svg') !== null")
        stops = page.run(
            "return [...document.querySelectorAll('a[href], button, select, input, summary, [tabindex=\"0\"]')]"
            ".filter(n => n.checkVisibility()"
            f" && n.compareDocumentPosition(document.querySelector('{chart}')) & 4).length"
        )
        assert 0 < stops < 30


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


def test_two_models_are_compared_with_a_link_to_the_questions(page) -> None:
    page.open("#/models?a=syn/syn-8k&b=syn/syn-2684k").wait("document.querySelectorAll('#differences tbody tr').length")
    rows = page.run(
        "window.first = everyModel()[0]; window.last = everyModel().at(-1);"
        "return differences(first, last).map(r => [r.curve.t, r.before, r.now, r.low, r.high, r.paired])"
    )
    assert len(rows) == 12
    for task, before, now, low, high, paired in rows:
        assert paired, task
        assert low <= now - before <= high or abs(now - before) > 0.9
    again = page.run("return differences(last, first).map(r => [r.curve.t, r.curve.s, -r.high, -r.low]).sort().join()")
    there = page.run("return differences(first, last).map(r => [r.curve.t, r.curve.s, r.low, r.high]).sort().join()")
    assert again == there
    page.browser.find_element(By.CSS_SELECTOR, "#differences td:last-child a").click()
    page.wait("document.querySelectorAll('.example').length")
    names = page.run(
        "return [...document.querySelectorAll('#page-ability .filters select')].slice(-2)"
        ".map(s => s.selectedOptions[0].textContent)"
    )
    assert names == ["syn-8k", "syn-2684k"]


def test_a_question_has_an_address(page) -> None:
    page.open("#/ability/0").wait("document.querySelectorAll('.example').length")
    link = page.run("return document.querySelector('.example h3 a').getAttribute('href')")
    page.open(link).wait("document.querySelectorAll('.example').length === 1")
    assert page.run("return location.hash") == link
    assert page.run("return document.querySelector('.example h3 a').getAttribute('href')") == link


def test_print_is_light_and_draws_every_chart(page) -> None:
    page.open("#/ability/0?theme=dark").wait("document.querySelector('#headline svg') !== null")
    page.run("dispatchEvent(new Event('beforeprint'))")
    page.wait("document.documentElement.dataset.theme === 'light'")
    page.wait("[...document.querySelectorAll('#page-ability .chart')].every(c => c.querySelector('svg'))")
    page.run("dispatchEvent(new Event('afterprint'))")
    assert page.run("return document.documentElement.dataset.theme") == "dark"


def test_an_address_holds_what_is_shown(page) -> None:
    page.open("#/ability/1").wait("'drawn' in document.getElementById('headline').dataset")
    Select(page.browser.find_element(By.ID, "axis")).select_by_value("training_flops")
    page.browser.find_element(By.ID, "theme").click()
    ref, theme = page.run("return [state.data.tasks[1].ref, state.theme]")
    page.open("#/overview")
    address = page.run("return addressOf(1)") + f"?axis=training_flops&theme={theme}"
    page.open(address).wait("'drawn' in document.getElementById('headline').dataset")
    shown = "return [document.querySelector('#page-ability h1').textContent, state.axis, state.theme, location.hash]"
    name, axis, kept, now = page.run(shown)
    assert (name, axis, kept, now) == (page.run("return state.data.tasks[1].name"), "training_flops", theme, address)
    assert ref in page.run("return decodeURIComponent(location.hash)")
    assert page.run("return document.title").startswith(name)


def test_every_address_survives_reload_another_order_and_a_second_report(page, run: Path, tmp_path: Path) -> None:
    """What an address shows is told by names: the same in a report of the same study whose tasks stand otherwise."""
    turned = tmp_path / "turned"
    shutil.copytree(run, turned)
    manifest = json.loads((turned / "manifest.json").read_text())
    (turned / "manifest.json").write_text(json.dumps(manifest | {"tasks": manifest["tasks"][::-1]}))
    for table in ("curves", "verdicts"):
        pl.read_parquet(turned / f"{table}.parquet").reverse().write_parquet(turned / f"{table}.parquet")
    other = make_run(tmp_path / "other", tasks=2, rung_count=4, examples=20, family="other", name="another")
    second = write_report([other, turned], tmp_path / "second.html")

    page.open("#/overview")
    refs = page.run("return state.data.tasks.map((_, i) => addressOf(i))")
    page.open(refs[1]).wait("document.querySelectorAll('.example').length")
    question = page.run("return [...document.querySelectorAll('.example h3 a')].at(-1).getAttribute('href')")
    models = "#/models?a=syn%2Fsyn-25k&b=syn%2Fsyn-838k"
    filtered = "#/overview?find=sudden&shape=emergent&sort=-task"
    title = "document.querySelector('#page-ability h1').textContent"
    shown = {
        "ability": f"{title} + document.title.split(' · ')[0]",
        "question": f"{title} + [...document.querySelectorAll('.example .ask')].map(e => e.textContent).join()",
        "models": "[...document.querySelectorAll('#page-models select')].map(s => s.selectedOptions[0].textContent"
        ".replace('syn · ', '')).join() + document.querySelector('#differences thead').textContent",
        "filtered": "[wish.text, wish.shape, wish.sort, wish.down].join()"
        " + new Set([...document.querySelectorAll('#curves tbody .of-task a')].map(a => a.textContent)).size",
        "axis": f"state.axis + state.theme + state.log + {title}",
    }
    addresses = {
        "ability": refs[0], "question": question, "models": models, "filtered": filtered,
        "axis": f"{refs[4]}?axis=training_flops&log=0&theme=dark",
    }  # fmt: skip

    def seen(on: Page, kind: str) -> object:
        on.wait("document.documentElement.dataset.ready !== undefined")
        if kind in ("question", "ability"):
            on.wait("document.querySelectorAll('.example').length")
        return on.run(f"return {shown[kind]}")

    elsewhere = Page(page.browser, second.as_uri())
    for kind, address in addresses.items():
        first = seen(page.open(address), kind)
        page.browser.refresh()
        assert seen(page, kind) == first, f"{kind}: after a reload"
        assert page.run("return location.hash") == address
        assert seen(elsewhere.open(address), kind) == first, f"{kind}: in a second report"


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
        assert {*names} <= {*ticks} or ("syn-…" in stem and {name.removeprefix("syn-") for name in names} <= {*ticks})
        assert {"0.0", "1.0"} <= {*ticks}


def test_ticks_of_where_abilities_appear_are_round_and_apart(page) -> None:
    """1 and 3 of each power of ten; over a range that holds one of these only, 1, 2 and 5."""
    for low, high, wanted in ((3.4e4, 4.1e5, ["100k", "300k"]), (6.1e4, 2.2e5, ["100k", "200k"])):
        page.open("#/methods")
        page.run(f"for (const c of thresholdCurves()) {{ c.v.threshold_lo = {low}; c.v.threshold_hi = {high}; }};"
                 "location.hash = '#/overview'")  # fmt: skip
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


def test_the_ring_is_explained_and_never_around_a_model_left_out(page) -> None:
    page.open("#/overview")
    rung = page.run("const c = state.data.curves.find(c => c.p && c.t === 0 && c.s !== 'direct');"
                    "c.unlock = rungsOf(c)[3].name; location.hash = addressOf(0); return c.unlock")  # fmt: skip
    page.wait("'drawn' in document.getElementById('headline').dataset")
    note = "return document.querySelector('.pair + .note').textContent"
    assert f"Ring: {rung}, the first model surely better than when asked directly" in page.run(note)
    page.open("#/overview")
    page.run("const c = state.data.curves.find(c => c.p && c.t === 0 && c.s !== 'direct');"
             "c.o = [2]; c.unlock = rungsOf(c)[3].name; location.hash = addressOf(0)")  # fmt: skip
    page.wait("document.querySelector('#headline svg')?.textContent.includes('left out')")
    assert f"Ring: {rung}, of the models the verdict keeps the first surely better" in page.run(note)


def test_words_are_explained_where_they_stand_and_under_methods(page) -> None:
    page.open("#/ability/0")
    firm = page.run("const c = document.querySelector('.claim .chip'); return [c.textContent, c.title]")
    assert firm[0].startswith("shape: ")
    assert firm[0].endswith("%)")
    assert "probability" in firm[1]
    assert all(page.run("return [...document.querySelectorAll('.claim .badge, #findings .chip')].map(b => b.title)"))
    page.browser.find_element(By.CSS_SELECTOR, ".pair + .note a").click()
    page.wait("!document.getElementById('page-methods').hidden")
    terms = page.run("return [...document.querySelectorAll('.terms dt')].map(n => n.textContent)")
    assert {"firm", "likely", "open", "emergent", "late", "saturated", "metric artefact", "undetermined", "B"} <= {
        *terms
    }
    assert page.run("return document.getElementById('glossary').getBoundingClientRect().top < innerHeight")


def test_caveats_have_a_row_of_their_own(page) -> None:
    page.open("#/overview")
    page.run("const c = state.data.curves.find(c => c.p && c.t === 0 && c.s === 'direct');"
             "c.v.caveats = ['It may be another.']; location.hash = addressOf(0)")  # fmt: skip
    page.wait("document.querySelector('#page-ability .why')")
    rows = page.run("return [...document.querySelector('#page-ability .why').querySelectorAll('dt')]"
                    ".map(n => [n.textContent, n.nextElementSibling.textContent])")  # fmt: skip
    assert dict(rows)["Caveats"] == "It may be another."
    assert "It may be another." not in dict(rows)["What would refute it"]


def test_a_metric_check_that_was_not_made_has_a_chip(page) -> None:
    page.open("#/overview")
    page.run("const c = state.data.curves.find(c => c.p && c.t === 0 && c.s === 'direct');"
             "c.v.artefact = 'untested'; location.hash = addressOf(0)")  # fmt: skip
    page.wait("document.querySelector('#page-ability .claim')")
    chips = page.run("return [...document.querySelectorAll('.claim .chip')].map(c => [c.textContent, c.title])")
    title = next(title for text, title in chips if text == "Metric check: untested")
    assert "or none that can be compared here" in title


def test_cards_lead_to_each_ability_and_to_all_of_their_kind(page) -> None:
    page.open()
    cards = page.run("return W_screen().cards.map(c => [c.title, c.shapes, parseInt(c.count), c.names.map(n => n[1])])")
    for at, (title, shapes, count, tasks) in enumerate(cards):
        page.open()
        links = page.run(f"return [...document.querySelectorAll('#findings li')[{at}].querySelectorAll('a')]"
                         ".map(a => [a.textContent, a.getAttribute('href')])")  # fmt: skip
        assert links[0][0] == title
        assert [href for _, href in links[1:]] == page.run(f"return {tasks}.map(addressOf)")
        page.open(links[0][1])
        assert page.run("return chosen().length") == count
        counted = page.open().run("return [...document.querySelectorAll('.count')].map(b => [b.dataset.shape,"
                                  "Number(b.querySelector('b').textContent)])")  # fmt: skip
        assert sum(n for shape, n in counted if shape in shapes) == count


def test_an_empty_list_of_abilities_speaks_of_abilities(page) -> None:
    page.open("#/abilities")
    assert "matches" not in page.run("return document.getElementById('cards').textContent")
    search = page.browser.find_element(By.CSS_SELECTOR, "#page-abilities input[type=search]")
    search.send_keys("no such ability")
    assert page.run("return document.getElementById('cards').textContent") == "No ability matches."


def test_a_bar_leads_to_its_curves(page) -> None:
    page.open()
    page.browser.find_element(By.CSS_SELECTOR, ".count").click()
    page.wait("Math.abs(document.getElementById('table-box').getBoundingClientRect().top) < innerHeight / 2")


def test_an_address_without_a_page_says_so(page) -> None:
    for hash in ("#/ability/nothing-like-it", "#/nowhere"):
        page.open(hash)
        assert "has no page" in page.run("return document.getElementById('not-found').textContent")
        assert not page.run("return document.getElementById('page-overview').hidden")
    page.open("#/overview")
    assert page.run("return document.getElementById('not-found').hidden")


def test_the_keyboard_reaches_every_control(page) -> None:
    for hash in ("#/overview", "#/ability/2"):
        page.open(hash)
        if "ability" in hash:
            page.wait("document.querySelectorAll('.example').length")
        wanted = page.run(
            "window.controls = [...document.querySelectorAll('a[href], button, select, input, summary')]"
            ".filter(n => n.checkVisibility()); document.activeElement.blur(); return window.controls.length"
        )
        assert wanted > 10
        seen: set[int] = set()
        body = page.browser.find_element(By.TAG_NAME, "body")
        for _ in range(wanted * 3 + 60):
            (page.browser.switch_to.active_element if seen else body).send_keys(Keys.TAB)
            place = page.run("return window.controls.indexOf(document.activeElement)")
            if place >= 0:
                seen.add(place)
            if len(seen) == wanted:
                break
        assert len(seen) == wanted


def test_dark_and_phone_fit(page) -> None:
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        for hash in PAGES:
            page.open(hash)
            assert page.run("return document.documentElement.scrollWidth") <= 391, hash
        before = page.run("return getComputedStyle(document.documentElement).backgroundColor")
        page.browser.find_element(By.ID, "theme").click()
        assert page.run("return getComputedStyle(document.documentElement).backgroundColor") != before
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


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


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core's script, as the package axe-playwright-python brings it along."""
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_accessibility_fault(page, axe: str, theme: str) -> None:
    found = []
    for hash in PAGES:
        page.open(hash)
        if theme == "dark":
            page.browser.find_element(By.ID, "theme").click()
        if "ability/" in hash:
            page.wait("document.querySelectorAll('.example').length")
        found += [(hash, *fault) for fault in faults(page, axe)]
    assert found == []


def faults(page, axe: str) -> list[list[object]]:
    """What axe-core finds on the page as it is."""
    page.run(axe + "; window.axe = axe;")
    return page.browser.execute_async_script(
        "const done = arguments[0]; axe.run(document).then(r => done(r.violations"
        ".map(v => [v.impact, v.id, v.nodes.length, v.nodes[0].html.slice(0, 160), v.nodes[0].failureSummary])))"
    )


def test_parts_of_a_group_are_folded_behind_it(browser, tmp_path) -> None:
    from scalecurve.io import import_run
    from scalecurve.io.groups import task_groups
    from scalecurve.report import write_report

    (group,) = (one for one in task_groups() if one.name == "leaderboard_musr")
    tasks = [*(f"leaderboard_musr_{part}" for part in group.parts), "piqa"]
    lines = [
        f"EleutherAI/pythia-{size},{task},acc,{0.5 + at / 20},250\n"
        for at, size in enumerate(("410m", "1b", "2.8b")) for task in tasks
    ]  # fmt: skip
    (tmp_path / "t.csv").write_text("model,task,metric,score,n\n" + "".join(lines))
    import_run([tmp_path / "t.csv"], tmp_path / "run")
    page = Page(browser, write_report([tmp_path / "run"], tmp_path / "report.html").as_uri()).open()
    rows = "return [...document.querySelectorAll('#curves tbody th a')].map(a => a.textContent)"
    assert sorted(page.run(rows)) == ["leaderboard musr", "piqa"]
    assert page.run("return document.getElementById('shown').textContent") == "2 of 5 curves"
    fold = page.browser.find_element(By.CSS_SELECTOR, "#curves button.fold")
    assert fold.text.startswith("3 parts")
    fold.click()
    assert len(page.run(rows)) == 5
    page.browser.find_element(By.CSS_SELECTOR, "#curves button.fold").click()
    assert len(page.run(rows)) == 2
    page.browser.find_element(By.CSS_SELECTOR, "#filters input[type=search]").send_keys("murder")  # who searches, finds
    assert page.run(rows) == ["leaderboard musr murder mysteries"]
    page.open("#/abilities")
    names = "return [...document.querySelectorAll('#cards > ul .card .name')].map(a => a.textContent)"
    assert sorted(page.run(names)) == ["leaderboard musr", "piqa"]
    page.run("document.querySelector('#cards details.parts').open = true")
    page.wait("document.querySelectorAll('#cards details.parts .card').length === 3")
    assert page.errors() == []
