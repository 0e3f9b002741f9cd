"""The wheel as it is published: what it holds, and that it works with what it requires and nothing else.

It is built with ``python -m build`` and installed into environments of their own. So that this is quick and needs no
network, the packages it requires are lent from the environment of the tests: those that its metadata names, what
these require in turn, and no other. What the metadata forgets is missing there.
"""

import csv
import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from email.parser import Parser
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
HARNESS = ROOT / "tests" / "fixtures" / "harness" / "lm_eval"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The source distribution, and the wheel that is built from it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (source,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return source, wheel


class Environment:
    """A virtual environment with the wheel, and the packages of ``extras`` lent to it."""

    def __init__(self, folder: Path, wheel: Path, extras: frozenset[str]) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
        self.folder, self.bin = folder, folder / "venv" / "bin"
        lent = folder / "lent"
        lent.mkdir()
        for name in closure(requirements(wheel), extras):
            lend(metadata.distribution(name), lent)
        (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
        (site / "lent.pth").write_text(f"{lent}\n")
        pip = [sys.executable, "-m", "pip", "--python", self.bin / "python", "--quiet", "install"]
        subprocess.run([*pip, "--no-deps", "--no-index", "--no-compile", wheel], check=True, capture_output=True)

    def call(self, *command: object, code: int = 0, env: Mapping[str, str] | None = None) -> str:
        """What a program of the environment prints, called in its folder and without the variables of the tests."""
        own = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "LC_ALL": "C.UTF-8", **(env or {})}
        words = [self.bin / str(command[0]), *map(str, command[1:])]
        done = subprocess.run(words, capture_output=True, text=True, cwd=self.folder, env=own)
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout if code == 0 else done.stderr


def requirements(wheel: Path) -> list[Requirement]:
    with zipfile.ZipFile(wheel) as opened:
        (name,) = (name for name in opened.namelist() if name.endswith(".dist-info/METADATA"))
        head = Parser().parsestr(opened.read(name).decode())
    return [Requirement(text) for text in head.get_all("Requires-Dist", [])]


def closure(wanted: Iterable[Requirement], extras: frozenset[str]) -> set[str]:
    """The names of the distributions that ``wanted`` with ``extras`` asks for, and all that they ask for."""
    found: set[str] = set()
    waiting = [(requirement, extras) for requirement in wanted]
    while waiting:
        requirement, asked = waiting.pop()
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in (asked or {""})):
            continue
        name = canonicalize_name(requirement.name)
        if name not in found or requirement.extras:
            found.add(name)
            own = metadata.requires(name) or []
            waiting += [(Requirement(text), frozenset(requirement.extras)) for text in own]
    return found


def lend(distribution: metadata.Distribution, folder: Path) -> None:
    """Links to the packages and modules of an installed distribution."""
    for top in {file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}:
        link = folder / top
        if not link.exists():
            link.symlink_to(Path(str(distribution.locate_file(top))))


@pytest.fixture(scope="module")
def bare(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("bare"), built[1], frozenset())


def test_the_wheel_holds_the_package_and_nothing_else(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[1]) as wheel:
        held = {name: wheel.getinfo(name).file_size for name in wheel.namelist()}
    source = {
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src" / "scalecurve").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    own = {name for name in held if name.startswith("scalecurve/")}
    assert own == source
    assert {name.split("/")[0] for name in held} == {"scalecurve", "scalecurve-0.1.0.dist-info"}
    assert {
        "scalecurve/py.typed",
        "scalecurve/lab/study.toml",
        "scalecurve/lab/weights/ladder.toml",
        "scalecurve/lab/weights/lab-3m/model.safetensors",
        "scalecurve/lab/tasks/addition/task.json",
        "scalecurve/models/families/pythia.toml",
    } <= own
    assert any(name.startswith("scalecurve/report/") and name.endswith(".html") for name in own)
    assert "scalecurve-0.1.0.dist-info/licenses/LICENSE" in held
    assert built[1].stat().st_size < 30 * 2**20, "the laboratory may take 40 MB, unpacked"


def test_the_source_distribution_has_what_the_tests_need(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[0]) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "README.md", "constraints.txt", "tests/conftest.py", "studies/quick.toml",
            "docs/study.schema.json", "src/scalecurve/py.typed"} <= held  # fmt: skip
    assert not [name for name in held if name.endswith(".pyc") or name.startswith((".git/", "runs/"))]
    assert built[0].stat().st_size < 32 * 2**20, "the laboratory may take 40 MB, unpacked"


def test_a_bare_installation_is_well_and_has_no_torch(bare: Environment) -> None:
    assert "Commands:" in bare.call("scalecurve", "--help")
    assert bare.call("scalecurve", "--version") == f"scalecurve {metadata.version('scalecurve')}\n"
    found = json.loads(bare.call("scalecurve", "doctor", "--no-speed", "--json"))
    assert (found["ok"], found["torch"]) == (True, "")
    assert all(package["version"] for package in found["packages"])
    (models,) = (extra for extra in found["extras"] if extra["name"] == "models")
    assert not any(package["version"] for package in models["packages"])
    bare.call("python", "-c", "import torch", code=1)
    said = bare.call("scalecurve", "run", "--model", "lab", "--task", "lab:addition", "--limit", 1, "--quiet", code=2)
    assert "pip install 'scalecurve[models]'" in said
    assert said.count("\n") == 1


def test_results_of_a_harness_are_imported_judged_reported_and_queried_without_torch(bare: Environment) -> None:
    bare.call("scalecurve", "import", "auto", HARNESS, "--into", "run")
    curves = json.loads(bare.call("scalecurve", "curves", "run", "--json"))
    assert {rung for curve in curves for rung in curve["rungs"]} == {"lab-3k", "lab-1m"}
    assert json.loads(bare.call("scalecurve", "verdicts", "run", "--json"))
    page = Path(bare.call("scalecurve", "report", "run").strip())
    assert (bare.folder / page).read_text().lstrip().lower().startswith("<!doctype html>")
    count = "SELECT count(*) AS n FROM curves WHERE preferred"
    points = json.loads(bare.call("scalecurve", "query", count, "--run", "run", "--json"))
    assert points == [{"n": sum(len(curve["y"]) for curve in curves)}]
    bare.call("scalecurve", "rescore", "run")


def test_a_table_of_scores_is_forecast_and_drawn_without_torch(bare: Environment) -> None:
    sizes = ("70m", "160m", "410m", "1b", "1.4b", "2.8b", "6.9b")
    with (bare.folder / "scores.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("model", "task", "metric", "score", "n"))
        rows.writerows((f"EleutherAI/pythia-{size}", "t", "acc", 0.2 + 0.1 * at, 500) for at, size in enumerate(sizes))
    bare.call("scalecurve", "import", "table", "scores.csv", "--into", "table")
    (first, *_) = json.loads(bare.call("scalecurve", "forecast", "table", "--to", "70B", "--json"))
    assert first["task"].endswith("t")
    assert "MAE" in bare.call("scalecurve", "backtest", "table")
    drawn = bare.call("scalecurve", "plot", "table", "t", "--out", "t.svg").strip()
    assert "<svg" in (bare.folder / drawn).read_text()


def test_the_public_names_are_there_and_typed(bare: Environment) -> None:
    code = "import scalecurve\nfor name in scalecurve.__all__: getattr(scalecurve, name)\nprint(scalecurve.__file__)"
    assert str(bare.folder) in bare.call("python", "-c", code)


def test_with_models_the_embedded_study_runs(built: tuple[Path, Path], tmp_path: Path) -> None:
    full = Environment(tmp_path, built[1], frozenset({"models"}))
    found = json.loads(full.call("scalecurve", "study", "--limit", 1, "--quiet", "--json"))
    assert found["complete"]
    assert found["failed_cells"] == []
    assert (tmp_path / found["report"]).is_file()
