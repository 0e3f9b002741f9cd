"""The emoji films taken apart: the parts follow from BIG-bench's own questions and are graded as they should be."""

import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from bigbench_files import unpack

from scalecurve.errors import UserError
from scalecurve.tasks.emoji import PARTS, decompose, films_of
from scalecurve.tasks.probes import read_probes
from scalecurve.tasks.reader import read_task
from scalecurve.types import Task


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return read_task(unpack(tmp_path_factory.mktemp("bigbench")) / "emoji_movie" / "task.json", source="bigbench")[0]


def test_every_rebus_is_split_into_its_emoji(whole: Task) -> None:
    films = films_of(whole)
    assert len(films) == 100
    assert films[0].emoji == tuple("👧🐟🐠🐡")
    assert films[1].emoji == ("🐀", "👨\u200d🍳", "👩\u200d🍳")
    (braveheart,) = [film for film in films if film.title == "braveheart"]
    assert len(braveheart.emoji) == 3  # a flag of eight characters, a heart with its variation, a dagger
    (godfather,) = [film for film in films if film.title == "the godfather"]
    assert godfather.emoji == ("🇮🇹", "👴", "🔫")


@pytest.mark.parametrize("part", PARTS)
def test_parts_are_made_alike_every_time(whole: Task, part: str) -> None:
    task = decompose(whole, part)
    assert task == decompose(whole, part)
    assert (task.name, task.parent, task.source) == (f"films:{part}", "films", "emoji")
    assert len(task.examples) >= 100
    assert len({example.input for example in task.examples}) >= 95  # a few films share their rarest emoji
    for example in task.examples:
        if part != "name":
            assert sum(example.option_scores) == 1
            assert example.targets == (example.options[example.option_scores.index(1)],)
    assert task.chance == pytest.approx({"is_film": 0.5, "is_right": 0.5, "title": 0.2, "name": 0}.get(part, 0.25))


def test_yes_and_no_are_as_often_right(whole: Task) -> None:
    for part in ("is_film", "is_right"):
        answers = Counter(example.targets[0] for example in decompose(whole, part).examples)
        assert answers["yes"] == answers["no"]


def test_what_is_right_follows_from_the_films(whole: Task) -> None:
    films = {film.rebus: film.title for film in films_of(whole)}
    titles = {option for example in whole.examples for option in example.options}
    for example in decompose(whole, "is_film").examples:
        assert (example.input.split('"')[1] in titles) == (example.targets == ("yes",))
    for example in decompose(whole, "is_right").examples:
        _, title, rebus = example.input.split('"')
        assert (films[rebus.removeprefix("? ")] == title) == (example.targets == ("yes",))
    for example in decompose(whole, "sense").examples:
        shown = example.input.rpartition(" ")[2]
        assert unicodedata.name(shown[0]).lower() == example.targets[0]
    with_emoji = {title: rebus for rebus, title in films.items()}
    for example in decompose(whole, "fits_emoji").examples:
        emoji = example.input.rpartition(" ")[2]
        holders = [option for option in example.options if emoji in with_emoji[option]]
        assert example.targets[0] in holders


def test_the_title_is_bigbenchs_own_question(whole: Task) -> None:
    title = decompose(whole, "title")
    assert title.examples == whole.examples
    assert title.rendering == whole.rendering


@pytest.mark.parametrize(
    ("said", "earned"),
    [
        ("finding nemo", [1, 0, 1, 1]),
        ("The Shining.", [1, 0, 1, 0]),
        ("a movie about Finding Nemo and friends", [1, 1, 0, 1]),
        ("the emoji movie", [1, 1, 0, 0]),
        ("🐟", [0, 0, 0, 0]),
        (None, [0, 0, 0, 0]),
    ],
)
def test_answers_climb_the_probes(whole: Task, said: str | None, earned: list[int]) -> None:
    task = decompose(whole, "name")
    probes = read_probes(task.probes)
    assert [probe.name for probe in probes] == [
        "is an answer", "speaks of a film", "is a film title", "names the target"]  # fmt: skip
    assert [probe.score(said, task.examples[0].targets) for probe in probes] == earned


def test_parts_are_asked_of_the_installed_task(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from scalecurve.tasks import list_tasks, load_tasks

    monkeypatch.setenv("SCALECURVE_BIGBENCH", str(tmp_path / "none"))
    with pytest.raises(UserError, match="not installed"):
        load_tasks("emoji:films")
    with pytest.raises(UserError, match="did you mean title"):
        load_tasks("emoji:films:titel")
    assert all(one.source != "emoji" for one in list_tasks())
