"""Answers are kept between runs, by model and request, and never given for another model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from scalecurve.errors import UserError
from scalecurve.models.cached import CachedModel, Store, request_key
from scalecurve.models.mock import MockModel
from scalecurve.types import Output, Request, Rung

REQUESTS = [Request(f"p{n}", options=("a", "b")) for n in range(5)] + [Request(f"p{n}", max_tokens=3) for n in range(5)]


class Counted(MockModel):
    """A mock that counts what it is asked, and fails on the prompt ``bad``."""

    asked = 0

    def run(self, requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        for index, request in enumerate(requests):
            self.asked += 1
            if request.prompt == "stop":
                raise KeyboardInterrupt
            if request.prompt == "bad":
                on_output(index, Output(error="bad"))
            else:
                super().run([request], lambda _, output, index=index: on_output(index, output))


def answers(model: CachedModel, requests: Sequence[Request]) -> list[Output]:
    found: dict[int, Output] = {}
    model.run(requests, found.__setitem__)
    return [found[i] for i in range(len(requests))]


def test_a_second_run_asks_nothing(tmp_path: Path) -> None:
    first, second = Counted(Rung("m", "mock", "x")), Counted(Rung("m", "mock", "x"))
    cached = CachedModel(first, tmp_path / "c.sqlite")
    expected = answers(cached, REQUESTS)
    cached.close()
    again = CachedModel(second, tmp_path / "c.sqlite")
    assert answers(again, REQUESTS[::-1])[::-1] == expected
    assert (first.asked, second.asked, again.hits, again.misses) == (10, 0, 10, 0)


def test_another_model_is_asked_itself(tmp_path: Path) -> None:
    answers(CachedModel(Counted(Rung("m", "mock", "x")), tmp_path / "c"), REQUESTS)
    other = Counted(Rung("m", "mock", "other weights"))
    answers(CachedModel(other, tmp_path / "c"), REQUESTS)
    assert other.asked == len(REQUESTS)


@pytest.mark.parametrize(
    "change",
    [{"prompt": "q"}, {"options": ("a",)}, {"max_tokens": 1}, {"stop": ("x",)}, {"temperature": 1.0}, {"samples": 2},
     {"seed": 1}],
)  # fmt: skip
def test_every_field_of_a_request_counts(change: dict[str, object]) -> None:
    assert request_key("m", replace(REQUESTS[0], **change)) != request_key("m", REQUESTS[0])


def test_equal_requests_are_asked_once(tmp_path: Path) -> None:
    model = Counted(Rung("m", "mock", "x"))
    found = answers(CachedModel(model, tmp_path / "c"), [REQUESTS[0]] * 3)
    assert model.asked == 1
    assert len(set(found)) == 1


def test_failures_are_not_kept(tmp_path: Path) -> None:
    model = Counted(Rung("m", "mock", "x"))
    cached = CachedModel(model, tmp_path / "c")
    for _ in range(2):
        assert answers(cached, [Request("bad", max_tokens=1)])[0].error == "bad"
    assert model.asked == 2


def test_an_interrupted_run_keeps_what_it_has(tmp_path: Path) -> None:
    model = Counted(Rung("m", "mock", "x"))
    with pytest.raises(KeyboardInterrupt):
        answers(CachedModel(model, tmp_path / "c"), [*REQUESTS, Request("stop", max_tokens=1)])
    answers(CachedModel(model, tmp_path / "c"), REQUESTS)
    assert model.asked == len(REQUESTS) + 1


def test_outputs_come_back_as_they_were(tmp_path: Path) -> None:
    store = Store(tmp_path / "c")
    output = Output(
        logprobs=(-1.5, float("-inf")),
        token_counts=(1, 2),
        greedy=(True, False),
        texts=("a",),
        text_logprobs=((-0.1, -0.2),),
        flags=("truncated",),
        prompt_tokens=3,
    )
    store.put({b"k": output})
    assert store.get([b"k", b"none"]) == {b"k": output}


def test_a_file_that_is_no_cache_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("this is no database, and long enough to be read as one" * 100)
    with pytest.raises(UserError, match="cannot be used as a cache"):
        Store(tmp_path / "c")
