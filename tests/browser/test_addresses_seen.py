"""Addresses in a real browser: each holds what is shown, by name."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from chromium import Page
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select
from synthetic import make_run

from scalecurve.report import write_report

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_question_has_an_address(page) -> None:
    page.open("#/ability/0").wait("document.querySelectorAll('.example').length")
    link = page.run("return document.querySelector('.example h3 a').getAttribute('href')")
    page.open(link).wait("document.querySelectorAll('.example').length === 1")
    assert page.run("return location.hash") == link
    assert page.run("return document.querySelector('.example h3 a').getAttribute('href')") == link


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


def test_an_address_without_a_page_says_so(page) -> None:
    for hash in ("#/ability/nothing-like-it", "#/nowhere"):
        page.open(hash)
        assert "has no page" in page.run("return document.getElementById('not-found').textContent")
        assert not page.run("return document.getElementById('page-overview').hidden")
    page.open("#/overview")
    assert page.run("return document.getElementById('not-found').hidden")
