"""Results of lm-evaluation-harness, old and new layout, as runs."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from scalecurve.cli._app import app, load_commands
from scalecurve.errors import UserError
from scalecurve.io import import_files, match
from scalecurve.store import RunDirectory

load_commands()


def new_layout() -> dict[str, Any]:
    return {
        "results": {
            "arc_easy": {"alias": "arc_easy", "acc,none": 0.5, "acc_stderr,none": 0.01, "f1,none": float("nan")},
            "lambada": {"alias": "lambada", "perplexity,none": 9.5, "perplexity_stderr,none": "N/A"},
            "both": {"alias": "both", "acc,none": 0.4},
        },
        "group_subtasks": {"both": ["arc_easy", "lambada"], "arc_easy": []},
        "versions": {"arc_easy": 1.0, "lambada": 1.0},
        "n-shot": {"arc_easy": 5, "lambada": 0},
        "n-samples": {"arc_easy": {"original": 2376, "effective": 100}},
        "higher_is_better": {"arc_easy": {"acc": True}, "lambada": {"perplexity": False}},
        "config": {"model_args": {"pretrained": "me/own-1b", "revision": "main"}, "model_num_parameters": 10**9},
    }


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_published_pythia_files_are_the_numbers_of_the_table(shared: Path, tmp_path: Path) -> None:
    data = shared / "data" / "pythia_evals"
    run = RunDirectory(tmp_path / "run")
    done = import_files([data / "raw"], run)
    assert (done.unmatched, done.missing, done.files) == ((), (), 16)
    assert done.notes == ("lm-eval:mmlu is made of the scores of its parts, weighted by their numbers of questions",)
    mine = pl.read_parquet(run.curves).filter(pl.col("task") != "lm-eval:mmlu")  # made of its parts here
    table = pl.read_parquet(data / "pythia_v1_deduped.parquet").filter(pl.col("step") == 143000)
    both = table.with_columns(task="lm-eval:" + pl.col("task")).join(
        mine.rename({"rung": "model"}), on=["family", "model", "shots", "task", "metric"], suffix="_mine"
    )
    assert len(both) == len(table) == len(mine)
    assert both["value"].to_list() == both["y"].to_list()
    assert both["stderr"].to_list() == both["se"].to_list()
    for column in ("params_non_embedding", "params_total"):
        assert both[column].to_list() == both[f"{column}_mine"].to_list()
    known = both.filter(pl.col("n_mine") > 0)
    assert len(known) > 0.7 * len(both)
    assert known["n"].to_list() == known["n_mine"].to_list()
    lower = mine.filter(~pl.col("higher_is_better"))["metric"].unique().to_list()
    assert sorted(lower) == ["likelihood_difference", "pct_stereotype", "ppl"]
    assert mine.filter("preferred", pl.col("task") == "lm-eval:lambada_openai")["metric"].unique().to_list() == ["acc"]


def test_new_layout(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    done = import_files([write(tmp_path / "results_1.json", new_layout())], run)
    assert [model.name for model in done.unmatched] == ["me/own-1b"]
    assert done.missing == ("lm-eval:arc_easy f1: no finite score of 1 models (own-1b)",)
    rows = {(row["task"], row["metric"]): row for row in pl.read_parquet(run.curves).iter_rows(named=True)}
    assert set(rows) == {("lm-eval:arc_easy", "acc"), ("lm-eval:arc_easy", "f1"), ("lm-eval:lambada", "perplexity")}
    assert rows["lm-eval:arc_easy", "f1"]["y"] is None  # there, and missing: never zero
    easy, lambada = rows["lm-eval:arc_easy", "acc"], rows["lm-eval:lambada", "perplexity"]
    assert (easy["metric"], easy["y"], easy["se"], easy["n"], easy["shots"]) == ("acc", 0.5, 0.01, 100, 5)
    assert (lambada["se"], lambada["higher_is_better"], lambada["params_total"]) == (None, False, 10**9)


def test_models_and_their_states_are_found() -> None:
    family, rung = match("EleutherAI/pythia-v1.1-70m-deduped", "step143000") or pytest.fail("not found")
    assert (family, rung.name) == ("pythia-deduped", "pythia-70m-deduped")
    family, rung = match("EleutherAI/pythia-70m", "step3000") or pytest.fail("not found")
    assert (family, rung.step, rung.training_tokens) == ("pythia-70m-checkpoints", 3000, 3000 * 2_097_152)
    assert match("EleutherAI/pythia-70m", "step3001") is None
    assert match("nobody/nothing", "") is None


def without(*path: str) -> dict[str, Any]:
    content = new_layout()
    place = content
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (without("config"), "config: is missing"),
        (without("config", "model_args"), "names no model"),
        (without("n-shot", "lambada"), "shots of lambada"),
        (without("versions"), "not in the layout of"),
        ({**new_layout(), "results": {}}, "holds no score"),
        ([], "not in the layout"),
    ],
)
def test_damage_is_one_line_and_leaves_nothing(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as caught:
        import_files([write(tmp_path / "r.json", content)], RunDirectory(tmp_path / "run"))
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


def test_cut_off_twice_and_mixed_versions(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    one = write(tmp_path / "a.json", new_layout())
    cut = tmp_path / "cut.json"
    cut.write_text(one.read_text()[:200])
    other = new_layout()
    with pytest.raises(UserError, match="cut off"):
        import_files([one, cut], run)
    import_files([one, write(tmp_path / "b.json", other)], RunDirectory(tmp_path / "equal"))  # said twice, kept once
    other["results"]["arc_easy"]["acc,none"] = 0.123
    with pytest.raises(UserError, match="leave one of them out"):
        import_files([one, write(tmp_path / "b.json", other)], run)
    other["config"]["model_args"]["pretrained"] = "me/own-2b"
    other["versions"]["lambada"] = 2.0
    with pytest.raises(UserError, match="is of version"):
        import_files([one, write(tmp_path / "b.json", other)], run)
    assert not run.path.exists()


def test_command_judges_and_names_the_line_to_add(tmp_path: Path) -> None:
    content = new_layout()
    content["config"] = {"model_args": {"pretrained": "me/own", "revision": "main"}}  # nothing says how large it is
    source = write(tmp_path / "results_1.json", content)
    done = CliRunner().invoke(app, ["import", "auto", str(source), "--into", str(tmp_path / "run")])
    assert done.exit_code == 1, done.output  # done, but a score is missing
    assert "f1: no finite score" in done.stderr
    assert "1 models are in no family file, and nothing tells their sizes; say them (--size own=7B …)" in done.stderr
    assert 'location = "me/own"\nparams_non_embedding = …' in done.stderr
    assert RunDirectory(tmp_path / "run").verdicts.exists()
    assert CliRunner().invoke(app, ["report", str(tmp_path / "run")]).exit_code == 0
