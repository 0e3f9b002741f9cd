"""Checkpoints by epoch: places on an axis of their own, wherever the epoch stands."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from scalecurve.errors import UserError
from scalecurve.io.importing import Imported, import_run
from scalecurve.report.figures import plot
from scalecurve.store import RunDirectory


def table(head: str, *cells: tuple[Any, ...]) -> str:
    return head + "\n" + "".join(",".join(map(str, row)) + "\n" for row in cells)


def brought(folder: Path, text: str) -> tuple[RunDirectory, Imported]:
    (folder / "t.csv").write_text(text)
    return RunDirectory(folder / "run"), import_run([folder / "t.csv"], folder / "run")


def test_parts_of_epochs_are_places_too_and_curves_are_judged_on_them(tmp_path: Path) -> None:
    rows = [("mymodel-1b", at / 2, 0.5 + at / 20, 0.01) for at in range(1, 7)]
    run, _ = brought(tmp_path, table("model,epoch,piqa,piqa_stderr", *rows))
    curves = pl.read_parquet(run.curves).sort("epoch")
    assert curves["epoch"].to_list() == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    assert set(curves["family"]) == {"mymodel-1b-checkpoints"}
    assert curves["step"].null_count() == 6
    verdicts = pl.read_parquet(run.verdicts)
    assert (verdicts["axis"].to_list(), verdicts["shape"].to_list()) == (["epoch"], ["smooth"])
    curve = plot([run.path], "piqa", axis="epoch").to_dict()
    assert "Epochs of training" in str(curve)


def test_epochs_beside_steps_are_another_axis_of_the_same_states(tmp_path: Path) -> None:
    rows = [("mymodel-1b", at, 500 * at, 0.5 + at / 20) for at in range(1, 4)]
    run, done = brought(tmp_path, table("model,epoch,step,piqa", *rows))
    curves = pl.read_parquet(run.curves).sort("epoch")
    assert (curves["epoch"].to_list(), curves["step"].to_list()) == ([1.0, 2.0, 3.0], [500, 1000, 1500])
    assert "(checkpoints: 3 by their step)" in done.understood


def test_epochs_that_all_models_were_trained_for_make_no_states(tmp_path: Path) -> None:
    """A column of settings: every model stands there once."""
    rows = [(f"mymodel-{size}b", 3, 0.5 + size / 20) for size in (1, 3, 7)]
    run, _ = brought(tmp_path, table("model,epochs,piqa", *rows))
    curves = pl.read_parquet(run.curves)
    assert set(curves["family"]) == {"mymodel"}
    assert set(pl.read_parquet(run.verdicts)["axis"]) == {"params_total"}


@pytest.mark.parametrize(
    "name",
    ["out/mymodel-1b/checkpoint-epoch{}", "mymodel-1b-epoch-{}", "me/mymodel-1b_epoch{}", "out/mymodel-1b/epoch_{}"],
)
def test_epochs_in_names_of_models_are_places(name: str, tmp_path: Path) -> None:
    rows = [(name.format(at), "piqa", 0.5 + at / 20) for at in (1, 2, 2.5)]
    run, _ = brought(tmp_path, table("model,task,acc", *rows))
    curves = pl.read_parquet(run.curves).sort("epoch")
    assert curves["epoch"].to_list() == [1, 2, 2.5]
    assert set(curves["family"]) == {"mymodel-1b-checkpoints"}
    assert set(curves["params_total"]) == {10**9}


def test_epochs_of_known_models_keep_their_sizes(tmp_path: Path) -> None:
    rows = [(f"EleutherAI/pythia-1b-epoch{at}", "piqa", 0.5 + at / 20) for at in (1, 2, 3)]
    run, _ = brought(tmp_path, table("model,task,acc", *rows))
    curves = pl.read_parquet(run.curves).sort("epoch")
    assert curves["epoch"].to_list() == [1, 2, 3]
    assert curves["training_tokens"].null_count() == 3
    assert set(curves["params_non_embedding"]) == {805_736_448}


# ── transformers' Trainer ────────────────────────────────────────────────────────────────────────────────────
def logged(epochs: range, **more: Any) -> dict[str, Any]:
    """A ``trainer_state.json`` after some epochs of 500 steps."""
    history: list[dict[str, Any]] = []
    for at in epochs:
        place = {"epoch": float(at), "step": 500 * at}
        history.append({**place, "loss": 1 / at, "grad_norm": 1.0, "learning_rate": 1e-5})
        scores = {"eval_accuracy": 0.5 + at / 20, "eval_loss": 1 / at, "eval_mnli_f1": 0.6, "eval_mnli_loss": 0.7}
        history.append({**place, **scores, "eval_runtime": 1.5, "eval_samples_per_second": 90.0})
    return {"global_step": 500 * len(epochs), "epoch": float(len(epochs)), "log_history": history, **more}


def test_a_training_s_own_log_is_a_ladder_of_its_states(tmp_path: Path) -> None:
    """Every checkpoint repeats the log of those before it."""
    for at in (1, 2, 3):
        folder = tmp_path / "mymodel-1b" / f"checkpoint-{500 * at}"
        folder.mkdir(parents=True)
        (folder / "trainer_state.json").write_text(json.dumps(logged(range(1, at + 1), best_model_checkpoint=None)))
    done = import_run([tmp_path / "mymodel-1b"], tmp_path / "run")
    assert "12 results of 3 models (checkpoints: 3 by their step) on 2 tasks" in done.understood
    curves = pl.read_parquet(tmp_path / "run" / "curves.parquet").sort("step")
    assert set(curves["family"]) == {"mymodel-1b-checkpoints"}
    own = curves.filter(task="trainer:eval", metric="accuracy")
    assert own["y"].to_list() == pytest.approx([0.55, 0.6, 0.65])
    assert (own["step"].to_list(), own["epoch"].to_list()) == ([500, 1000, 1500], [1.0, 2.0, 3.0])
    assert set(curves.filter(task="trainer:mnli")["metric"]) == {"f1", "loss"}
    assert set(curves.filter(metric="loss")["higher_is_better"]) == {False}
    assert plot([tmp_path / "run"], "trainer:eval", axis="epoch")


def test_a_training_s_last_results_are_those_of_its_model(tmp_path: Path) -> None:
    for size in (1, 3):
        folder = tmp_path / f"mymodel-{size}b"
        folder.mkdir()
        scores = {"epoch": 3.0, "eval_accuracy": 0.5 + size / 10, "eval_samples": 200, "eval_runtime": 2.0}
        (folder / "all_results.json").write_text(json.dumps(scores))
    import_run([tmp_path / f"mymodel-{size}b" for size in (1, 3)], tmp_path / "run")
    curves = pl.read_parquet(tmp_path / "run" / "curves.parquet").sort("params_total")
    assert set(curves["family"]) == {"mymodel"}
    assert (curves["y"].to_list(), curves["n"].to_list()) == (pytest.approx([0.6, 0.8]), [200, 200])


def test_a_log_without_an_evaluation_says_so(tmp_path: Path) -> None:
    path = tmp_path / "trainer_state.json"
    path.write_text(json.dumps({"global_step": 1, "log_history": [{"loss": 1.0, "step": 1, "epoch": 0.1}]}))
    with pytest.raises(UserError, match=r"trainer_state.json: holds no score of an evaluation"):
        import_run([path], tmp_path / "run")
