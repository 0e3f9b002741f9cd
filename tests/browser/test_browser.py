"""The report in a real browser: it draws, it stays quiet, everybody can use it, and nothing foreign runs."""

import re

import pytest
from chromium import Page
from seen import DRAWN, PAGES, faults
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize("hash", PAGES)
def test_every_page_opens_without_error_or_network(page, hash: str) -> None:
    page.open(hash)
    page.wait(DRAWN)
    assert page.errors() == []
    assert page.requests() == []
    assert page.run("return window.hacked === undefined && !document.querySelector('img')")


SCREENS = {390: 844, 768: 1024, 1280: 800, 1600: 1000}


# A finding in words, a drawn chart and a verdict, all within the first screen.
SEEN = (
    "const seen = n => { const box = n.getBoundingClientRect();"
    " return box.height > 0 && box.top >= 0 && box.bottom <= innerHeight; };"
    "return [seen(document.querySelector('{title}')), seen(document.querySelector('{chart} svg')),"
    " [...document.querySelectorAll('{verdict}')].some(seen)]"
)


FOLDS = {
    "#/overview": ("h1.finding", "#hero", "#hero-title .badge"),
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


def test_print_is_light_and_draws_every_chart(page) -> None:
    page.open("#/ability/0?theme=dark").wait("document.querySelector('#headline svg') !== null")
    page.run("dispatchEvent(new Event('beforeprint'))")
    page.wait("document.documentElement.dataset.theme === 'light'")
    page.wait("[...document.querySelectorAll('#page-ability .chart')].every(c => c.querySelector('svg'))")
    page.run("dispatchEvent(new Event('afterprint'))")
    assert page.run("return document.documentElement.dataset.theme") == "dark"


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


def test_the_first_screen_tells_a_changed_question_the_next_sizes_and_what_is_good_enough(page) -> None:
    page.open("#/overview").wait("!document.getElementById('changed').hidden")
    lead = "const c = state.data.curves[W_screen().lead];"
    a, b = page.run(lead + "return c.b.map(at => rungsOf(c)[at].name)")
    said = page.run("return document.getElementById('changed').innerText")
    assert said.startswith(f"A question that changed between {a} and {b}")
    assert f"{a} ✗" in said
    assert f"{b} ✓" in said
    assert len(re.findall(r"[✗✓] (picks|writes) ", said)) == 2, "which of the two is marked"
    points = page.run(lead + "return c.fan.points.map(p => [amount(p.x), p.y])")
    note = page.run("return document.getElementById('hero-note').textContent")
    assert all(f"at {size} {score:.2f} (" in note for size, score in points)
    page.browser.find_element(By.CSS_SELECTOR, "#changed a").click()
    page.wait("document.querySelectorAll('.example').length")
    page.open("#/overview").wait("document.querySelectorAll('#heat .enough').length")
    for least in ("0.5", "0.9"):
        Select(page.browser.find_element(By.CSS_SELECTOR, "#heat-good select")).select_by_value(least)
        rows = page.run("return [...document.querySelectorAll('#heat tbody tr')].map(r => [...r.querySelectorAll('td')]"
                        ".map(c => [Number(c.textContent), c.classList.contains('enough')]))")  # fmt: skip
        for row in rows:
            marked = [at for at, (_, enough) in enumerate(row) if enough]
            from_on = [at for at in range(len(row)) if all(score >= float(least) for score, _ in row[at:])]
            assert marked == from_on[:1] or any(abs(score - float(least)) < 0.006 for score, _ in row)
        counts = page.run("return [...document.querySelectorAll('#heat tfoot td')].map(c => Number(c.textContent))")
        for at, count in enumerate(counts):
            sure = sum(row[at][0] > float(least) + 0.006 for row in rows)
            assert sure <= count <= sum(row[at][0] > float(least) - 0.006 for row in rows), "cells, as its label says"


def test_the_head_of_the_heat_map_stays_in_sight(page) -> None:
    page.open("#/overview").wait("document.querySelectorAll('#heat tbody tr').length")
    page.run("document.querySelector('#heat tbody tr:last-child').scrollIntoView({ block: 'end' })")
    top, bottom = page.run(
        "const b = document.querySelector('#heat thead th').getBoundingClientRect(); return [b.top, b.bottom]"
    )
    assert 0 <= top < bottom <= page.run("return innerHeight")


def test_no_table_is_cut_on_a_phone(page) -> None:
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        for hash in ("#/overview", "#/ability/0", "#/models", "#/methods"):
            page.open(hash)
            wide = page.run(
                "return [...document.querySelectorAll('table')].filter(t => t.checkVisibility())"
                ".filter(t => t.getBoundingClientRect().right > innerWidth + 1).map(t => t.id || t.className)"
            )
            assert wide == [], hash
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
