"""Six whole BIG-bench tasks against what the reference implementation asked and how it graded."""

import hashlib
import json
from pathlib import Path

import pytest
from bigbench_files import golden_answer, unpack

from scalecurve.metrics import aggregate, get_metric
from scalecurve.strategies import FewShotExample, build_prompt, draw
from scalecurve.tasks import load_tasks
from scalecurve.tasks.reader import CHOICE_METRICS
from scalecurve.tasks.repairs import GENERATIVE
from scalecurve.types import Task

TASKS = ("emoji_movie", "date_understanding", "modified_arithmetic", "known_unknowns", "tense", "identify_odd_metaphor")
NOT_COMPARED = ("bleu", "rouge1", "rouge2", "rougeLsum", "normalized_aggregate_score")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("bigbench"))


def requests(task: Task, queries: list[FewShotExample]) -> list[dict[str, object]]:
    """The reference's requests of one leaf, in its order: all options first, then all generations."""
    prompts = [build_prompt(task, query.example, query.shots) for query in queries]
    found: list[dict[str, object]] = []
    if CHOICE_METRICS.intersection(task.metrics):
        pairs = zip(prompts, queries, strict=True)
        found += [{"kind": "mc", "prompt": p, "choices": list(q.example.options)} for p, q in pairs]
    if GENERATIVE.intersection(task.metrics):
        rules = task.postprocess
        rest = {"kind": "gen", "stop": rules.stop, "regex": rules.regex, "max_length": 0}
        found += [{**rest, "prompt": prompt} for prompt in prompts]
    return found


@pytest.mark.parametrize("shots", [0, 3])
@pytest.mark.parametrize("name", TASKS)
def test_requests_and_scores_equal_the_reference(name: str, shots: int, files: Path, shared: Path) -> None:
    golden = json.loads((shared / "data/bigbench_golden/golden.json").read_text())[f"{name}|{shots}"]
    tasks = load_tasks(str(files / name))
    asked, grades = [], {}
    for task in tasks:
        queries = draw(task, shots, "bigbench", limit=24)
        asked += requests(task, queries)
        answers = [golden_answer(task, q.example, build_prompt(task, q.example, q.shots)) for q in queries]
        examples = [query.example for query in queries]
        grades[task.name] = {m: aggregate(task, m, examples, answers)[0] for m in task.metrics if m not in NOT_COMPARED}

    assert len(asked) == golden["n_calls"]
    digest = hashlib.sha256()
    for record in asked:
        digest.update(json.dumps(record, sort_keys=True, ensure_ascii=False).encode())
    assert digest.hexdigest() == golden["sha256"]
    first = [hashlib.sha256(str(record["prompt"]).encode()).hexdigest()[:16] for record in asked[:24]]
    assert first == golden["prompt_sha256"]
    for task in tasks:
        wanted = {m: v for m, v in golden["scores"][task.name].items() if m not in NOT_COMPARED}
        assert grades[task.name] == pytest.approx(wanted, abs=1e-9)
        assert task.preferred_metric == golden["preferred"][task.name]
        low = task.chance if task.preferred_metric == "multiple_choice_grade" else get_metric(task.preferred_metric).low
        assert low == pytest.approx(golden["low"][task.name], abs=1e-12)
