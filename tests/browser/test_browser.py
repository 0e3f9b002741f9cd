"""The report in a real browser: it draws, it stays quiet, its filters and keys work, and nothing foreign runs."""

from importlib.resources import files

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PAGES = ("#/overview", "#/abilities", "#/ability/0", "#/ability/2", "#/map", "#/methods")
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
    show = Select(page.browser.find_elements(By.CSS_SELECTOR, "#page-ability .filters select")[1])
    everything = page.run("return document.querySelectorAll('.example').length")
    counts = {}
    for option in [option.get_attribute("value") for option in show.options]:
        show.select_by_value(option)
        counts[option] = page.run("return document.querySelectorAll('.example').length")
    assert counts["any"] == everything == 20
    assert sum(n for key, n in counts.items() if key.startswith("first") or key == "never") == 20
    show.select_by_value("first 4")
    pattern = page.run("return [...document.querySelectorAll('.example')].map(e => [...e.querySelectorAll('.rung')]"
                       ".map(r => r.classList.contains('right')).indexOf(true))")  # fmt: skip
    assert pattern
    assert set(pattern) == {4}


def test_parts_are_a_ladder_in_the_order_in_which_they_appear(page) -> None:
    page.open("#/ability/4").wait("document.querySelectorAll('.ladder > li').length === 2")
    page.run("document.querySelector('.ladder').scrollIntoView()")
    page.wait("document.querySelectorAll('.ladder .chart[data-drawn]').length === 2")
    curves = page.run("return state.data.curves.filter(c => c.p && c.t >= 4).map(c => [c.t, c.a ?? 99, -c.y.at(-1)])")
    first = {task: min(a for t, a, _ in curves if t == task) for task in (4, 5)}
    last = {task: next(y for t, _, y in curves if t == task) for task in (4, 5)}
    order = sorted((4, 5), key=lambda task: (first[task], last[task]))
    names = page.run("return [...document.querySelectorAll('.ladder h3')].map(n => n.textContent)")
    assert names == [page.run(f"return state.data.tasks[{at}].name.split(': ')[1]") for at in order]
    said = page.run("return [...document.querySelectorAll('.ladder > li')].map(n => n.textContent)")
    assert all("appears at syn-" in one or "from the smallest" in one or "not surely" in one for one in said)
    assert page.errors() == []
    page.open("#/ability/0").wait("document.querySelectorAll('.example').length")
    assert page.run("return document.querySelector('.ladder') === null")


def test_axis_and_log_switch(page) -> None:
    page.open("#/ability/1").wait("'drawn' in document.getElementById('headline').dataset")
    Select(page.browser.find_element(By.ID, "axis")).select_by_value("training_flops")
    page.wait("document.querySelector('#headline svg')?.textContent.includes('FLOPs')")
    page.browser.find_element(By.ID, "log").click()
    page.wait(f"'drawn' in document.getElementById('headline').dataset && {MARKS} >= 12")
    assert page.errors() == []


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


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core's script, as the package axe-playwright-python brings it along."""
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_serious_accessibility_fault(page, axe: str, theme: str) -> None:
    faults = []
    for hash in PAGES:
        page.open(hash)
        if theme == "dark":
            page.browser.find_element(By.ID, "theme").click()
        if "ability/" in hash:
            page.wait("document.querySelectorAll('.example').length")
        page.run(axe + "; window.axe = axe;")
        result = page.browser.execute_async_script(
            "const done = arguments[0]; axe.run(document).then(r => done(r.violations"
            ".map(v => [v.impact, v.id, v.nodes.length, v.nodes[0].html.slice(0, 160), v.nodes[0].failureSummary])))"
        )
        faults += [(hash, *fault) for fault in result if fault[0] in ("serious", "critical")]
    assert faults == []
