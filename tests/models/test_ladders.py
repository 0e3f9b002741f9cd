"""Family files: the shipped ones, a user's own, and what a user gets wrong in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomli_w
from wrong_values import refusals

from scalecurve.errors import UserError
from scalecurve.models import list_ladders, load_ladder, resolve_rung
from scalecurve.models.ladders import is_ladder

SHIPPED = ("bloom", "gemma3", "gpt2", "llama3", "olmo2", "opt", "pythia", "qwen2.5", "qwen3", "smollm2")
RUNG = '[[rung]]\nname = "{name}"\nbackend = "mock"\nlocation = "mock"\n'


def family(folder: Path, *lines: str) -> Path:
    path = folder / "family.toml"
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_ladders_ascend_and_say_their_source(name: str) -> None:
    ladder = load_ladder(name)
    assert name in list_ladders()
    assert ladder.source
    sizes = [rung.params_non_embedding for rung in ladder.rungs]
    assert None not in sizes
    assert sizes == sorted(sizes)
    assert all(0 < rung.params_non_embedding < rung.params_total for rung in ladder.rungs)
    assert "params_non_embedding" in ladder.axes
    assert all(rung.location.count("/") == 1 for rung in ladder.rungs)


def test_published_sizes_and_flops() -> None:
    """Pythia, arXiv:2304.01373, Table 1; FLOPs by 6·N·D, which the notes say."""
    pythia = load_ladder("pythia")
    assert [rung.params_non_embedding for rung in pythia.rungs] == [
        18_915_328, 85_056_000, 302_311_424, 805_736_448, 1_208_602_624, 2_517_652_480, 6_444_163_072, 11_327_027_200,
    ]  # fmt: skip
    first = pythia.rungs[0]
    assert first.training_flops == 6.0 * 18_915_328 * 299_892_736_000
    assert any("6" in note for note in first.notes)
    assert load_ladder("gpt2").rungs[0].training_flops is None, "OpenAI did not say how many tokens"


def test_checkpoints_are_revisions() -> None:
    ladder = load_ladder("checkpoints:pythia-160m")
    assert len(ladder.rungs) == 154
    assert [rung.step for rung in ladder.rungs[:5]] == [0, 1, 2, 4, 8]
    last = ladder.rungs[-1]
    assert (last.revision, last.location) == ("step143000", "EleutherAI/pythia-160m")
    assert last.training_tokens == 299_892_736_000
    assert ladder.axes == ("training_tokens", "step")
    with pytest.raises(UserError, match="no checkpoints are known"):
        load_ladder("checkpoints:gpt2")


def test_a_users_family_is_sorted_and_its_paths_are_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    path = family(
        tmp_path,
        'family = "mine"',
        RUNG.format(name="large") + "params_non_embedding = 200\ntraining_tokens = 10",
        RUNG.format(name="small") + "params_non_embedding = 100\ntraining_tokens = 10",
        '[[rung]]\nname = "w"\nbackend = "transformers"\nlocation = "weights"\nparams_non_embedding = 150',
    )
    ladder = load_ladder(str(path))
    assert [rung.name for rung in ladder.rungs] == ["small", "w", "large"]
    assert ladder.rungs[1].location == str((tmp_path / "weights").resolve())
    assert ladder.rungs[0].training_flops == 6 * 100 * 10
    assert ladder.axes == ("params_non_embedding",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("family = ", "not valid TOML"),
        ('famly = "x"', "famly: unknown field"),
        (RUNG.format(name="a"), "family: give the family's name"),
        ('family = "x"', "rung: list the models"),
        ('family = "x"\n[[rung]]\nname = "a"\nbackend = "mock"', "rung 1: location: is missing"),
        ('family = "x"\n' + RUNG.format(name="a") * 2, "two are named 'a'"),
        ('family = "x"\n' + RUNG.format(name="a") + "params = 3", "rung 1: params: unknown field; did you mean"),
        ('family = "x"\n' + RUNG.format(name="a") + 'params_total = "3"', "params_total: must be a whole number"),
        ('family = "x"\n' + RUNG.format(name="a") + "params_total = -3", "params_total: must be a whole number"),
        ('family = "x"\naxes = ["size"]\n' + RUNG.format(name="a"), "axes: use some of"),
        ('family = "x"\naxes = ["loss"]\n' + RUNG.format(name="a"), "axes: loss is listed, but a has none"),
    ],
)
def test_what_is_wrong_in_a_family_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError, match=r"family\.toml") as caught:
        load_ladder(str(family(tmp_path, text)))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sizes_may_be_written_as_powers_of_ten(tmp_path: Path) -> None:
    text = 'family = "x"\n[[rung]]\nname = "a"\nbackend = "mock"\nlocation = "mock"\nparams_non_embedding = 7e9\n'
    (rung,) = load_ladder(str(family(tmp_path, text))).rungs
    assert rung.params_non_embedding == 7_000_000_000
    assert isinstance(rung.params_non_embedding, int)


def test_any_wrong_value_in_a_family_file_is_refused_in_one_line(tmp_path: Path) -> None:
    written = {
        "family": "x",
        "source": "s",
        "axes": ["params_non_embedding"],
        "rung": [{"name": "a", "backend": "mock", "location": "mock", "params_non_embedding": 3, "training_flops": 2.0,
                  "training_tokens": 4, "loss": 1.5, "step": 1, "revision": "r", "options": {"a": 1}, "notes": ["n"]}],
        "checkpoints": {"steps": [1, 2], "tokens_per_step": 5, "revision": "step{step}"},
    }  # fmt: skip

    def read(data: Any) -> None:
        try:
            text = tomli_w.dumps(data)
        except TypeError:  # None is no value of TOML
            raise UserError("none") from None
        load_ladder(str(family(tmp_path, text)))

    assert refusals(written, read) > 100
    for name in ("loss", "training_flops", "params_total"):
        with pytest.raises(UserError, match=rf"rung 1: {name}: must be a (whole )?number of 0 or more, not nan"):
            read({"family": "x", "rung": [{**written["rung"][0], name: float("nan")}]})


def test_one_model_by_any_name(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text("{}")
    (tmp_path / "q.gguf").write_bytes(b"GGUF")
    assert resolve_rung(str(tmp_path / "m")).name == "m"
    assert resolve_rung(str(tmp_path / "q.gguf")).backend == "gguf"
    assert resolve_rung("pythia:pythia-70m") == resolve_rung("pythia-70m")
    hub = resolve_rung("someone/model-1b@step3")
    assert (hub.name, hub.location, hub.revision) == ("model-1b@step3", "someone/model-1b", "step3")
    assert resolve_rung("smollm2-135m").backend == "gguf"


@pytest.mark.parametrize(
    ("ref", "words"),
    [("pythia-70", "did you mean pythia-70m"), ("pythia:70m", "pythia has no such model"), ("./none", "unknown model")],
)
def test_unknown_models_get_close_names(ref: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        resolve_rung(ref)
    assert words in str(caught.value)


def test_unknown_ladders_get_close_names() -> None:
    assert is_ladder("pythia")
    assert not is_ladder("pythia-70m")
    with pytest.raises(UserError, match="did you mean pythia"):
        load_ladder("pithia")
    with pytest.raises(UserError, match="no such family file"):
        load_ladder("none.toml")
