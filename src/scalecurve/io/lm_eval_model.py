"""scalecurve's engine as a model of lm-evaluation-harness: ``--model scalecurve``.

Importing this module registers it; ``scalecurve lm-eval …`` does so and hands over to the harness's own command line,
which has no other way to learn of a model from outside. What is asked and how it is scored stays the harness's: this
module answers ``loglikelihood``, ``loglikelihood_rolling`` and ``generate_until`` as ``--model hf`` does (splits,
windows, stop strings, truncation), except that log-probabilities are float32 also where the weights are not.

Written for lm_eval 0.4.13.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from lm_eval.api.model import TemplateLM
from lm_eval.api.registry import register_model
from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs, postprocess_generated_text
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from scalecurve.errors import UserError
from scalecurve.models import open_model, resolve_rung
from scalecurve.models.local import LocalModel
from scalecurve.types import Output, Request, Rung

MAX_GEN_TOKENS = 256
_DTYPES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}
_REFUSABLE = {"trust_remote_code": (False, None), "softmax_dtype": (None, "float32"), "max_batch_size": None}


@register_model("scalecurve")
class ScalecurveLM(TemplateLM):  # type: ignore[misc]  # lm_eval says nothing of its types, so the base is Any
    """``pretrained``: a directory, a GGUF file, a Hub id, or a model that scalecurve knows by name.

    ``dtype``: ``auto`` is that of the stored weights, as in ``hf``. ``batch_tokens``: most tokens computed at once; the
    harness's ``batch_size`` counts sequences and is not needed, as batches are formed by tokens.
    """

    def __init__(
        self,
        pretrained: str,
        revision: str = "main",
        dtype: str = "auto",
        device: str | None = None,
        batch_size: int | str | None = None,
        max_length: int | None = None,
        add_bos_token: bool | None = None,
        batch_tokens: int | None = None,
        **others: Any,
    ) -> None:
        super().__init__()
        for name, value in others.items():
            allowed = _REFUSABLE.get(name, ())
            if allowed is not None and value not in allowed:
                raise UserError(f"model_args: {name}={value}: is not supported by --model scalecurve; leave it out")
        rung = resolve_rung(str(pretrained))
        options = {"max_length": max_length, "add_bos_token": add_bos_token}
        options = {name: value for name, value in options.items() if value is not None}
        rung = replace(rung, revision="" if revision == "main" else str(revision), options=dict(rung.options) | options)
        self._dtype = stored_dtype(rung) if dtype == "auto" else str(dtype).removeprefix("torch.")
        where = "auto" if device in (None, "cuda") else device
        model = open_model(rung, device=where, dtype=self._dtype, batch_tokens=batch_tokens)
        if not isinstance(model, LocalModel):
            raise UserError(f"model_args: pretrained={pretrained}: is no local model; give a directory or a Hub id")
        self._model = model
        self._encoder = model.runner.encoder
        self._revision = revision
        self.tokenizer = self._encoder.tokenizer
        self.batch_size = batch_size

    # ── What the harness asks of any model ──────────────────────────────────────────────────────────────────
    @property
    def eot_token_id(self) -> int:
        return int(self.tokenizer.eos_token_id)

    @property
    def prefix_token_id(self) -> int:
        return self._encoder.prefix

    @property
    def max_length(self) -> int:
        return self._encoder.max_length

    @property
    def tokenizer_name(self) -> str:
        return str(self.tokenizer.name_or_path).replace("/", "__")

    def get_model_info(self) -> dict[str, object]:
        """What the harness writes into ``config`` of its results."""
        return {
            "model_num_parameters": self._model.parameters()[1],
            "model_dtype": f"torch.{self._dtype}",
            "model_revision": self._revision,
            "scalecurve_fingerprint": self._model.fingerprint,
        }

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        return self._encoder.ids([string], special=add_special_tokens is not False)[0]

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        text = self.tokenizer.apply_chat_template(
            chat_history,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=not add_generation_prompt,
        )
        return str(text)

    # ── Log-probabilities ───────────────────────────────────────────────────────────────────────────────────
    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """(summed log-probability, greedy) of each continuation; those after one context are asked together."""
        by_context: dict[str, list[int]] = {}
        for at, request in enumerate(requests):
            by_context.setdefault(request.args[0], []).append(at)
        groups = list(by_context.values())
        asked = [
            Request(context, options=tuple(requests[at].args[1] for at in ats)) for context, ats in by_context.items()
        ]
        found: list[tuple[float, bool]] = [(0.0, False)] * len(requests)
        with _bar(len(requests), "scalecurve: loglikelihood", disable_tqdm) as advance:

            def on_output(number: int, output: Output) -> None:
                if output.error:
                    raise UserError(f"loglikelihood: {_shown(asked[number].prompt)}: {output.error}")
                for at, logprob, greedy in zip(groups[number], output.logprobs, output.greedy, strict=True):
                    found[at] = (logprob, greedy)
                    self.cache_hook.add_partial("loglikelihood", requests[at].args, found[at])
                advance(len(groups[number]))

            self._model.run(asked, on_output)
        return found

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], disable_tqdm: bool = False, **_: Any
    ) -> list[tuple[float, bool]]:
        pairs = []
        for shown, context, continuation in requests:
            pair = self._encoder.fit(tuple(context), tuple(continuation), ())
            if pair.error:
                raise UserError(f"loglikelihood: {_shown(str(shown))}: {pair.error}")
            pairs.append((pair.context, pair.continuation))
        found: list[tuple[float, bool]] = [(0.0, False)] * len(pairs)
        with _bar(len(pairs), "scalecurve: windows", disable_tqdm) as advance:

            def on_score(at: int, scored: tuple[float, bool]) -> None:
                found[at] = scored
                advance(1)

            self._model.runner.score_ids(pairs, on_score)
        return found

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[float]:
        """The log-probability of whole texts, in the harness's disjoint windows of the model's length."""
        windows: list[tuple[object, list[int], list[int]]] = []
        owners: list[int] = []
        texts = [request.args[0] for request in requests]
        for owner, ids in enumerate(self._encoder.ids(texts) if texts else []):
            cut = get_rolling_token_windows(ids, self.prefix_token_id, self.max_length, context_len=1)
            for context, continuation in map(make_disjoint_window, cut):
                windows.append((None, context, continuation))
                owners.append(owner)
        sums = [0.0] * len(texts)
        scored = self._loglikelihood_tokens(windows, disable_tqdm=disable_tqdm)
        for owner, (logprob, _) in zip(owners, scored, strict=True):
            sums[owner] += logprob
        for text, logprob in zip(texts, sums, strict=True):
            self.cache_hook.add_partial("loglikelihood_rolling", (text,), logprob)
        return sums

    # ── Texts ───────────────────────────────────────────────────────────────────────────────────────────────
    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """A text after each context, cut before the first of its stop strings."""
        contexts = [request.args[0] for request in requests]
        encoded = self._encoder.ids(contexts) if contexts else []
        prompts, asked, stops = [], [], []
        seen: dict[str, int] = {}
        for context, ids, request in zip(contexts, encoded, requests, strict=True):
            until, length, temperature = self._settings(request.args[1])
            seen[context] = seen.get(context, -1) + 1  # a repeat of a sampled request is another sample
            prompts.append(tuple(ids[-(self.max_length - length) :]) or (self.prefix_token_id,))
            asked.append(Request(context, (), length, tuple(until), temperature, seed=seen[context]))
            stops.append(until)
        texts = [""] * len(requests)
        with _bar(len(requests), "scalecurve: generate_until", disable_tqdm) as advance:

            def on_ids(at: int, ids: list[int]) -> None:
                whole = self.tokenizer.decode(ids, skip_special_tokens=True)
                texts[at] = postprocess_generated_text(whole, stops[at], None)
                self.cache_hook.add_partial("generate_until", requests[at].args, texts[at])
                advance(1)

            self._model.runner.write_ids(prompts, asked, on_ids)
        return texts

    def _settings(self, given: dict[str, Any]) -> tuple[list[str], int, float]:
        """(stop strings, most tokens, temperature) of a request's generation settings."""
        settings: dict[str, Any] = dict(normalize_gen_kwargs(given, MAX_GEN_TOKENS))
        eos = self.tokenizer.decode(self.eot_token_id, skip_special_tokens=False)
        until = handle_stop_sequences(settings.pop("until"), eos=eos)
        length, samples = settings.pop("max_gen_toks"), settings.pop("do_sample")
        temperature = float(settings.pop("temperature", 0.0)) * bool(samples)
        if settings:
            raise UserError(f"generation_kwargs: {next(iter(settings))}: is not supported by --model scalecurve")
        if not 0 < length < self.max_length:
            raise UserError(f"generation_kwargs: max_gen_toks: {length} must be below the model's {self.max_length}")
        return until, length, temperature


def stored_dtype(rung: Rung) -> str:
    """The dtype that a model's weights are stored in: by its configuration, else by its first tensor."""
    if rung.backend != "transformers":
        return "float32"
    folder = Path(rung.location).expanduser()
    if not folder.is_dir():
        from huggingface_hub import snapshot_download

        patterns = ["config.json", "*.safetensors"]
        folder = Path(snapshot_download(rung.location, revision=rung.revision or None, allow_patterns=patterns))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    stated = config.get("dtype") or config.get("torch_dtype")
    if stated:
        return str(stated).removeprefix("torch.")
    with sorted(folder.glob("*.safetensors"))[0].open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    kinds = [entry["dtype"] for name, entry in header.items() if name != "__metadata__"]
    return next((_DTYPES[kind] for kind in kinds if kind in _DTYPES), "float32")


@contextmanager
def _bar(total: int, what: str, disabled: bool) -> Iterator[Callable[[int], object]]:
    from tqdm import tqdm

    with tqdm(total=total, desc=what, disable=disabled) as bar:
        yield bar.update


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"…{text[-60:]}")
