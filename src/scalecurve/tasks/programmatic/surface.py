"""The modules that programmatic tasks import, as much of them as tasks use when they are evaluated.

``install_surface`` puts a ``bigbench`` of ours (the classes Task, TaskMetadata, ScoreData, Model, ModelData, and
post-processing) into ``sys.modules``, with the installed task files as ``bigbench.benchmark_tasks``. Small stand-ins
cover libraries of which tasks use one function: t5's metrics, editdistance, tqdm. This module runs in the child
process and imports nothing of scalecurve but ``tasks.postprocess`` and ``nouns``.
"""

from __future__ import annotations

import abc
import importlib.util
import re
import string
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from scalecurve.tasks.postprocess import postprocess
from scalecurve.types import Postprocess


# ── bigbench.api ─────────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class TaskMetadata:
    name: str
    description: str
    keywords: list[str]
    max_input_length_per_query: int
    max_queries: int


@dataclass
class ScoreData:
    score_dict: dict[str, float]
    preferred_score: str
    number_of_shots: int
    low_score: float
    high_score: float
    subtask_description: str = ""


@dataclass(frozen=True)
class BigbenchModelData:
    model_family: str
    model_name: str
    total_params: int
    non_embedding_params: int
    flop_matched_non_embedding_params: int
    training_batch_size: int
    training_steps: int
    description: str
    decoding_params: dict[str, object] = field(default_factory=dict)
    additional_details: str | None = ""


class BigbenchTask(abc.ABC):
    """What a task extends. ``evaluate_model`` asks the model and returns one ScoreData or a list of them."""

    def __init__(self) -> None:
        return

    @abc.abstractmethod
    def get_task_details(self) -> TaskMetadata: ...

    @abc.abstractmethod
    def evaluate_model(self, model: Any, max_examples: int | None = None, random_seed: int | None = 0) -> Any: ...


class BigbenchModel(abc.ABC):
    """What a model extends."""

    @abc.abstractmethod
    def generate_text(
        self, inputs: object, max_length: int, stop_string: str | None, output_regex: str | None
    ) -> Any: ...

    @abc.abstractmethod
    def cond_log_prob(self, inputs: object, targets: object, absolute_normalization: bool | None) -> Any: ...

    @abc.abstractmethod
    def model_data(self) -> BigbenchModelData: ...


def postprocess_output(text: Any, max_length: int | None, stop_string: str | None, output_regex: str | None) -> Any:
    """BIG-bench's post-processing of one text or a list of them."""
    if isinstance(text, list):
        return [postprocess_output(one, max_length, stop_string, output_regex) for one in text]
    said = text if isinstance(text, str) else str(text, "utf-8")
    return postprocess(said, Postprocess(output_regex, stop_string), max_length or 0)


Ask = Callable[[dict[str, Any]], Any]
"""Sends one request to the parent process and returns its reply."""


class RemoteModel(BigbenchModel):
    """The model tasks get: every call goes to the parent process, in batches as the task made them."""

    def __init__(self, ask: Ask, data: dict[str, Any]) -> None:
        self._ask = ask
        self._data = data

    def generate_text(
        self,
        inputs: Any,
        max_length: int = 0,
        stop_string: str | None = None,
        output_regex: str | None = None,
    ) -> Any:
        many = [inputs] if isinstance(inputs, str) else [str(one) for one in inputs]
        texts = self._ask({"op": "generate", "inputs": many, "max_length": int(max_length or 0)}) if many else []
        cut = [postprocess_output(text, max_length, stop_string, output_regex) for text in texts]
        return cut[0] if isinstance(inputs, str) else cut

    def cond_log_prob(self, inputs: Any, targets: Any, absolute_normalization: bool | None = False) -> Any:
        one = isinstance(inputs, str)
        asked = [inputs] if one else [str(text) for text in inputs]
        options = [[str(option) for option in group] for group in ([targets] if one else targets)]
        if len(asked) != len(options):
            raise ValueError(f"{len(asked)} inputs but {len(options)} lists of targets")
        values = self._ask({"op": "score", "inputs": asked, "targets": options}) if asked else []
        if not absolute_normalization:
            values = [_normalised(group) for group in values]
        return values[0] if one else values

    def model_data(self) -> BigbenchModelData:
        return BigbenchModelData(**self._data)


def _normalised(values: list[float]) -> list[float]:
    import numpy as np
    from scipy.special import logsumexp

    array = np.asarray(values, dtype=np.float64)
    return [float(value) for value in array - logsumexp(array)]


# ── Other libraries ──────────────────────────────────────────────────────────────────────────────────────────
def _squad(targets: Sequence[Sequence[str]], predictions: Sequence[str]) -> dict[str, float]:
    """SQuAD's exact match and F1, × 100, each against the best answer."""
    pairs = list(zip(targets, predictions, strict=True))
    exact = [max(float(_plain(t) == _plain(p)) for t in answers) for answers, p in pairs]
    overlap = [max(_token_f1(t, p) for t in answers) for answers, p in pairs]
    return {"em": 100 * sum(exact) / len(exact), "f1": 100 * sum(overlap) / len(overlap)}


def _plain(text: str) -> str:
    bare = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def _token_f1(target: str, prediction: str) -> float:
    wanted, said = _plain(target).split(), _plain(prediction).split()
    same = sum((Counter(wanted) & Counter(said)).values())
    if not same:
        return 0.0
    precision, recall = same / len(said), same / len(wanted)
    return 2 * precision * recall / (precision + recall)


def _f1_with_invalid(targets: object, predictions: object) -> dict[str, float]:
    """F1 × 100 of class 1; a prediction that is neither 0 nor 1 counts as the wrong one."""
    import numpy as np

    t, p = np.asarray(targets), np.asarray(predictions)
    p = np.where((p != 0) & (p != 1), 1 - t, p)
    right, said, true = ((t == 1) & (p == 1)).sum(), (p == 1).sum(), (t == 1).sum()
    return {"f1": float(100 * 2 * right / (said + true)) if said + true else 0.0}


def _bleu(targets: Sequence[object], predictions: Sequence[str]) -> dict[str, float]:
    import sacrebleu

    references = targets if isinstance(targets[0], list) else [list(targets)]
    found = sacrebleu.corpus_bleu(list(predictions), references, smooth_method="exp", tokenize="intl")
    return {"bleu": float(found.score)}


def _rouge(
    targets: Sequence[str], predictions: Sequence[str], score_keys: Sequence[str] = ("rouge1", "rouge2", "rougeLsum")
) -> dict[str, float]:
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(list(score_keys))
    rows = [
        scorer.score(t.replace(" . ", " .\n"), p.replace(" . ", " .\n"))
        for t, p in zip(targets, predictions, strict=True)
    ]
    return {key: 100 * sum(row[key].fmeasure for row in rows) / len(rows) for key in score_keys}


def _edit_distance(a: Sequence[object], b: Sequence[object]) -> int:
    from rapidfuzz.distance import Levenshtein

    return int(Levenshtein.distance(a, b))


def _no_metric(*_: Any, **__: Any) -> Any:
    raise RuntimeError("needs the model BLEURT-20, which is not installed")


# ── Putting it in place ──────────────────────────────────────────────────────────────────────────────────────
def install_surface(tasks: Path) -> None:
    """Make ``import bigbench…`` mean ours, and stand in for the libraries that are not installed."""
    _module("bigbench", package=())
    _module("bigbench.benchmark_tasks", package=(str(tasks),))
    _module("bigbench.api", package=())
    _module("bigbench.api.task", Task=BigbenchTask, TaskMetadata=TaskMetadata, ScoreData=ScoreData)
    _module("bigbench.api.model", Model=BigbenchModel, ModelData=BigbenchModelData)
    _module("bigbench.api.util")
    _module("bigbench.models", package=())
    _module("bigbench.models.model_utils", postprocess_output=postprocess_output)
    _module("bigbench.models.dummy_model", DummyModel=BigbenchModel)
    _module("bigbench.models.huggingface_models")
    if _absent("t5"):
        _module("t5", package=())
        _module("t5.evaluation", package=())
        _module("t5.evaluation.metrics", squad=_squad, bleu=_bleu, rouge=_rouge, f1_score_with_invalid=_f1_with_invalid)
    if _absent("editdistance"):
        _module("editdistance", distance=_edit_distance, eval=_edit_distance)
    if _absent("tqdm"):
        _module("tqdm", tqdm=lambda items, *_, **__: items)
    if _absent("datasets"):
        _module("datasets", load_metric=_no_metric)


def _absent(name: str) -> bool:
    return importlib.util.find_spec(name) is None


def _module(name: str, package: tuple[str, ...] | None = None, **members: Any) -> None:
    module = ModuleType(name)
    module.__dict__.update(members)
    if package is not None:
        module.__path__ = list(package)
    sys.modules[name] = module
    parent, _, own = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], own, module)
