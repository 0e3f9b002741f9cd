"""The engine as a model of lm-evaluation-harness gives what ``--model hf`` gave (see tests/fixtures/make)."""

import json
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance
from lm_eval.api.registry import get_model

from scalecurve.errors import UserError
from scalecurve.io.lm_eval_model import ScalecurveLM, stored_dtype
from scalecurve.models import resolve_rung

WEIGHTS = Path(__file__).parents[1] / "fixtures" / "lab-332k"  # of the first ladder, which the harness was given
GOLDEN = json.loads((Path(__file__).parents[1] / "fixtures" / "lm_eval" / "golden.json").read_text())
TOLERANCE = 1e-3  # nats for each continuation


@pytest.fixture(scope="module")
def model() -> ScalecurveLM:
    """Made as the harness's command line makes it."""
    given = {"pretrained": str(WEIGHTS), "dtype": "float32"}
    return get_model("scalecurve").create_from_arg_obj(
        given, {"batch_size": 4, "max_batch_size": None, "device": "cpu"}
    )


def instances(kind: str, arguments: list[Any]) -> list[Instance]:
    return [Instance(kind, {}, tuple(one), at) for at, one in enumerate(arguments)]


def asked(task: str) -> tuple[list[Any], list[Any]]:
    """(arguments, the harness's replies) of all requests of a task, in order."""
    rows = [row for row in GOLDEN["samples"][task] if row["filter"] == GOLDEN["samples"][task][0]["filter"]]
    arguments = [one for row in rows for one in row["arguments"]]
    return arguments, [reply[0] for row in rows for reply in row["resps"]]


@pytest.mark.parametrize("task", ["letters", "words", "chains", "last_word"])
def test_loglikelihoods(task: str, model: ScalecurveLM) -> None:
    arguments, wanted = asked(task)
    found = model.loglikelihood(instances("loglikelihood", arguments), disable_tqdm=True)
    assert len(found) == len(wanted) > 10
    assert [logprob for logprob, _ in found] == pytest.approx([logprob for logprob, _ in wanted], abs=TOLERANCE)
    assert [greedy for _, greedy in found] == [greedy for _, greedy in wanted]


def test_rolling_loglikelihood_of_texts_longer_than_the_context(model: ScalecurveLM) -> None:
    arguments, wanted = asked("pages")
    assert max(len(model.tok_encode(text)) for (text,) in arguments) > model.max_length
    found = model.loglikelihood_rolling(instances("loglikelihood_rolling", arguments), disable_tqdm=True)
    assert found == pytest.approx(wanted, abs=TOLERANCE)


@pytest.mark.parametrize("task", ["sums", "names"])
def test_generations(task: str, model: ScalecurveLM) -> None:
    arguments, wanted = asked(task)
    assert model.generate_until(instances("generate_until", arguments), disable_tqdm=True) == wanted


def test_every_reply_goes_to_the_cache(model: ScalecurveLM) -> None:
    class Hook:
        def __init__(self) -> None:
            self.kept: dict[tuple[str, str], Any] = {}

        def add_partial(self, kind: str, arguments: tuple[Any, ...], reply: Any) -> None:
            self.kept[kind, json.dumps(arguments)] = reply

    hook = Hook()
    model.set_cache_hook(hook)
    first, second = asked("last_word")[0][:2]
    found = model.loglikelihood(instances("loglikelihood", [first, second]), disable_tqdm=True)
    asks = ["Q: What is 1+1?\nA:", {"until": ["\n"], "max_gen_toks": 8}]
    text = model.generate_until(instances("generate_until", [asks]), disable_tqdm=True)
    assert hook.kept["loglikelihood", json.dumps(second)] == found[1]
    assert hook.kept["generate_until", json.dumps(asks)] == text[0]


def test_a_prompt_that_ends_in_a_blank_is_read_as_it_stands(model: ScalecurveLM) -> None:
    said = {"until": ["\n"], "max_gen_toks": 8}
    bare, blank = model.generate_until(
        instances("generate_until", [["Q: What is 1+1?\nA:", said], ["Q: What is 1+1?\nA: ", said]]), True
    )
    ids = model.tok_encode("Q: What is 1+1?\nA: ")
    assert model.tokenizer.decode(ids).endswith(": ")
    assert bare.startswith(" ")
    assert bare != " " + blank or not blank.startswith(" ")


def test_a_text_ends_before_the_first_stop_string(model: ScalecurveLM) -> None:
    prompt = "Q: What is 10+65?\nA: 75\n\nQ: What is 23+56?\nA:"
    (whole,) = model.generate_until(instances("generate_until", [[prompt, {"until": ["\n"], "max_gen_toks": 9}]]), True)
    middle = whole.strip()[-1]
    said = {"until": ["never", middle], "max_gen_toks": 9}
    (cut,) = model.generate_until(instances("generate_until", [[prompt, said]]), disable_tqdm=True)
    assert cut == whole.split(middle)[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"until": ["\n"], "top_k": 3}, "generation_kwargs: top_k: is not supported"),
        ({"until": ["\n"], "max_gen_toks": 5000}, "max_gen_toks: 5000 must be below the model's 256"),
    ],
)
def test_settings_that_would_change_the_text_are_refused(
    settings: dict[str, Any], message: str, model: ScalecurveLM
) -> None:
    with pytest.raises(UserError, match=message):
        model.generate_until(instances("generate_until", [["Q:", settings]]), disable_tqdm=True)


def test_a_continuation_that_cannot_be_scored_is_named(model: ScalecurveLM) -> None:
    with pytest.raises(UserError, match="the option has 1001 tokens; the model takes 256"):
        model.loglikelihood(instances("loglikelihood", [["Q:", " x" * 1000 + "\n"]]), disable_tqdm=True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pretrained": "lab-3k", "peft": "x"}, "model_args: peft=x"),
        ({"pretrained": "lab-3k", "trust_remote_code": True}, "trust_remote_code=True"),
        ({"pretrained": "mock"}, "is no local model"),
        ({"pretrained": "./nowhere"}, "nowhere"),
    ],
)
def test_model_args_are_checked(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ScalecurveLM(device="cpu", **given)


def test_the_dtype_is_that_of_the_stored_weights(tmp_path: Path, model: ScalecurveLM) -> None:
    rung = resolve_rung("lab-3k")
    assert stored_dtype(rung) == "float16", "the laboratory's weights; their configuration says nothing"
    header = json.dumps({"w": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}).encode()
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
    (tmp_path / "config.json").write_text("{}")
    assert stored_dtype(resolve_rung(str(tmp_path))) == "bfloat16"
    info = model.get_model_info()
    assert (info["model_num_parameters"], info["model_dtype"]) == (430752, "torch.float32")
