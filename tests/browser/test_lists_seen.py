"""Tables, cards and strips in a real browser: filters, order, and where they lead."""

import pytest
from chromium import Page
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

pytestmark = [pytest.mark.browser, pytest.mark.slow]


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


def test_parts_are_a_strip_in_the_order_in_which_they_are_above_chance(page) -> None:
    page.open("#/ability/4").wait("document.querySelectorAll('.ladder > li .spark').length === 2")
    curves = page.run("return state.data.curves.filter(c => c.p && c.t >= 4).map(c => [c.t, c.a ?? 99, -c.y.at(-1)])")
    first = {task: min(a for t, a, _ in curves if t == task) for task in (4, 5)}
    last = {task: next(y for t, _, y in curves if t == task) for task in (4, 5)}
    order = sorted((4, 5), key=lambda task: (first[task], last[task]))
    names = page.run("return [...document.querySelectorAll('.ladder h3')].map(n => n.textContent)")
    assert names == [page.run(f"return state.data.tasks[{at}].name.split(': ')[1]") for at in order]
    places = "return [...document.querySelectorAll('.ladder h3')].map(n => Number(n.dataset.place))"
    begins = [page.run(f"return Math.min(...state.data.curves.filter(c => c.p && c.t === {task}).map(c => "
                       "beginsAt(c) ?? Infinity)) ?? -1") for task in order]  # fmt: skip
    assert page.run(places) == [1, 1 if begins[0] == begins[1] else 2], "those that begin together share a number"
    said = page.run("return [...document.querySelectorAll('.ladder > li')].map(n => n.textContent)")
    parts = ("begins between syn-", "chance from syn-", "from the smallest", "not surely")
    assert all(any(part in one for part in parts) for one in said)
    assert page.errors() == []
    page.open("#/ability/0").wait("document.querySelectorAll('.example').length")
    assert page.run("return document.querySelector('.ladder') === null")


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


def test_a_card_names_the_term_of_the_tables_where_it_says_it_in_other_words(page) -> None:
    page.open("#/overview").wait("document.querySelectorAll('#findings li').length")
    terms = {"emergent": " (emergent)", "artefact": " (metric artefact)", "inverse": " (inverse)"}
    cards = page.run("return W_screen().cards.map((c, i) => [c.kind, c.title, c.count,"
                     " document.querySelectorAll('#findings li')[i].innerText])")  # fmt: skip
    assert {kind for kind, *_ in cards} & set(terms)
    for kind, title, count, said in cards:
        assert said.startswith(f"{title}{terms.get(kind, '')} · {count}")
