"""Who answers: models behind one small protocol, and the ladders they form.

``open_model`` opens a rung with its backend; a new backend is one module with a function that ``@backend`` registers.
Nothing here imports torch until a local model is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from scalecurve.errors import UserError
from scalecurve.models.backend import get_backend
from scalecurve.models.ladders import list_ladders, load_ladder, resolve_rung, sized
from scalecurve.types import Output, Request, Rung

__all__ = [
    "Model",
    "check_rung",
    "identity",
    "list_ladders",
    "load_ladder",
    "open_model",
    "resolve_rung",
    "sized",
]

SMALL = 30_000_000
"""Parameters below which a model computes with one thread: more would wait for each other longer than they work."""


class Model(Protocol):
    """What answers requests. A class that names it as its base need not say what is usual."""

    name: str
    """The rung's name."""
    fingerprint: str
    """SHA-256 over all that determines the answers: weights, tokenizer, dtype, options; never throughput."""

    @property
    def scores(self) -> bool:
        """Whether it tells the log-probability of given options; chat servers do not."""
        return True

    @property
    def picks(self) -> bool:
        """Whether, where it does not, it tells how likely its reply begins with each of a few options."""
        return False

    @property
    def constrains(self) -> bool:
        """Whether it can hold its texts to a request's ``grammar``."""
        return False

    @property
    def batch_tokens(self) -> int | None:
        """Most tokens computed at once; None where it has no such limit."""
        return None

    @property
    def unshared(self) -> str:
        """Why prefixes that prompts share are computed for each of them; "" where they are not, or none can tell."""
        return ""

    def parameters(self) -> tuple[int, int]:
        """(non-embedding, total) parameters; zeros where unknown. Embeddings: input, output and learned positions."""

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, special tokens not counted."""

    def run(self, requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        """Answer requests; ``on_output(index, output)`` is called once for each, in any order, as they are done."""

    def close(self) -> None:
        """Give back memory and connections."""
        return


def check_rung(rung: Rung) -> None:
    """``UserError`` for what is known to be wrong before a model is opened: a server's address and options."""
    if rung.backend == "endpoint":
        from scalecurve.models.endpoint import options_of

        options_of(rung)


def open_model(
    rung: Rung,
    *,
    device: str = "auto",
    dtype: str = "float32",
    batch_tokens: int | None = None,
    cache: str | Path | None = None,
) -> Model:
    """The model of ``rung``, ready to answer.

    ``batch_tokens``: most tokens computed at once (None: by the memory that is free). ``cache``: a file in which
    answers are kept and looked up, keyed by the model's fingerprint and the request. ``dtype`` of the weights;
    log-probabilities are float32 in any case. The rung's option ``resources`` (see ``scalecurve.runner.executors``)
    changes no answer and is left out here. Raises ``UserError`` when the rung's location or backend is at fault.
    """
    try:
        opener = get_backend(rung.backend)
    except UserError as error:
        raise UserError(f"{rung.name}: {error}") from None
    model = opener(_plain(rung), device=device, dtype=dtype, batch_tokens=batch_tokens)
    if cache is None:
        return model
    from scalecurve.models.cached import CachedModel

    return CachedModel(model, cache)


def identity(rung: Rung, *, dtype: str = "float32", gone: str = "") -> str:
    """The fingerprint that the model of ``rung`` will have, where its files tell it; "" where it takes opening it.

    ``gone`` stands for a model on this machine that is not there any more, as a checkpoint that training has deleted.
    """
    if rung.backend not in ("transformers", "gguf"):
        return ""
    rung = _plain(rung)
    if rung.location.startswith("/") and not Path(rung.location).exists():
        return gone
    from scalecurve.models.local import local_identity

    return local_identity(rung, dtype)


def _plain(rung: Rung) -> Rung:
    """The rung without what is said of machines, which changes no answer."""
    return replace(rung, options={key: value for key, value in rung.options.items() if key != "resources"})
