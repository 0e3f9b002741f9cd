"""Task files with one thing wrong in them are read or refused with one clear line, never with a traceback."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from wrong_values import refusals

from scalecurve.errors import UserError
from scalecurve.tasks import load_tasks, read_task
from scalecurve.tasks.postprocess import filtered

TASK = {
    "name": "t",
    "description": "d",
    "keywords": ["a"],
    "metrics": ["multiple_choice_grade", "exact_str_match"],
    "preferred_score": "multiple_choice_grade",
    "max_tokens": 5,
    "output_regex": "a(b)",
    "stop_string": ".",
    "append_choices_to_input": True,
    "probes": {"p": "x", "q": {"pattern": "y", "chance": 0.5}},
    "examples": [
        {"id": "a", "input": "x", "target_scores": {"a": 1, "b": 0}, "rationale": "r", "answerable": True},
        {"id": "b", "input": "y", "target": ["b", "c"], "target_scores": {"a": 0, "b": 1}},
    ],
}
HARNESS = {
    "task": "t",
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {"test": "d.jsonl"}},
    "test_split": "test",
    "fewshot_split": "test",
    "num_fewshot": 1,
    "description": "d",
    "doc_to_text": "{{q}}",
    "doc_to_target": "{{a}}",
    "target_delimiter": " ",
    "fewshot_delimiter": "\n",
    "gen_prefix": "A:",
    "fewshot_config": {"sampler": "first_n", "doc_to_text": "{{q}}", "doc_to_target": "{{a}}"},
    "output_type": "generate_until",
    "generation_kwargs": {"until": ["\n"], "max_gen_toks": 5, "temperature": 0.0, "do_sample": False},
    "filter_list": [
        {
            "name": "f",
            "filter": [
                {"function": "regex", "regex_pattern": "(x)", "group_select": 0, "fallback": "n"},
                {"function": "map", "mapping_dict": {"a": "b"}, "default_value": "c"},
            ],
        }
    ],
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "regexes_to_ignore": ["x"], "ignore_case": True}],
    "metadata": {"version": 1.0},
}
PROBLEM = {"question": "Ann has 3 pens. She gets 4. How many has she?", "answer": 7, "equation": "3+4", "id": "1"}
ROWS: list[dict[str, Any]] = [
    {"prompt": "p", "classes": [" a", " b"], "answer_index": 0, "other": "o"},
    {"prompt": "p", "other_prompt": "q", "classes": "[' a', ' b']", "answer_index": "1"},
    {"prompt": "p", "completion": "c"},
    {"prompt": "p", "true_answer": 5, "anchor": 6},
]


def test_big_bench(tmp_path: Path) -> None:
    path = tmp_path / "task.json"

    def read(data: Any) -> None:
        path.write_text(json.dumps(data))
        read_task(path, mode="corrected")

    assert refusals(TASK, read) > 200


def test_lm_eval(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text('{"q": "x?", "a": "y"}\n{"q": "z?", "a": "w"}\n')

    def read(data: Any) -> None:
        (tmp_path / "t.yaml").write_text(yaml.safe_dump(data, allow_unicode=True))
        load_tasks(f"lm-eval:{tmp_path / 't.yaml'}")

    assert refusals(HARNESS, read) > 200


def test_a_template_s_bad_regex_is_named(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text('{"q": "x?", "a": "y"}\n')
    text = {**HARNESS, "doc_to_text": "{{ q | regex_replace('(', '') }}", "num_fewshot": 0}
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(text))
    with pytest.raises(UserError, match=r"t\.yaml: doc_to_text: document 0: missing \)"):
        load_tasks(f"lm-eval:{tmp_path / 't.yaml'}")


def test_a_date_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("metadata: {when: 2024-13-45}\n")
    with pytest.raises(UserError, match=r"t\.yaml: not valid YAML: month must be"):
        load_tasks(f"lm-eval:{tmp_path / 't.yaml'}")


@pytest.mark.parametrize("name", ["p.json", "p.jsonl"])
def test_word_problems(name: str, tmp_path: Path) -> None:
    def read(data: Any) -> None:
        (tmp_path / name).write_text(json.dumps(data))
        load_tasks(f"twins:{tmp_path / name}")

    assert refusals(PROBLEM if name == "p.jsonl" else [PROBLEM], read) > 20


@pytest.mark.parametrize("row", ROWS, ids=["classification", "logodds", "sequence_prob", "numeric"])
def test_inverse_scaling_prize(row: dict[str, Any], tmp_path: Path) -> None:
    def read(data: Any) -> None:
        (tmp_path / "p.jsonl").write_text(json.dumps(data))
        load_tasks(f"inverse:{tmp_path / 'p.jsonl'}")

    assert refusals(row, read) > 20
    with pytest.raises(UserError, match=r"line 1: classes: '{\[\]: 1}' is not a list of texts"):
        read({"prompt": "p", "classes": "{[]: 1}", "answer_index": 0})


# ── Lines, numbers, archives ─────────────────────────────────────────────────────────────────────────────────
def test_a_line_of_json_may_hold_other_line_ends(tmp_path: Path) -> None:
    """U+2028 and its like stand unescaped in JSON; only "\\n" ends a line."""
    path = tmp_path / "p.jsonl"
    told = {**PROBLEM, "question": "Ann has 3 pens.\u2028She gets 4. How many has\x85she?"}
    path.write_text("\n" + json.dumps(told, ensure_ascii=False) + "\n\n{}\n", encoding="utf-8")
    with pytest.raises(UserError, match="line 4: it has no question"):
        load_tasks(f"twins:{path}")
    path.write_text(json.dumps(told, ensure_ascii=False) + "\n", encoding="utf-8")
    (task,) = load_tasks(f"twins:{path}")
    assert "\u2028" in task.examples[0].input


def test_a_number_of_thousands_of_digits_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "task.json"
    path.write_text(json.dumps(TASK).replace("0.5", "5" * 5000))
    with pytest.raises(UserError, match="Exceeds the limit"):
        read_task(path)


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b[:20] + b"\xff\xff\xff" + b[23:], lambda b: b"no"])
def test_a_damaged_gzip_is_named(damage: Any, tmp_path: Path) -> None:
    path = tmp_path / "task.json.gz"
    path.write_bytes(damage(gzip.compress(json.dumps(TASK).encode())))
    with pytest.raises(UserError, match=r"cannot be read \((?!None)"):
        read_task(path)


def test_a_regex_filter_that_finds_too_little_falls_back() -> None:
    step = {"function": "regex", "regex_pattern": r"\d+", "group_select": 1, "fallback": "none"}
    assert [filtered(text, [step]) for text in ("1 2", "1", "")] == ["2", "none", "none"]
    assert filtered("1 2", [{**step, "group_select": -3}]) == "none"
