"""Sizes that stand in the names of models which no family file knows, and the series that such names make.

``mymodel-1.3b-chat`` is 1.3 billion parameters, of the series ``mymodel-chat``. A number is taken for a size only where
nothing else is as likely: lengths of contexts (``4k``, ``128k``), tokens (``300b-tokens``), steps and bits are none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from scalecurve.io.apart import FULL
from scalecurve.io.families import UNMATCHED, epoch_in, parse_revision, unmatched_name
from scalecurve.io.shape import SourceModel
from scalecurve.schema import AXES
from scalecurve.types import Rung

_SIZE = re.compile(
    r"(?<![a-z0-9.])(?:(\d+)\s?[x×])?(\d+(?:[.p]\d+)?)(k|m|mio|b|bn)(?:[-_]?a(\d+(?:\.\d+)?)[mb])?(?![a-z0-9]|[-_]?tok)",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"(steps?|tokens?|iter|iteration|ckpt|checkpoint|seq|seqlen|ctx|context|len|batch|bs|vocab)[-_=]?$", re.I
)
_UNITS = {"k": 10**3, "m": 10**6, "mio": 10**6, "b": 10**9, "bn": 10**9}
_CONTEXTS = frozenset((1, 2, 4, 8, 16, 32, 64, 100, 128, 160, 192, 200, 256, 512, 1024))
_ENDING = re.compile(
    r"(.*[^\W_])[-_]((?:global_?)?(?:step|checkpoint|ckpt|iter(?:ation)?)[-_]?\d+"
    r"|(?:(?:checkpoint|ckpt)[-_])?epoch[-_=]?\d+(?:\.\d+)?)",
    re.IGNORECASE,
)
_EVERYWHERE = frozenset(
    "final last latest best hf hf_model model models merged output outputs out checkpoint checkpoints ckpt weights "
    "converted export snapshot".split()
)
"""Folders that say nothing of the model in them."""
STATE = re.compile(r"(?:.*[-_])?ba[-_]?(\d+)|.*step=(\d+).*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NamedSize:
    """``params``: all parameters. ``series``: the name without its size. ``experts``: a product such as 8x7B."""

    params: int
    series: str
    written: str
    experts: bool = False


def size_in_name(name: str) -> NamedSize | None:
    """The size that the last part of a model's name states; None where there is none, or several as likely.

    >>> size_in_name("me/mymodel-1.3b-chat")
    NamedSize(params=1300000000, series='mymodel-chat', written='1.3b', experts=False)
    >>> [one and one.params for one in map(size_in_name, ("350M", "8x7B", "tiny-110k", "mini-4k-instruct", "m-7b-1m"))]
    [350000000, 56000000000, 110000, None, 7000000000]
    """
    text = name.rstrip("/").rpartition("/")[2].rpartition("__")[2]
    found = [one for one in _SIZE.finditer(text) if not _BEFORE.search(text[: one.start()])]
    if any(one[3].lower() != "k" for one in found):
        found = [one for one in found if one[3].lower() != "k"]
    found = [one for one in found if one[3].lower() != "k" or int(float(one[2].replace("p", "."))) not in _CONTEXTS]
    large = [one for one in found if one[3].lower() in ("b", "bn")]
    found = large or found  # 7B beside 1M, the length of a context
    if len({one[0].lower() for one in found}) != 1:
        return None
    one = found[0]
    times = int(one[1]) if one[1] else 1
    params = round(times * float(one[2].lower().replace("p", ".")) * _UNITS[one[3].lower()])
    rest = re.sub(r"[-_. ]+", "-", f"{text[: one.start()]}-{text[one.end() :]}".replace("(-)", "-")).strip("-")
    return NamedSize(params, rest, one[0], experts=times > 1) if 0 < params < 10**14 else None


def place_by_name(model: SourceModel, rung: Rung) -> tuple[str, Rung, NamedSize | None]:
    """(family, rung, size read from the name) of a model that no family file knows.

    A step, tokens or an epoch in its revision, or in the last folder of its path, make it a state of the family
    ``<name>-checkpoints``; a size in its name a member of its series, a
    quantisation one of the series' quantised models. Sizes that the source states stand.
    """
    own = own_folder(model.name)
    if own != model.name and not model.revision:
        model = replace(model, name=own)
        rung = replace(rung, name=unmatched_name(model))
    base, state = _state_of(model)
    named = size_in_name(base)
    scale = (
        rung
        if rung.params_total or rung.params_non_embedding or named is None
        else replace(rung, params_total=named.params)
    )
    read = named if scale is not rung else None
    step, tokens, stage = parse_revision(state) if state else (None, None, 1)
    if state and step is None and (found := STATE.fullmatch(state)):
        step = int(found[1] or found[2])
    epoch = epoch_in(state)
    if (step is not None or tokens is not None or epoch is not None) and not model.variant:
        own = base.rstrip("/").rpartition("/")[2]
        early = stage < 2
        scale = replace(
            scale,
            name=f"{own}-{state}" if own else state,
            step=scale.step if scale.step is not None else step if early else None,
            epoch=scale.epoch if scale.epoch is not None else epoch if early else None,
            training_tokens=scale.training_tokens if scale.training_tokens is not None else tokens if early else None,
        )
        return model.family or (f"{own}-checkpoints" if own else "checkpoints"), scale, read
    if named is not None and model.variant and not model.revision and "peft=" not in model.variant:
        return model.family or f"{named.series or UNMATCHED}+{model.variant}", scale, read
    if named is not None and not model.variant and FULL.fullmatch(model.revision or "x"):
        return model.family or f"{named.series or UNMATCHED}@{model.revision}", scale, read
    if named is None or model.revision or model.variant:
        return model.family or UNMATCHED, scale, read
    return model.family or named.series or UNMATCHED, scale, read


def own_folder(name: str) -> str:
    """A path without last folders that many models have (``final``, ``hf``), where the one before them tells a size.

    >>> own_folder("/runs/mymodel-1b/final/hf"), own_folder("/runs/one/final")
    ('/runs/mymodel-1b', '/runs/one/final')
    """
    left = name
    while left.count("/") > 1 and left.rstrip("/").rpartition("/")[2].lower() in _EVERYWHERE:
        left = left.rstrip("/").rpartition("/")[0]
    return left if left == name or size_in_name(left) else name


def _state_of(model: SourceModel) -> tuple[str, str]:
    """(name, state): a revision, the end of a name (``mymodel-1b-step1000``), or the last folder of a path where that
    alone names a step."""
    if model.revision:
        return model.name, model.revision
    if "/" in model.name.strip("/"):
        above, _, last = model.name.rstrip("/").rpartition("/")
        states = STATE.fullmatch(last) or parse_revision(last)[:2] != (None, None) or epoch_in(last) is not None
        if states and re.search("[A-Za-z]", above) and size_in_name(last) is None:
            return above, last
    if _ENDING.fullmatch(f"model-{model.name}") and size_in_name(model.name) is None:
        return "", model.name  # a state of a model that nothing names
    found = _ENDING.fullmatch(model.name)
    return (found[1], found[2]) if found else (model.name, "")


@dataclass
class ByName:
    """Models that no family file knows, placed by what their names say; ``notes`` tells of it."""

    read: dict[str, NamedSize] = field(default_factory=dict)
    together: list[str] = field(default_factory=list)
    known: frozenset[str] = frozenset()
    """Names of families that files know: none of them is made larger by a name alone."""
    spelled: dict[str, list[str]] = field(default_factory=dict)
    """Names in lower case → how they are written."""
    _owner: dict[str, str] = field(default_factory=dict)

    def one_spelling(self, name: str) -> str:
        """A model's name as it was written first: names that differ in case only are one, paths are not."""
        if name.startswith(("/", ".", "~")) or name.count("/") > 1:
            return name
        written = self.spelled.setdefault(name.lower(), [])
        written += [] if name in written else [name]
        return written[0]

    def spellings(self, name: str) -> str:
        """What to add to a model's name where it is written in several ways."""
        written = self.spelled.get(name.lower(), [])
        return f" ({' and '.join(written)} are one)" if len(written) > 1 else ""

    def place(self, model: SourceModel, rung: Rung) -> tuple[str, Rung]:
        """(family, rung); series of one name but of two organisations are two families."""
        family, placed, read = place_by_name(model, rung)
        if read is not None:
            self.read[placed.name] = read
        owner = own_folder(model.name).rpartition("/")[0].rpartition("/")[2]
        if family == UNMATCHED:
            self.together += [placed.name] if any(getattr(placed, axis) for axis in AXES) else []
        elif not model.family and (family in self.known or self._owner.setdefault(family, owner) != owner):
            family = f"{owner}/{family}" if owner else UNMATCHED
        return family, placed

    def notes(self) -> list[str]:
        lines = []
        if twice := [" and ".join(names) for names in self.spelled.values() if len(names) > 1]:
            more = f"; and {len(twice) - 4} more" if len(twice) > 4 else ""
            lines.append(f"names that differ in case only are taken as one model: {'; '.join(twice[:4])}{more}")
        if self.read:
            shown = ", ".join(f"{name} {one.params:,}" for name, one in list(self.read.items())[:4])
            shown += ", …" if len(self.read) > 4 else ""
            lines.append(
                f"sizes of {len(self.read)} models are read from their names ({shown}), and "
                "names alike but for the size make a family; --size MODEL=7B, or a family file, says otherwise"
            )
        if experts := next((one for one in self.read.values() if one.experts), None):
            lines.append(
                f"{experts.written} is taken as {experts.params:.3g}; experts share layers, so say the exact size with "
                "--size where it is known"
            )
        if len(self.together) > 1:
            lines.append(
                f"{len(self.together)} models whose names tell no series stand together as the family {UNMATCHED!r}; "
                "if they are no ladder, give their table a column family, or write a family file"
            )
        return lines
