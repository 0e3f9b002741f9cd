"""Models in a source's words, found in the family files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from scalecurve.errors import UserError
from scalecurve.io.shape import SourceModel
from scalecurve.models import list_ladders, load_ladder
from scalecurve.models.ladders import with_flops
from scalecurve.schema import AXES
from scalecurve.types import Rung

UNMATCHED = "unmatched"
_VARIANTS = (
    "peft", "delta", "lora_local_path", "load_in_8bit", "load_in_4bit", "quantization", "autogptq", "gptqmodel",
    "gguf_file",
)  # fmt: skip
LATEST = ("", "main", "master")
_ENDINGS = ("-hf-vllm", "-vllm", "-hf", "_hf")
_ALSO_CALLED = {"meta": ("facebook", "meta-llama"), "openai": ("openai-community",), "huggingface": ("huggingfacetb",)}
_STATE = re.compile(
    r"(.+?)[-_@/]((?:stage\d+[-_])?(?:global_?step|step|iter|checkpoint|ckpt)[-_]?\d+(?:[-_]tokens?[\d.]+[kmbt])?"
    r"|(?:(?:checkpoint|ckpt)[-_])?epoch[-_=]?\d+(?:\.\d+)?)",
    re.I,
)
_SIZES = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
# Pythia's sizes before January 2023, and since (README of EleutherAI/pythia, "Changelog").
_PYTHIA = {"19m": "70m", "125m": "160m", "350m": "410m", "800m": "1b", "1.3b": "1.4b", "2.7b": "2.8b", "6.7b": "6.9b",
           "13b": "12b"}  # fmt: skip

Place = tuple[str, Rung]


class Families:
    """The rungs of family files by the names that models go by: the user's ``files`` first, then those that ship."""

    def __init__(self, files: Iterable[str] = ()) -> None:
        self.named: dict[str, list[Place]] = {}
        self.local: list[tuple[tuple[str, ...], Place]] = []
        ladders = [load_ladder(ref) for ref in (*files, *list_ladders())]
        self.names = frozenset(ladder.family for ladder in ladders)
        for ladder in ladders:
            for rung in ladder.rungs:
                place = (ladder.family, rung)
                names = [rung.name]
                if _is_path(rung.location):
                    self.local.append((_parts(rung.location), place))
                else:
                    names.append(_last(rung.location))
                for name in dict.fromkeys(one.lower() for one in names):
                    self.named.setdefault(name, []).append(place)

    def match(self, model: str, revision: str = "", variant: str = "") -> Place | None:
        """(family, rung) of a model, or None. ``pythia-v1.1-70m`` is ``pythia-70m``, and an ending ``-hf`` is dropped.

        Of a Hub id the organisation must be the rung's own: a copy under another name may be another model. Of a path
        the folders count, not its last one alone, unless that is the name of a model of the Hub. A revision that names
        a step, tokens or an epoch (``step1000``, ``stage1-step150-tokens1B``, ``epoch-3``) is a state in the family
        ``<rung>-checkpoints``; any other revision is another model, unless a family file lists it. A variant is a
        family of its own.
        """
        found = self._at_revision(model, revision) or self._state(model, revision)
        if found is None or not variant:
            return found
        listed = self._candidates(model)
        own = next((place for place in listed if _said(place[1].options) == variant), None)
        return own or (f"{found[0]}+{variant}", replace(found[1], name=f"{found[1].name}+{variant}"))

    def _at_revision(self, model: str, revision: str) -> Place | None:
        """The rung listed with this revision; a rung without one is the latest."""
        listed = self._candidates(model)
        exact = next((place for place in listed if place[1].revision == revision), None)
        if exact is not None:
            return exact
        latest = next((place for place in listed if place[1].revision in LATEST), None)
        step = re.fullmatch(r"step(\d+)", revision)
        last = latest is not None and step is not None and latest[1].step == int(step[1])
        return latest if revision in LATEST or last else None

    def _state(self, model: str, revision: str) -> Place | None:
        """The state of a known rung that a revision, or a path's last folder, names."""
        listed = [place for place in self._candidates(model) if place[1].revision in LATEST]
        if not listed and "/" in model and not revision:
            model, _, revision = model.rstrip("/").rpartition("/")
            listed = [place for place in self._candidates(model) if place[1].revision in LATEST]
        step, tokens, stage = parse_revision(revision)
        epoch = epoch_in(revision)
        if not listed or (step is None and tokens is None and epoch is None):
            return None
        _, rung = listed[0]
        try:
            states = load_ladder(f"checkpoints:{rung.name}") if epoch is None else None
        except UserError:
            states = None
        if states is not None:
            state = next((one for one in states.rungs if one.step == step), None)
            if state is None:
                return None
            return listed[0] if state.training_tokens == rung.training_tokens else (states.family, state)
        early = stage < 2  # later stages begin where the first ended, which no revision says
        bare = replace(
            rung,
            name=f"{rung.name}-{revision}",
            revision=revision,
            step=step if early else None,
            training_tokens=tokens if early else None,
            epoch=epoch if early else None,
            training_flops=None,
            loss=None,
            notes=(),
        )
        return f"{rung.name}-checkpoints", with_flops(bare)

    def _candidates(self, model: str) -> list[Place]:
        if _is_path(model):
            parts = _parts(model)
            reach = {len(_common_end(parts, location)): place for location, place in self.local
                     if _same_place(parts, location)}  # fmt: skip
            if reach:
                longest = reach[max(reach)][1].location
                return [place for _, place in self.local if place[1].location == longest]
        wanted = _last(model).lower().replace("-v1.1-", "-")
        wanted = re.sub(r"^pythia-([\d.]+[mb])\b", lambda found: f"pythia-{_PYTHIA.get(found[1], found[1])}", wanted)
        shorter = next((wanted.removesuffix(end) for end in _ENDINGS if wanted.endswith(end)), wanted)
        listed = self.named.get(wanted) or self.named.get(shorter) or []
        fits = [place for place in listed if _same_organisation(model, place[1].location)]
        return [place for place in fits if not (_is_path(model) and _is_path(place[1].location))]

    def place(self, model: SourceModel) -> tuple[str, Rung, bool]:
        """(family, rung, matched) of a model. What a source says of its scale is kept where the files say nothing."""
        found = self.match(model.name, model.revision, model.variant)
        state = None if found or model.revision else _STATE.fullmatch(model.name)
        if state and self.match(state[1], ""):  # a checkpoint whose state stands in its name
            return self.place(replace(model, name=state[1], revision=state[2]))
        stated = {axis: getattr(model, axis) for axis in AXES if getattr(model, axis) is not None}
        if found is not None:
            family, rung = found
            known = {axis: getattr(rung, axis) for axis in AXES if getattr(rung, axis) is not None}
            return model.family or family, _with(rung, stated | known), True
        latest = self._at_revision(model.name, "")
        if latest is not None and model.revision:  # another state of known weights: their size holds, no more
            sizes = ("params_non_embedding", "params_total")
            stated = {axis: getattr(latest[1], axis) for axis in sizes if getattr(latest[1], axis)} | stated
        notes = () if model.family else ("not in any family file",)
        rung = Rung(unmatched_name(model), "published", model.name, revision=model.revision, notes=notes)
        return model.family or UNMATCHED, _with(rung, stated), bool(model.family and stated)


def variant_of(arguments: Mapping[str, object]) -> str:
    """What a harness's arguments put upon a model's weights: ``load_in_4bit=True``."""
    put = {key: arguments[key] for key in _VARIANTS if str(arguments.get(key, "")).lower() not in ("", "none", "false")}
    return ",".join(f"{key}={value}" for key, value in sorted(put.items()))


@lru_cache(maxsize=1)
def _shipped() -> Families:
    return Families()


def match(model: str, revision: str) -> Place | None:
    """(family, rung) of a model by the family files that ship with scalecurve, or None (see ``Families.match``)."""
    return _shipped().match(model, revision)


def parse_revision(text: str) -> tuple[int | None, int | None, int]:
    """(step, tokens, stage) that a revision's name states.

    >>> parse_revision("stage1-step150-tokens1B"), parse_revision("refs/pr/3"), parse_revision("checkpoint-2000")
    ((150, 1000000000, 1), (None, None, 1), (2000, None, 1))
    """
    text = text.lower()
    step = re.search(
        r"(?:^|[^a-z])(?:global_?step|step|checkpoint|ckpt|iter(?:ation)?)[-_]?0*(\d+)(?![\d.]*[kmbt]\b)", text
    )
    tokens = re.search(r"(?:tokens?[-_]?(\d+(?:\.\d+)?)([kmbt])|(?:^|[-_])(\d+(?:\.\d+)?)([kmbt])[-_]?tokens?)", text)
    stage = re.search(r"stage[-_]?(\d+)", text)
    seen = None if tokens is None else float(tokens[1] or tokens[3]) * _SIZES[tokens[2] or tokens[4]]
    return (int(step[1]) if step else None, None if seen is None else round(seen), int(stage[1]) if stage else 1)


def epoch_in(text: str) -> float | None:
    """The passes over the data that a revision's name states; None where a step or tokens stand there, which say more.

    >>> [epoch_in(one) for one in ("epoch-3", "checkpoint-epoch2.5", "epoch_04", "epoch=1-step=2000", "ep1-ba2000")]
    [3.0, 2.5, 4.0, None, None]
    """
    text = text.lower()
    if parse_revision(text)[:2] != (None, None) or re.search(r"(?:^|[-_])(?:ba[-_]?\d|step=\d)", text):
        return None
    found = re.search(r"(?:^|[^a-z])(?:epochs?|ep)[-_=]?(\d+(?:\.\d+)?)(?![\d.]*[a-z])", text)
    return float(found[1]) if found else None


def lines_to_add(models: Sequence[SourceModel]) -> list[str]:
    """What a family file would say of ``models``: TOML lines, with … where only the user knows."""
    lines = []
    for model, name in zip(models, _own_names(models), strict=True):
        revision = [f'revision = "{model.revision}"'] if model.revision else []
        options = [f"options = {{ {_toml(model.variant)} }}"] if model.variant else []
        sizes = [f"params_total = {model.params_total}"] if model.params_total else []
        lines += [
            "[[rung]]",
            f'name = "{name}"',
            'backend = "transformers"',
            f'location = "{model.name}"',
            *revision,
            *options,
            "params_non_embedding = …",
            *sizes,
        ]
    return lines


def unmatched_name(model: SourceModel) -> str:
    """What a model is called that no family file knows."""
    name = _last(model.name) + (f"@{model.revision}" if model.revision else "")
    return f"{name}+{model.variant}" if model.variant else name


def _own_names(models: Sequence[SourceModel]) -> list[str]:
    """A name for every model, none twice: its last folder, with as many of those above it as it takes."""
    names = [unmatched_name(model) for model in models]
    for depth in range(2, 12):
        twice = {name for name in names if names.count(name) > 1}
        if not twice:
            return names
        for at, model in enumerate(models):
            if names[at] in twice:
                folders = "-".join(_parts(model.name, lower=False)[-depth:])
                names[at] = unmatched_name(replace(model, name=folders))
    return [name if names.count(name) == 1 else f"{name}-{at + 1}" for at, name in enumerate(names)]


def _toml(variant: str) -> str:
    pairs = (pair.partition("=") for pair in variant.split(","))
    return ", ".join(f'"{name}" = "{value}"' for name, _, value in pairs)


def _said(options: Any) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(dict(options).items()))


def _is_path(name: str) -> bool:
    return name.startswith(("/", ".", "~")) or name.count("/") > 1 or "\\" in name


def _parts(name: str, *, lower: bool = True) -> tuple[str, ...]:
    """The folders of a path, without those that say nothing."""
    text = name.replace("\\", "/").replace("__", "/")
    return tuple(part.lower() if lower else part for part in text.split("/") if part not in ("", ".", "..", "~"))


def _common_end(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    count = 0
    while count < min(len(one), len(other)) and one[-1 - count] == other[-1 - count]:
        count += 1
    return one[len(one) - count :]


def _same_place(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two paths lead to one folder as far as they say: one is the end of the other, by two folders at least."""
    shared = len(_common_end(one, other))
    return one == other or (shared >= 2 and shared == min(len(one), len(other)))


def _last(name: str) -> str:
    """The model's own name: what follows the organisation or folders (some harnesses write ``/`` as ``__``)."""
    return name.rstrip("/").rpartition("/")[2].rpartition("__")[2]


def _same_organisation(model: str, location: str) -> bool:
    """False when both are Hub ids (``organisation/name``) of different organisations."""
    given, known = (name.lower().split("/") if name.count("/") == 1 else [] for name in (model, location))
    if not given or not known or given[0] in ("", ".", "~"):
        return True
    return given[0] == known[0] or known[0] in _ALSO_CALLED.get(given[0], ())


def _with(rung: Rung, scale: dict[str, Any]) -> Rung:
    return replace(rung, **scale)
