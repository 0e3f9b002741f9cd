"""Training: resumes to the same weights, writes what the family files need, and says what is wrong."""

import json
import shutil
import tomllib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")  # before what imports it, hence the E402 below

from tokenizers import Tokenizer  # noqa: E402

from scalecurve.errors import UserError  # noqa: E402
from scalecurve.lab import data, recipe, train  # noqa: E402
from scalecurve.lab.model import build_model, loss_module  # noqa: E402

TINY = replace(recipe.RUNGS[0], name="tiny")
WEIGHTS = Path(train.__file__).parent / "weights"


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A work folder with the shipped tokenizer, and a recipe of one tiny rung on tiny steps."""
    folder = tmp_path / "work"
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(WEIGHTS / "lab-3k" / name, folder / name)
    monkeypatch.setattr(recipe, "RUNGS", (TINY,))
    monkeypatch.setattr(recipe, "REPEATS", ())
    monkeypatch.setattr(recipe, "CURRICULUM_TOKENS", 4 * recipe.CONTEXT)
    monkeypatch.setattr(recipe, "ROWS_PER_STEP", 4)
    monkeypatch.setattr(recipe, "VALIDATION_ROWS", 4)
    return folder


def run(out: Path, work: Path) -> None:
    train.train(out, work, steps=6, device="cpu", threads=1, compiled=False, report=lambda line: None)


@pytest.mark.slow
def test_a_killed_training_ends_with_the_same_weights(tmp_path: Path, work: Path, monkeypatch: Any) -> None:
    run(tmp_path / "whole", work)
    monkeypatch.setattr(train, "SAVE_EVERY_SECONDS", -1)
    keep = train._keep

    def keep_and_die(path: Path, model: Any, optimizers: Any, step: int, *rest: Any) -> None:
        keep(path, model, optimizers, step, *rest)
        if step == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(train, "_keep", keep_and_die)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", work)
    assert not (tmp_path / "broken" / "tiny").exists()
    monkeypatch.setattr(train, "_keep", keep)
    run(tmp_path / "broken", work)
    whole, broken = (tmp_path / kind / "tiny" / "model.safetensors" for kind in ("whole", "broken"))
    assert whole.read_bytes() == broken.read_bytes()


@pytest.mark.slow
def test_a_trained_rung_has_a_card_a_family_file_and_learns(tmp_path: Path, work: Path) -> None:
    run(tmp_path / "out", work)
    card = json.loads((tmp_path / "out" / "tiny" / "card.json").read_text())
    assert card["training_tokens"] == 6 * 4 * recipe.CONTEXT
    assert card["training_flops"] == 6 * card["params_non_embedding"] * card["training_tokens"]
    assert card["validation_loss"] < card["loss_every_50_steps"][0]
    (rung,) = tomllib.loads((tmp_path / "out" / "ladder.toml").read_text())["rung"]
    assert (rung["name"], rung["loss"]) == ("tiny", card["validation_loss"])
    lines: list[str] = []
    train.train(tmp_path / "out", work, steps=6, device="cpu", compiled=False, report=lines.append)
    assert "tiny: already trained" in lines


@pytest.mark.slow
def test_a_further_seed_is_another_model_and_a_ladder_of_its_own(
    tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, "REPEATS", (replace(TINY, name="tiny-seed1", seed=1),))
    monkeypatch.setattr(recipe, "REPEATED_RUNGS", ("tiny",))
    out = tmp_path / "out"
    run(out, work)
    first, again = (tomllib.loads((out / f"{name}.toml").read_text()) for name in ("ladder", "ladder-seed1"))
    assert (again["family"], [rung["name"] for rung in again["rung"]]) == ("lab-seed1", ["tiny-seed1"])
    assert first["rung"][0]["loss"] != again["rung"][0]["loss"]
    assert not (out / "ladder-seed2.toml").exists()


def test_loss_weights_tell_questions_from_answers_and_statements(work: Path) -> None:
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    page = "\nQ: What is 3+4?\nA: 7\n\nQ: What is 12+5?\nA: Let's think. So the answer is 17.\n"
    statement = "Q is a letter.\nA: too.\n"
    ids = np.array([[*tokenizer.encode(page).ids, *tokenizer.encode(statement).ids]], dtype=np.uint16)
    weights = data.loss_weights(tokenizer, ids, 0.25)
    counted = [int(token) for token, weight in zip(ids[0], weights[0], strict=True) if weight == 1]
    assert set(weights.ravel().tolist()) == {0.25, 1.0}
    assert tokenizer.decode(counted) == f" 7\n Let's think. So the answer is 17.\n{statement}"
    numbers = data.document_numbers(tokenizer, ids)[0].tolist()
    assert numbers == [1] * len(tokenizer.encode(page).ids) + [2] * len(tokenizer.encode(statement).ids)


def test_the_loss_of_a_document_does_not_depend_on_what_stands_before_it_in_its_row(work: Path) -> None:
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    net = build_model(TINY, tokenizer).eval()
    text, others = tokenizer.encode("Say red Ann.\nAgain red Ann.\n").ids, ("Say ka.\nAgain ka.\n", "A word.\n" * 3)
    nats = []
    for other in others:
        before = tokenizer.encode(other).ids
        row = np.array([[*before, *text]], dtype=np.uint16)
        counts = torch.tensor([[0.0] * (len(before) + 1) + [1.0] * (len(text) - 1)])
        documents = torch.from_numpy(data.document_numbers(tokenizer, row))
        total, _ = loss_module(net)(torch.from_numpy(row.astype(np.int64)), documents, counts)
        own = net(input_ids=torch.tensor([text]), labels=torch.tensor([text])).loss
        nats.append((total.item() / (len(text) - 1), own.item()))
    for packed, alone in nats:
        assert packed == pytest.approx(alone, abs=1e-5)


def test_every_seed_reads_the_lists_first_and_every_row_once() -> None:
    lists = recipe.curriculum_rows(5_000)
    assert lists == -(-recipe.CURRICULUM_TOKENS // recipe.CONTEXT)
    assert recipe.curriculum_rows(1_000_000) == 40_000
    orders = [data.row_order(5_000, seed).tolist() for seed in (0, 1, 2)]
    assert orders[0] == list(range(5_000))
    assert orders[1] != orders[2]
    for order in orders[1:]:
        assert order[:lists] == list(range(lists))
        assert sorted(order) == orders[0]


@pytest.mark.slow
def test_any_rung_can_be_trained_with_any_seed(tmp_path: Path, work: Path) -> None:
    both = ("tiny", "tiny-seed7")
    train.train(tmp_path, work, both, steps=2, device="cpu", threads=1, compiled=False, report=lambda line: None)
    cards = [json.loads((tmp_path / name / "card.json").read_text()) for name in both]
    assert cards[1]["name"] == "tiny-seed7"
    assert cards[0]["validation_loss"] != cards[1]["validation_loss"]


@pytest.mark.parametrize("name", ["lab-9b", "lab-3k-seed", "lab-3k-seed0", "lab-3k-seed1-seed2", "lab-3k-step4"])
def test_an_unknown_rung_is_named_with_the_known_ones(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"{name}'.*lab-3k, .*lab-3k-seed1"):
        train.train(tmp_path, tmp_path, rungs=(name,))


def test_the_shipped_cards_tell_one_recipe_of_growing_models() -> None:
    cards = [json.loads((WEIGHTS / rung.name / "card.json").read_text()) for rung in recipe.RUNGS]
    sizes = [card["params_non_embedding"] for card in cards]
    assert all(2.9 <= larger / smaller <= 4 for smaller, larger in pairwise(sizes))
    assert sizes[-1] >= 3_000_000
    assert len({card["training_tokens"] for card in cards}) == 1
    losses = [card["validation_loss"] for card in cards]
    assert losses == sorted(losses, reverse=True)


def test_shipped_weights_stay_under_forty_megabytes_and_hold_no_pickle() -> None:
    files = [path for path in WEIGHTS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 40e6
    assert {path.suffix for path in files} == {".safetensors", ".json", ".toml"}
