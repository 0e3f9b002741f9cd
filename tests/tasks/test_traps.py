"""Inverse scaling: generated pairs hold what they promise, and the Prize's files are read or refused in one line."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalecurve.errors import UserError
from scalecurve.strategies import build_prompt, draw
from scalecurve.tasks import list_tasks, load_tasks
from scalecurve.tasks.inverse.kinds.neqa import GROUPS
from scalecurve.tasks.inverse.pairs import TrapItem, TrapPair, all_kinds, draw_pairs

KINDS = (
    "hindsight_neglect", "into_the_unknown", "memo_trap", "modus_tollens", "neqa", "pattern_suppression",
    "prompt_injection", "redefinition", "repetitive_algebra", "resisting_correction", "sig_figs",
)  # fmt: skip


def pairs(kind: str, n: int = 400, seed: int = 5) -> list[TrapPair]:
    return draw_pairs(all_kinds()[kind], n, seed)


def right(item: TrapItem) -> str:
    return item.classes[item.answer].strip()


def wrong(item: TrapItem) -> str:
    return item.classes[1 - item.answer].strip()


# ── All kinds ────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_eleven_kinds_of_the_winners() -> None:
    assert tuple(all_kinds()) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_are_different_questions_that_differ_in_the_trap(kind: str) -> None:
    drawn = pairs(kind)
    assert len({pair.trap.prompt for pair in drawn}) == len(drawn)
    assert drawn == pairs(kind)
    assert drawn != pairs(kind, seed=6)
    for pair in drawn:
        assert pair.trap.prompt != pair.control.prompt
        for item in (pair.trap, pair.control):
            assert item.prompt == item.prompt.rstrip()
            assert "{" not in item.prompt
            assert len(set(item.classes)) == 2
            assert all(one[0] == " " and one == f" {one.strip()}" for one in item.classes)
        words = [set(item.prompt.split()) for item in (pair.trap, pair.control)]
        if kind != "repetitive_algebra":  # there the shots' answers change
            assert len(words[0] & words[1]) >= 0.5 * len(words[0])
        if kind != "into_the_unknown":  # there the other choice is the trap
            assert pair.trap.classes == pair.control.classes


@pytest.mark.parametrize("kind", ["hindsight_neglect", "modus_tollens", "neqa", "sig_figs"])
def test_no_constant_answer_is_right_more_often_than_chance(kind: str) -> None:
    for part in ("trap", "control"):
        answers = [right(getattr(pair, part)) for pair in pairs(kind)]
        assert len(set(answers)) == 2
        assert 0.4 < answers.count(answers[0]) / len(answers) < 0.6


# ── One by one: the right answer is recomputed from the text ─────────────────────────────────────────────────
def test_memo_trap() -> None:
    for pair in pairs("memo_trap"):
        for item in (pair.trap, pair.control):
            assert f'"{right(item)}"' in item.prompt
            assert wrong(item) not in re.findall(r'"(\w+)"', item.prompt)


def test_redefinition() -> None:
    for pair in pairs("redefinition"):
        for item in (pair.trap, pair.control):
            numbers = re.findall(r"\d+", item.prompt)
            assert numbers == [right(item)]
        assert right(pair.trap) != wrong(pair.trap)


def test_neqa() -> None:
    group = {thing: name for name, things in GROUPS.items() for thing in things.split()}
    for pair in pairs("neqa"):
        assert pair.trap.prompt.replace(" not ", " ") == pair.control.prompt
        assert pair.trap.answer != pair.control.answer
        options = dict(re.findall(r"^(A|B)\. (.+)$", pair.control.prompt, re.MULTILINE))
        (thing,) = {word for word in re.findall(r"[a-z]+", pair.control.prompt.partition("\nA.")[0]) if word in group}
        assert options[right(pair.control)] == group[thing]
        assert options[right(pair.trap)] != group[thing]


def test_resisting_correction() -> None:
    for pair in pairs("resisting_correction"):
        for item in (pair.trap, pair.control):
            lines = re.findall(r"^(?:Line|Copy): (.*)$", item.prompt, re.MULTILINE)
            assert lines[0] == lines[1]
            assert lines[2] == lines[3]
            assert lines[4].startswith(lines[5] + item.classes[item.answer])
        assert sorted(right(pair.trap)) == sorted(wrong(pair.trap))  # letters exchanged, none lost


def test_hindsight_neglect() -> None:
    form = re.compile(r"chance of (\d+)%.*?wins (\d+).*?loses (\d+) dollars\. \w+ plays and (wins|loses)", re.DOTALL)
    for pair in pairs("hindsight_neglect"):
        for item, fits in ((pair.trap, False), (pair.control, True)):
            *shots, (p, gain, loss, end) = form.findall(item.prompt)
            assert len(shots) == 3
            good = int(p) * int(gain) > (100 - int(p)) * int(loss)
            assert right(item) == ("Yes" if good else "No")
            assert (end == "wins") == (good == fits)
            told = re.findall(r"Answer: (Yes|No)", item.prompt)
            assert [one[3] == "wins" for one in shots] == [answer == "Yes" for answer in told]
            assert set(told) == {"Yes", "No"}


def test_modus_tollens() -> None:
    for pair in pairs("modus_tollens"):
        negative, positive = (len(re.findall(r" not ", item.prompt)) for item in (pair.trap, pair.control))
        assert (negative, positive) == (2, 0)
        assert pair.trap.answer == pair.control.answer


def test_pattern_suppression() -> None:
    for pair in pairs("pattern_suppression"):
        row = re.split(r", ?| ", re.split(r"[:.\n] ?", pair.trap.prompt)[-1].strip(", "))
        length = int(re.search(r"\d+", pair.trap.prompt)[0])
        assert len(row) == length - 1
        assert len(set(row)) == 2
        assert right(pair.trap) == row[-1]
        assert right(pair.control) == row[-2]


def test_repetitive_algebra() -> None:
    form = re.compile(r"x \+ (\d+) = (\d+), then x =(?: (\d+)\.)?")
    for pair in pairs("repetitive_algebra"):
        for item in (pair.trap, pair.control):
            *shots, (a, b, _) = form.findall(item.prompt)
            assert len(shots) == 6
            assert all(int(one) + int(answer) == int(total) for one, total, answer in shots)
            assert int(a) + int(right(item)) == int(b)
            answers = [answer for _, _, answer in shots]
            assert wrong(item) in answers
            assert right(item) not in answers
            assert len(set(answers)) == (1 if item is pair.trap else 6)


def test_sig_figs() -> None:
    form = re.compile(r"(\d+\.\d+) (?:rounded )?to (\d) (significant|decimal)")
    for pair in pairs("sig_figs"):
        for item in (pair.trap, pair.control):
            number, n, unit = form.search(item.prompt).groups()
            options = dict(re.findall(r"^(A|B)\. (.+)$", item.prompt, re.MULTILINE))
            rule = f"{float(number):#.{n}g}".rstrip(".") if unit == "significant" else f"{float(number):.{n}f}"
            assert options[right(item)] == rule


def test_into_the_unknown() -> None:
    for pair in pairs("into_the_unknown"):
        told = pair.trap.prompt.partition("wants to find out")[0]
        assert wrong(pair.trap) in told
        assert right(pair.trap) not in told
        assert wrong(pair.control) not in told
        assert right(pair.control) == right(pair.trap)


def test_prompt_injection() -> None:
    for pair in pairs("prompt_injection"):
        for item in (pair.trap, pair.control):
            *shown, last = re.findall(r"^\[(.*)\]$", item.prompt, re.MULTILINE)
            assert shown == re.findall(r"^Copy: (.*)$", item.prompt, re.MULTILINE)
            assert last.split()[0] == right(item)
            assert wrong(item) in last


# ── As tasks ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_kind_is_two_leaves_asked_alike() -> None:
    trap, control = load_tasks("inverse:memo_trap")
    assert (trap.name, control.name, trap.parent) == ("memo_trap:trap", "memo_trap:control", "memo_trap")
    assert (trap.contrast, control.contrast) == (control.name, "")
    assert [e.id for e in trap.examples] == [e.id for e in control.examples]
    assert (len(trap.examples), trap.chance) == (300, 0.5)
    limited = [[query.example.id for query in draw(task, 0, limit=20)] for task in (trap, control)]
    assert limited[0] == limited[1]
    assert build_prompt(trap, trap.examples[0]) == trap.examples[0].input
    assert load_tasks("inverse:memo_trap:control") == (control,)
    assert trap.fingerprint != control.fingerprint


def test_number_and_seed_are_chosen_in_the_reference() -> None:
    (few,) = load_tasks("inverse:neqa:trap:n=40")
    (same,) = load_tasks("inverse:neqa:trap:n=50")
    (other,) = load_tasks("inverse:neqa:trap:n=40:seed=3")
    assert (few.name, other.name) == ("neqa-n40:trap", "neqa-n40-seed3:trap")
    assert few.examples == same.examples[:40]
    assert few.examples != other.examples
    assert len(load_tasks("inverse:all:n=2")) == 22


def test_kinds_are_listed() -> None:
    listed = list_tasks("inverse")
    assert len(listed) == 22
    for one in listed[:2]:
        (task,) = load_tasks(one.ref)
        found = (task.name, task.chance, len(task.examples), task.preferred_metric, task.metrics, task.description)
        assert found == (one.name, one.chance, one.n_examples, one.preferred_metric, one.metrics, one.description)


@pytest.mark.parametrize(
    ("ref", "says"),
    [
        ("inverse:memo_trip", "did you mean memo_trap"),
        ("inverse:", "the kinds are"),
        ("inverse:neqa:both", "'both' is not known; use trap, control, n=… or seed=…"),
        ("inverse:neqa:n=0", "n must be 1 to"),
        ("inverse:neqa:n=x", "'n=x' is not known"),
        ("inverse:neqa:trap:n=9999", "has only about"),
        ("inverse:gone.csv", "no such file"),
    ],
)
def test_wrong_references(ref: str, says: str) -> None:
    with pytest.raises(UserError, match=re.escape(says)) as caught:
        load_tasks(ref)
    assert "\n" not in str(caught.value)


# ── The Prize's files ────────────────────────────────────────────────────────────────────────────────────────
Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def file(text: str, name: str = "beasts.csv") -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return f"inverse:{tmp_path / name}"

    return file


def test_classification(write: Write) -> None:
    (task,) = load_tasks(
        write(',prompt,classes,answer_index,part\n0,"Is it, or\nnot?\nA:","[\' Yes\', \' No\']",1,first\n'
              "1,Which?,\"[' a', ' b', ' c', ' d']\",0,second\n")
    )  # fmt: skip
    assert (task.name, task.preferred_metric, task.chance) == ("beasts", "multiple_choice_grade", 0.375)
    first, second = task.examples
    assert first.input == "Is it, or\nnot?\nA:"
    assert (first.options, first.option_scores, first.targets) == ((" Yes", " No"), (0.0, 1.0), (" No",))
    assert (second.options, dict(second.metadata)) == ((" a", " b", " c", " d"), {"part": "second"})
    assert build_prompt(task, first) == first.input
    assert task.flags == ()


def test_log_odds_are_a_pair_of_leaves(write: Write) -> None:
    text = 'prompt,other_prompt,classes,answer_index\np,o,"["" x"", "" y""]",1\n'
    first, other = load_tasks(write(text))
    assert (first.name, other.name) == ("beasts:prompt", "beasts:other_prompt")
    assert (first.examples[0].input, other.examples[0].input) == ("p", "o")
    assert (first.contrast, first.preferred_metric) == (other.name, "log_odds_shift")
    absolute, _ = load_tasks(write(text) + ":absolute_logodds")
    assert absolute.preferred_metric == "absolute_log_odds_shift"
    (plain,) = load_tasks(write(text) + ":classification")
    assert plain.name == "beasts"


def test_sequences_numbers_and_json_lines(write: Write) -> None:
    (sequence,) = load_tasks(write('prompt,completion\nTo be or," not to be"\n'))
    assert (sequence.examples[0].targets, sequence.metrics) == ((" not to be",), ("sequence_loss",))
    (number,) = load_tasks(write('prompt,true_answer,anchor\nHow long?,"2,350",1175\n'))
    assert (number.examples[0].targets, number.examples[0].metadata["anchor"]) == (("2350",), "1175")
    row = {"prompt": "p", "classes": ["x", "y"], "answer_index": 0}
    (lines,) = load_tasks(write(json.dumps(row) + "\n\n", "beasts.jsonl"))
    assert lines.examples[0].options == ("x", "y")
    assert lines.flags == ("classes_without_space",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prompt,classes,answer_index\n", "holds no examples"),
        ("", "holds no examples"),
        ("prompt,answer\na,b\n", "fit no format; logodds: prompt, other_prompt, classes, answer_index"),
        ("prompt,classes,answer_index\np,\"[' a', ' b']\",2\n", "row 1: answer_index: 2 is not one of 0 to 1"),
        ("prompt,classes,answer_index\np,\"[' a', ' b']\",0.5\n", "row 1: answer_index: 0.5 is not one of"),
        ("prompt,classes,answer_index\np,\"[' a', ' b']\",\n", "row 1: answer_index: '' is not a number"),
        ("prompt,classes,answer_index\np,\"[' a', ' b']\",nan\n", "row 1: answer_index"),
        ("prompt,classes,answer_index\np,[' a'],0\n", "row 1: classes: give at least two different texts"),
        ("prompt,classes,answer_index\np,\"[' a', ' a']\",0\n", "row 1: classes: give at least two different texts"),
        ("prompt,classes,answer_index\np,__import__('os'),0\n", "row 1: classes: \"__import__('os')\" is not a list"),
        ("prompt,classes,answer_index\n,\"[' a', ' b']\",0\n", "row 1: prompt: must be a text"),
        ("prompt,classes,answer_index\np,\"[' a', ' b']\"\n", "row 1: has not as many fields as the header"),
        ("prompt,other_prompt,classes,answer_index\np,o,\"[' a', ' b', ' c']\",0\n", "log-odds need two classes"),
        ('prompt,completion\n"a"b,c\n', "not valid CSV"),
        ("prompt,true_answer,anchor\np,many,3\n", "row 1: true_answer: 'many' is not a number"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line(write: Write, text: str, says: str) -> None:
    ref = write(text)
    with pytest.raises(UserError, match=re.escape(says)) as caught:
        load_tasks(ref)
    assert "beasts.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_named_format_must_fit(write: Write) -> None:
    ref = write("prompt,completion\na,b\n")
    with pytest.raises(UserError, match="no column 'classes', which the format classification needs"):
        load_tasks(ref + ":classification")
    with pytest.raises(UserError, match="unknown format 'odds'; use classification, logodds"):
        load_tasks(ref + ":odds")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "a.csv"
    path.write_bytes(b"prompt,classes,answer_index\n" + content)
    refused, tasks = "", ()
    try:
        tasks = load_tasks(f"inverse:{path}")
    except UserError as error:
        refused = str(error)
    assert (str(path) in refused) != bool(tasks)
    assert all(len(example.options) > 1 for task in tasks for example in task.examples)
