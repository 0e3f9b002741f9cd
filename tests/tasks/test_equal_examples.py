"""Examples that equal an earlier one are marked, in time that grows with their number and no faster."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from scalecurve.tasks.reader import read_task


def written(folder: Path, examples: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    task = {"name": "alike", "description": "d", "keywords": [], "metrics": ["exact_str_match"],
            "preferred_score": "exact_str_match", "examples": examples}  # fmt: skip
    (folder / "task.json").write_text(json.dumps(task))
    return folder / "task.json"


def test_equal_means_equal_in_all_members_and_their_order(tmp_path: Path) -> None:
    one: dict[str, Any] = {"input": "q", "target": "a", "note": {"x": [1, {"y": 2, "z": 3}]}}
    other = {"input": "q", "target": "a", "note": {"x": [True, {"y": 2, "z": 3}]}}
    examples = [one, one | {"target": ["a"]}, one | {"note": {"x": [1, {"z": 3, "y": 2}]}}, one | {"note": {"x": [1]}},
                {"target": "a", "input": "q", "note": one["note"]}, other]  # fmt: skip
    (task,) = read_task(written(tmp_path / "t", examples))
    first = task.examples[0].id
    marks = [example.metadata.get("same_as") for example in task.examples]
    assert marks == [None, first, first, None, None, first]


def test_many_that_differ_in_metadata_only_take_no_time(tmp_path: Path) -> None:
    examples = [{"input": "q", "target": "a", "note": at} for at in range(20_000)]
    path = written(tmp_path / "t", examples)
    began = time.process_time()
    (task,) = read_task(path)
    assert time.process_time() - began < 10, "it took over 70 s when each was compared with all before it"
    assert not any("same_as" in example.metadata for example in task.examples)
