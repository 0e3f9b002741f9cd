"""What ``--on`` takes, and what a model needs of a machine."""

from pathlib import Path

import pytest

from scalecurve.errors import UserError
from scalecurve.models import open_model
from scalecurve.pipeline import run_study
from scalecurve.runner.executors import executor_of
from scalecurve.runner.local import LocalExecutor
from scalecurve.runner.resources import Resources, resources_of
from scalecurve.study.study import parse_study
from scalecurve.types import Rung


def needs(backend: str, size: int = 0, has_gpus: bool = True, **options: object) -> Resources:
    rung = Rung("m", backend, "x", params_total=size or None, options=options)
    return resources_of(rung, node_cpus=16, has_gpus=has_gpus)


def test_needs_follow_backend_and_size() -> None:
    assert needs("transformers", 10**6) == Resources(1, 0)
    assert needs("transformers", 10**9) == Resources(1, 1)
    assert needs("transformers", 10**9, has_gpus=False) == Resources(16, 0)
    assert needs("transformers") == Resources(1, 1), "unknown size: not taken for small"
    assert needs("endpoint", 10**11) == Resources(1, 0)
    assert needs("vllm", 10**10) == Resources(1, 1)
    assert needs("vllm", 10**10, engine={"tensor_parallel_size": 4}) == Resources(1, 4)


def test_resources_of_the_family_file_win() -> None:
    assert needs("transformers", 10**9, resources={"gpus": 0.5, "cpus": 3}) == Resources(3, 0.5)
    assert needs("vllm", resources={"cpus": 8}, engine={"tensor_parallel_size": 2}) == Resources(8, 2)


@pytest.mark.parametrize("wrong", [3, {"gpu": 1}, {"gpus": -1}, {"gpus": 1.5}, {"gpus": True}, {"cpus": float("inf")}])
def test_wrong_resources_are_named(wrong: object) -> None:
    with pytest.raises(UserError, match="m: options: resources"):
        needs("vllm", resources=wrong)


def test_an_engine_that_is_no_table_is_named() -> None:
    with pytest.raises(UserError, match="m: options: engine must be a table, not 4"):
        needs("vllm", engine=4)


def test_resources_change_no_answer() -> None:
    plain = open_model(Rung("m", "mock", "x"))
    assert open_model(Rung("m", "mock", "x", options={"resources": {"gpus": 1}})).fingerprint == plain.fingerprint


@pytest.mark.parametrize("on", ["rey", "ray://", "slurm://here", "k8s://x"])
def test_an_unknown_place_is_refused_before_anything_is_written(on: str, tmp_path: Path) -> None:
    models = [{"name": "m", "backend": "mock", "location": "x"}]
    study = parse_study({"name": "s", "models": models, "tasks": ["lab:rebus:title"]})
    with pytest.raises(UserError, match=r"--on: unknown .* use ray, ray://HOST:PORT or slurm"):
        run_study(study, tmp_path / "run", on=on)
    assert not (tmp_path / "run").exists()


def test_options_of_slurm_are_refused_elsewhere() -> None:
    with pytest.raises(UserError, match="--jobs and --sbatch are for --on slurm"):
        executor_of("ray", jobs=3)
    assert executor_of("", workers=3) == LocalExecutor(3)
