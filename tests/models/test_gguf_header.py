"""GGUF files that claim what cannot be are refused in one line, before anything is set up by what they say."""

from __future__ import annotations

import resource
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("gguf")

from scalecurve.errors import UserError
from scalecurve.models import open_model
from scalecurve.models.gguf_header import check_gguf
from scalecurve.models.local import open_tokens
from scalecurve.types import Rung

from .test_odd_checkpoints import llama, write_gguf


def key(name: str) -> bytes:
    return struct.pack("<Q", len(name)) + name.encode()


def number_at(name: str, value: int, code: str = "I") -> Callable[[bytes], bytes]:
    """The file with the number of a key replaced."""

    def change(data: bytes) -> bytes:
        at = data.index(key(name)) + len(key(name)) + 4
        return data[:at] + struct.pack("<" + code, value) + data[at + struct.calcsize("<" + code) :]

    return change


def without(name: str) -> Callable[[bytes], bytes]:
    """The file with a key named otherwise."""
    return lambda data: data.replace(key(name), key(name[:-1] + "X"))


def counts(tensors: int | None = None, keys: int | None = None) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        own = struct.unpack("<QQ", data[8:24])
        new = (own[0] if tensors is None else tensors, own[1] if keys is None else keys)
        return data[:8] + struct.pack("<QQ", *new) + data[24:]

    return change


def array_of(name: str, count: int, kind: int | None = None) -> Callable[[bytes], bytes]:
    """The file with the length, or the type of the entries, of an array replaced."""

    def change(data: bytes) -> bytes:
        at = data.index(key(name)) + len(key(name)) + 4
        own = struct.unpack("<I", data[at : at + 4])[0] if kind is None else kind
        return data[:at] + struct.pack("<IQ", own, count) + data[at + 12 :]

    return change


def shape_of(name: str, *sides: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        at = data.index(key(name)) + len(key(name)) + 4
        return data[:at] + struct.pack(f"<{len(sides)}Q", *sides) + data[at + 8 * len(sides) :]

    return change


def typed(name: str, kind: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        at = data.index(key(name)) + len(key(name))
        return data[:at] + struct.pack("<I", kind) + data[at + 4 :]

    return change


HOSTILE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda data: b"", "it is empty"),
    "three letters": (lambda data: b"GGU", "does not begin with GGUF"),
    "junk": (lambda data: b"not a gguf" * 100, "does not begin with GGUF"),
    "the first version": (lambda data: data[:4] + struct.pack("<I", 1) + data[8:], "version 1; versions 2 and 3"),
    "big-endian": (lambda data: data[:4] + struct.pack(">I", 3) + data[8:], "little-endian"),
    "cut in its header": (lambda data: data[:700], "cannot be loaded"),
    "countless keys": (counts(keys=1 << 60), f"{1 << 60} keys"),
    "countless tensors": (counts(tensors=1 << 60), f"{1 << 60} tensors"),
    "a name without end": (lambda data: data[:24] + struct.pack("<Q", 1 << 62) + data[32:], "letters in a name"),
    "countless words": (array_of("tokenizer.ggml.tokens", 1 << 61), "entries in an array"),
    "countless numbers": (array_of("tokenizer.ggml.token_type", 1 << 61), "entries in an array"),
    "an unknown type": (typed("llama.block_count", 99), "of type 99"),
    "arrays in arrays": (array_of("tokenizer.ggml.tokens", 1, 9), "cannot be loaded"),
    "no architecture": (without("general.architecture"), "general.architecture"),
    "no layers": (without("llama.block_count"), "lacks the key llama.block_count"),
    "no width": (without("llama.embedding_length"), "lacks the key llama.embedding_length"),
    "no words": (without("tokenizer.ggml.tokens"), "lacks the key tokenizer.ggml.tokens"),
    "a million layers": (number_at("llama.block_count", 1_000_000), "block_count is 1000000"),
    "no layer": (number_at("llama.block_count", 0), "block_count is 0"),
    "a width beyond its tensors": (number_at("llama.embedding_length", 1 << 31), "embedding_length is 2147483648"),
    "an inner width": (number_at("llama.feed_forward_length", (1 << 32) - 1), "feed_forward_length is 4294967295"),
    "heads": (number_at("llama.attention.head_count", 1 << 30), "head_count is 1073741824"),
    "no heads": (number_at("llama.attention.head_count", 0), "head_count is 0"),
    "a vocabulary": (number_at("llama.vocab_size", 1 << 31), "vocab_size is 2147483648"),
    "a context": (number_at("llama.context_length", 1 << 31), "context_length is 2147483648"),
    "a tensor of 2^80": (shape_of("token_embd.weight", 1 << 40, 1 << 40), "token_embd.weight has"),
    "a tensor of nothing": (shape_of("token_embd.weight", 64, 0), "token_embd.weight has 64 × 0 weights"),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_gguf(path, llama(hidden_size=64, head_dim=16), "F16")
    return path.read_bytes()


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("opens", [lambda rung: open_model(rung, device="cpu"), open_tokens], ids=["model", "tokens"])
def test_what_a_file_cannot_be_is_told_in_one_line(case: str, opens: Any, data: bytes, tmp_path: Path) -> None:
    change, words = HOSTILE[case]
    (tmp_path / "m.gguf").write_bytes(change(data))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match=r"m: location: .*m\.gguf cannot be loaded: ") as caught:
        opens(Rung("m", "gguf", str(tmp_path / "m.gguf")))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10, "kilobytes"


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.7, 0.999])
def test_a_file_that_is_cut_is_told_in_one_line(
    share: float, data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALECURVE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "m.gguf").write_bytes(data[: int(share * len(data))])
    with pytest.raises(UserError, match=r"m: location: .* cannot be loaded: ") as caught:
        open_model(Rung("m", "gguf", str(tmp_path / "m.gguf")), device="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["bert", "t5", "mamba", "nonesuch"])
def test_another_architectures_name_is_told_in_one_line(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALECURVE_CACHE", str(tmp_path / "cache"))
    write_gguf(tmp_path / "m.gguf", llama(hidden_size=64, head_dim=16), "F16", kind)
    with pytest.raises(UserError, match=r"m: location: .*m\.gguf") as caught:
        open_model(Rung("m", "gguf", str(tmp_path / "m.gguf")), device="cpu")
    assert "\n" not in str(caught.value)


def test_whatever_bytes_are_changed_it_is_a_header_or_an_error_of_one_line(data: bytes, tmp_path: Path) -> None:
    random, path, refused = Random(0), tmp_path / "m.gguf", list[str]()
    end = data.index(key("token_embd.weight"))
    for _ in range(600):
        changed = bytearray(data)
        for _ in range(random.randint(1, 4)):
            changed[random.randrange(end)] = random.choice([0, 1, 9, 10, 127, 255])
        path.write_bytes(changed)
        try:
            check_gguf(Rung("m", "gguf", str(path)), path)
        except UserError as error:
            refused.append(str(error))
    assert len(refused) > 100
    assert not [line for line in refused if "\n" in line or len(line) > 400]
