"""Formats without a harness to run here: OLMES, olmo-eval, BIG-bench's score files, tables, answers of lm-eval 0.3."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from scalecurve.errors import UserError
from scalecurve.io import all_readers, import_files
from scalecurve.io.bigbench_files import ModelData, ScoreFile, write_score_file
from scalecurve.store import RunDirectory, read_outputs
from scalecurve.tasks.task_score import TaskScore


def curves(paths: list[Path], tmp_path: Path, **more: Any) -> tuple[Any, dict[tuple[str, ...], dict[str, Any]]]:
    run = RunDirectory(tmp_path / "run")
    done = import_files(paths, run, **more)
    rows = pl.read_parquet(run.curves).iter_rows(named=True)
    return done, {(row["family"], row["rung"], row["task"], row["metric"]): row for row in rows}


def lines(path: Path, *records: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def document(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def test_every_format_is_one_registered_reader() -> None:
    known = [
        "bigbench", "eee", "helm", "inspect", "lighteval", "lm-eval", "olmes", "opencompass", "leaderboard", "table"
    ]  # fmt: skip
    assert [name for name in all_readers() if name in known] == known, "one that is added needs no line here"


# ── lm-evaluation-harness 0.3 ────────────────────────────────────────────────────────────────────────────────
def test_answers_of_the_old_harness(tmp_path: Path) -> None:
    document(
        tmp_path / "in" / "results.json",
        {
            "results": {"arc_easy": {"acc": 0.5, "acc_stderr": 0.5, "acc_norm": 1.0, "acc_norm_stderr": 0.0}},
            "versions": {"arc_easy": 0},
            "config": {"model": "hf-causal", "model_args": "use_accelerate=True,pretrained=EleutherAI/pythia-70m",
                       "num_fewshot": 0},
        },
    )  # fmt: skip
    ask = "Question: What is wet?\nAnswer:"
    document(
        tmp_path / "in" / "arc_easy_write_out_info.json",
        [
            {"doc_id": 0, "prompt_0": f"{ask} water", "logit_0": -1.0, "prompt_1": f"{ask} wax", "logit_1": -3.0,
             "truth": 0, "acc": "1.0", "acc_norm": "1.0"},
            {"doc_id": 1, "prompt_0": f"{ask} a fire", "logit_0": -2.0, "prompt_1": f"{ask} a sea", "logit_1": -3.0,
             "truth": 1, "acc": "0.0", "acc_norm": "1.0"},
        ],
    )  # fmt: skip
    _, rows = curves([tmp_path / "in"], tmp_path)
    key = ("pythia", "pythia-70m", "lm-eval:arc_easy")
    assert rows[*key, "acc"]["y"] == rows[*key, "multiple_choice_grade"]["y"] == 0.5
    assert (rows[*key, "acc"]["chance"], rows[*key, "acc"]["n"]) == (0.5, 2)
    outputs = read_outputs(RunDirectory(tmp_path / "run")).collect()
    assert outputs["choices"].to_list() == [["water", "wax"], ["fire", "sea"]]
    assert outputs["option_logprobs"].to_list() == [[-1.0, -3.0], [-2.0, -3.0]]


# ── OLMES and olmo-eval ──────────────────────────────────────────────────────────────────────────────────────
def olmes(folder: Path, model: str, scores: list[float]) -> None:
    task = {"task_name": "arc_easy", "num_shots": 5, "primary_metric": "acc_per_char", "version": 0,
            "metadata": {"alias": "arc_easy:rc::olmes"}}  # fmt: skip
    value = sum(scores) / len(scores)
    record = {
        "task_name": "arc_easy", "task_hash": "0f" * 16, "model_config": {"model": model, "revision": None},
        "task_config": task, "num_instances": len(scores),
        "metrics": {"acc_raw": 0.5, "acc_per_char": value, "bits_per_byte_corr": 1.5, "primary_score": value},
    }  # fmt: skip
    document(folder / "task-000-arc_easy-metrics.json", record)
    document(folder / "metrics.json", {"all_primary_scores": [f"arc_easy: {value}"], "tasks": [record]})
    lines(
        folder / "task-000-arc_easy-predictions.jsonl",
        *(
            {"doc_id": at, "native_id": f"q{at}", "label": at % 2,
             "metrics": {"acc_raw": at % 2, "acc_per_char": score, "correct_choice": at % 2, "predicted_index_raw": 0},
             "model_output": [{"sum_logits": -1.0 - at, "num_tokens": 2, "is_greedy": False},
                              {"sum_logits": -2.0, "num_tokens": 1, "is_greedy": True}]}
            for at, score in enumerate(scores)
        ),
    )  # fmt: skip
    lines(
        folder / "task-000-arc_easy-requests.jsonl",
        *(
            {
                "doc_id": at,
                "doc": {"query": f"Q{at}"},
                "request": {"context": f"Q{at}\nA:", "continuation": f" {option}"},
            }
            for at in range(len(scores))
            for option in ("yes", "no")
        ),
    )


def test_olmes(tmp_path: Path) -> None:
    olmes(tmp_path / "a", "EleutherAI/pythia-70m", [1.0, 0.0, 1.0, 1.0])
    olmes(tmp_path / "b", "EleutherAI/pythia-160m", [1.0, 1.0, 1.0, 1.0])
    done, rows = curves([tmp_path / "a", tmp_path / "b"], tmp_path)
    assert (done.unmatched, done.missing, done.answers) == ((), (), 8)
    row = rows["pythia", "pythia-70m", "olmes:arc_easy:rc::olmes", "acc_per_char"]
    assert (row["y"], row["n"], row["shots"], row["preferred"], row["chance"]) == (0.75, 4, 5, True, 0.5)
    assert row["se"] == pytest.approx(0.25)
    assert not rows["pythia", "pythia-70m", "olmes:arc_easy:rc::olmes", "bits_per_byte_corr"]["higher_is_better"]
    assert not any(metric == "primary_score" for *_, metric in rows)
    outputs = read_outputs(RunDirectory(tmp_path / "run")).collect()
    assert outputs["options"][1].to_list() == ["yes", "no"]
    assert outputs["option_tokens"][0].to_list() == [2, 1]
    assert outputs["prompt"][1] == "Q1\nA:"


def test_olmo_eval(tmp_path: Path) -> None:
    document(
        tmp_path / "in" / "metrics.json",
        {
            "model": "own", "model_path": "allenai/OLMo-2-0425-1B", "model_config": {}, "errors": [],
            "tasks": {
                "gsm8k:3shot": {"metrics": {"accuracy": {"exact": 0.5}}, "num_instances": 2, "primary_metric":
                                "accuracy:exact", "config": {"num_fewshot": 3}},
                "broken": {"error": "out of memory"},
            },
        },
    )  # fmt: skip
    lines(
        tmp_path / "in" / "predictions" / "own" / "gsm8k_3shot_abcdef-predictions.jsonl",
        *(
            {"doc_id": at, "native_id": f"q{at}", "label": "4", "instance_metrics": {"accuracy": {"exact": float(at)}},
             "model_output": [{"text": "so 4", "extracted_answer": str(3 + at), "completion_tokens": 5}]}
            for at in range(2)
        ),
    )  # fmt: skip
    done, rows = curves([tmp_path / "in"], tmp_path)
    assert any("tasks.broken: failed" in note for note in done.notes)
    (row,) = [row for key, row in rows.items() if key[3] == "accuracy,exact"]
    assert (row["y"], row["n"], row["shots"], row["preferred"]) == (0.5, 2, 3, True)
    assert row["family"] == "olmo2"
    outputs = read_outputs(RunDirectory(tmp_path / "run")).collect()
    assert outputs["response"].to_list() == ["3", "4"]
    assert outputs["generated_tokens"].to_list() == [5, 5]


# ── BIG-bench ────────────────────────────────────────────────────────────────────────────────────────────────
def test_bigbench_score_files(tmp_path: Path) -> None:
    for size, value in ((10**8, 0.3), (10**9, 0.6)):
        model = ModelData("BIG-G", f"{size // 10**6}m", size + 5, size, size)
        scores = {"multiple_choice_grade": value, "exact_str_match": float("nan")}
        leaf = TaskScore("emoji_movie", 0, scores, "multiple_choice_grade", 0.2, 1.0)
        write_score_file(tmp_path / "in", ScoreFile("emoji_movie", model, (leaf,)))
    done, rows = curves([tmp_path / "in"], tmp_path)
    assert done.unmatched == ()
    assert done.missing == ("bigbench:emoji_movie exact_str_match: no finite score of 2 models (1000m, 100m)",)
    row = rows["BIG-G", "1000m", "bigbench:emoji_movie", "multiple_choice_grade"]
    assert (row["y"], row["chance"], row["ceiling"], row["preferred"]) == (0.6, 0.2, 1.0, True)
    assert (row["params_non_embedding"], row["params_total"]) == (10**9, 10**9 + 5)


# ── Tables ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_tidy_table(tmp_path: Path) -> None:
    table = tmp_path / "scores.csv"
    table.write_text(
        "model,task,metric,score,stderr,n,shots\n"
        "EleutherAI/pythia-70m,piqa,acc,0.6,0.01,1838,0\n"
        "EleutherAI/pythia-160m,piqa,acc,,0.01,1838,0\n"
        "EleutherAI/pythia-70m,piqa,ppl,31.5,0.4,1838,0\n"
    )
    done, rows = curves([table], tmp_path)
    assert done.missing == ("piqa acc: no finite score of 1 models (pythia-160m)",)
    row = rows["pythia", "pythia-70m", "piqa", "acc"]
    assert (row["y"], row["se"], row["n"], row["ceiling"]) == (0.6, 0.01, 1838, 1.0)
    assert rows["pythia", "pythia-70m", "piqa", "ppl"]["y"] == 31.5
    assert not rows["pythia", "pythia-70m", "piqa", "ppl"]["higher_is_better"]
    assert rows["pythia", "pythia-160m", "piqa", "acc"]["y"] is None


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet", "jsonl"])
def test_a_table_with_columns_of_other_names(kind: str, tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"who": ["a/own-1b", "a/own-2b"], "what": ["piqa", "piqa"], "acc_pct": [60.0, 71.5], "size": [10**9, 2 * 10**9]}
    )
    table = tmp_path / f"scores.{kind}"
    write = {"csv": frame.write_csv, "parquet": frame.write_parquet, "jsonl": frame.write_ndjson}
    frame.write_csv(table, separator="\t") if kind == "tsv" else write[kind](table)
    with pytest.raises(UserError, match="--map"):
        import_files([table], RunDirectory(tmp_path / "run"))
    columns = {"model": "who", "task": "what", "score": "acc_pct", "params_total": "size"}
    done, rows = curves([table], tmp_path, columns=columns, shots=5)
    assert [model.name for model in done.unmatched] == ["a/own-1b", "a/own-2b"]
    row = rows["own", "own-2b", "piqa", "acc_pct"]  # names alike but for the size are a series
    assert (row["y"], row["params_total"], row["shots"]) == (71.5, 2 * 10**9, 5)


def test_percent_is_seen(tmp_path: Path) -> None:
    table = tmp_path / "scores.csv"
    table.write_text("model,task,acc,f1\nm-1,t,50,0.25\nm-2,t,75,0.5\n")
    done, rows = curves([table], tmp_path)
    assert any("acc: taken as percent" in note for note in done.notes)
    assert rows["unmatched", "m-2", "t", "acc"]["y"] == 0.75
    assert rows["unmatched", "m-2", "t", "f1"]["y"] == 0.5


def test_a_table_of_items_and_of_checkpoints(tmp_path: Path) -> None:
    rows = [
        {"model": "EleutherAI/pythia-70m", "step": step, "task": "t", "doc_id": at, "metric": metric, "score": score,
         "question": f"Q{at}", "answer": "yes", "response": "yes" if score else "no"}
        for step in (1000, 143000)
        for at in range(4)
        for metric, score in (("acc", float(at > 1 or step > 1000)), ("f1", 0.5))
    ]  # fmt: skip
    table = tmp_path / "items.parquet"
    pl.DataFrame(rows).write_parquet(table)
    done, found = curves([table], tmp_path)
    assert (done.unmatched, done.answers) == ((), 8)
    assert found["pythia-70m-checkpoints", "pythia-70m-step1000", "t", "acc"]["y"] == 0.5
    assert found["pythia", "pythia-70m", "t", "acc"]["y"] == 1.0
    assert found["pythia", "pythia-70m", "t", "exact_match"]["y"] == 1.0
    assert found["pythia", "pythia-70m", "t", "f1"]["n"] == 4
    table = tmp_path / "twice.parquet"
    pl.DataFrame([*rows, rows[0]]).write_parquet(table)
    with pytest.raises(UserError, match="answers '0' twice"):
        import_files([table], RunDirectory(tmp_path / "again"))


def test_a_leaderboard(tmp_path: Path) -> None:
    table = tmp_path / "leaderboard.csv"
    table.write_text(
        "T,Model,Average ⬆️,IFEval,BBH,BBH Raw,date_understanding,#Params (B),Hub ❤️,Precision\n"
        '🟢,"<a href=""x"">EleutherAI/pythia-70m</a>",20,30,10,0.31,0.2,0.07,3,float16\n'
        "🟢,me/own,50,60,,0.5,0.4,1,3,bfloat16\n"
        "🟢,me/own,51,61,41,0.5,0.4,1,3,float16\n"
    )
    done, rows = curves([table], tmp_path)
    assert any("taken as percent: IFEval, BBH" in note for note in done.notes)
    assert {key[2] for key in rows} == {f"leaderboard:{task}" for task in ("IFEval", "BBH", "date_understanding")}
    row = rows["pythia", "pythia-70m", "leaderboard:BBH", "score"]
    assert (row["y"], row["ceiling"], row["preferred"], row["params_total"]) == (0.1, 1.0, True, 70_426_624)
    assert rows["pythia", "pythia-70m", "leaderboard:BBH", "raw"]["y"] == 0.31
    assert {model.label for model in done.unmatched} == {"me/own@bfloat16", "me/own@float16"}
    assert rows["unmatched", "own@float16", "leaderboard:BBH", "score"]["params_total"] == 10**9
    assert done.missing == ("leaderboard:BBH score: no finite score of 1 models (own@bfloat16)",)


def test_published_wide_tables(shared: Path, tmp_path: Path) -> None:
    path = shared / "data" / "obsscaling" / "base_llm_benchmark_eval.csv"
    done, rows = curves([path], tmp_path)
    table = pl.read_csv(path)
    assert done.unmatched == ()  # the table has families and sizes of its own
    assert len(rows) == 8 * table.height
    for row in table.iter_rows(named=True):
        (own,) = [one for key, one in rows.items() if key[1:3] == (row["Model"].split("/")[-1], "leaderboard:MMLU")][:1]
        assert own["y"] == row["MMLU"]
    llama = rows["Llama-2", "Llama-2-7b-hf", "leaderboard:HumanEval", "score"]
    assert (llama["params_total"], llama["training_tokens"], llama["training_flops"]) == (7 * 10**9, 2 * 10**12, 84e21)


# ── Models ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_family_file_of_the_users_own(tmp_path: Path) -> None:
    table = tmp_path / "scores.csv"
    table.write_text("model,task,acc\nme/own-1b,t,0.5\nother/pythia-70m,t,0.5\nEleutherAI/pythia-70m,t,0.6\n")
    done, _ = curves([table], tmp_path)
    assert [model.name for model in done.unmatched] == ["me/own-1b", "other/pythia-70m"]  # a copy is not the model
    family = tmp_path / "own.toml"
    family.write_text(
        'family = "own"\n[[rung]]\nname = "own-1b"\nbackend = "transformers"\nlocation = "me/own-1b"\n'
        "params_non_embedding = 900_000_000\n"
    )
    run = RunDirectory(tmp_path / "second")
    done = import_files([table], run, families=[str(family)])
    assert [model.name for model in done.unmatched] == ["other/pythia-70m"]
    own = pl.read_parquet(run.curves).filter(pl.col("family") == "own").row(0, named=True)
    assert (own["rung"], own["params_non_embedding"]) == ("own-1b", 900_000_000)
