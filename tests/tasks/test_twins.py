"""Twins: problems whose answer is right, copies that cannot be answered, the user's own files, and what goes wrong."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from bigbench_files import ANSWERABILITY, unpack
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from scalecurve.errors import UserError
from scalecurve.strategies import build_prompt, draw
from scalecurve.study.study import load_study
from scalecurve.tasks import load_tasks
from scalecurve.tasks.answerability import TASKS, told
from scalecurve.tasks.bigbench import VARIABLE
from scalecurve.tasks.bigbench_install import install
from scalecurve.tasks.postprocess import postprocess
from scalecurve.tasks.twins import KINDS, PREMISES, UNITS
from scalecurve.tasks.word_problems import TEMPLATES, own_problems
from scalecurve.types import Example, Task

ROBE = {
    "ID": "chal-1", "Body": "A robe takes 2 bolts of blue fibre and 5 bolts of white fibre.",
    "Question": "How many bolts does it take?", "Equation": "( 2.0 + 5.0 )", "Answer": 7.0,
}  # fmt: skip


def one(ref: str) -> Task:
    (task,) = load_tasks(ref)
    return task


def pairs(task: Task) -> list[tuple[Example, Example]]:
    sound, spoiled = task.examples[::2], task.examples[1::2]
    return list(zip(sound, spoiled, strict=True))


# ── Our own problems ─────────────────────────────────────────────────────────────────────────────────────────
def test_steps_lead_to_the_answer_by_the_numbers_told() -> None:
    problems = own_problems(400)
    assert len({problem.question.split()[2] for problem in problems}) > 8
    for problem in problems:
        last = ""
        for left, operation, right, result in re.findall(r"(\d+)([-+*/])(\d+)=(\d+)", problem.steps):
            worked = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__, "/": int.__floordiv__}[operation]
            assert worked(int(left), int(right)) == int(result)
            assert operation != "/" or int(left) % int(right) == 0
            last = result
        assert problem.answer == last
        assert problem.answer not in problem.needed
        assert sorted(re.findall(r"\d+", problem.text)) == sorted(problem.needed)


def test_every_template_is_drawn_and_no_problem_twice() -> None:
    problems = own_problems(600, seed=5)
    assert len({problem.text for problem in problems}) == 600
    shapes = {re.sub(r"\{\w+\}", "X", template.question.split(" {")[0]) for template in TEMPLATES}
    assert all(any(problem.question.startswith(shape) for problem in problems) for shape in shapes)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 5))
@hypothesis_settings(max_examples=15, deadline=None)
def test_fewer_pairs_are_the_first_of_more(some: int, more: int, seed: int) -> None:
    some, more = sorted((some, more))
    first, longer = (one(f"twins:{count}:mixed:{seed}").examples for count in (some, more))
    assert longer[: 2 * some] == first


def test_twins_of_one_seed_are_the_same_and_of_others_not() -> None:
    assert one("twins:20").fingerprint == one("twins:20").fingerprint
    assert len({one(ref).fingerprint for ref in ("twins:20", "twins:20:mixed:1", "twins:20:nonce", "twins:21")}) == 4


# ── Copies that cannot be answered ───────────────────────────────────────────────────────────────────────────
def test_pairs_share_an_id_and_the_kinds_come_in_turn() -> None:
    task = one("twins:40")
    assert len(task.examples) == 80
    for at, (sound, spoiled) in enumerate(pairs(task)):
        assert sound.metadata == {"pair": str(at), "answerable": True}
        assert spoiled.metadata == {"pair": str(at), "answerable": False, "kind": list(KINDS)[at % 4]}
        assert spoiled.targets == ("unanswerable",)
        assert spoiled.input != sound.input


def test_what_each_kind_does() -> None:
    tasks = {task.name.rpartition(":")[2]: task for task in load_tasks("twins:60:all")}
    assert list(tasks) == list(KINDS)
    for kind, task in tasks.items():
        assert len(task.examples) == 120
        for sound, spoiled in pairs(task):
            numbers = [len(re.findall(r"\d+", example.input)) for example in (sound, spoiled)]
            gone = [word for word in sound.input.split() if word not in spoiled.input.split()]
            new = [word for word in spoiled.input.split() if word not in sound.input.split()]
            assert numbers[0] - numbers[1] == (kind in ("deleted", "nonce"))
            if kind == "deleted":
                assert ("".join(new).rstrip(".,"), gone[0].rstrip(".,").isdecimal()) == ("some", True)
            elif kind == "nonce":
                assert re.fullmatch(r"[a-z]{5,9}[.,]?", "".join(new))
            elif kind == "impossible_unit":
                (unit,) = [unit for unit in UNITS if f"How many {unit}" in spoiled.input.replace("many more", "many")]
                assert unit not in sound.input
            else:
                assert spoiled.input.startswith(sound.input.removesuffix("?") + ", ")
                assert any(spoiled.input.endswith(f"{premise}?") for premise in PREMISES)


def test_shots_are_pairs_of_their_own_and_show_their_steps() -> None:
    task = one("twins:200")
    asked = {example.input for example in task.examples}
    assert not asked & {shown.input for shown in task.worked}
    query = draw(task, 2, "fixed")[0]
    prompt = build_prompt(task, query.example, query.shots)
    assert prompt.count("Q: ") == 3
    assert "\nA: unanswerable\n" in prompt
    assert all(shown.rationale.endswith(f"So the answer is {shown.targets[0]}.") for shown in task.worked)


# ── The user's problems ──────────────────────────────────────────────────────────────────────────────────────
def write(path: Path, problems: list[Any]) -> Path:
    lines = path.suffix == ".jsonl"
    path.write_text("\n".join(map(json.dumps, problems)) if lines else json.dumps(problems), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["mine.json", "mine.jsonl"])
def test_problems_of_the_user_in_every_spelling(tmp_path: Path, name: str) -> None:
    multiarith = {
        "iIndex": 3, "sQuestion": "Paige had 43 tasks and 12 riddles. If she solved 44 of them, how many tasks did she "
        "have to do on the 2nd day?", "lSolutions": [11.0], "lEquations": ["X=((43.0+12.0)-44.0)"],
    }  # fmt: skip
    plain = {"question": "Tom paid $5 for 3 pens. How many pens does he have after 4 more?", "answer": "7"}
    task = one(f"twins:{write(tmp_path / name, [ROBE, multiarith, plain])}:deleted")
    assert task.name == "twins:mine:deleted"
    found = {sound.id: (sound, spoiled) for sound, spoiled in pairs(task)}
    assert list(found) == ["chal-1+", "3+", "2+"]
    assert [sound.targets for sound, _ in found.values()] == [("7",), ("11",), ("7",)]
    assert re.fullmatch(r"A robe takes (some|2) bolts of blue fibre and (some|5) bolts .*", found["chal-1+"][1].input)
    assert "2nd" in found["3+"][1].input
    assert "some" in found["3+"][1].input
    assert "$5" in found["2+"][1].input


def test_a_problem_that_cannot_be_spoiled_one_way_is_spoiled_another(tmp_path: Path) -> None:
    hard = {"question": "It is 3 o'clock, 5 birds sing, 2 fly away and 1 comes. What number sings?", "answer": 4}
    path = write(tmp_path / "hard.json", [hard])
    assert one(f"twins:{path}").examples[1].metadata["kind"] == "false_premise"
    with pytest.raises(UserError, match="twins:hard:deleted: none of the problems"):
        load_tasks(f"twins:{path}:deleted")


def test_a_path_in_a_study_is_relative_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "mine.jsonl", [ROBE])
    (tmp_path / "s.toml").write_text('models = ["mock"]\ntasks = ["twins:mine.jsonl:nonce", "twins:3"]\n')
    monkeypatch.chdir("/")
    refs = [entry.ref for entry in load_study(tmp_path / "s.toml").tasks]
    assert refs == [f"twins:{tmp_path / 'mine.jsonl'}:nonce", "twins:3"]
    assert len(one(refs[0]).examples) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "must be a list of at least one"),
        ("[]", "must be a list of at least one"),
        ("[3]", "problem 1: a word problem must be a JSON object"),
        ('[{"answer": 3}]', "problem 1: it has no question"),
        ('[{"question": "How many?"}]', "problem 1: it has no answer"),
        ('[{"question": "Count them.", "answer": 3}]', "problem 1: its last sentence must be a question"),
        ('[{"id": 1, "question": "Why?", "answer": 1}, {"id": 1, "question": "Who?", "answer": 1}]', "have the id '1'"),
        ("[", "not valid JSON"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        load_tasks(f"twins:{path}")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(ROBE) + "\n{oops\n")
    with pytest.raises(UserError, match=r"bad\.jsonl: line 2: not valid JSON"):
        load_tasks(f"twins:{path}")


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("twins:", "give a number of pairs or a file"),
        ("twins:0", "give 1 to 2000 pairs"),
        ("twins:5:spoilt", "kinds: deleted, nonce"),
        ("twins:nowhere.jsonl", "no such file"),
    ],
)
def test_references_that_make_no_sense(ref: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_tasks(ref)


# ── BIG-bench's tasks ────────────────────────────────────────────────────────────────────────────────────────
def example(text: str, target: str) -> Example:
    return Example("0", text, (target,))


@pytest.mark.parametrize(
    ("name", "text", "target", "answerable", "judged"),
    [
        ("known_unknowns", "What did he eat?", "Unknown", False, None),
        ("known_unknowns", "When was he born?", "1809", True, None),
        ("sufficient_information", "How old is she?", "I do not know", False, None),
        ("presuppositions_as_nli", "Sentence 1: He ran. \nSentence 2: He moved.\n\nThe answer is: ", "entailment", True,
         "He ran. Is the following true or false: He moved."),
        ("presuppositions_as_nli", "Sentence 1: He ran. \nSentence 2: He fell.\n\nThe answer is: ", "neutral", False,
         "He ran. Is the following true or false: He fell."),
        ("evaluating_information_essentiality", "Is it red? Which of the following statements is/are sufficient to "
         "answer the previous question? \n1. It is warm. \n2. It is round.", "Neither statement 1 nor 2", False,
         "1. It is warm. \n2. It is round.\nIs it red?"),
        ("misconceptions", "Toads give warts. ", "F", False, "Toads give warts. Why is that so?"),
        ("nonsense_words_grammar", "Which word is a verb? Ab zorps.", "zorps", True, None),
    ],
)  # fmt: skip
def test_what_bigbench_says_can_be_answered(
    name: str, text: str, target: str, answerable: bool, judged: str | None
) -> None:
    known = TASKS[name](example(text, target))
    assert known == {"answerable": answerable} | ({"gate_text": judged} if judged else {})


def test_a_task_told_what_can_be_answered_is_another_task() -> None:
    both = (example("a", "Unknown"), Example("1", "b", ("1809",)))
    plain = Task("known_unknowns", both, ("multiple_choice_grade",), "multiple_choice_grade", fingerprint="x")
    task = told(plain, "known_unknowns")
    assert (task.name, task.preferred_metric, task.chance) == ("answerability:known_unknowns", "gate_auroc", 0.5)
    assert task.metrics[-1] == "multiple_choice_grade"
    assert task.fingerprint not in ("x", told(plain, "nonsense_words_grammar").fingerprint)


def test_the_published_tasks_have_their_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    install(unpack(tmp_path / "benchmark_tasks", ANSWERABILITY))
    found = {}
    for task in load_tasks("answerability:all"):
        can = [bool(example.metadata["answerable"]) for example in task.examples]
        found[task.name.partition(":")[2]] = (len(can), can.count(False))
    assert found == {
        "known_unknowns": (46, 23),
        "sufficient_information": (39, 21),
        "presuppositions_as_nli": (735, 307),
        "evaluating_information_essentiality": (68, 14),
        "misconceptions": (219, 114),
        "nonsense_words_grammar": (50, 0),
    }


def test_an_unknown_task_is_named_with_those_there_are() -> None:
    with pytest.raises(UserError, match="did you mean known_unknowns"):
        load_tasks("answerability:known_unknown")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (" 7", "7"),
        ("8 - 5 = 3 shells.\nQ: 9 + 9", "3"),
        ("8-5=3", "3"),
        ("It is -4.", "-4"),
        ("so 10-7", "7"),
        ("hm\n3.5 or 12\n1", "12"),
        ("about 3.5", "3.5"),
        ("none", ""),
    ],
)
def test_the_number_a_direct_answer_ends_on(text: str, number: str) -> None:
    assert postprocess(text, one("twins:1").postprocess) == number
