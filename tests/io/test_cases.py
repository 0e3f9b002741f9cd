"""Results as people have them: one test a kind of thing that went wrong, at the command line where a user meets it."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from cases import PYTHIA, TIME, acc, bring, result, rows_of
from command_line import Call

from scalecurve.errors import UserError
from scalecurve.io.families import lines_to_add, parse_revision
from scalecurve.io.shape import SourceModel
from scalecurve.store import RunDirectory, read_outputs


# ── Models ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_checkpoints_of_one_size_are_read_over_training(tmp_path: Path, call: Call) -> None:
    for step, value in ((1000, 0.1), (3000, 0.15), (13000, 0.23), (23000, 0.25), (103000, 0.27)):
        args = f"pretrained=EleutherAI/pythia-160m,revision=step{step}"
        result(tmp_path / "in" / str(step), args, {"lambada_openai": acc(value, 0.006)})
    run = str(tmp_path / "run")
    assert call("import", "auto", str(tmp_path / "in"), "--into", run).code == 0
    said = call("curves", run, "--json")
    (curve,) = json.loads(said.out)
    assert [rung.rpartition("step")[2] for rung in curve["rungs"]] == ["1000", "3000", "13000", "23000", "103000"]
    assert curve["linearity"] / 4 == pytest.approx(0.86, abs=0.005)
    (verdict,) = json.loads(call("verdicts", run, "--json").out)
    assert verdict["linearity_share"] == pytest.approx(curve["linearity"] / 4)
    for arguments in (("forecast", run, "--to", "12B"), ("backtest", run)):
        said = call(*arguments, "--axis", "params_non_embedding")
        assert said.code == 2
        assert "85,056,000" in said.err
        assert "training_tokens" in said.err
    assert call("backtest", run).code == 0
    assert call("forecast", run, "--to", "300B", "--axis", "training_tokens").code == 0


@pytest.mark.parametrize(
    ("text", "step", "tokens", "stage"),
    [
        ("stage1-step150-tokens1B", 150, 10**9, 1),
        ("stage2-ingredient1-step11931-tokens50B", 11931, 50 * 10**9, 2),
        ("step1000", 1000, None, 1),
        ("global_step71500", 71500, None, 1),
        ("checkpoint-2000", 2000, None, 1),
        ("ckpt_30", 30, None, 1),
        ("iter_0005000", 5000, None, 1),
        ("step1000-tokens2.5B", 1000, 2_500_000_000, 1),
        ("500B-tokens", None, 500 * 10**9, 1),
        ("refs/pr/3", None, None, 1),
        ("9e2a8f0b1c3d4e5f60718293a4b5c6d7e8f90123", None, None, 1),
        ("main", None, None, 1),
        ("v1.0", None, None, 1),
    ],
)
def test_what_a_revision_says(text: str, step: int | None, tokens: int | None, stage: int) -> None:
    assert parse_revision(text) == (step, tokens, stage)


def test_states_named_by_step_and_tokens_are_one_ladder_that_ends_in_the_model(tmp_path: Path, call: Call) -> None:
    for revision, value in (
        ("main", 0.7),
        ("stage1-step150-tokens1B", 0.3),
        ("stage1-step10000-tokens42B", 0.45),
        ("stage1-step100000-tokens420B", 0.6),
        ("stage2-ingredient1-step11931-tokens50B", 0.66),
    ):
        args = f"pretrained=allenai/OLMo-2-1124-7B,revision={revision}"
        result(tmp_path / "in" / revision, args, {"arc_easy": acc(value)})
    run = tmp_path / "run"
    said = call("import", "auto", str(tmp_path / "in"), "--into", str(run))
    assert (said.code, "5 scores" in said.out) == (0, True)
    frame = pl.read_parquet(RunDirectory(run).curves).filter(pl.col("family") == "OLMo-2-1124-7B-checkpoints")
    known = frame.drop_nulls("training_tokens").sort("training_tokens")
    assert known["training_tokens"].to_list() == [10**9, 42 * 10**9, 420 * 10**9, 4 * 10**12]
    assert known["y"].to_list() == [0.3, 0.45, 0.6, 0.7]
    assert frame["training_tokens"].null_count() == 1  # the second stage begins where the first ended: not said


@pytest.mark.parametrize("revision", ["refs/pr/3", "9e2a8f0b1c3d4e5f60718293a4b5c6d7e8f90123", "fixed-tokenizer"])
def test_a_revision_that_names_no_state_is_another_model(tmp_path: Path, revision: str) -> None:
    result(tmp_path / "in" / "a", "allenai/OLMo-2-1124-7B", {"arc_easy": acc(0.7)})
    args = f"pretrained=allenai/OLMo-2-1124-7B,revision={revision}"
    result(tmp_path / "in" / "b", args, {"arc_easy": acc(0.6)})
    done = bring(tmp_path / "in", tmp_path / "run")
    assert [model.revision for model in done.unmatched] == [revision]
    row = rows_of(tmp_path / "run")["unmatched", f"OLMo-2-1124-7B@{revision}", "lm-eval:arc_easy", "acc"]
    assert (row["training_tokens"], row["params_non_embedding"]) == (None, 6_476_533_760)


@pytest.mark.parametrize(
    ("args", "family"),
    [
        ("pretrained=EleutherAI/pythia-70m,peft=me/adapter", "pythia+peft=me/adapter"),
        ("pretrained=EleutherAI/pythia-70m,load_in_4bit=True", "pythia+load_in_4bit=True"),
        ("load_in_8bit=True,pretrained=EleutherAI/pythia-70m", "pythia+load_in_8bit=True"),
        ("pretrained=EleutherAI/pythia-70m,load_in_4bit=False,dtype=bfloat16", "pythia"),
        ("pretrained=EleutherAI/pythia-70m,subfolder=step1000", "pythia-70m-checkpoints"),
        ("pretrained=EleutherAI/pythia-70m,subfolder=tuned", "unmatched"),
        ("pretrained=/nfs/models/pythia-70m", "pythia"),
        ("pretrained=/nfs/models/pythia-70m/step1000", "pythia-70m-checkpoints"),
    ],
)
def test_what_is_put_upon_weights_makes_another_model(tmp_path: Path, args: str, family: str) -> None:
    result(tmp_path / "in", args, {"t": acc(0.4)})
    bring(tmp_path / "in", tmp_path / "run")
    ((found, *_),) = rows_of(tmp_path / "run")
    assert found == family


def family_file(path: Path, *locations: str) -> str:
    rungs = (
        f'[[rung]]\nname = "ck{at}"\nbackend = "transformers"\nlocation = "{location}"\n'
        f"params_non_embedding = {(at + 1) * 10_000_000}\n"
        for at, location in enumerate(locations)
    )
    path.write_text('family = "mine"\n' + "".join(rungs))
    return str(path)


def test_the_whole_path_decides_which_model_it_is(tmp_path: Path) -> None:
    result(tmp_path / "in", "/data/exp2/final", {"t": acc(0.4)})
    own = family_file(tmp_path / "own.toml", "/data/exp1/final")
    done = bring(tmp_path / "in", tmp_path / "run", families=[own])
    assert [model.name for model in done.unmatched] == ["/data/exp2/final"]
    own = family_file(tmp_path / "own.toml", "/data/exp1/final", "/data/exp2/final")
    done = bring(tmp_path / "in", tmp_path / "again", families=[own])
    assert done.unmatched == ()
    assert next(iter(rows_of(tmp_path / "again")))[:2] == ("mine", "ck1")
    result(tmp_path / "short", "exp2/final/", {"t": acc(0.4)})  # the end of the path, by two folders
    bring(tmp_path / "short", tmp_path / "third", families=[own])
    assert next(iter(rows_of(tmp_path / "third")))[:2] == ("mine", "ck1")


def test_the_lines_that_an_import_proposes_work_when_pasted(tmp_path: Path, call: Call) -> None:
    places = [f"/data/run{run}/checkpoint-{step}/hf" for run in "AB" for step in (1000, 2000)]
    for at, place in enumerate(places):
        result(tmp_path / "in" / str(at), place, {"arc_easy": acc(0.35 + at / 100)})
    result(tmp_path / "in" / "lora", "pretrained=me/own,peft=me/lora,revision=v2", {"arc_easy": acc(0.5)})
    said = call("import", "auto", str(tmp_path / "in"), "--into", str(tmp_path / "run"))
    assert said.code == 0
    lines = said.err[said.err.index("family =") : said.err.index("understood")]
    sizes = iter(range(1, 9))
    own = tmp_path / "own.toml"
    own.write_text(re.sub("…", lambda _: f"{next(sizes)}_000_000", lines))
    said = call("import", "auto", str(tmp_path / "in"), "--into", str(tmp_path / "again"), "--family", str(own))
    assert (said.code, "in no family file" in said.err) == (0, False), said.err
    found = rows_of(tmp_path / "again")
    assert len({rung for family, rung, *_ in found if family == "mine"}) == 5
    assert "scalecurve: none of the 5 models" in call("verdicts", str(tmp_path / "run")).err
    assert call("curves", str(tmp_path / "run")).code == 2


def test_names_that_are_proposed_are_never_twice_the_same() -> None:
    models = [
        SourceModel("/a/b/hf"),
        SourceModel("/c/b/hf"),
        SourceModel("hf"),
        SourceModel("hf", "r1"),
        SourceModel("/a/b/hf", variant="peft=x"),
    ]
    names = [line for line in lines_to_add(models) if line.startswith("name")]
    assert len(set(names)) == len(names) == 5


def test_files_of_neox_are_named_by_their_file(tmp_path: Path) -> None:
    for part, name in (
        ("pythia-v0/pythia-1.4b/five-shot", "pythia-1.4b-5shot-global_step71500_eval_results_12-29-2022-16-51-02.json"),
        ("pythia-v0/pythia-1.4b/five-shot", "pythia-1.4b-5shot-global_step51500_eval_results_12-29-2022-16-51-02.json"),
        ("bias-evals", "pythia-1.3b-deduped-step11500_eval_results_01-20-2023-14-41-42.json"),
        ("bias-evals", "intervention-1.3b-deduped-step67000_eval_results_01-21-2023-20-16-29.json"),
    ):
        content = {"results": {"piqa": {"acc": 0.6}}, "versions": {"piqa": 0}}
        folder = tmp_path / "in" / part
        folder.mkdir(parents=True, exist_ok=True)
        model_args = {"iteration": 51500, "user_script": "evaluate.py"}
        config = {"model": "neox", "model_args": model_args, "num_fewshot": 5 if "5shot" in name else 0}
        (folder / name).write_text(json.dumps(content | {"config": config}))
    done = bring(tmp_path / "in", tmp_path / "run")
    places = {(family, rung): row["shots"] for (family, rung, *_), row in rows_of(tmp_path / "run").items()}
    assert places == {
        ("pythia-v0", "pythia-1.4b-v0"): 5,
        ("pythia-1.4b-v0-checkpoints", "pythia-1.4b-v0@step51500"): 5,
        # no published checkpoints: states of what their names call them
        ("pythia-1.3b-deduped-checkpoints", "pythia-1.3b-deduped-step11500"): 0,
        ("intervention-1.3b-deduped-checkpoints", "intervention-1.3b-deduped-step67000"): 0,
    }
    assert len(done.unmatched) == 2


# ── What was asked ───────────────────────────────────────────────────────────────────────────────────────────
def test_other_system_instructions_are_other_curves_and_differences_are_told(tmp_path: Path, call: Call) -> None:
    for at, (size, said) in enumerate(zip(PYTHIA, (None, "x", "x", "y", "x", "x"), strict=True)):
        result(
            tmp_path / "in" / size, f"EleutherAI/pythia-{size}", {"ifeval": acc(0.3 + at / 20)},
            system_instruction=said, chat_template="{{x}}", lm_eval_version="0.4.8" if at else "0.4.3",
        )  # fmt: skip
    said = call("import", "auto", str(tmp_path / "in"), "--into", str(tmp_path / "run"))
    assert said.code == 0
    assert "results differ in system instruction: " in said.err
    assert "results differ in version of the harness: " in said.err
    frame = pl.read_parquet(RunDirectory(tmp_path / "run").curves)
    assert sorted(frame["strategy"].value_counts()["count"]) == [1, 1, 4]


def test_versions_written_in_two_ways_are_one(tmp_path: Path) -> None:
    for name, version in (("a", 1), ("b", 1.0), ("c", "1"), ("d", "v1")):
        size = PYTHIA["abcd".index(name)]
        path = result(tmp_path / "in" / name, f"EleutherAI/pythia-{size}", {"t": acc(0.4)})
        path.write_text(path.read_text().replace('"versions": {"t": 1}', f'"versions": {json.dumps({"t": version})}'))
    bring(tmp_path / "in", tmp_path / "run")
    assert len(rows_of(tmp_path / "run")) == 4
    other = result(tmp_path / "in" / "e", "EleutherAI/pythia-1.4b", {"t": acc(0.4)})
    other.write_text(other.read_text().replace('"t": 1}, "n-shot"', '"t": 2}, "n-shot"'))
    with pytest.raises(UserError, match=r"is of version 2, in .* of version 1; import them into two runs"):
        bring(tmp_path / "in", tmp_path / "again")


def test_prompts_that_differ_are_refused_by_the_name_of_the_field(tmp_path: Path) -> None:
    for at, text in enumerate(("{{q}}", "Q: {{q}}", "{{q}}?")):
        config = {"t": {"task": "t", "doc_to_text": text, "description": "" if at < 2 else "Answer."}}
        result(tmp_path / "in" / str(at), f"EleutherAI/pythia-{PYTHIA[at]}", {"t": acc(0.4)}, configs=config)
    with pytest.raises(UserError) as caught:
        bring(tmp_path / "in", tmp_path / "run")
    assert "another doc_to_text than" in str(caught.value)
    assert "another doc_to_text, description than" in str(caught.value)  # all at once


@pytest.mark.parametrize("shots", [None, "", "many", float("nan")])
def test_shots_are_the_users_where_a_file_is_silent(tmp_path: Path, shots: Any) -> None:
    result(tmp_path / "in", "EleutherAI/pythia-70m", {"t": acc(0.4)}, shots=shots)
    with pytest.raises(UserError, match=r"the number of shots of t is missing.*--shots"):
        bring(tmp_path / "in", tmp_path / "run")
    bring(tmp_path / "in", tmp_path / "run", shots=3)
    assert [row["shots"] for row in rows_of(tmp_path / "run").values()] == [3]


@pytest.mark.parametrize(("shots", "number"), [(5, 5), (5.0, 5), ("5", 5), ("5-shot", 5)])
def test_shots_as_files_write_them(tmp_path: Path, shots: Any, number: int) -> None:
    result(tmp_path / "in", "EleutherAI/pythia-70m", {"t": acc(0.4)}, shots=shots)
    bring(tmp_path / "in", tmp_path / "run", shots=0)
    assert [row["shots"] for row in rows_of(tmp_path / "run").values()] == [number]


def test_a_model_that_a_file_does_not_name(tmp_path: Path, call: Call) -> None:
    result(tmp_path / "in", "batch_size=1", {"piqa": acc(0.6)})
    said = call("import", "auto", str(tmp_path / "in"), "--into", str(tmp_path / "run"))
    assert (said.code, "--model NAME" in said.err) == (2, True)
    said = call(
        "import", "auto", str(tmp_path / "in"), "--into", str(tmp_path / "run"), "--model", "EleutherAI/pythia-1b"
    )
    assert (said.code, next(iter(rows_of(tmp_path / "run")))[:2]) == (0, ("pythia", "pythia-1b"))


# ── Layouts of lm-evaluation-harness ─────────────────────────────────────────────────────────────────────────
def sample(at: int, extracted: str, score: float, **more: Any) -> dict[str, Any]:
    return {
        "doc_id": at, "doc": {"question": f"What is {at} + 1?"}, "target": str(at + 1),
        "arguments": [[f"Q{at}\nA:", {"until": ["Q"]}]], "resps": [[f" It is {at + 1}."]],
        "filtered_resps": [extracted], "doc_hash": f"h{at}", "exact_match": score, **more,
    }  # fmt: skip


GSM = {
    "gsm8k": {
        "exact_match,strict-match": 1 / 3, "exact_match_stderr,strict-match": 0.33,
        "exact_match,flexible-extract": 2 / 3, "exact_match_stderr,flexible-extract": 0.33,
    }
}  # fmt: skip
STRICT = [sample(0, "[invalid]", 0.0), sample(1, "2", 1.0), sample(2, "[invalid]", 0.0)]
FLEXIBLE = [sample(0, "1", 1.0), sample(1, "2", 1.0), sample(2, "2.", 0.0)]


@pytest.mark.parametrize(
    ("results", "samples", "order"),
    [
        (f"results_{TIME}.000000.json", f"samples_gsm8k_{TIME}.000000.jsonl", "block"),
        (f"results_{TIME}.000000.json", f"samples_gsm8k_{TIME}.000000.jsonl", "turns"),
        (f"llama_{TIME}.000000.json", f"samples_gsm8k_{TIME}.000000.jsonl", "block"),
        ("results.json", "samples_gsm8k.jsonl", "block"),
        ("results.json", "pretrained__EleutherAI__pythia-70m_gsm8k.jsonl", "array"),
        ("out.json", f"samples_gsm8k_{TIME}.jsonl", "block"),
        ("mine.json", "anything_gsm8k.jsonl", "array"),
    ],
)
def test_samples_are_found_and_two_filters_told_apart(tmp_path: Path, results: str, samples: str, order: str) -> None:
    result(tmp_path / "in", "EleutherAI/pythia-70m", GSM, name=results, shots=5, n=3)
    lines = (
        [*STRICT, *FLEXIBLE]
        if order != "turns"
        else [row for pair in zip(STRICT, FLEXIBLE, strict=True) for row in pair]
    )
    text = json.dumps(lines, indent=2) if order == "array" else "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "in" / samples).write_text(text)
    done = bring(tmp_path / "in", tmp_path / "run")
    assert (done.answers, done.missing, done.left_out) == (3, (), ())
    found = {key[3]: row for key, row in rows_of(tmp_path / "run").items()}
    assert found["exact_match,strict-match"]["y"] == pytest.approx(1 / 3)
    assert found["exact_match,flexible-extract"]["y"] == pytest.approx(2 / 3)
    items = pl.read_parquet(RunDirectory(tmp_path / "run").scores).filter(pl.col("metric").str.contains("exact_match,"))
    assert items.group_by("metric").agg(pl.col("value").mean()).sort("metric")["value"].to_list() == [
        pytest.approx(2 / 3), pytest.approx(1 / 3)
    ]  # fmt: skip
    assert read_outputs(RunDirectory(tmp_path / "run")).collect().height == 3


def test_groups_are_left_out_and_counted(tmp_path: Path, call: Call) -> None:
    scores = {"ai2_arc": acc(0.35), "arc_easy": acc(0.4), "arc_challenge": acc(0.3)}
    result(tmp_path / "in" / "a", "EleutherAI/pythia-70m", scores, groups={"ai2_arc": acc(0.35)})
    result(tmp_path / "in" / "b", "EleutherAI/pythia-160m", scores,
           group_subtasks={"ai2_arc": ["arc_easy", "arc_challenge"], "arc_easy": []})  # fmt: skip
    said = call("import", "auto", str(tmp_path / "in"), "--into", str(tmp_path / "run"))
    assert "4 scores" in said.out
    assert "left out: 1 groups of tasks: ai2_arc" in said.err
    assert "understood: 2 files of lm-eval hold 4 results of 2 models on 2 tasks by 1 metric (acc)" in said.err
    assert {key[2] for key in rows_of(tmp_path / "run")} == {"lm-eval:arc_easy", "lm-eval:arc_challenge"}


def test_samples_whose_results_are_elsewhere_are_counted(tmp_path: Path) -> None:
    result(tmp_path / "in", "EleutherAI/pythia-70m", {"t": acc(0.4)})
    (tmp_path / "in" / "samples_other_2024-02-02T00-00-00.jsonl").write_text(json.dumps(sample(0, "1", 1.0)) + "\n")
    done = bring(tmp_path / "in", tmp_path / "run")
    assert any("1 files of answers whose results are not here" in line for line in done.left_out)


@pytest.mark.parametrize("mark", ["nan", "NaN", "-", "N/A", "", None, float("nan"), float("inf")])
def test_a_score_that_is_not_there_is_missing_whatever_is_written_for_it(tmp_path: Path, mark: Any, call: Call) -> None:
    result(tmp_path / "in" / "a", "EleutherAI/pythia-70m", {"t": acc(0.4)})
    result(tmp_path / "in" / "b", "EleutherAI/pythia-160m", {"t": {**acc(mark, "N/A"), "alias": " - t"}})
    said = call("import", "auto", str(tmp_path / "in"), "--into", str(tmp_path / "run"))
    assert (said.code, "lm-eval:t acc: no finite score of 1 models (pythia-160m)" in said.err) == (1, True)


def test_a_score_written_as_text_is_read(tmp_path: Path) -> None:
    result(tmp_path / "in", "EleutherAI/pythia-70m", {"t": {"acc,none": "0.25", "acc_stderr,none": "N/A"}})
    bring(tmp_path / "in", tmp_path / "run")
    assert [row["y"] for row in rows_of(tmp_path / "run").values()] == [0.25]


# ── The same results twice ───────────────────────────────────────────────────────────────────────────────────
def test_equal_results_are_merged_and_others_refused_together_or_chosen(tmp_path: Path, call: Call) -> None:
    for part in ("a", "b"):
        for size in PYTHIA[:3]:
            result(tmp_path / "in" / part / size, f"EleutherAI/pythia-{size}", {"piqa": acc(0.6)})
    said = call("import", "auto", str(tmp_path / "in"), "--into", str(tmp_path / "run"))
    assert (said.code, "3 scores and" in said.out, "3 results were left out" in said.err) == (0, True, True)
    for size in PYTHIA[:2]:
        result(tmp_path / "in" / "b" / size, f"EleutherAI/pythia-{size}", {"piqa": acc(0.7)}, date=1.8e9)
    said = call("import", "auto", str(tmp_path / "in"), "--into", str(tmp_path / "again"))
    assert said.code == 2
    assert said.err.count("is in") == 2  # both pairs, in one line
    assert "--keep newest" in said.err
    for keep, value in (("newest", 0.7), ("oldest", 0.6)):
        run = tmp_path / keep
        assert call("import", "auto", str(tmp_path / "in"), "--into", str(run), "--keep", keep).code == 0
        assert rows_of(run)["pythia", "pythia-70m", "lm-eval:piqa", "acc"]["y"] == value
    assert call("import", "auto", str(tmp_path / "in"), "--into", str(tmp_path / "x"), "--keep", "best").code == 2


def test_equal_results_with_their_answers_are_merged(tmp_path: Path) -> None:
    for part in ("a", "b"):
        result(tmp_path / "in" / part, "EleutherAI/pythia-70m", GSM, shots=5, n=3)
        text = "".join(json.dumps(line) + "\n" for line in (*STRICT, *FLEXIBLE))
        (tmp_path / "in" / part / f"samples_gsm8k_{TIME}.jsonl").write_text(text)
    done = bring(tmp_path / "in", tmp_path / "run")
    assert (done.scores, done.answers) == (2, 3)


# ── The cases themselves, where they lie beside the checkout ─────────────────────────────────────────────────
def test_every_case_imports(shared: Path, tmp_path: Path, call: Call) -> None:
    codes = {"13": 1}
    for folder in sorted((shared / "data" / "cases").iterdir()):
        number_ = folder.name[:2]
        if number_ in ("26", "27", "28"):
            continue  # studies, not imports
        more = {"11": ["--shots", "0"], "08": ["--family", str(folder / "final.toml")]}.get(number_, [])
        said = call("import", "auto", str(folder / "input"), "--into", str(tmp_path / number_), *more)
        assert said.code == codes.get(number_, 0), (folder.name, said.err)
    own = shared / "data" / "cases" / "09-checkpoints-all-called-hf"
    said = call("import", "auto", str(own / "input"), "--into", str(tmp_path / "hf"), "--family", str(own / "hf2.toml"))
    assert said.code == 0
    values = {key[1]: row["y"] for key, row in rows_of(tmp_path / "hf").items()}
    assert values == {"ck0": 0.35, "ck1": 0.4, "ck2": 0.35, "ck3": 0.4}
    shutil.rmtree(tmp_path / "hf")
