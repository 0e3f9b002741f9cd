"""Many clients at once against a real server: every reply with its time, and the server's peak memory."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PATIENCE = 60  # times a client comes back after 429
TIMEOUT = 120.0  # seconds of one request


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

    async def one(number: int) -> list[Reply]:
        return [await _ask(address, data, headers) for address, data in asks(number)]

    async def main() -> list[Reply]:
        return [reply for replies in await asyncio.gather(*map(one, range(clients))) for reply in replies]

    return asyncio.run(main())


async def _ask(address: str, data: Any, headers: Mapping[str, str]) -> Reply:
    began, refused = time.monotonic(), 0
    while True:
        try:
            status, told, text = await asyncio.wait_for(_exchange(address, data, headers), TIMEOUT)
        except (OSError, TimeoutError, EOFError, LookupError, ValueError) as error:
            return Reply(0, time.monotonic() - began, repr(error), refused)
        wait = told.get("retry-after", "")
        if status == 429 and wait.isdigit() and refused < PATIENCE:
            refused += 1
            await asyncio.sleep(int(wait))
            continue
        return Reply(status, time.monotonic() - began, text, refused)


async def _exchange(address: str, data: Any, headers: Mapping[str, str]) -> tuple[int, dict[str, str], str]:
    """One request on a connection of its own: status, headers in lower case, body."""
    parts = urlsplit(address)
    body = b"" if data is None else json.dumps(data).encode()
    told = {"Host": parts.netloc, "Connection": "close", "Content-Length": str(len(body)), **headers}
    told |= {} if data is None else {"Content-Type": "application/json"}
    lines = [
        f"{'GET' if data is None else 'POST'} {parts.path} HTTP/1.1",
        *(f"{name}: {v}" for name, v in told.items()),
    ]
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        found = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        text = await reader.readexactly(int(found["content-length"]))
        return int(head[0].split()[1]), found, text.decode()
    finally:
        writer.close()


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
