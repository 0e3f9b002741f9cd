"""A run kept a second time under a URL: the same files there, and another directory goes on from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from scalecurve.errors import UserError
from scalecurve.pipeline import run_study
from scalecurve.runner.model_run import Silent
from scalecurve.store import RunDirectory
from scalecurve.store.mirror import Mirror, mirrored
from scalecurve.study.study import Study, parse_study


@pytest.fixture(params=["memory", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield "memory://bucket/run" if request.param == "memory" else f"file://{tmp_path}/copy/run"
    if request.param == "memory":
        fsspec.filesystem("memory").store.clear()


def study() -> Study:
    models = [{"name": name, "backend": "mock", "location": name} for name in ("small", "large")]
    return parse_study({"name": "copy", "models": models, "tasks": ["lab:rebus:title"], "limit": 12, "part_size": 4})


def here(run: RunDirectory) -> dict[str, bytes]:
    paths = [path for path in run.path.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(run.path)): path.read_bytes() for path in paths}


def there(url: str) -> dict[str, bytes]:
    files, root = fsspec.core.url_to_fs(url)
    return {name[len(root) :].lstrip("/"): files.cat_file(name) for name in files.find(root)}


def test_the_copy_is_the_run_and_another_directory_goes_on_from_it(url: str, tmp_path: Path) -> None:
    run, _ = run_study(study(), tmp_path / "one", mirror=url)
    assert there(url) == here(run)
    other, outcome = run_study(study(), tmp_path / "two", mirror=url)
    assert outcome.computed == 0, "finished parts are fetched, not computed"
    assert {name: data for name, data in here(other).items() if name.endswith(".parquet")} == {
        name: data for name, data in here(run).items() if name.endswith(".parquet")
    }


def test_what_is_missing_in_the_copy_is_computed_and_sent(url: str, tmp_path: Path) -> None:
    run_study(study(), tmp_path / "one", mirror=url)
    files, root = fsspec.core.url_to_fs(url)
    lost = [name for name in files.find(root) if "large" in name and "part-00001" in name]
    assert len(lost) == 1
    files.rm_file(lost[0])
    run, outcome = run_study(study(), tmp_path / "two", mirror=url)
    assert outcome.computed == 4
    assert there(url) == here(run)


def test_a_replaced_part_is_replaced_there(url: str, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    folder = run.outputs / "cell"
    folder.mkdir(parents=True)
    (folder / "part-00000-aaaaaaaaaaaaaaaa.parquet").write_bytes(b"old")
    mirror = Mirror(run, url)
    mirror.send()
    (folder / "part-00000-aaaaaaaaaaaaaaaa.parquet").unlink()
    (folder / "part-00000-bbbbbbbbbbbbbbbb.parquet").write_bytes(b"new")
    mirror.send()
    assert there(url) == {"outputs/cell/part-00000-bbbbbbbbbbbbbbbb.parquet": b"new"}


def test_a_storage_that_fails_in_between_is_noted_once_and_caught_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"file://{tmp_path}/copy"
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    notes: list[str] = []
    real, failures = Mirror._put, [0]

    def broken(self: Mirror, name: str, data: bytes) -> None:
        failures[0] += 1
        if failures[0] <= 3:
            raise OSError("storage is away")
        real(self, name, data)

    monkeypatch.setattr(Mirror, "_put", broken)
    with mirrored(run, url, notes.append, seconds=0.01):
        run.study.write_text("name = 1")
        while failures[0] < 4:
            pass
    assert len(notes) == 1
    assert "storage is away" in notes[0]
    assert there(url) == {"study.toml": b"name = 1"}


def test_a_storage_that_cannot_be_reached_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--mirror nosuch://x"):
        run_study(study(), tmp_path / "run", mirror="nosuch://x", watcher=Silent())


def test_only_files_of_a_run_are_fetched(url: str, tmp_path: Path) -> None:
    files, root = fsspec.core.url_to_fs(url)
    files.makedirs(f"{root}/outputs", exist_ok=True)
    files.pipe_file(f"{root}/outputs/evil.sh", b"no")
    files.pipe_file(f"{root}/other.txt", b"no")
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    Mirror(run, url).fetch()
    assert list(run.path.rglob("*")) == []
