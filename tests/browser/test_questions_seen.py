"""Questions and models in a real browser: what changed between two of them."""

import re

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

pytestmark = [pytest.mark.browser, pytest.mark.slow]


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


def test_the_examples_say_what_is_scored(page) -> None:
    page.open("#/overview").wait("document.querySelectorAll('#findings li').length")
    choice, text = page.run(
        "const first = (test) => state.data.curves.find(c => c.p && c.cost && test(CHOICE(c.m)))?.t ?? null;"
        "return [first(is => is), first(is => !is)]"
    )
    for task, said in ((choice, "Scored is what was picked"), (text, "Scored is what a model wrote")):
        if task is not None:
            page.open(f"#/ability/{task}").wait("document.querySelectorAll('.example').length")
            assert page.run("return document.getElementById('scored').textContent").startswith(said)
    assert choice is not None or text is not None


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
