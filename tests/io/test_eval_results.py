"""Files for a model's .eval_results on the Hub."""

from pathlib import Path

import pytest
import yaml

from scalecurve.errors import UserError
from scalecurve.io.exporters.export import export
from scalecurve.io.importing import import_run
from scalecurve.store import RunDirectory


def run(folder: Path, *tasks: str) -> RunDirectory:
    lines = [f"EleutherAI/pythia-1b,{task},acc,0.{at + 2}5,0.01,5" for at, task in enumerate(tasks)]
    (folder / "t.csv").write_text("\n".join(["model,task,metric,score,stderr,shots", *lines]))
    import_run([folder / "t.csv"], folder / "run")
    return RunDirectory(folder / "run")


def test_scores_of_registered_benchmarks_stand_in_a_file_each(tmp_path: Path) -> None:
    made = run(tmp_path, "gpqa_diamond_zeroshot", "gsm8k", "piqa")
    paths = [Path(path) for path in export(made, "eval-results", str(tmp_path / "out"))]
    assert sorted(path.relative_to(tmp_path / "out").as_posix() for path in paths) == [
        "pythia__pythia-1b/.eval_results/gpqa_diamond_published_5shot.yaml",
        "pythia__pythia-1b/.eval_results/gsm8k_published_5shot.yaml",
    ]
    (entry,) = yaml.safe_load(paths[0].read_text())
    assert entry["dataset"] == {"id": "Idavidrein/gpqa", "task_id": "gpqa_diamond"}
    assert entry["value"] == pytest.approx(0.25)
    assert entry["notes"] == "acc, published, 5-shot, standard error 0.0100"
    assert isinstance(entry["date"], str)


def test_a_run_without_one_is_told_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no preferred score of a benchmark of the Hub .*openai/gsm8k"):
        export(run(tmp_path, "piqa"), "eval-results", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
