"""Memory while very many requests stream through: it must not grow with their number.

    python benchmarks/engine_memory.py [--model lab:NAME] [--requests 200000]

The requests are made as they are asked for and their outputs dropped as they come. Printed: memory above the weights
after each tenth.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import overload

import engine_common as common

from scalecurve.models import load_ladder, open_model
from scalecurve.types import Output, Request


class Stream(Sequence[Request]):
    """Requests that exist only while they are looked at: shots shared by a thousand, a question and four options."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    @overload
    def __getitem__(self, index: int) -> Request: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Request]: ...
    def __getitem__(self, index: int | slice) -> Request | Sequence[Request]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self.count))]
        era = index // 1000
        shots = "".join(f"Q: {era + n} + {n}\nA: {era + 2 * n}\n" for n in range(5))
        return Request(f"{shots}Q: {index} + {era}\nA: ", options=tuple(str(index + era + n) for n in range(4)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="")
    parser.add_argument("--requests", type=int, default=200_000)
    given = parser.parse_args()
    from scalecurve.models import resolve_rung

    rung = resolve_rung(given.model) if given.model else load_ladder("lab").rungs[0]
    model = open_model(rung, device="cpu")
    peak = common.Peak()
    began = time.perf_counter()
    done = 0

    def on_output(index: int, output: Output) -> None:
        nonlocal done
        assert not output.error, output.error
        done += 1
        if done % (given.requests // 10) == 0:
            now = (common.resident() - peak.before) / 1e6
            print(
                f"{done:>8} requests  {now:6.0f} MB above the weights  {time.perf_counter() - began:6.1f} s", flush=True
            )

    model.run(Stream(given.requests), on_output)
    print(f"{rung.name}: peak {peak.above() / 1e6:.0f} MB above the weights for {done} requests")


if __name__ == "__main__":
    main()
