"""Files as strangers hand them in: each stands for its kind, and comes in right by ``import auto FILE`` alone."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from command_line import Call

from scalecurve.errors import UserError
from scalecurve.io.importing import Imported, import_run

SIZES = ("110m", "350m", "1.3b", "2.7b")
PARAMS = [110_000_000, 350_000_000, 1_300_000_000, 2_700_000_000]
TOKENS = ("1B", "20B", "0.3T", "1400B")
UP = (0.55, 0.6, 0.65, 0.7)
PRINTED = """hf (pretrained=EleutherAI/pythia-160m), gen_kwargs: (None), limit: None, num_fewshot: None, batch_size: 8
| Tasks  |Version|Filter|n-shot| Metric |   |Value |   |Stderr|
|--------|------:|------|-----:|--------|---|-----:|---|-----:|
|arc_easy|      1|none  |     0|acc     |↑  |0.4352|±  |0.0102|
|        |       |none  |     0|acc_norm|↑  |0.3990|±  |0.0100|
"""


def rows(line: str) -> str:
    return "".join(line.format(m=f"mymodel-{size}", u=u, p=100 * u) for size, u in zip(SIZES, UP, strict=True))


def brought(path: Path, text: str | bytes, **more: Any) -> tuple[pl.DataFrame, Imported]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    run = path.parent / "run"
    done = import_run([path], run, **more)
    return pl.read_parquet(run / "curves.parquet").sort("params_total", "step", "training_tokens"), done


WIDE = {
    "booktabs.tex": "\\begin{table}\n\\begin{tabular}{lc}\n\\toprule\nModel & PIQA \\\\\n\\midrule\n"
    + rows("{m} & \\textbf{{{p:.1f}}} \\\\\n")
    + "\\bottomrule\n\\end{tabular}\n\\end{table}\n",
    "spans.tex": "\\begin{tabular}{l|cc}\n\\hline\n & \\multicolumn{2}{c}{\\textbf{PIQA}} \\\\\n"
    + "Model & acc & stderr \\\\\\hline\n"
    + rows("\\texttt{{{m}}} & {p:.1f} & 1.1 \\\\ % ours\n")
    + "\\end{tabular}",
    "aligned.txt": "model            piqa   hours\n" + rows("{m}     {u}   3 h\n"),
    "tabs.txt": "model\tpiqa\n" + rows("{m}\t{u}\n"),
    "pandas.csv": ",piqa,piqa\n,acc,stderr\nmodel,,\n" + rows("{m},{u},0.011\n"),
    "sheets.csv": "model,piqa\n" + rows('{m},"{p:.1f} %"\n').replace(".0 %", ",0 %").replace("5.0", "5,0"),
    "footnotes.csv": "Model,PIQA\n" + rows("{m},{u}\n") + ",\n* 5-shot,\nSource: our own,\n",
    "runs.csv": '"Name","State","Runtime","_step","eval/piqa/acc"\n' + rows('"{m}","finished","3600","4000","{u}"\n'),
    "nested.json": json.dumps(
        {"results": [{"model": f"mymodel-{size}", "scores": {"piqa": {"acc": u, "stderr": 0.011}}}
                     for size, u in zip(SIZES, UP, strict=True)]}
    ),
    "wrapped.json": json.dumps(
        {"data": [{"model": f"mymodel-{s}", "task": "piqa", "acc": u} for s, u in zip(SIZES, UP, strict=True)]}
    ),
    "counts.csv": "model,task,correct,total\n" + rows("{m},piqa,{p:.0f},100\n"),
    "errors_below.csv": "model,task,metric,value\n" + rows("{m},piqa,acc,{u}\n{m},piqa,acc_stderr,0.011\n"),
    "harness_below.csv": "model,task,metric,value\n"
    + rows('{m},piqa,"acc,none",{u}\n{m},piqa,"acc_stderr,none",0.011\n'),
    "intervals_below.csv": "model,task,metric,value\n" + rows("{m},piqa,acc,{u}\n{m},piqa,acc_ci,0.02\n"),
    "index.csv": ",PIQA\n" + rows("{m},{p}\n"),
    "name.csv": "name,PIQA\n" + rows("{m},{u}\n"),
    "words.csv": "model,task,acc\n" + rows("{m},piqa,{p:.1f} percent\n"),
    "averages.csv": "model,task,acc\n" + rows("{m},piqa,{u}\n{m},Average,0.5\n"),
    "helm.csv": "Model/adapter,PIQA - EM,Mean win rate\n" + rows("{m},{u},0.5\n"),
    "tags.md": "| Model | PIQA | Votes |\n|--|--|--|\n"
    + rows("| [{m}](https://example.org) | <b>{p:.1f}</b> | 900 |\n"),
    "pipes.txt": "model|task|acc\n" + rows("{m}|piqa|{u}\n"),
    "low.tex": "\\begin{tabular}{lr}\nModel & PIQA \\\\ \\hline\n"
    + rows("{m} & {p:.1f}$_{{\\pm 1.1}}$ \\\\\n") + "\\end{tabular}",
    "runs_of_seeds.csv": "model,task,run,acc\n" + rows("{m},piqa,0,{u}\n{m},piqa,1,{u}\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", WIDE)
def test_a_ladder_however_it_is_written(name: str, tmp_path: Path) -> None:
    curves, done = brought(tmp_path / name, WIDE[name])
    assert curves["task"].str.to_lowercase().str.split(":").list.last().unique().to_list() == ["piqa"]
    assert (curves["params_total"].to_list(), curves["y"].to_list()) == (PARAMS, pytest.approx(UP))
    assert curves["family"].unique().to_list() == ["mymodel"]
    errors = curves["se"].to_list()
    stated = any(word in name for word in ("spans", "pandas", "nested", "errors_below", "harness_below", "low.tex"))
    assert errors == (pytest.approx([0.011] * 4) if stated else [None] * 4)
    assert not done.missing


@pytest.mark.parametrize("name", ["a.md", "a.txt", "a.log"])
def test_what_the_harness_prints(name: str, tmp_path: Path) -> None:
    before = "2026-01-01:00:00:00 INFO loading\n" if name == "a.log" else ""
    curves, _ = brought(tmp_path / name, before + PRINTED)
    found = {row["metric"]: (row["y"], row["se"]) for row in curves.iter_rows(named=True)}
    assert found == {"acc": (0.4352, 0.0102), "acc_norm": (0.399, 0.01)}
    assert curves["rung"].unique().to_list() == ["pythia-160m"]


def test_opencompass_summary_as_text(tmp_path: Path) -> None:
    head = "dataset,version,metric,mode,mymodel-7b-hf\n"
    table = head + "ARC-c,1e0de5,accuracy,gen,56.00\nmmlu,-,naive_average,gen,46.00\n"
    text = f"20260101\ntabulate format\n^^^^\n{table.replace(',', '  ')}$$$$\n\ncsv format\n^^^^\n{table}$$$$\n"
    curves, _ = brought(tmp_path / "summary.txt", text)
    assert curves.select("rung", "task", "y").rows() == [("mymodel-7b-hf", "ARC-c", 0.56)]


def test_a_chart_of_weights_and_biases(tmp_path: Path) -> None:
    names = [f"mymodel-{size} - eval/piqa_acc{end}" for size in ("1b", "7b") for end in ("", "__MIN", "__MAX")]
    lines = [(step, *([u] * 3), *([u + 0.1] * 3)) for step, u in zip((0, 1000, 2000), UP, strict=False)]
    text = ",".join(f'"{one}"' for one in ("Step", *names)) + "\n"
    curves, _ = brought(tmp_path / "c.csv", text + "".join(",".join(map(str, line)) + "\n" for line in lines))
    assert curves["family"].to_list() == ["mymodel-1b-checkpoints"] * 3 + ["mymodel-7b-checkpoints"] * 3
    assert curves["step"].to_list() == [0, 1000, 2000] * 2
    assert curves["y"].to_list() == pytest.approx([0.55, 0.6, 0.65, 0.65, 0.7, 0.75])
    assert set(curves["metric"]) == {"acc"}


@pytest.mark.parametrize(
    ("text", "axis", "values"),
    [
        ("model,piqa\n" + "".join(f"mymodel-1b-step{at}000,{u}\n" for at, u in enumerate(UP)), "step",
         [0, 1000, 2000, 3000]),
        ("model,tokens,piqa\n" + "".join(f"mymodel-1b,{at},{u}\n" for at, u in zip(TOKENS, UP, strict=True)),
         "training_tokens", [10**9, 20 * 10**9, 300 * 10**9, 1400 * 10**9]),
    ],
    ids=["named", "tokens"],
)  # fmt: skip
def test_states_of_one_model_are_one_curve(text: str, axis: str, values: list[int], tmp_path: Path) -> None:
    curves, _ = brought(tmp_path / "t.csv", text)
    assert curves["family"].unique().to_list() == ["mymodel-1b-checkpoints"]
    assert (curves[axis].to_list(), curves["y"].to_list()) == (values, list(UP))


@pytest.mark.parametrize(
    ("head", "sizes", "count"),
    [
        ("# Params", ('"110,000,000"', '"350,000,000"', '"1,300,000,000"', '"2,700,000,000"'), '"1,838"'),
        ("Number of parameters", ("110'000'000", "350'000'000", "1'300'000'000", "2’700’000’000"), "1'838"),
        ("参数量（亿）", ("1.1", "3.5", "13", "27"), "1838"),
    ],
    ids=["commas", "apostrophes", "chinese"],
)
def test_large_numbers_as_countries_write_them(head: str, sizes: tuple[str, ...], count: str, tmp_path: Path) -> None:
    lines = (f"m{at},{size},piqa,{u},{count}\n" for at, (size, u) in enumerate(zip(sizes, UP, strict=True)))
    curves, _ = brought(tmp_path / "t.csv", f"model,{head},task,acc,# Samples\n" + "".join(lines))
    assert (curves["params_total"].to_list(), set(curves["n"])) == (PARAMS, {1838})


def test_units_in_wide_parentheses(tmp_path: Path) -> None:
    curves, _ = brought(tmp_path / "t.csv", ("模型,任务,准确率（％）\n" + rows("{m},常识,{p:.1f}\n")).encode("gb18030"))
    assert (curves["metric"].unique().to_list(), curves["y"].to_list()) == (["accuracy"], pytest.approx(UP))


def test_simple_evals(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for size, u in zip(SIZES, UP, strict=True):
        content = {"score": u, "score:std": 0.49, "stem": u - 0.1, "chars": 100.2}
        (tmp_path / "in" / f"mmlu_mymodel-{size}_20260101_120000.json").write_text(json.dumps(content))
    done = import_run([tmp_path / "in"], tmp_path / "run")
    curves = pl.read_parquet(tmp_path / "run" / "curves.parquet").sort("params_total")
    assert curves.filter(metric="score")["y"].to_list() == list(UP)
    assert curves.filter(metric="score,stem")["y"].to_list() == pytest.approx([u - 0.1 for u in UP])
    assert done.left_out == ("2 deviations and lengths: score:std, chars",)


def test_columns_that_are_not_read_are_named(tmp_path: Path) -> None:
    _, done = brought(tmp_path / "t.csv", "model,task,acc,ci_low,ci_high\n" + rows("{m},piqa,{u},0.5,0.7\n"))
    assert done.left_out == ("2 columns that are not read: ci_low, ci_high",)


def test_shots_above_groups_of_tasks(tmp_path: Path) -> None:
    text = "Model,0-shot,,5-shot,\n,piqa,sciq,piqa,mmlu\n" + rows("{m},{u},0.8,0.9,0.5\n")
    above = "0-shot,,,5-shot,\n,Model,piqa,piqa,mmlu\n".replace(",,,5", ",,0-shot,5") + rows(",{m},{u},0.9,0.5\n")
    for name, written in {"under": text, "over": above}.items():
        (tmp_path / name).mkdir()
        curves, _ = brought(tmp_path / name / "t.csv", written)
        first = curves.filter(rung="mymodel-110m")
        found = {(row["task"].rpartition(":")[2], row["shots"]): row["y"] for row in first.iter_rows(named=True)}
        expected = {("piqa", 0): 0.55, ("piqa", 5): 0.9, ("mmlu", 5): 0.5}
        assert found == expected | ({("sciq", 0): 0.8} if name == "under" else {})


def test_bigcode(tmp_path: Path) -> None:
    config = {"model": "me/mymodel-1.3b", "n_samples": 200, "temperature": 0.2, "limit": None, "revision": None}
    content = {"humaneval": {"pass@1": 0.3, "pass@10": 0.5}, "config": config}
    curves, _ = brought(tmp_path / "evaluation_results.json", json.dumps(content))
    assert curves.select("rung", "task", "metric", "y").rows() == [
        ("mymodel-1.3b", "bigcode:humaneval", "pass@1", 0.3), ("mymodel-1.3b", "bigcode:humaneval", "pass@10", 0.5),
    ]  # fmt: skip


def test_one_error_beside_two_scores_is_of_neither(tmp_path: Path) -> None:
    curves, done = brought(tmp_path / "t.csv", "model,task,acc,f1,stderr\n" + rows("{m},piqa,{u},0.5,0.011\n"))
    assert (set(curves["metric"]), set(curves["se"])) == ({"acc", "f1"}, {None})
    assert done.left_out == ("1 columns that are not read: stderr",)


def test_arguments_of_a_harness_name_the_model(tmp_path: Path) -> None:
    names = (
        "pretrained=EleutherAI/pythia-160m,revision=step1000",
        "pretrained=EleutherAI/pythia-160m,load_in_4bit=True",
    )
    curves, _ = brought(tmp_path / "t.csv", "model,task,acc\n" + "".join(f'"{one}",piqa,0.6\n' for one in names))
    assert set(curves["rung"]) == {"pythia-160m-step1000", "pythia-160m+load_in_4bit=True"}


def test_what_is_no_table_is_said_in_one_line(tmp_path: Path, call: Call) -> None:
    (tmp_path / "page.html").write_text("<!DOCTYPE html><html><table><tr><td>mymodel-7b</td></tr></table></html>")
    (tmp_path / "list.json").write_text(json.dumps([{"which": "mymodel-7b", "what": "piqa", "how": 0.6}]))
    with pytest.raises(UserError, match="it is a web page, save the table itself as CSV"):
        import_run([tmp_path / "page.html"], tmp_path / "run")
    with pytest.raises(UserError, match="name its columns with --map"):
        import_run([tmp_path / "list.json"], tmp_path / "run")
    columns = "model=which,task=what,score=how"
    said = call("import", "auto", str(tmp_path / "list.json"), "--map", columns, "--into", str(tmp_path / "run"))
    assert (said.code, "1 scores" in said.out) == (0, True)


def test_notes_beside_results_are_no_tables(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "t.csv").write_text("model,piqa\n" + rows("{m},{u}\n"))
    (tmp_path / "in" / "slurm.log").write_text(PRINTED)
    done = import_run([tmp_path / "in"], tmp_path / "run")
    assert (done.scores, done.files) == (4, 1)


@pytest.mark.parametrize("name", ["HellaSwag ± se", "HellaSwag (± stderr)", "HellaSwag +/- SE", "HellaSwag (±)"])
def test_a_heading_that_announces_the_error_in_its_cells_is_the_tasks(name: str, tmp_path: Path) -> None:
    text = f"Model,Params,{name},PIQA\nfoo-1b,1B,45.2 ± 0.5,60\nfoo-3b,3B,55.0 ± 0.5,65\n"
    curves, _ = brought(tmp_path / "t.csv", text)
    found = curves.filter(task="leaderboard:HellaSwag").sort("y")
    assert found["y"].to_list() == pytest.approx([0.452, 0.55])
    assert found["se"].to_list() == pytest.approx([0.005, 0.005], rel=0.05)


@pytest.mark.parametrize("column", ["loss", "val_loss", "validation_loss"])
def test_a_loss_beside_no_other_score_is_the_score(column: str, tmp_path: Path) -> None:
    wide, _ = brought(tmp_path / "t.csv", f"name,params,{column}\n" + rows("{m},7000,{u}\n"))
    assert (set(wide["metric"]), wide["y"].to_list(), set(wide["loss"])) == ({"loss"}, list(UP), {None})
    assert not any(wide["higher_is_better"])
    (tmp_path / "rows").mkdir()
    tidy, _ = brought(tmp_path / "rows" / "t.csv", f"model,task,{column}\n" + rows("{m},pile,{u}\n"))
    assert (set(tidy["task"]), tidy["y"].to_list()) == ({"pile"}, list(UP))


def test_a_loss_beside_benchmarks_is_an_axis(tmp_path: Path) -> None:
    curves, _ = brought(tmp_path / "t.csv", "model,loss,piqa\n" + rows("{m},{u},0.6\n"))
    assert (set(curves["task"]), curves["loss"].to_list()) == ({"leaderboard:piqa"}, list(UP))


def test_metrics_that_are_no_shares_are_columns_of_scores(tmp_path: Path) -> None:
    text = "model,params,task,BLEU,ROUGE-L,chrF++\n" + rows("{m},1B,wmt,{p},{p},{p}\n")
    curves, _ = brought(tmp_path / "t.csv", text)
    assert set(curves["metric"]) == {"bleu", "rouge-l", "chrf++"}
    assert set(curves["ceiling"]) == {None}


def test_a_table_without_a_known_metric_asks_which_column_holds_the_scores(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--map score=COLUMN \(of goodness, wobble\)"):
        brought(tmp_path / "t.csv", "model,task,goodness,wobble\n" + rows("{m},piqa,{u},1\n"))
    curves, _ = brought(
        tmp_path / "t.csv", "model,task,goodness\n" + rows("{m},piqa,{u}\n"), columns={"score": "goodness"}
    )
    assert curves["y"].to_list() == list(UP)
