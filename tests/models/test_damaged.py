"""Local models whose files are damaged are refused with one clear line, whatever the loaders make of them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from scalecurve.errors import UserError
from scalecurve.models import open_model
from scalecurve.types import Rung

SMALLEST = Path(__file__).parents[2] / "src" / "scalecurve" / "lab" / "weights" / "lab-3k"


def cut(share: float) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[: int(share * weights.stat().st_size)])

    return change


def configured(**changes: object) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | changes))

    return change


@pytest.mark.parametrize(
    "damage",
    [
        cut(0),
        cut(0.1),
        cut(0.9),
        configured(hidden_size="many"),
        configured(hidden_size=0, num_attention_heads=0),
        configured(model_type="nobody's"),
        lambda folder: (folder / "config.json").write_text("[]"),
        lambda folder: (folder / "tokenizer.json").write_text("{}"),
    ],
)
def test_damaged_files(damage: Callable[[Path], object], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(SMALLEST, tmp_path / "model"))
    damage(folder)
    with pytest.raises(UserError, match=r"m: location: .* cannot be loaded: ") as caught:
        open_model(Rung("m", "transformers", str(folder)), device="cpu")
    assert "\n" not in str(caught.value)
