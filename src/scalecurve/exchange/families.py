"""Models in a source's words, found in the family files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any

from scalecurve.exchange.shape import AXES, Model
from scalecurve.models import list_ladders, load_ladder
from scalecurve.nouns import Rung, UserError

UNMATCHED = "unmatched"
_ENDINGS = ("-hf-vllm", "-vllm", "-hf", "_hf")
_ALSO_CALLED = {"meta": ("facebook", "meta-llama"), "openai": ("openai-community",), "huggingface": ("huggingfacetb",)}


class Families:
    """The rungs of family files by the names that models go by: the user's ``files`` first, then those that ship."""

    def __init__(self, files: Iterable[str] = ()) -> None:
        self.rungs: dict[str, tuple[str, Rung]] = {}
        for ladder in [load_ladder(ref) for ref in (*files, *list_ladders())]:
            for rung in ladder.rungs:
                for name in (rung.name, _last(rung.location)):
                    self.rungs.setdefault(name.lower(), (ladder.family, rung))

    def match(self, model: str, revision: str = "") -> tuple[str, Rung] | None:
        """(family, rung) of a model, or None. ``pythia-v1.1-70m`` is ``pythia-70m``, and an ending ``-hf`` is dropped.

        Of a Hub id the organisation must be the rung's own: a copy under another name may be another model. A
        revision ``step<n>`` other than the last is the state of that step, in the family ``<rung>-checkpoints``.
        """
        wanted = _last(model).lower().replace("-v1.1-", "-")
        shorter = next((wanted.removesuffix(end) for end in _ENDINGS if wanted.endswith(end)), wanted)
        found = self.rungs.get(wanted) or self.rungs.get(shorter)
        step = re.fullmatch(r"step(\d+)", revision)
        if found is None or not _same_organisation(model, found[1].location):
            return None
        if not step or found[1].step == int(step[1]):
            return found
        try:
            states = load_ladder(f"checkpoints:{found[1].name}")
        except UserError:
            return None
        state = next((one for one in states.rungs if one.step == int(step[1])), None)
        if state is None:
            return None
        return found if state.training_tokens == found[1].training_tokens else (states.family, state)

    def place(self, model: Model) -> tuple[str, Rung, bool]:
        """(family, rung, matched) of a model. What a source says of its scale is kept where the files say nothing."""
        found = self.match(model.name, model.revision)
        stated = {axis: getattr(model, axis) for axis in AXES if getattr(model, axis) is not None}
        if found is not None:
            family, rung = found
            known = {axis: getattr(rung, axis) for axis in AXES if getattr(rung, axis) is not None}
            return model.family or family, _with(rung, stated | known), True
        name = _last(model.name) + (f"@{model.revision}" if model.revision else "")
        notes = () if model.family else ("not in any family file",)
        rung = Rung(name, "published", model.name, revision=model.revision, notes=notes)
        return model.family or UNMATCHED, _with(rung, stated), bool(model.family and stated)


@lru_cache(maxsize=1)
def _shipped() -> Families:
    return Families()


def match(model: str, revision: str) -> tuple[str, Rung] | None:
    """(family, rung) of a model by the family files that ship with scalecurve, or None (see ``Families.match``)."""
    return _shipped().match(model, revision)


def lines_to_add(models: Iterable[Model]) -> list[str]:
    """What a family file would say of ``models``: TOML lines, with … where only the user knows."""
    lines = []
    for model in models:
        name = _last(model.name) + (f"@{model.revision}" if model.revision else "")
        sizes = [f"params_total = {model.params_total}"] if model.params_total else []
        revision = [f'revision = "{model.revision}"'] if model.revision else []
        lines += [
            "[[rung]]",
            f'name = "{name}"',
            'backend = "transformers"',
            f'location = "{model.name}"',
            *revision,
            "params_non_embedding = …",
            *sizes,
        ]
    return lines


def _last(name: str) -> str:
    """The model's own name: what follows the organisation or folders (some harnesses write ``/`` as ``__``)."""
    return name.rstrip("/").rpartition("/")[2].rpartition("__")[2]


def _same_organisation(model: str, location: str) -> bool:
    """False when both are Hub ids (``organisation/name``) of different organisations."""
    given, known = (name.lower().split("/") if name.count("/") == 1 else [] for name in (model, location))
    return not given or not known or given[0] == known[0] or known[0] in _ALSO_CALLED.get(given[0], ())


def _with(rung: Rung, scale: dict[str, Any]) -> Rung:
    return replace(rung, **scale)
