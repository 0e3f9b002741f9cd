"""The checkup: what it sees of a machine, and what it finds to mend."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import Call
from packaging.requirements import Requirement

from scalecurve.doctor import Finding, checkup
from scalecurve.doctor.checkup import findings
from scalecurve.doctor.machine import (
    Gpu,
    Machine,
    available_memory,
    cpu_model,
    gpus,
    look,
    place,
    usable_cores,
    usable_memory,
)
from scalecurve.doctor.packages import EXTRAS, Extra, Package, broken, extras, required
from scalecurve.doctor.speed import OVERHEAD, SHARE, measure, paces

GOOD = Package("numpy", "2.0", ">=1.26")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with nothing to mend, whatever the one is like that the test runs on."""
    here = look({"runs": tmp_path, "cache": tmp_path})
    places = tuple(replace(each, free=10**12) for each in here.places)
    return replace(here, cores=2.0, gpus=(), threads={"OMP_NUM_THREADS": "2"}, places=places, clock_behind=0.0)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


# ── The machine ──────────────────────────────────────────────────────────────────────────────────────────────
def test_quota_and_limit_of_a_control_group_bind_also_from_above(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/a/b\n",
            "proc/meminfo": "MemTotal: 1000 kB\nMemAvailable: 400 kB\n",
            "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
            "sys/fs/cgroup/a/cpu.max": "50000 100000\n",
            "sys/fs/cgroup/a/b/memory.max": "max\n",
            "sys/fs/cgroup/a/memory.max": "300000\n",
        },
    )
    assert usable_cores(root) == 0.5
    assert usable_memory(root) == 300_000
    assert available_memory(root) == 409_600


def test_the_first_version_of_control_groups_is_read_too(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/m\n1:cpu,cpuacct:/c\n0::/\n",
            "sys/fs/cgroup/cpu/c/cpu.cfs_quota_us": "25000\n",
            "sys/fs/cgroup/cpu/c/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "5000\n",
        },
    )
    assert (usable_cores(root), usable_memory(root)) == (0.25, 5000)


def test_without_a_limit_all_is_usable(tmp_path: Path) -> None:
    root = write(tmp_path, {"sys/fs/cgroup/cpu.max": "max 100000\n", "proc/self/cgroup": "0::/\n"})
    assert usable_cores(root) == usable_cores(tmp_path / "nothing")
    assert usable_memory(root) == usable_memory(tmp_path / "nothing")
    assert available_memory(root) is None
    assert cpu_model(root)


def test_the_model_of_the_processor(tmp_path: Path) -> None:
    root = write(tmp_path, {"proc/cpuinfo": "processor : 0\nmodel name : Some   CPU @ 3 GHz\n"})
    assert cpu_model(root) == "Some CPU @ 3 GHz"


def test_cards_are_listed_as_the_driver_lists_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus() == ()
    tool.write_text("#!/bin/sh\necho 'NVIDIA H100 80GB HBM3, 81559'\necho 'Odd, One, [N/A]'\n")
    tool.chmod(0o755)
    assert gpus() == (Gpu("NVIDIA H100 80GB HBM3", 81559 * 2**20, "cuda"), Gpu("Odd, One", None, "cuda"))
    tool.write_text("#!/bin/sh\necho 'no devices were found'\nexit 6\n")
    assert gpus() == ()


def test_a_place_still_to_be_made_is_judged_by_where_it_will_be(tmp_path: Path) -> None:
    found = place("runs", tmp_path / "a" / "b")
    assert found.writable
    assert found.free
    (tmp_path / "file").write_text("")
    assert not place("cache", tmp_path / "file" / "cache").writable
    assert not (tmp_path / "a").exists(), "looking makes nothing"
    assert place("cache", tmp_path / ("x" * 300) / "cache").free, "the system refuses to look for such a name"


# ── Packages ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_required_packages_are_those_of_the_project_and_extras_are_known() -> None:
    from importlib.metadata import requires

    wanted = [Requirement(text) for text in requires("scalecurve") or ()]
    assert {one.name for one in required()} == {one.name for one in wanted if one.marker is None}
    assert not any(one.lacking or one.old for one in required())
    assert {extra.name for extra in extras()} <= set(EXTRAS)
    (models,) = (extra for extra in extras() if extra.name == "models")
    assert "torch" in {one.name for one in models.packages}


def test_every_extra_of_the_project_has_a_purpose() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert set(project["optional-dependencies"]) == set(EXTRAS)


def test_a_package_that_cannot_be_imported_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "raises.py").write_text("raise ImportError('no library libfoo.so')")
    (tmp_path / "dies.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    (tmp_path / "works.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    packages = [Package(name, "1", "") for name in ("works", "raises", "dies")]
    assert broken(packages) == {
        "raises": "ImportError: no library libfoo.so",
        "dies": "ends the process with signal 4",
    }
    assert broken([*packages[:1], Package("absent", "", "")]) == {}


def test_versions_are_compared_as_versions() -> None:
    assert not Package("x", "2.13.0+cpu", ">=2.6").old
    assert Package("x", "2.5", ">=2.6").old
    assert not Package("x", "", ">=2.6").old


# ── Findings ─────────────────────────────────────────────────────────────────────────────────────────────────
def whats(found: tuple[Finding, ...]) -> str:
    return "\n".join(f"{'!' if one.required else '-'} {one.what} → {one.fix}" for one in found)


def test_nothing_to_mend(machine: Machine, tmp_path: Path) -> None:
    assert findings((GOOD,), (), machine, tmp_path) == ()


def test_missing_and_old_packages_come_with_the_command(machine: Machine) -> None:
    packages = (GOOD, Package("polars", "", ">=1.20"), Package("duckdb", "1.0", ">=2"))
    others = (
        Extra("models", "m", (Package("torch", "2.0", ">=2.6"), GOOD)),
        Extra("serve", "s", (Package("fastapi", "", ">=0.115"),)),
        Extra("ray", "r", (Package("ray", "", ">=2.40"),)),
        Extra("wandb", "w", (GOOD,)),
    )
    found = findings(packages, others, machine, None)
    pip = f"{sys.executable} -m pip install"
    assert whats(found).split("\n") == [
        f"! polars is not installed → {pip} 'polars>=1.20'",
        f"! duckdb 1.0 is not >=2 → {pip} 'duckdb>=2'",
        f"- extra models lacks torch>=2.6 (is 2.0) → {pip} 'scalecurve[models]'",
        f"- extras not installed: serve, ray; install those you want → {pip} 'scalecurve[serve,ray]'",
        "- BIG-bench is not installed → scalecurve tasks install bigbench",
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"threads": {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "1"}}, "- settings of threads differ"),
        ({"threads": {"OMP_NUM_THREADS": "3"}}, "- more threads than the 2 usable cores: OMP_NUM_THREADS=3"),
        ({"threads": {"POLARS_MAX_THREADS": "two"}}, "- POLARS_MAX_THREADS=two is no number"),
        ({"threads": {}, "cores": 0.5}, "→ export OMP_NUM_THREADS=1"),
        ({"clock_behind": 3 * 86_400.0}, "- the clock is 3 days behind"),
    ],
)
def test_settings_and_clock(machine: Machine, tmp_path: Path, change: dict[str, object], said: str) -> None:
    (found,) = findings((GOOD,), (), replace(machine, **change), tmp_path)
    assert said in whats((found,))


def test_full_and_closed_places(machine: Machine, tmp_path: Path) -> None:
    runs, cache = machine.places
    changed = replace(machine, places=(replace(runs, free=10**9), replace(cache, writable=False)))
    required_first = findings((GOOD,), (), changed, tmp_path)
    assert whats(required_first).startswith(
        f"! cache: {tmp_path} cannot be written → make it writable, or set SCALECURVE_CACHE"
    )
    assert "runs: 1.0 GB are free" in required_first[1].what


def test_a_card_that_torch_cannot_use(machine: Machine, tmp_path: Path) -> None:
    changed = replace(machine, gpus=(Gpu("Some GPU", 10**9, "mps"),))
    assert findings((GOOD,), (), changed, tmp_path) == ()


# ── Speed ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_paces_follow_from_the_rates() -> None:
    found = {pace.model: pace for pace in paces(1e11, 4e11)}
    assert {"lab-3k", "lab-3m", "SmolLM2-135M"} <= set(found)
    assert max(pace.parameters for pace in found.values()) < 2e8
    small, large = found["lab-332k"], found["SmolLM2-135M"]
    assert small.tokens_per_second == pytest.approx(1e11 / (2 * small.parameters / SHARE + OVERHEAD))
    assert large.tokens_per_second == pytest.approx(4e11 / (2 * large.parameters / SHARE + OVERHEAD))
    assert large.seconds == pytest.approx(1e5 / large.tokens_per_second)


def test_the_rate_is_measured() -> None:
    speed = measure()
    assert speed.one_thread is not None
    assert speed.one_thread > 1e8, "a machine slower than this would not run the tests"
    assert speed.paces


# ── The command ──────────────────────────────────────────────────────────────────────────────────────────────
def test_the_command_tells_all_and_ends_with_one_where_something_required_is_wrong(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALECURVE_BIGBENCH", str(tmp_path / "bigbench"))
    monkeypatch.setenv("SCALECURVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    said = call("doctor", "--no-speed")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("scalecurve 0.")
    assert "extra" in said.out
    assert said.out.endswith("all that is required is well\n")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SCALECURVE_CACHE", str(tmp_path / "file"))
    said = call("doctor", "--no-speed", "--json")
    found = json.loads(said.out)
    assert (said.code, found["ok"], found["speed"]) == (1, False, None)
    assert found["findings"][0]["required"] is True
    assert "SCALECURVE_CACHE" in found["findings"][0]["fix"]
    assert found["machine"]["cores"] > 0


def test_a_checkup_loads_no_torch() -> None:
    import subprocess

    code = "import sys; from scalecurve.doctor import checkup; checkup(speed=False); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert checkup(speed=False).version
