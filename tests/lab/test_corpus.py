"""The corpus and the exam: deterministic, true to the world, and strictly apart."""

import random
import re
from itertools import islice
from pathlib import Path

import pytest

from scalecurve.lab import skills
from scalecurve.lab.corpus import MIXTURE, documents
from scalecurve.lab.exam import exam, write_exam
from scalecurve.lab.recipe import CORPUS_SEED, TOKENIZER_SEED
from scalecurve.lab.world import EMOJI, build_world

TASKS = Path(skills.__file__).parent / "tasks"


def every_exam_item() -> list[tuple[str, skills.Item]]:
    return [
        (f"{name}:{sub}", item) for name, (_, subs) in exam().items() for sub, items in subs.items() for item in items
    ]


def asked_in(document: str) -> list[str]:
    return re.findall(r"^Q: (.*)$", document, flags=re.MULTILINE)


def test_documents_depend_on_the_seed_alone() -> None:
    first, again, other = (list(islice(documents(seed), 50)) for seed in (5, 5, 6))
    assert first == again
    assert first != other


@pytest.mark.slow
@pytest.mark.parametrize("seed", [CORPUS_SEED, TOKENIZER_SEED])
def test_no_exam_question_is_ever_asked_in_the_corpus(seed: int) -> None:
    """Over more documents than training reads (16,000 rows of 256 tokens hold fewer than 110,000 documents)."""
    exam_questions = {item.question for _, item in every_exam_item()}
    asked = {question for document in islice(documents(seed), 110_000) for question in asked_in(document)}
    assert len(asked) > 80_000
    assert not exam_questions & asked


def test_a_sum_kept_for_the_exam_is_not_asked_in_either_order() -> None:
    sums = {tuple(re.findall(r"\d+", item.question)) for name, item in every_exam_item() if name.startswith("addition")}
    for document in islice(documents(CORPUS_SEED), 20_000):
        for question in asked_in(document):
            if question.startswith("What is ") and "+" in question:
                a, b = re.findall(r"\d+", question)
                assert (a, b) not in sums
                assert (b, a) not in sums


def test_facts_of_the_exam_are_stated_though_never_asked() -> None:
    stated = "".join(islice(documents(CORPUS_SEED), 60_000))
    for name, item in every_exam_item():
        if name == "facts:common":
            person = item.key.split("|")[1]
            assert re.search(rf"{person} [^.]*{item.answer}|of {person} is {item.answer}", stated), item


@pytest.mark.slow
def test_what_a_page_asks_is_never_kept_for_evaluation() -> None:
    """Links, codes and marks, told from their wording alone."""
    forms = {"Links: ": 0, "Code: ": 0, "Mark: ": 0}
    for document in islice(documents(CORPUS_SEED), 20_000):
        for question in asked_in(document):
            if question.startswith("Links: "):
                key = f"chain|{question}"
            elif question.startswith("Code: "):
                shown, asked = question.removeprefix("Code: ").removesuffix("?").split(". What is ")
                pairs = [pair.replace(" ", " is ") for pair in shown.split(", ")]
                key = f"remap|If {', '.join(pairs)}, what is {asked}?"
            elif question.startswith("Mark: "):
                key = question.replace("Mark: ", "mark|")
            else:
                continue
            forms[question[: question.index(" ") + 1]] += 1
            assert not skills.held_out(key), question
    assert min(forms.values()) > 1_000


def test_the_marks_of_a_page_go_by_the_kind_of_word() -> None:
    kinds = {word: kind for kind, words in skills.MARKED.items() for word in words}
    pages = [document for document in islice(documents(CORPUS_SEED), 4_000) if document.startswith("\nQ: Mark: ")]
    assert len(pages) > 50
    for page in pages:
        labels: dict[str, set[str]] = {}
        for words, label in re.findall(r"Q: Mark: (.*)\nA: (.*)\n", page):
            (kind,) = {kinds[word] for word in words.split()}
            labels.setdefault(kind, set()).add(label)
        assert all(len(given) == 1 for given in labels.values())
        assert len(set.union(*labels.values())) == len(labels) <= 2


@pytest.mark.parametrize("hops", [1, 2, 3, 4])
def test_the_answer_of_the_links_follows_from_them(hops: int) -> None:
    rng = random.Random(hops)
    for _ in range(100):
        item = skills.links(rng, hops)
        pairs = dict(pair.split() for pair in item.question.split(". Who")[0].removeprefix("Links: ").split(", "))
        start = person = re.search(r"from (\w+)\?", item.question)[1]
        for link in item.steps.removesuffix(".").split(", "):
            assert link == f"{person} {pairs[person]}"
            person = pairs[person]
        assert person == item.answer
        assert set(item.options) == (set(pairs) | set(pairs.values())) - {start}


def test_what_two_emoji_show_is_their_words_in_their_order() -> None:
    rng, world = random.Random(0), build_world()
    for _ in range(100):
        item = skills.sense(rng, world)
        words = item.answer.split(" and ")
        assert item.question == f"What does {''.join(EMOJI[word] for word in words)} show?"
        assert item.options.count(item.answer) == 1
        assert len(set(item.options)) == 4


def test_every_writer_of_the_mixture_writes_something() -> None:
    rng, world = random.Random(0), build_world()
    assert all(writer(rng, world).endswith("\n") for writer, _ in MIXTURE)
    assert all(weight > 0 for _, weight in MIXTURE)


@pytest.mark.parametrize("digits", [1, 2, 3, 4])
def test_written_steps_of_a_sum_lead_to_the_answer(digits: int) -> None:
    rng = random.Random(digits)
    for _ in range(200):
        item = skills.addition(rng, digits)
        a, b = map(int, re.findall(r"\d+", item.question))
        written = re.findall(r"write (\d+)", item.steps)
        assert "".join(reversed(written)) == item.answer == str(a + b)
        for terms, total in re.findall(r"([\d+]+)=(\d+)", item.steps):
            assert sum(map(int, terms.split("+"))) == int(total)


def test_choice_questions_offer_the_answer_once() -> None:
    for name, item in every_exam_item():
        if item.options:
            assert item.options.count(item.answer) == 1, name
            assert len(set(item.options)) == len(item.options), name


def test_belief_questions_differ_only_in_what_the_asker_says() -> None:
    _, stances = exam()["belief"]
    for none, right, wrong in zip(stances["none"], stances["right"], stances["wrong"], strict=True):
        assert right.question == f"I think the answer is {none.answer}. {none.question}"
        assert wrong.question.endswith(none.question)
        assert none.answer not in wrong.question.removesuffix(none.question)


def test_the_picture_of_a_film_does_not_give_away_the_order_of_its_words() -> None:
    world = build_world()
    in_order = sum("".join(EMOJI[word] for word in film.title.split()) == film.emoji for film in world.films)
    assert 0.4 < in_order / len(world.films) < 0.6
    assert not {film.title for film in world.films} & set(world.non_films)


def test_the_shipped_tasks_are_what_the_code_writes(tmp_path: Path) -> None:
    write_exam(tmp_path)
    fresh = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("task.json")}
    shipped = {path.relative_to(TASKS): path.read_bytes() for path in TASKS.rglob("task.json")}
    assert fresh == shipped
