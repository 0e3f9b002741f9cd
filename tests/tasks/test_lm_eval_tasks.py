"""Tasks of lm-evaluation-harness: its own prompts, shots, answers and scores (see tests/fixtures/make)."""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from scalecurve.errors import UserError
from scalecurve.pipeline import run_study
from scalecurve.store import read_outputs
from scalecurve.strategies import build_prompt, draw
from scalecurve.study.plan import make_plan
from scalecurve.study.study import load_study, parse_study
from scalecurve.tasks import load_tasks
from scalecurve.tasks.lm_eval_docs import read_docs
from scalecurve.tasks.postprocess import filtered
from scalecurve.types import Task

FOLDER = Path(__file__).parents[1] / "fixtures" / "lm_eval"
GOLDEN = json.loads((FOLDER / "golden.json").read_text())
TASKS = ("letters", "words", "sums", "names", "last_word", "chains")
LEAVES = ("letters", "words", "sums:strict", "sums:flexible", "names", "last_word", "chains")


def leaf(ref: str) -> Task:
    name, _, pipeline = ref.partition(":")
    (task,) = load_tasks(f"lm-eval:{FOLDER / name}.yaml{':' if pipeline else ''}{pipeline}")
    return task


def samples(ref: str) -> list[dict[str, Any]]:
    """The harness's samples of a leaf, one a document."""
    name, _, pipeline = ref.partition(":")
    rows: list[dict[str, Any]] = GOLDEN["samples"][name]
    return [row for row in rows if row["filter"] == (pipeline or rows[0]["filter"])]


# ── Prompts ──────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("ref", LEAVES)
def test_prompts_are_the_harness_s_own(ref: str) -> None:
    task, wanted = leaf(ref), samples(ref)
    assert task.harness is not None
    queries = draw(task, task.harness.num_fewshot or 0, "lm_eval")
    assert len(queries) == len(wanted) >= 10
    for query, row in zip(queries, wanted, strict=True):
        prompt = build_prompt(task, query.example, query.shots)
        if task.harness.output_type == "generate_until":
            ((context, settings),) = row["arguments"]
            assert prompt == context
            assert (list(task.harness.until), task.max_tokens) == (settings["until"], settings["max_gen_toks"])
        else:
            assert [[prompt, option] for option in query.example.options] == row["arguments"]
        assert query.example.metadata["doc_hash"] == row["doc_hash"]


@pytest.mark.parametrize("ref", LEAVES)
def test_metrics_and_shots_are_the_file_s(ref: str) -> None:
    task, name = leaf(ref), ref.partition(":")[0]
    plan = make_plan(parse_study({"name": "s", "models": ["mock"], "tasks": [f"lm-eval:{FOLDER / name}.yaml"]}))
    one = next(one for one in plan.tasks if one.ref == f"lm-eval:{ref}")
    assert {arm.shots for arm in one.arms} == {GOLDEN["n-shot"][name]}
    assert one.shot_policy == "lm_eval"
    assert set(task.metrics) == set(GOLDEN["higher_is_better"][name])
    assert task.harness is not None
    assert task.harness.version == str(GOLDEN["configs"][name].get("metadata", {}).get("version", ""))


# ── Scores ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_run_scores_as_the_harness_did(tmp_path: Path) -> None:
    refs = [f"lm-eval:{FOLDER / name}.yaml" for name in TASKS]
    model = str(FOLDER.parent / GOLDEN["model"])  # of the first ladder, which the harness was given
    run, outcome = run_study(parse_study({"name": "s", "models": [model], "tasks": refs}), tmp_path / "run")
    assert outcome.complete
    curves = pl.read_parquet(run.curves)
    known = {(row["task"], row["metric"]): row for row in curves.to_dicts()}
    compared = 0
    for ref in LEAVES:
        name, _, pipeline = ref.partition(":")
        for key, value in GOLDEN["results"][name].items():
            metric, _, kind = key.partition(",")
            if kind and not metric.endswith("_stderr") and kind == (pipeline or kind):
                assert known[f"lm-eval:{ref}", metric]["y"] == pytest.approx(value, abs=1e-3), (ref, metric)
                compared += 1
    assert compared == 3 + 3 + 2 + 1 + 2 + 2
    chance = known["lm-eval:letters", "acc"]["chance"], known["lm-eval:last_word", "acc"]["chance"]
    assert chance == (0.25, 0.0)
    assert {"option_probability", "target_logprob"} <= {m for task, m in known if task == "lm-eval:words"}

    scores = pl.read_parquet(run.scores)
    for ref in LEAVES:
        for metric in leaf(ref).metrics:
            if metric in ("perplexity", "brier_score"):  # of a document, the harness keeps what goes into them
                continue
            mine = scores.filter(task=f"lm-eval:{ref}", metric=metric)["value"].to_list()
            assert mine == [float(row[metric]) for row in samples(ref)], (ref, metric)
    answers = read_outputs(run).collect()
    assert answers.filter(task="lm-eval:names")["response"].to_list() == [
        row["filtered_resps"][0] for row in samples("names")
    ]


def test_a_first_of_equals_counts_and_lengths_are_without_the_delimiter() -> None:
    from scalecurve.metrics import score
    from scalecurve.types import Answer

    task = leaf("words")
    example = task.examples[0]
    assert example.option_scores == (0.0, 1.0, 0.0, 0.0)
    sums = tuple(-float(len(option.strip())) for option in example.options)
    answer = Answer(example.id, "", example.options, sums, (1, 1, 1, 1), (False,) * 4)
    assert score(task, example, answer, "acc_norm") == 0.0, "all −1 a character: the first counts"
    even = Answer(example.id, "", example.options, (-1.0,) * 4, (1,) * 4, (False,) * 4)
    assert score(task, example, even, "acc") == 0.0


# ── What a file may say ──────────────────────────────────────────────────────────────────────────────────────
BASE = """
task: t
dataset_path: json
dataset_kwargs: {data_files: {test: d.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{q}}"
doc_to_choice: ["a", "b"]
doc_to_target: "{{t}}"
"""


def written(folder: Path, more: str = "", base: str = BASE, docs: str = '{"q": "x", "t": 1}\n') -> str:
    (folder / "d.jsonl").write_text(docs)
    (folder / "t.yaml").write_text(base + more)
    return f"lm-eval:{folder / 't.yaml'}"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("process_docs: !function utils.f", "process_docs: is code, which is not run"),
        ("process_results: !function utils.f", "process_results: is code"),
        ("custom_dataset: !function utils.f", "custom_dataset: is code"),
        ("doc_to_decontamination_query: !function u.f", "doc_to_decontamination_query: !function u.f is code"),
        ("fewshot_config: {doc_to_text: !function u.f}", "fewshot_config.doc_to_text: !function u.f is code"),
        ("use_prompt: promptsource:x", "use_prompt: is not supported"),
        ("doc_to_image: image", "doc_to_image: is not supported"),
        ("repeats: 3", "repeats: is not supported"),
        ("flavour: sweet", "flavour: is not supported"),
        ("group: mine", "group: is a group of tasks"),
        ("output_type: loglikelihood_rolling", "output_type: loglikelihood_rolling is not supported"),
        ("metric_list: [{metric: f1}]", "metric_list: f1 is not supported with multiple_choice"),
        ("metric_list: [{metric: acc, aggregation: median}]", "metric_list.acc.aggregation: median"),
        ("metric_list: [{metric: acc, hf_evaluate: true}]", "metric_list.acc.hf_evaluate"),
        ("fewshot_config: {sampler: balanced}", "fewshot_config.sampler: 'balanced'"),
        ("fewshot_config: {fewshot_indices: [1]}", "fewshot_config.fewshot_indices: is not supported"),
        ("filter_list: [{name: f, filter: [{function: majority_vote}]}]", "filter_list.f: majority_vote"),
        ("filter_list: [{name: f, filter: [{function: lowercase}]}]", "lowercase needs output_type generate_until"),
        ("dataset_path: EleutherAI/arc", "dataset_path: 'EleutherAI/arc' is not read here"),
        ("dataset_kwargs: {data_files: {test: 'https://x.y/d.jsonl'}}", "is not a local file"),
        ("dataset_kwargs: {data_files: {test: gone.jsonl}}", "gone.jsonl: no such file"),
        ("dataset_kwargs: {data_dir: d}", "dataset_kwargs.data_files: is missing"),
        ("test_split: dev", "test_split: 'dev' is not among the data_files (test)"),
        ("doc_to_text: '{{missing}}'", "doc_to_text: document 0: 'missing' is undefined"),
        ("doc_to_text: '{{t}}'", "doc_to_text: gives a number"),
        ("doc_to_choice: '{{q}}'", "doc_to_choice: gives 'x' for document 0"),
        ("description: '{{q}}'\ndataset_kwargs: {data_files: {test: two.jsonl}}", "description: differs between"),
        ("include: t.yaml", "include: t.yaml: includes itself"),
        ("num_fewshot: some", "num_fewshot: must be a whole number"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(more: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "two.jsonl").write_text('{"q": "x", "t": 1}\n{"q": "y", "t": 1}\n')
    with pytest.raises(UserError) as caught:
        load_tasks(written(tmp_path, more))
    assert message in str(caught.value)
    assert "t.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ q.__class__ }}",
        "{{ cycler.__init__.__globals__.os.system('touch owned') }}",
        "{% for x in range(999999999) %}{% endfor %}",
    ],
)
def test_templates_run_in_a_sandbox(template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="doc_to_text: document 0"):
        load_tasks(written(tmp_path, f'doc_to_text: "{template}"'))
    assert not (tmp_path / "owned").exists()


def test_a_file_that_is_no_task(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("- 1")
    (tmp_path / "bad.yaml").write_text("task: [")
    for name, message in (
        ("list.yaml", "must hold the fields"),
        ("bad.yaml", "not valid YAML"),
        ("no.yaml", "No such"),
    ):
        with pytest.raises(UserError, match=message):
            load_tasks(f"lm-eval:{tmp_path / name}")


def test_gold_answers_in_every_form(tmp_path: Path) -> None:
    docs = '{"q": "x", "t": "b", "many": [0, 1], "out": 7}\n'
    by = {target: load_tasks(written(tmp_path, f"doc_to_target: {target}", docs=docs))[0] for target in ("t", "many")}
    assert by["t"].examples[0].option_scores == (0.0, 1.0)
    assert by["many"].examples[0].option_scores == (1.0, 1.0)
    (odd,) = load_tasks(written(tmp_path, "doc_to_target: out", docs=docs))
    assert (odd.flags, odd.examples[0].option_scores) == (("gold_out_of_range",), (0.0, 0.0))
    (fixed,) = load_tasks(
        written(tmp_path, "doc_to_target: 0\ndoc_to_choice: {x: yes it is, y: not at all}", docs=docs)
    )
    assert (fixed.examples[0].targets, fixed.chance) == ((" yes it is",), 0.5)


def test_shots_that_cannot_be_made_hinder_only_who_asks_for_them(tmp_path: Path) -> None:
    ref = written(tmp_path, "doc_to_target: many", docs='{"q": "x", "many": [0]}\n' * 3)
    (task,) = load_tasks(ref)
    assert len(draw(task, 0, "lm_eval")) == 3
    with pytest.raises(UserError, match="0 documents that can be shots are too few for 1"):
        draw(task, 1, "lm_eval")
    with pytest.raises(UserError, match="doc_to_target: gives 0 for document 0 of the shots"):
        load_tasks(written(tmp_path, "doc_to_target: many\nnum_fewshot: 1", docs='{"q": "x", "many": [0]}\n'))


def test_a_question_is_never_its_own_shot() -> None:
    task = leaf("chains")
    for policy in ("lm_eval", "fixed"):
        for query in draw(task, 1, policy):
            assert query.example.metadata["doc_hash"] != query.shots[0].example.metadata["doc_hash"], policy


def test_another_seed_draws_other_shots_and_a_limit_takes_the_first() -> None:
    task = leaf("letters")
    first, other = draw(task, 2, "lm_eval", seed=0, limit=4), draw(task, 2, "lm_eval", seed=1, limit=4)
    assert [query.example.id for query in first] == ["0", "1", "2", "3"]
    assert first != other
    assert first == draw(task, 2, "lm_eval")[:4]


# ── Data ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_csv_values_are_those_pandas_would_read(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("a,b,c,d,e,f\n1,1,True,x,007,\n2,,False,NA,1e3,\n")
    first, second = read_docs("csv", [path])
    assert first == {"a": 1, "b": 1.0, "c": True, "d": "x", "e": 7.0, "f": None}
    assert second == {"a": 2, "b": None, "c": False, "d": None, "e": 1000.0, "f": None}
    assert isinstance(first["b"], float)


def test_json_values_are_those_arrow_would_read(tmp_path: Path) -> None:
    lines, array = tmp_path / "d.jsonl", tmp_path / "d.json"
    lines.write_text('{"a": 1, "b": {"x": 1}}\n{"a": 1.5, "c": ["é"]}\n')
    array.write_text('[{"a": 1, "b": {"x": 1}}, {"a": 1.5, "c": ["é"]}]')
    for path in (lines, array):
        first, second = read_docs("json", [path])
        assert first == {"a": 1.0, "b": {"x": 1}, "c": None}
        assert second == {"a": 1.5, "b": None, "c": ["é"]}


@pytest.mark.parametrize(("name", "content"), [("d.jsonl", '{"a": '), ("d.csv", "a,b\n1\n"), ("d.parquet", "PAR1")])
def test_damaged_data_is_named(name: str, content: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content)
    kind = {"jsonl": "json"}.get(path.suffix[1:], path.suffix[1:])
    with pytest.raises(UserError, match=name) as caught:
        read_docs(kind, [path])
    assert "\n" not in str(caught.value)


def test_filters() -> None:
    numbers = {"function": "regex", "regex_pattern": r"(\d+)|([a-z]+)", "group_select": -1}
    assert filtered("12 ab", [numbers]) == "ab"
    assert filtered("…", [numbers]) == "[invalid]"
    assert filtered(" X ", [{"function": "remove_whitespace"}, {"function": "lowercase"}]) == "x"
    assert filtered("A", [{"function": "map", "mapping_dict": {"A": 1}}]) == "1"
    assert filtered("B", [{"function": "map", "mapping_dict": {"A": 1}}]) == ""


# ── As any task ──────────────────────────────────────────────────────────────────────────────────────────────
def test_a_study_file_may_name_one_beside_it(tmp_path: Path) -> None:
    shutil.copy(FOLDER / "words.yaml", tmp_path)
    shutil.copy(FOLDER / "words.csv", tmp_path)
    (tmp_path / "s.toml").write_text('models = ["mock"]\ntasks = ["lm-eval:words.yaml"]\n')
    study = load_study(tmp_path / "s.toml")
    assert study.tasks[0].ref == f"lm-eval:{tmp_path / 'words.yaml'}"
    (plan,) = make_plan(study).tasks
    assert plan.ref == "lm-eval:words"
    run, _ = run_study(study, tmp_path / "run")
    _, outcome = run_study(load_study(run.study), tmp_path / "run")
    assert outcome.computed == 0, "the frozen study asks the same"


def test_a_pipeline_can_be_picked_and_a_wrong_one_is_told() -> None:
    assert leaf("sums:strict").harness != leaf("sums:flexible").harness
    with pytest.raises(UserError, match="no subtask 'strictly'; did you mean strict"):
        leaf("sums:strictly")
