"""Many clients at once against a real server: every reply with its time, and the server's peak memory."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE = 60  # times a client comes back after 429


@dataclass(frozen=True, slots=True)
class Reply:
    """``status`` 0: no reply came (``text`` says why). ``refused``: how often the client was told to come back."""

    status: int
    seconds: float
    text: str
    refused: int = 0


Asking = tuple[str, Any]
"""An address and the JSON to post there (None: get)."""


def storm(clients: int, asks: Callable[[int], Sequence[Asking]], **headers: str) -> list[Reply]:
    """``clients`` begin together and each makes its requests one after another, on a connection of its own each time.

    429 with a Retry-After of n seconds is obeyed; one without is a reply like any other.
    """

    async def main() -> list[Reply]:
        import httpx

        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(limits=limits, timeout=120, headers=headers, trust_env=False) as client:

            async def one(number: int) -> list[Reply]:
                return [await _ask(client, *asking) for asking in asks(number)]

            return [reply for replies in await asyncio.gather(*map(one, range(clients))) for reply in replies]

    return asyncio.run(main())


async def _ask(client: Any, address: str, data: Any) -> Reply:
    import httpx

    began, refused = time.monotonic(), 0
    while True:
        try:
            found = await (client.get(address) if data is None else client.post(address, json=data))
        except httpx.HTTPError as error:
            return Reply(0, time.monotonic() - began, repr(error), refused)
        wait = found.headers.get("Retry-After", "")
        if found.status_code == 429 and wait.isdigit() and refused < PATIENCE:
            refused += 1
            await asyncio.sleep(int(wait))
            continue
        return Reply(found.status_code, time.monotonic() - began, found.text, refused)


def summary(replies: Sequence[Reply]) -> str:
    """Statuses, seconds at the middle, the 95th and the 100th percentile, and how often clients were sent away."""
    seconds = sorted(reply.seconds for reply in replies)
    at = {share: seconds[min(len(seconds) - 1, int(share * len(seconds)))] for share in (0.5, 0.95, 1.0)}
    times = ", ".join(f"{int(share * 100)} %: {value:.2f} s" for share, value in at.items())
    statuses = ", ".join(f"{count} × {status}" for status, count in Counter(r.status for r in replies).items())
    return f"{len(replies)} replies: {statuses}; {times}; sent away {sum(r.refused for r in replies)} times"


def peak_megabytes(process: int) -> float:
    """The most memory a process has held so far."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024
