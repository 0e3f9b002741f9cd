"""Tasks that lm-evaluation-harness builds: prompts, stop strings and scores are the harness's own.

Its data sets are not here; documents of their form stand in for them (``harness_documents``). Where lm_eval lacks what
it needs (``datasets`` above all), these tests say so and skip.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from harness_documents import DOCUMENTS

from scalecurve.errors import UserError
from scalecurve.pipeline import rescore, run_study
from scalecurve.store import read_outputs
from scalecurve.study.plan import make_plan
from scalecurve.study.study import parse_study
from scalecurve.tasks import load_tasks

NEEDED = ("lm_eval", "datasets", "evaluate", "dill", "more_itertools", "sqlitedict", "pytablewriter", "word2number")
LACKING = [name for name in NEEDED if find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(LACKING), reason=f"lm_eval cannot build tasks without {', '.join(LACKING)}")
EXTRAS = {  # what single tasks import besides
    "minerva_math_algebra": "math_verify",
    "leaderboard_math_algebra_hard": "math_verify",
    "ifeval": "langdetect",
    "leaderboard_ifeval": "langdetect",
    "cola": "sklearn",
    "qqp": "sklearn",
    "mrpc": "sklearn",
    "cb": "sklearn",
    "mc_taco": "sklearn",
    "agieval_aqua_rat": "numpy",
}
HERE = Path(__file__).parent
CODE_EVAL = """
import datasets, evaluate


class CodeEval(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=datasets.Features(
            {"predictions": datasets.Sequence(datasets.Value("string")), "references": datasets.Value("string")}))

    def _compute(self, predictions, references, k=(1,)):
        right = []
        for programs, test in zip(predictions, references):
            try:
                exec(programs[0] + "\\n" + test, {})
                right.append(1.0)
            except BaseException:
                right.append(0.0)
        return {"pass@1": sum(right) / len(right)}, {}
"""


def harness_folder() -> Path:
    installed = find_spec("lm_eval")
    assert installed is not None
    assert installed.origin is not None
    return Path(installed.origin).parent / "tasks"


def found_files() -> dict[str, Path]:
    wanted, found = set(DOCUMENTS), {}
    for path in sorted(harness_folder().rglob("*.yaml")):
        for line in path.read_text().splitlines():
            key, _, value = line.partition(":")
            name = value.strip().strip("\"'") if key.strip("\"'") == "task" else ""
            if name in wanted:
                found.setdefault(name, path)
    return found


FILES = {} if LACKING else found_files()
TASKS = [task for task in DOCUMENTS if find_spec(EXTRAS.get(task, "numpy")) is not None]


def written(folder: Path, task: str) -> Path:
    """A task's file whose data are its documents, in every split."""
    from lm_eval.tasks._yaml_loader import load_yaml

    config = load_yaml(FILES[task], resolve_func=False)
    splits = {str(config[name]) for name in config if name.endswith("_split") and config[name]}
    data = folder / f"{task}.jsonl"
    data.write_text("".join(json.dumps(DOCUMENTS[task][0](n)) + "\n" for n in range(6)))
    files = dict.fromkeys(sorted(splits), data.name)
    path = folder / f"{task}.yaml"
    path.write_text(
        f"include: {FILES[task]}\ntask: own_{task}\ndataset_path: json\ndataset_name: null\n"
        f"dataset_kwargs: {json.dumps({'data_files': files})}\n"
    )
    return path


def knowing() -> dict[str, Any]:
    """The mock's options: it knows most of the answers."""
    told = [tell for task in TASKS if (tell := DOCUMENTS[task][1])]
    return {"ability": 0.8, "answers": dict(tell(n) for tell in told for n in range(6))}


def environment(folder: Path) -> dict[str, str]:
    """What else these tasks read: a tokenizer's tables without entries, and a metric that runs what was written."""
    tables = folder / "nltk" / "tokenizers" / "punkt_tab" / "english"
    tables.mkdir(parents=True)
    for name in ("abbrev_types.txt", "collocations.tab", "ortho_context.tab", "sent_starters.txt"):
        (tables / name).write_text("")
    module = folder / "hf" / "modules" / "evaluate_modules" / "metrics" / "evaluate-metric--code_eval" / ("a" * 64)
    module.mkdir(parents=True)
    for inner in (module, module.parent, module.parents[1], module.parents[2]):
        (inner / "__init__.py").write_text("")
    (module / "code_eval.py").write_text(CODE_EVAL)
    return {"NLTK_DATA": str(folder / "nltk"), "HF_HOME": str(folder / "hf"), "HF_ALLOW_CODE_EVAL": "1"}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tasks' files, what the harness made of each, and a run of ours with all of them."""
    folder = tmp_path_factory.mktemp("harness")
    given, options = environment(folder), knowing()
    files = {task: written(folder, task) for task in TASKS}
    told, results = folder / "orders.json", folder / "results.json"
    told.write_text(json.dumps({"files": {task: str(path) for task, path in files.items()}, "options": options}))
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_DATASETS_CACHE": str(folder / "cache")}
    subprocess.run(
        [sys.executable, str(HERE / "harness_itself.py"), str(told), str(results)],
        cwd=folder,  # where the harness looks for data
        env={**os.environ, **given, **offline},
        check=True,
        capture_output=True,
    )
    model = {"name": "m", "backend": "mock", "location": "mock", "params_non_embedding": 1000, "options": options}
    study = {"name": "s", "models": [model], "tasks": [f"lm-eval:{path}" for path in files.values()]}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        run, outcome = run_study(parse_study(study), folder / "run", allow_code=True)
        assert outcome.complete
        yield files, json.loads(results.read_text()), run


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_prompts_and_scores_are_the_harness_s_own(task: str, both: Any) -> None:
    _, results, run = both
    ref = f"lm-eval:own_{task}"
    samples, rows = results[task]["samples"], read_outputs(run, ref).collect().to_dicts()
    first = [row for row in samples if row["filter"] == samples[0]["filter"]]
    assert len(rows) == len(first) == 6
    for row, sample in zip(rows, first, strict=True):
        requests = json.loads(row["metadata"]).get("requests")
        contexts = [arguments[0] for arguments in sample["arguments"]]
        if requests:
            assert [request[1:3] for request in requests] == sample["arguments"]
        else:
            assert {row["prompt"]} == set(contexts)
        if row["options"]:
            assert row["options"] == [
                arguments[1] for arguments in sample["arguments"] if isinstance(arguments[1], str)
            ]
        assert json.loads(row["metadata"])["doc_hash"] == sample["doc_hash"]
    scores = pl.read_parquet(run.scores).filter(task=ref)
    points = {row["metric"]: row["y"] for row in pl.read_parquet(run.curves).filter(task=ref).to_dicts()}
    compared = 0
    for key, value in results[task]["totals"].items():
        metric, comma, under = key.partition(",")
        if not comma or metric.endswith("_stderr"):
            continue
        named = metric if under == "none" else f"{metric},{under}"
        assert points[named] == pytest.approx(value, abs=1e-9), named
        compared += 1
        own = scores.filter(metric=named)
        if len(own):
            wanted = {str(row["doc_id"]): float(row[metric]) for row in samples if row["filter"] == under}
            assert dict(zip(own["example_id"], own["value"], strict=True)) == pytest.approx(wanted), named
    assert compared


@pytest.mark.slow
def test_stop_strings_and_lengths_are_the_harness_s_own(both: Any) -> None:
    files, results, _ = both
    compared = 0
    for task in ("mmlu_pro_math", "gsm8k", "drop", "triviaqa", "minerva_math_algebra", "humaneval"):
        if task not in files:
            continue
        _, settings = results[task]["samples"][0]["arguments"][0]
        (built,) = load_tasks(f"lm-eval:{files[task]}", allow_code=True)
        assert built.harness is not None
        until = settings["until"]
        assert list(built.harness.until) == ([until] if isinstance(until, str) else until)
        assert built.max_tokens == settings.get("max_gen_toks", 256)
        compared += 1
    assert compared >= 4


# ── What is asked of the user ────────────────────────────────────────────────────────────────────────────────
def test_code_runs_only_when_it_is_allowed(tmp_path: Path) -> None:
    path = written(tmp_path, "hellaswag")
    (tmp_path / "utils.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n\ndef f(x):\n    return x\n")
    path.write_text(path.read_text() + "process_docs: !function utils.f\n")
    with pytest.raises(UserError, match="add --allow-code: the harness itself builds it"):
        load_tasks(f"lm-eval:{path}")
    with pytest.raises(UserError, match="add --allow-code"):
        load_tasks("lm-eval:hellaswag")
    assert not (tmp_path / "ran").exists()


def test_a_plain_file_is_read_as_data_with_code_allowed_too(tmp_path: Path) -> None:
    fixture = HERE.parent / "fixtures" / "lm_eval" / "letters.yaml"
    (plain,), (allowed,) = load_tasks(f"lm-eval:{fixture}"), load_tasks(f"lm-eval:{fixture}", allow_code=True)
    assert plain == allowed


def test_built_tasks_are_asked_as_they_are_built(tmp_path: Path) -> None:
    study = {"name": "s", "models": ["mock"], "tasks": [f"lm-eval:{written(tmp_path, 'openbookqa')}"]}
    with pytest.raises(UserError, match="use direct alone"):
        make_plan(parse_study(study | {"strategies": ["chain_of_thought"]}), allow_code=True)
    with pytest.raises(UserError, match=r"built with 0 shots; for others use lm-eval:.*@SHOTS"):
        make_plan(parse_study(study | {"shots": [2]}), allow_code=True)
    (task,) = load_tasks(f"{study['tasks'][0]}@2", allow_code=True)
    assert task.harness is not None
    assert task.harness.num_fewshot == 2
    assert task.examples[0].input.count("needs") == 3


def test_what_the_harness_does_not_get_past_is_said_in_one_line(tmp_path: Path) -> None:
    path = written(tmp_path, "hellaswag")
    path.write_text(path.read_text() + "doc_to_image: image\n")
    with pytest.raises(UserError, match="asks with images or sound"):
        load_tasks(f"lm-eval:{path}", allow_code=True)
    path.write_text(f"include: {FILES['hellaswag']}\ntask: own\n")
    with pytest.raises(UserError, match=r"fetch its data first \(datasets.load_dataset\)"):
        load_tasks(f"lm-eval:{path}", allow_code=True)
    (tmp_path / "utils.py").write_text("import no_such_package\n\ndef f(x):\n    return x\n")
    path.write_text(written(tmp_path, "hellaswag").read_text() + "process_docs: !function utils.f\n")
    with pytest.raises(UserError, match="pip install no_such_package"):
        load_tasks(f"lm-eval:{path}", allow_code=True)


def test_rescore_keeps_what_the_harness_graded(tmp_path: Path) -> None:
    study = {"name": "s", "models": ["mock"], "tasks": [f"lm-eval:{written(tmp_path, 'winogrande')}"]}
    run, _ = run_study(parse_study(study), tmp_path / "run", allow_code=True)
    before = pl.read_parquet(run.curves)
    assert before.filter("preferred")["metric"].to_list() == ["acc"]
    rescore(run.path)
    assert before.equals(pl.read_parquet(run.curves))
