"""The endpoint backend against llama.cpp's own server with real weights (package xllamacpp brings it, built)."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

pytest.importorskip("openai")
pytest.importorskip("torch")

from scalecurve.models import Model, open_model, resolve_rung
from scalecurve.models.gguf import gguf_file
from scalecurve.types import Output, Request, Rung

pytestmark = pytest.mark.slow

SERVE = """
import sys, xllamacpp
parameters = xllamacpp.CommonParams()
parameters.model.path, parameters.n_ctx, parameters.n_parallel, parameters.port = sys.argv[1], 2048, 2, 0
parameters.cpuparams.n_threads = 2
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def served() -> Iterator[Model]:
    """SmolLM2-135M behind llama.cpp's server, in a process of its own that ends with its standard input."""
    weights = gguf_file(resolve_rung("smollm2-135m"))
    command = [sys.executable, "-c", SERVE, str(weights)]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **streams) as process:
        assert process.stdout is not None
        address = next(line for line in process.stdout if line.startswith("http")).strip()
        yield open_model(Rung("served", "endpoint", f"{address}/v1", options={"concurrency": 2}))
        process.kill()


def outputs(model: Model, requests: list[Request]) -> list[Output]:
    found: dict[int, Output] = {}
    model.run(requests, found.__setitem__)
    return [found[at] for at in range(len(requests))]


def test_texts_and_their_log_probabilities_are_those_of_the_same_weights_here(served: Model) -> None:
    requests = [Request("The capital of France is", max_tokens=3), Request("1, 2, 3, 4,", max_tokens=8, stop=(" 7",))]
    local = open_model(resolve_rung("smollm2-135m"), device="cpu")
    here, there = outputs(local, requests), outputs(served, requests)
    local.close()
    for mine, theirs in zip(here, there, strict=True):
        assert theirs.error == ""
        assert theirs.texts == mine.texts
        assert theirs.prompt_tokens == mine.prompt_tokens
        # llama.cpp multiplies the quantised weights as they are, we in float32
        assert theirs.text_logprobs[0] == pytest.approx(mine.text_logprobs[0][: len(theirs.text_logprobs[0])], abs=0.3)


def test_samples_differ_and_a_seed_brings_them_back(served: Model) -> None:
    request = Request("Once upon a time", max_tokens=12, temperature=1.0, samples=2, seed=7)
    (first,), (again,) = outputs(served, [request]), outputs(served, [request])
    assert len(set(first.texts)) == 2
    assert first.texts == again.texts


def test_options_are_refused_as_it_does_not_tell_prompt_log_probabilities(served: Model) -> None:
    (output,) = outputs(served, [Request("The capital of France is", options=(" Paris", " Rome"))])
    assert "does not tell log-probabilities of the prompt" in output.error
    assert output.logprobs == ()
