"""The mock model is the model of the golden BIG-bench evaluations."""

from scalecurve.models import open_model, resolve_rung
from scalecurve.models.mock import fraction
from scalecurve.types import Output, Request, Rung


def ask(rung: Rung, *requests: Request) -> list[Output]:
    outputs: dict[int, Output] = {}
    open_model(rung).run(requests, outputs.__setitem__)
    return [outputs[i] for i in range(len(requests))]


def test_fraction_is_the_first_eight_bytes_of_sha256() -> None:
    assert fraction("abc") == 0xBA7816BF8F01CFEA / 2**64  # FIPS 180-2, appendix B.1


def test_scores_and_texts_follow_the_hash() -> None:
    scored, first, second = ask(
        resolve_rung("mock"),
        Request("a", options=("b", "c")),
        Request("abc", max_tokens=5),
        Request("", max_tokens=5, stop=("idea",)),
    )
    assert scored.logprobs == (-10 * fraction("a\x1fb"), -10 * fraction("a\x1fc"))
    assert first.texts == ("no idea",)  # h("abc") = 0.73
    assert second.texts == ("no ",)  # h("") = 0.89, cut at the stop string


def test_an_able_mock_knows_its_answers() -> None:
    rung = Rung("m", "mock", "mock", options={"ability": 1.0, "answers": {"2+2": "4"}})
    text, scored = ask(rung, Request("Q: 2+2\nA:", max_tokens=3), Request("Q: 2+2\nA:", options=(" 3", " 4")))
    assert text.texts == ("4",)
    assert scored.logprobs[1] > scored.logprobs[0]
