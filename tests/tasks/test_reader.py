"""The reader of BIG-bench JSON: what it makes of a file, and what it says of a bad one."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalecurve.errors import UserError
from scalecurve.strategies import draw
from scalecurve.tasks import list_tasks, load_tasks, read_task
from scalecurve.tasks.jsonfile import line_of
from scalecurve.tasks.reader import MODES
from scalecurve.types import Postprocess

CHOICE = {"name": "t", "metrics": ["multiple_choice_grade"], "preferred_score": "multiple_choice_grade"}
TEXT = {"name": "t", "metrics": ["exact_str_match"], "preferred_score": "exact_str_match"}


def write(folder: Path, data: dict[str, Any], name: str = "task.json") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=1))
    return path


def one(folder: Path, data: dict[str, Any], mode: str = "faithful") -> Any:
    (task,) = read_task(write(folder, data), mode=mode)
    return task


def test_defaults_and_chance(tmp_path: Path) -> None:
    scores = [{"zeta": 0, "alpha": 1, "mid": 0, "beta": 0}, {"no": 0, "yes": 1}]
    task = one(tmp_path, {**CHOICE, "examples": [{"input": "x", "target_scores": s} for s in scores]})
    assert task.chance == 0.375
    assert task.examples[0].options == ("zeta", "alpha", "mid", "beta")
    assert task.examples[0].targets == ("alpha",)
    assert task.rendering.input_prefix == "\nQ: "
    assert task.postprocess == Postprocess(r"[^\.\?\!\;\n]+", None)
    assert task.metrics[1:] == ("calibration_multiple_choice_brier_score", "expected_calibration_error")
    assert (task.flags, task.ceiling) == ((), 1.0)


def test_duplicates_go_and_equal_looking_examples_are_marked(tmp_path: Path) -> None:
    same = {"input": "a", "target": "1"}
    examples = [same, same, {"input": "a", "target": ["1"]}, {"input": "a", "target": "1", "comment": "other"}]
    task = one(tmp_path, {**TEXT, "examples": examples, "canary": "BIG-BENCH CANARY GUID"})  # a file of the benchmark
    assert [example.id for example in task.examples] == ["0", "2", "3"]
    assert [example.metadata.get("same_as") for example in task.examples] == [None, "0", None]
    assert task.flags == ("duplicates_dropped",)


def test_a_member_same_as_of_the_file_names_no_example(tmp_path: Path) -> None:
    examples = [{"input": name, "target": "1", "same_as": "elsewhere"} for name in "ab"]
    task = one(tmp_path, {**TEXT, "examples": examples})
    assert [example.metadata for example in task.examples] == [{}, {}]
    assert len(draw(task, 1, "bigbench")) == 2


def test_post_processing_rules_of_the_file(tmp_path: Path) -> None:
    examples = [{"input": "a", "target": "1"}]
    rules = [
        ({"output_regex": ""}, ("", None)),
        ({"stop_string": "."}, (None, ".")),
        ({"output_regex": "a"}, ("a", None)),
    ]
    for keys, (regex, stop) in rules:
        assert one(tmp_path, {**TEXT, **keys, "examples": examples}).postprocess == Postprocess(regex, stop)


def test_containers_give_subtasks_sorted_by_path(tmp_path: Path) -> None:
    write(tmp_path, {"name": "parent"})
    for name in ("b", "a-c", "a"):
        write(
            tmp_path, {**TEXT, "name": f"n{name}é", "examples": [{"input": name, "target": "1"}]}, f"{name}/task.json"
        )
    names = [task.name for task in load_tasks(str(tmp_path))]
    assert names == ["parent:na-c?", "parent:na?", "parent:nb?"]


def test_ids_and_rationales_of_our_own(tmp_path: Path) -> None:
    examples = [{"id": f"q{n}", "input": "a", "target": f"{n}", "rationale": "Because."} for n in range(2)]
    task = one(tmp_path, {**TEXT, "max_tokens": 7, "examples": examples})
    assert [example.id for example in task.examples] == ["q0", "q1"]
    assert (task.examples[0].rationale, task.max_tokens) == ("Because.", 7)


def test_fingerprint_follows_what_matters_and_nothing_else(tmp_path: Path) -> None:
    data = {**TEXT, "examples": [{"input": "a", "target": "1"}]}
    base = one(tmp_path, data).fingerprint
    assert one(tmp_path, {**data, "description": "else"}).fingerprint == base
    assert one(tmp_path, {**data, "task_prefix": "P"}).fingerprint != base
    assert one(tmp_path, {**data, "examples": [{"input": "a", "target": "2"}]}).fingerprint != base


def test_corrected_mode_repairs_and_says_so(tmp_path: Path) -> None:
    choice = {
        **CHOICE,
        "append_choices_to_input": "false",
        "metrics": ["multiple_choice_grade", "exact_str_match"],
        "examples": [{"input": "a", "target": "It is so.", "target_scores": {"x": 0.5, "y": 0.25}}] * 2
        + [{"input": "b", "target": "Why?", "target_scores": {"x": 1, "y": 0}}],
    }
    faithful, corrected = (one(tmp_path, choice, mode) for mode in MODES)
    assert faithful.rendering.append_choices
    assert not corrected.rendering.append_choices
    assert {"append_choices_text", "structural_zeros", "prose_targets", "ceiling_below_1", "correct_first"} <= set(
        faithful.flags
    )
    assert not any(flag.startswith("corrected:") for flag in faithful.flags)
    assert {f for f in corrected.flags if f.startswith("corrected:")} == {
        f"corrected:{name}" for name in ("append_choices_text", "structural_zeros", "prose_targets", "ceiling_below_1")
    }
    assert (faithful.ceiling, corrected.ceiling) == (1.0, pytest.approx(2 / 3)), "a repeated question counts twice"
    assert "exact_str_match" in faithful.metrics
    assert "exact_str_match" not in corrected.metrics
    assert faithful.chance == corrected.chance


@pytest.mark.parametrize(
    ("data", "line", "field", "problem"),
    [
        ({**TEXT, "examples": []}, 7, "examples", "at least one example"),
        ({**TEXT, "examples": [{"input": "a", "target": "1"}, {"input": "b"}]}, 12, "examples[1]", "needs a target"),
        ({**TEXT, "examples": [{"target": "1"}]}, 8, "examples[0].input", "needs an input"),
        ({**TEXT, "examples": ["a"]}, 8, "examples[0]", "JSON object"),
        ({**TEXT, "examples": [{"input": "a", "target": []}]}, 10, "examples[0].target", "at least one text"),
        ({**CHOICE, "examples": [{"input": "a", "target": "b"}]}, 8, "examples[0]", "needs target_scores"),
        (
            {**CHOICE, "examples": [{"input": "a", "target_scores": {"x": 0, "y": 0}}]},
            10,
            "examples[0].target_scores",
            "no correct option",
        ),
        (
            {**CHOICE, "examples": [{"input": "a", "target_scores": {"x": 0, "y": "1"}}]},
            12,
            "examples[0].target_scores.y",
            "finite number",
        ),
        ({**TEXT, "output_regex": "(", "examples": [{"input": "a", "target": "1"}]}, 7, "output_regex", "regular expr"),
        ({**TEXT, "metrics": [], "examples": [{"input": "a", "target": "1"}]}, 3, "metrics", "at least one metric"),
        ({"examples": [{"input": "a", "target": "1"}], "metrics": ["bleu"]}, 1, "", 'needs a "name"'),
        ({"name": "t"}, 1, "", "neither"),
    ],
)
def test_a_bad_file_is_named_with_line_and_field(
    tmp_path: Path, data: dict[str, Any], line: int, field: str, problem: str
) -> None:
    with pytest.raises(UserError) as caught:
        read_task(write(tmp_path, data))
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'task.json'}: line {line}: {field}")
    assert problem in message
    assert "\n" not in message


def test_broken_json_and_bytes(tmp_path: Path) -> None:
    path = tmp_path / "task.json"
    path.write_text('{"name": "t",\n "metrics": ["a"],\n "examples": [{"input": "x", "target" "y"}]}')
    with pytest.raises(UserError, match=r"line 3, column 39 in or after field 'input': not valid JSON"):
        read_task(path)
    path.write_bytes(b'{"name": "t",\n "x": "\xff"}')
    with pytest.raises(UserError, match=r"line 2: not UTF-8 \(byte 0xff\)"):
        read_task(path)
    path.write_text("[" * 100_000)
    with pytest.raises(UserError, match=r"nested too deeply|not valid JSON"):
        read_task(path)


def test_unknown_names_get_the_nearest() -> None:
    for ref, hint in [
        ("lab:adition", "addition"),
        ("lab:addition:2_digit", "2_digits"),
        ("addition", "lab:addition"),
        ("no/such.json", "no such file"),
        ("nonsense-without-relatives", "lab:"),
    ]:
        with pytest.raises(UserError, match=hint):
            load_tasks(ref)
    with pytest.raises(UserError, match="faithful or corrected"):
        load_tasks("lab:addition", mode="exact")


def test_every_lab_task_loads_under_its_listed_name() -> None:
    listed = list_tasks("lab")
    assert len(listed) >= 12
    for listing in listed:
        (task,) = load_tasks(listing.ref)
        assert (task.name, task.source, task.flags) == (listing.name, "lab", ())
        assert len(task.examples) == listing.n_examples
        if listing.preferred_metric == "multiple_choice_grade":
            assert 0 < task.chance <= 0.5


texts = st.text(max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
KEYS = ("name", "metrics", "examples", "preferred_score", "output_regex", "append_choices_to_input", "max_tokens")
EXAMPLE_KEYS = ("input", "target", "target_scores", "id", "rationale")


@settings(max_examples=150, deadline=None)
@given(
    data=st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, json_values))
    | st.fixed_dictionaries(
        {
            "name": st.just("t"),
            "metrics": st.just(["bleu"]),
            "examples": st.lists(
                st.fixed_dictionaries({}, optional=dict.fromkeys(EXAMPLE_KEYS, json_values)), max_size=3
            ),
        }
    ),
    mode=st.sampled_from(MODES),
)
def test_any_json_gives_tasks_or_one_clear_line(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any], mode: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "task.json"
    path.write_text(json.dumps(data))
    try:
        tasks = read_task(path, mode=mode)
    except UserError as error:
        said, tasks = str(error), ()
    else:
        said = str(path)
    assert str(path) in said
    assert "\n" not in said
    assert all(example.targets for task in tasks for example in task.examples)


@settings(deadline=None)
@given(st.lists(st.dictionaries(texts, json_values, max_size=3), min_size=1, max_size=4), st.data())
def test_lines_are_found_however_the_file_is_laid_out(values: list[dict[str, Any]], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(values) - 1))
    marked = list(values)
    marked[at] = {**marked[at], "mark": "MARK-HERE"}
    for indent in (None, 0, 2):
        text = json.dumps({"before": 1, "examples": marked}, indent=indent)
        want = text[: text.index('"MARK-HERE"')].count("\n") + 1
        assert line_of(text, ("examples", at, "mark")) == want
