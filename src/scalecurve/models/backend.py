"""The registry of backends: which function opens a rung, by the name that its ``backend`` gives.

A backend is a module of this package with a function that ``@backend("name")`` registers. All modules are imported to
find them, so that a library a backend is about is imported in its function.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from scalecurve.errors import UserError
from scalecurve.util.registry import only_one

if TYPE_CHECKING:
    from scalecurve.models import Model

Opener = Callable[..., "Model"]
"""Called with the rung, and by name ``device``, ``dtype`` and ``batch_tokens``; raises ``UserError``."""

_OPENERS: dict[str, Opener] = {}


def backend(*names: str) -> Callable[[Opener], Opener]:
    """Register a function that opens the rungs whose ``backend`` is one of ``names``."""

    def register(opener: Opener) -> Opener:
        for name in names:
            only_one("backend", name, _OPENERS.get(name), opener)
        _OPENERS.update(dict.fromkeys(names, opener))
        return opener

    return register


def backend_names() -> tuple[str, ...]:
    """The names of all backends."""
    _load_all()
    return tuple(sorted(_OPENERS))


def get_backend(name: str) -> Opener:
    """What opens the rungs of a backend; ``UserError`` with all names when there is none of this name."""
    if name not in backend_names():
        raise UserError(f"backend: unknown {name!r}; one of {', '.join(backend_names())}")
    return _OPENERS[name]


@cache
def _load_all() -> None:
    package = __name__.rpartition(".")[0]
    for module in iter_modules(import_module(package).__path__):
        import_module(f"{package}.{module.name}")
