"""A model's identity: a hash of its files, remembered by size and times so that it is read once."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

FILES = (
    "*.safetensors", "config.json", "generation_config.json", "tokenizer*", "vocab*", "merges*", "special_tokens*",
    "*.model", "added_*",
)  # fmt: skip


def cache_folder() -> Path:
    """Where scalecurve keeps what it can make again: ``$SCALECURVE_CACHE``, else the user's cache folder."""
    given = os.environ.get("SCALECURVE_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(given).expanduser() if given else Path(base).expanduser() / "scalecurve"


def model_files(folder: Path) -> list[Path]:
    """The files of a directory in transformers format that determine what the model says."""
    return sorted({path for pattern in FILES for path in folder.glob(pattern) if path.is_file()})


def fingerprint(paths: Iterable[Path], said: Mapping[str, object]) -> str:
    """SHA-256 over the contents of the files, their names, and ``said`` (dtype and options)."""
    hashed = [(path.name, file_hash(path)) for path in paths]
    return hashlib.sha256(json.dumps([hashed, dict(said)], sort_keys=True, default=str).encode()).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file, from memory when its path, size and times of change are the same as before.

    Of contents and of the entry, so that a copy that brings its old time along is read again."""
    real = path.resolve()
    stat = real.stat()
    key = f"{real}|{stat.st_size}|{stat.st_mtime_ns}|{stat.st_ctime_ns}"
    known = _remembered()
    if key not in known:
        with real.open("rb") as file:
            known[key] = hashlib.file_digest(file, "sha256").hexdigest()
        if stat.st_size > 1 << 20:  # small files are hashed faster than they are looked up
            _remember(key, known[key])
    return known[key]


def _memory() -> Path:
    return cache_folder() / "fingerprints.json"


def _remembered() -> dict[str, str]:
    try:
        known = json.loads(_memory().read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _remember(key: str, value: str) -> None:
    known = _remembered() | {key: value}
    try:
        _memory().parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=_memory().parent)
        with os.fdopen(handle, "w") as out:
            json.dump(dict(list(known.items())[-2000:]), out)
        os.replace(temporary, _memory())
    except OSError:  # a read-only home costs a second reading, nothing else
        return
