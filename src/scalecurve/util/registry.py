"""What every registry asks of a name: that one function has it."""

from __future__ import annotations

from scalecurve.errors import UserError


def only_one(kind: str, name: str, holder: object, function: object) -> None:
    """``UserError`` where ``holder`` (None: nobody) has ``name`` already and is another than ``function``.

    A function that is registered again, as when its module is loaded anew, is the same: it stands in the same place.
    """
    places = [(getattr(one, "__module__", ""), getattr(one, "__qualname__", "")) for one in (holder, function)]
    if holder is not None and places[0] != places[1]:
        first, second = (".".join(place) for place in places)
        raise UserError(f"{kind} {name!r}: {first} and {second} both have this name; give one of them another")
