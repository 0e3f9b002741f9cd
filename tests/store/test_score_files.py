"""A run's BIG-bench scores out to score files, back in as a run, and aggregated."""

from pathlib import Path

import polars as pl
import pytest
from bigbench_files import unpack

from scalecurve.analysis.derive import derive
from scalecurve.errors import UserError
from scalecurve.io.bigbench_files import read_score_files
from scalecurve.io.bigbench_scores import benchmark_scores, export_score_files, import_score_files
from scalecurve.runner.execute import execute
from scalecurve.store import RunDirectory
from scalecurve.study.plan import make_plan
from scalecurve.study.study import parse_study
from scalecurve.tasks.bigbench import VARIABLE
from scalecurve.tasks.bigbench_install import install

TASKS = ["bigbench:emoji_movie", "bigbench:modified_arithmetic", "bigbench:known_unknowns", "lab:remap"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder / "cache"))
        install(unpack(folder / "benchmark_tasks"))
        study = parse_study({"name": "s", "models": ["mock"], "tasks": TASKS, "shots": [0, 3], "limit": 6})
        directory = RunDirectory(folder / "run")
        with directory.lock():
            execute(make_plan(study), directory)
            derive(directory)
    return directory


def test_out_and_in_again(run: RunDirectory, tmp_path: Path) -> None:
    paths = export_score_files(run, tmp_path)
    assert {path.parent.parent.name for path in paths} == {"emoji_movie", "modified_arithmetic", "known_unknowns"}
    files = read_score_files(tmp_path)
    (nested,) = [file for file in files if file.task == "modified_arithmetic"]
    assert len(nested.scores) == 2 * (6 + 1)
    (grade,) = [s for f in files for s in f.scores if s.name == "known_unknowns" and s.shots == 3]
    assert grade.low == 0.5
    assert {"multiple_choice_grade", "normalized_aggregate_score"} <= set(grade.scores)
    assert "option_probability" not in grade.scores

    again = RunDirectory(tmp_path / "again")
    import_score_files(files, again)
    mine, theirs = (pl.read_parquet(directory.curves) for directory in (run, again))
    assert mine.schema == theirs.schema
    both = mine.join(theirs, on=["task", "shots", "metric", "rung"], suffix="_again")
    assert len(both) > 20
    assert both["y"].to_list() == pytest.approx(both["y_again"].to_list(), nan_ok=False)
    with pytest.raises(UserError, match="is a run already"):
        import_score_files(files, again)


def test_benchmark_and_keywords(run: RunDirectory) -> None:
    found = benchmark_scores(run)
    assert {shots for _, _, shots in found} == {0, 3}
    for scores in found.values():
        whole, lite, *words = scores
        assert (whole.tasks, whole.missing) == (3, ())
        assert (lite.tasks, len(lite.missing)) == (2, 22)
        assert "arithmetic" in {word.name for word in words}


def test_human_baselines_are_kept_where_there_are_any(run: RunDirectory) -> None:
    assert all(record["human"] == {} for record in run.read_manifest()["tasks"])


def test_runs_without_bigbench_have_nothing_to_export(run: RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no scores of bigbench: tasks under the strategy belief"):
        export_score_files(run, tmp_path, "belief")
    with pytest.raises(UserError, match=r"no curves\.parquet"):
        export_score_files(RunDirectory(tmp_path), tmp_path)


def test_curves_that_right_answers_cannot_lift_say_so(run: RunDirectory, tmp_path: Path) -> None:
    from scalecurve.analysis.verdicts.run import judge_run

    sizes = [
        {"name": f"m{n}", "backend": "mock", "location": f"m{n}", "params_non_embedding": 10**n} for n in (3, 4, 5)
    ]
    flags = {}
    for mode in ("faithful", "corrected"):
        directory = RunDirectory(tmp_path / mode)
        with pytest.MonkeyPatch.context() as patch, directory.lock():
            patch.setenv(VARIABLE, str(run.path.parent / "cache"))
            study = parse_study({"name": "s", "models": sizes, "tasks": ["bigbench:tense"], "limit": 4, "mode": mode})
            execute(make_plan(study), directory)
            derive(directory)
            judge_run(directory)
        verdicts = pl.read_parquet(directory.verdicts).filter(pl.col("metric") == "exact_str_match")
        flags[mode] = "unmatchable-answers" in verdicts["flags"].to_list()[0]
    assert flags == {"faithful": True, "corrected": False}
