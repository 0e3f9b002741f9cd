"""A folder that training writes into: which checkpoints are complete, and the ladder they form."""

import json
import os
import shutil
import struct
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalecurve.errors import UserError
from scalecurve.models import load_ladder
from scalecurve.models.checkpoints import Checkpoint, checkpoint_ladder, list_checkpoints

WEIGHTS = Path(__file__).parents[2] / "src" / "scalecurve" / "lab" / "weights"
SOURCE = WEIGHTS / "lab-332k-step64"


def put(folder: Path, step: int, name: str = "checkpoint-{}") -> Path:
    """A real checkpoint, as old as it is in the package."""
    return Path(shutil.copytree(SOURCE, folder / name.format(step)))


def one(folder: Path) -> Checkpoint:
    (found,) = list_checkpoints(folder)
    return found


def test_steps_in_ascending_order_by_name_or_by_what_training_states(tmp_path: Path) -> None:
    for step in (1000, 20, 300):
        put(tmp_path, step)
    named = put(tmp_path, 0, "latest")
    (named / "trainer_state.json").write_text(json.dumps({"global_step": 40}))
    (tmp_path / "runs" / "events7").mkdir(parents=True)
    (tmp_path / "log20000.txt").write_text("")
    (tmp_path / "empty-5").mkdir()
    assert [(found.folder.name, found.step) for found in list_checkpoints(tmp_path)] == [
        ("checkpoint-20", 20), ("latest", 40), ("checkpoint-300", 300), ("checkpoint-1000", 1000),
    ]  # fmt: skip


def test_the_ladder_of_a_folder(tmp_path: Path) -> None:
    put(tmp_path, 20), put(tmp_path, 3)
    (put(tmp_path, 50) / "model.safetensors").unlink()
    ladder = load_ladder(f"checkpoints:{tmp_path}")
    assert (ladder.family, ladder.axes) == (tmp_path.name, ("step",))
    assert [(rung.name, rung.step) for rung in ladder.rungs] == [("checkpoint-3", 3), ("checkpoint-20", 20)]


def test_epochs_that_training_states_are_an_axis_beside_the_steps(tmp_path: Path) -> None:
    for step, epoch in ((10, 0.5), (20, 1.0), (30, "one")):
        (put(tmp_path, step) / "trainer_state.json").write_text(json.dumps({"global_step": step, "epoch": epoch}))
    ladder = load_ladder(f"checkpoints:{tmp_path}")
    assert [(rung.step, rung.epoch) for rung in ladder.rungs] == [(10, 0.5), (20, 1.0), (30, None)]
    assert all(Path(rung.location).is_absolute() for rung in ladder.rungs)


def test_nothing_complete_and_no_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no complete checkpoint"):
        checkpoint_ladder(tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        list_checkpoints(tmp_path / "gone")
    put(tmp_path, 7), put(tmp_path, 7, "again{}")
    with pytest.raises(UserError, match="checkpoint-7: is of step 7, as again7 is"):
        list_checkpoints(tmp_path)


@settings(max_examples=40, deadline=None)
@given(share=st.floats(0, 0.999))
def test_weights_cut_anywhere_are_not_complete(share: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("training")
    weights = put(folder, 5) / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: int(share * len(whole))])
    found = list_checkpoints(folder, quiet=0)[0]
    assert "model.safetensors has" in found.lacks
    assert not found.broken, "it may still be being written"
    weights.write_bytes(whole)
    assert list_checkpoints(folder, quiet=0)[0].complete


def test_what_is_still_missing_is_said(tmp_path: Path) -> None:
    folder = put(tmp_path, 5)
    for name, lacks in (("tokenizer.json", "tokenizer.json is not complete"), ("config.json", "config.json is not")):
        text = (folder / name).read_text()
        (folder / name).write_text(text[: len(text) // 2])
        assert lacks in one(tmp_path).lacks
        (folder / name).write_text(text)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    assert one(tmp_path).lacks == "its tokenizer is missing"
    (folder / "config.json").unlink()
    assert one(tmp_path).lacks == "config.json is missing"


def test_a_checkpoint_must_have_been_quiet_for_a_while(tmp_path: Path) -> None:
    folder = put(tmp_path, 5)
    assert one(tmp_path).complete
    os.utime(folder / "config.json", (time.time(), time.time()))
    assert one(tmp_path).lacks == "it has just been written"
    before = one(tmp_path).signature
    os.utime(folder / "config.json", (1e9, 1e9))
    assert one(tmp_path).complete
    assert one(tmp_path).signature != before


def test_shards_are_waited_for(tmp_path: Path) -> None:
    folder = put(tmp_path, 5)
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert list_checkpoints(tmp_path, quiet=0)[0].lacks == "model-00002-of-00002.safetensors is missing"
    shutil.copy2(folder / "model-00001-of-00002.safetensors", folder / "model-00002-of-00002.safetensors")
    assert list_checkpoints(tmp_path, quiet=0)[0].complete
    for wrong in ({"weight_map": ["a"]}, {}):
        (folder / "model.safetensors.index.json").write_text(json.dumps(wrong))
        found = list_checkpoints(tmp_path, quiet=0)[0]
        assert (found.broken, found.lacks) == (True, "model.safetensors.index.json has no weight_map")


def test_checkpoints_that_training_deletes_meanwhile_are_no_error(tmp_path: Path) -> None:
    """Training keeps the last few only; one may go between any two looks at its files."""
    tiny = tmp_path / "tiny"
    tiny.mkdir()
    for file in SOURCE.iterdir():
        if file.suffix != ".safetensors":
            shutil.copy2(file, tiny)
    (tiny / "model.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")
    folder, stop = tmp_path / "training", threading.Event()
    folder.mkdir()

    def train() -> None:
        while not stop.is_set():
            made = shutil.copytree(tiny, folder / "checkpoint-5")
            (made / "model.safetensors").unlink()
            shutil.rmtree(made)

    thread = threading.Thread(target=train)
    thread.start()
    try:
        for _ in range(300):
            assert [found.step for found in list_checkpoints(folder)] in ([], [5])
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"this is a pickle, not a safetensors file", "is not a safetensors file"),
        (struct.pack("<Q", 8) + b"not json", "has a damaged header"),
        (struct.pack("<Q", 2) + b"{}" + b"more", "is longer than its header says"),
    ],
)
def test_what_waiting_does_not_mend_is_broken(content: bytes, message: str, tmp_path: Path) -> None:
    (put(tmp_path, 5) / "model.safetensors").write_bytes(content)
    found = one(tmp_path)
    assert found.broken
    assert message in found.lacks
