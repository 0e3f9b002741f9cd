"""The stretches of requests that the engine works on together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scalecurve.types import Request

WINDOW_REQUESTS = 512  # looked at together: enough to share prefixes, few enough to stream
WINDOW_LETTERS = 4_000_000


def windows(requests: Sequence[Request]) -> Iterator[list[tuple[int, Request]]]:
    """Consecutive stretches of requests that are worked on together."""
    window: list[tuple[int, Request]] = []
    letters = 0
    for index in range(len(requests)):
        request = requests[index]
        window.append((index, request))
        letters += len(request.prompt) * max(1, len(request.options)) + sum(map(len, request.options))
        if len(window) >= WINDOW_REQUESTS or letters >= WINDOW_LETTERS:
            yield window
            window, letters = [], 0
    if window:
        yield window
