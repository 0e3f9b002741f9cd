"""What this machine has: processors and memory that this process may use, graphics cards, disks, threads, the clock."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "POLARS_MAX_THREADS")
"""Variables by which libraries are told how many threads to use."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A graphics card, its memory in bytes, and whether it is reached by CUDA or by Apple's Metal."""

    name: str
    memory: int | None
    by: str


@dataclass(frozen=True, slots=True)
class WritableFolder:
    """A directory scalecurve writes into: free bytes on its disk, and whether it can be written."""

    what: str
    path: Path
    free: int | None
    writable: bool


@dataclass(frozen=True, slots=True)
class Machine:
    """``cores`` that this process may use (affinity, and the quota of its control group) of ``cores_in_all``; bytes of
    memory it may use and bytes still available; ``clock_behind``: seconds by which the clock lies before the time at
    which scalecurve's own files were written."""

    system: str
    cpu: str
    cores: float
    cores_in_all: int
    memory: int | None
    memory_available: int | None
    gpus: tuple[Gpu, ...]
    places: tuple[WritableFolder, ...]
    threads: Mapping[str, str]
    clock_behind: float


def look(places: Mapping[str, Path]) -> Machine:
    """This machine; ``places`` are the directories to look at, by what they are for."""
    return Machine(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=cpu_model(),
        cores=usable_cores(),
        cores_in_all=os.cpu_count() or 1,
        memory=usable_memory(),
        memory_available=available_memory(),
        gpus=gpus(),
        places=tuple(place(what, path) for what, path in places.items()),
        threads={name: os.environ[name] for name in THREADS if name in os.environ},
        clock_behind=max(0.0, _written() - time.time()),
    )


def cpu_model(root: Path = Path("/")) -> str:
    """The processor's name as the system tells it."""
    for line in _lines(root / "proc/cpuinfo"):
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model"):
            return " ".join(value.split())
    return platform.processor() or platform.machine()


def usable_cores(root: Path = Path("/")) -> float:
    """Processors that this process may be run on, or the share of them that its control group grants."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [float(allowed)]
    for folder in _control_groups(root, "cpu"):
        quota, _, period = _first(folder / "cpu.max").partition(" ")
        if not quota:
            quota, period = _first(folder / "cpu.cfs_quota_us"), _first(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period):
            quotas.append(int(quota) / int(period))
    return min(quotas)


def usable_memory(root: Path = Path("/")) -> int | None:
    """Bytes of memory, or the limit of this process's control group where that is less."""
    known = [_meminfo(root, "MemTotal"), _physical()]
    limits = [size for size in known if size is not None][:1]
    for folder in _control_groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            said = _first(folder / name)
            limits += [int(said)] if said.isdigit() else []
    return min(limits, default=None)


def available_memory(root: Path = Path("/")) -> int | None:
    """Bytes that can still be had without swapping."""
    return _meminfo(root, "MemAvailable")


def gpus() -> tuple[Gpu, ...]:
    """Graphics cards, as NVIDIA's driver lists them, or Apple's own."""
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return (Gpu("Apple GPU", None, "mps"),)
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    lines = said.stdout.splitlines() if said.returncode == 0 else []
    cards = [line.rpartition(",") for line in lines if "," in line]
    return tuple(
        Gpu(name.strip(), int(size) * 2**20 if size.strip().isdigit() else None, "cuda") for name, _, size in cards
    )


def place(what: str, path: Path) -> WritableFolder:
    """The directory, or where it is still to be made, the nearest one above it that is there.

    ``os.path.exists``, as a path's own ``exists`` fails in a directory that may not be looked into.
    """
    there = next(folder for folder in (path, *path.absolute().parents) if os.path.exists(folder))
    try:
        free = shutil.disk_usage(there).free
    except OSError:
        free = None
    return WritableFolder(what, path, free, there.is_dir() and os.access(there, os.W_OK | os.X_OK))


def _control_groups(root: Path, controller: str) -> Iterator[Path]:
    """The directories of this process's control group and those above it, of both versions; in a container the top."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and controller not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / (controller if controllers else "")
        own = mount / path.strip().lstrip("/")
        yield from (folder for folder in (own, *own.parents) if folder == mount or mount in folder.parents)


def _meminfo(root: Path, key: str) -> int | None:
    for line in _lines(root / "proc/meminfo"):
        name, _, value = line.partition(":")
        if name == key:
            return int(value.split()[0]) * 1024
    return None


def _physical() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _written() -> float:
    """When the newest file of this package was written."""
    return max(file.stat().st_mtime for file in Path(__file__).parent.iterdir() if file.suffix == ".py")


def _first(path: Path) -> str:
    return next(iter(_lines(path)), "").strip()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []
