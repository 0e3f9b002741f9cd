"""What a server of somebody else's may do to its client: how far it sends it, how much it says, what it keeps."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

MOST_BYTES = 64 * 2**20  # of a reply
MOST_REDIRECTS = 4
MOST_TOKENS = 2**40
SHORTEST_KEY = 8  # characters: shorter ones are placeholders, and words that a model may say


def guarded_client(openai: Any, **settings: Any) -> Any:
    """An HTTP client that follows no redirect to another host, and reads no reply that is packed or large.

    Such a reply becomes a status that is not tried again.
    """

    class Client(openai.DefaultAsyncHttpxClient):  # type: ignore[misc]  # Any where openai is not installed
        async def send(self, request: Any, **how: Any) -> Any:
            request.headers["Accept-Encoding"] = "identity"  # what is packed may be any size
            how |= {"stream": True, "follow_redirects": False}
            for _ in range(MOST_REDIRECTS):
                response = await super().send(request, **how)
                onward = response.next_request
                if onward is None:
                    return await _read(response)
                await response.aclose()
                if _origin(onward.url) != _origin(request.url):
                    return _refusal(response, "the server sends to another address, which is not asked")
                request = onward
            return _refusal(response, "the server sends from address to address")

    return Client(**settings)


def _origin(url: Any) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


async def _read(response: Any) -> Any:
    if response.headers.get("content-encoding", "identity") != "identity":
        await response.aclose()
        return _refusal(response, "the server packs its replies unasked")
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > MOST_BYTES:
            await response.aclose()
            return _refusal(response, f"the reply is larger than {MOST_BYTES >> 20} MB")
    return type(response)(response.status_code, headers=response.headers, content=bytes(body), request=response.request)


def _refusal(response: Any, why: str) -> Any:
    headers = {"content-type": "application/json", "x-should-retry": "false"}
    body = json.dumps({"error": {"message": why}}).encode()
    return type(response)(422, headers=headers, content=body, request=response.request)


def tokens_told(reply: Any) -> tuple[int, int, int]:
    """(prompt, completion, all) tokens that a server says it used; 0 for what it does not say. ``ValueError`` for
    counts that are none.
    """
    used = reply.usage
    counts = [getattr(used, name, None) or 0 for name in ("prompt_tokens", "completion_tokens", "total_tokens")]
    if not all(isinstance(count, int) and 0 <= count <= MOST_TOKENS for count in counts):
        raise ValueError("usage: counts of tokens that are none")
    return counts[0], counts[1], counts[2]


def thinking_told(reply: Any) -> int:
    """Tokens of thinking that a server says it used, 0 where it does not say; ``ValueError`` for no count."""
    details = getattr(reply.usage, "completion_tokens_details", None)
    count = getattr(details, "reasoning_tokens", None) or 0
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= MOST_TOKENS:
        raise ValueError("usage: counts of tokens that are none")
    return count


class Secret:
    """A key, to be found in what is kept."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._traces = sorted(set(_traces(key)), key=len, reverse=True) if len(key) >= SHORTEST_KEY else []

    def within(self, text: str) -> bool:
        """Whether ``text`` holds the key, half of it, or one of its spellings."""
        return any(trace in text for trace in self._traces)

    def without(self, text: str) -> str:
        """``text`` with dots where the key was."""
        hidden = [False] * len(text)
        for trace in self._traces or filter(None, [self.key]):
            at = text.find(trace)
            while at >= 0:
                hidden[at : at + len(trace)] = [True] * len(trace)
                at = text.find(trace, at + 1)
        pairs = zip(text, hidden, [False, *hidden], strict=False)
        return "".join("…" if dark and not before else "" if dark else letter for letter, dark, before in pairs)


def _traces(key: str) -> Iterator[str]:
    """Every half of the key and of what it looks like in other spellings."""
    raw = key.encode()
    spelled = [key, key[::-1], quote(key, safe=""), raw.hex(), raw.hex().upper(), json.dumps(key)[1:-1]]
    for shift in range(3):  # wherever it begins within what was encoded
        for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
            spelled.append(alphabet(b"\0" * shift + raw).decode().rstrip("=")[4 if shift else 0 : -1])
    for text in spelled:
        size = max(SHORTEST_KEY, len(text) // 2)
        yield from (text[at : at + size] for at in range(len(text) - size + 1))
