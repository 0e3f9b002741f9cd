"""The nouns of scalecurve: every value that flows from a study to a verdict, in the order it flows.

    Study ─▶ Cell ─▶ Request ─▶ Output ─▶ Answer ─▶ Score ─▶ Curve ─▶ Verdict

All are frozen dataclasses but a Study, which is a file (``study``), and a Score, which is a row of a table
(``analysis.derive``). Log-probabilities are natural logarithms (nats), summed over the tokens of a text. This module
imports nothing of the project, so that every room may import it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any


# ── What is asked ────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Example:
    """One question of a task.

    ``targets`` are the acceptable free-text answers. ``options`` and ``option_scores`` (equal length, file order)
    are the choices of a multiple-choice question and what each is worth (0–1). Either may be empty, not both.
    ``rationale`` holds worked steps that end in the answer, where the task has them.
    """

    id: str
    input: str
    targets: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    option_scores: tuple[float, ...] = ()
    rationale: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rendering:
    """How a task's examples are written into a prompt (BIG-bench's keys and defaults)."""

    task_prefix: str = ""
    input_prefix: str = "\nQ: "
    output_prefix: str = "\nA: "
    separator: str = "\n"
    choice_prefix: str = "\n  choice: "
    append_choices: bool = True


@dataclass(frozen=True, slots=True)
class Postprocess:
    """How a generated text becomes a response: cut at ``stop``, then the first match of ``regex`` (None: no regex)."""

    regex: str | None = None
    stop: str | None = None


@dataclass(frozen=True, slots=True)
class Harness:
    """What a task of lm-evaluation-harness brings besides its prompts (the harness's own names where it has them).

    ``output_type``: multiple_choice, loglikelihood or generate_until. ``target_delimiter`` stands before every answer
    and is no part of an option's length. A generation ends before the first of ``until``; ``filters`` (each a
    ``function`` with its settings) make it the response, and ``exact_match`` disregards what ``ignore`` says.
    ``num_fewshot`` is the file's own number of shots (None: it names none), ``sampler`` how they are drawn, and
    ``leave_out`` says that the question itself is left out of the draw. ``version`` is the file's. ``built`` names what
    the harness itself built the task of ("FILE or NAME@SHOTS", "" for none): it grades the answers too.
    """

    output_type: str
    target_delimiter: str = " "
    until: tuple[str, ...] = ()
    filters: tuple[Mapping[str, object], ...] = ()
    ignore: Mapping[str, object] = field(default_factory=dict)
    num_fewshot: int | None = None
    sampler: str = "default"
    leave_out: bool = True
    version: str = ""
    built: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """A leaf task: examples that share a rendering, metrics and a chance level.

    ``chance`` is the expected score of blind guessing under the preferred metric; ``ceiling`` the best attainable.
    ``parent`` names the container of a subtask. ``worked`` are answered examples kept apart for use as shots, where
    the task has them. ``probes`` declare partial abilities graded on the same answers (``tasks.probes``).
    ``contrast`` names the leaf that asks the same examples, id by id, without its trap (``analysis.compare.gaps``).
    ``max_tokens`` bounds an answer, ``step_tokens`` written-out steps (0: the task sets no bound of its own for them).
    ``flags`` name defects and repairs (``tasks.repairs``). ``fingerprint`` is a SHA-256 over all that determines
    prompts and scores. ``harness`` is set for a task of lm-evaluation-harness. ``own`` marks a file of the user's own,
    no benchmark's: all its questions are asked, repeated ones too, and no shot shows the question that is asked.
    """

    name: str
    examples: tuple[Example, ...]
    metrics: tuple[str, ...]
    preferred_metric: str
    rendering: Rendering = Rendering()
    postprocess: Postprocess = Postprocess()
    chance: float = 0.0
    ceiling: float = 1.0
    max_tokens: int = 32
    step_tokens: int = 0
    description: str = ""
    keywords: tuple[str, ...] = ()
    parent: str = ""
    source: str = ""
    flags: tuple[str, ...] = ()
    fingerprint: str = ""
    probes: Mapping[str, str | Mapping[str, object]] = field(default_factory=dict)
    worked: tuple[Example, ...] = ()
    contrast: str = ""
    harness: Harness | None = None
    own: bool = False


# ── Who answers ──────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Rung:
    """One model of a family. Parameter counts, FLOPs, tokens and passes over its data are None where unknown."""

    name: str
    backend: str
    location: str
    params_non_embedding: int | None = None
    params_total: int | None = None
    training_flops: float | None = None
    training_tokens: int | None = None
    step: int | None = None
    epoch: float | None = None
    loss: float | None = None
    revision: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ladder:
    """A family of models, rungs in ascending scale. ``axes`` are those on which every rung has a value."""

    family: str
    rungs: tuple[Rung, ...]
    axes: tuple[str, ...] = ("params_non_embedding",)
    source: str = ""


# ── How it is asked ──────────────────────────────────────────────────────────────────────────────────────────
_ESCAPES = {":": "@", "/": ","}  # readable in a folder name; `=` would look like a Hive partition to DuckDB and Polars


@dataclass(frozen=True, slots=True)
class Cell:
    """(rung, task, strategy, shots, seed): the unit of scheduling, caching, resuming and failing."""

    family: str
    rung: str
    task: str
    strategy: str
    shots: int
    seed: int = 0

    @property
    def key(self) -> str:
        """A name for the cell, unique within a study and fit for a folder name (at most 200 bytes, no ``=``)."""
        raw = f"{self.family}~{self.rung}~{self.task}~{self.strategy}~{self.shots}shot~seed{self.seed}"
        key = "".join(
            c if c.isascii() and (c.isalnum() or c in "~-_.+") else _ESCAPES.get(c, f"%{ord(c):X}") for c in raw
        )
        return key if len(key) <= 200 else f"{key[:160]}~{sha256(raw.encode()).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class Request:
    """A prompt with options to score, or with a generation to make (``options`` empty).

    Scoring asks log P(option | prompt) for each option. Generation asks for ``samples`` texts of at most
    ``max_tokens`` tokens, ended early by any of ``stop``; temperature 0 is greedy. ``grammar`` (Lark) is what the
    texts must follow, from models that can be held to one (``Model.constrains``); others must not be given any.

    ``thinking_tokens`` is what a thinking model may write before its answer, on top of ``max_tokens``; within thinking
    no stop string counts. ``effort`` is the level of reasoning asked of a model that has levels (low, medium, high).
    """

    prompt: str
    options: tuple[str, ...] = ()
    max_tokens: int = 0
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    samples: int = 1
    seed: int = 0
    grammar: str = ""
    thinking_tokens: int = 0
    effort: str = ""

    @property
    def limit(self) -> int:
        """Most tokens of a text, thinking and answer together."""
        return self.max_tokens + self.thinking_tokens


@dataclass(frozen=True, slots=True)
class Output:
    """A model's reply to one Request.

    Scoring fills ``logprobs`` (summed, nats, float32 or better), ``token_counts`` and ``greedy`` (every token of the
    option is the argmax), one entry an option. Generation fills ``texts`` and ``text_logprobs`` (one tuple of token
    log-probs a text), ``cut`` (whether its limit ended each text), and of thinking models ``thinking`` (what each text
    was thought before it, apart from it) with its ``thinking_tokens``, which ``generated_tokens`` count too. Where
    ``cut`` or ``thinking`` is empty the model did not tell them (``strategies.driver`` does). ``flags``:
    ``boundary_merge``, ``truncated`` (the prompt), ``shortened`` (the text's limit). A non-empty ``error`` says why
    there is no reply.
    """

    logprobs: tuple[float, ...] = ()
    token_counts: tuple[int, ...] = ()
    greedy: tuple[bool, ...] = ()
    texts: tuple[str, ...] = ()
    text_logprobs: tuple[tuple[float, ...], ...] = ()
    prompt_tokens: int = 0
    generated_tokens: int = 0
    flags: tuple[str, ...] = ()
    error: str = ""
    cut: tuple[bool, ...] = ()
    thinking: tuple[str, ...] = ()
    thinking_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a strategy made of the model's outputs for one example; one row of ``outputs``.

    ``options``/``option_logprobs`` are the scored choices (multiple choice), ``target_logprobs`` the log-probability
    of each acceptable free-text target, ``text`` the raw generation (the last stage's), ``response`` what was
    extracted from it (None: extraction failed), ``samples`` every text where several were drawn.

    ``thinking`` is what a thinking model wrote before its texts: kept apart, never graded, ``thinking_tokens`` of the
    ``generated_tokens``. ``cut`` counts the texts of all stages that their limit ended. ``censored``: the last text was
    cut and holds no answer, so that nobody knows whether it would have been right. The driver fills all four.
    """

    example_id: str
    prompt: str
    options: tuple[str, ...] = ()
    option_logprobs: tuple[float, ...] = ()
    option_tokens: tuple[int, ...] = ()
    option_greedy: tuple[bool, ...] = ()
    target_logprobs: tuple[float, ...] = ()
    target_tokens: tuple[int, ...] = ()
    text: str | None = None
    response: str | None = None
    samples: tuple[str, ...] = ()
    text_logprob: float | None = None
    prompt_tokens: int = 0
    generated_tokens: int = 0
    flags: tuple[str, ...] = ()
    error: str = ""
    thinking: str = ""
    thinking_tokens: int = 0
    cut: int = 0
    censored: bool = False


# ── What it means ────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Curve:
    """One (family, task, strategy, shots, metric) over ascending scale.

    ``x`` is the chosen ``axis`` in natural units (parameters, FLOPs, tokens, steps, nats); ``y`` the score, ``se`` its
    standard error, ``n`` the number of items, all of one length. ``chance`` and ``ceiling`` are None for
    unbounded metrics. ``censored`` counts the items whose answer a limit cut off, where there are any: then ``y`` lies
    between ``all_wrong`` and ``all_right``, the scores with all of them taken as wrong and as right (else empty).
    """

    family: str
    task: str
    strategy: str
    shots: int
    metric: str
    axis: str
    rungs: tuple[str, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    se: tuple[float, ...]
    n: tuple[int, ...]
    chance: float | None = None
    ceiling: float | None = 1.0
    higher_is_better: bool = True
    flags: tuple[str, ...] = ()
    censored: tuple[int, ...] = ()
    all_wrong: tuple[float, ...] = ()
    all_right: tuple[float, ...] = ()


class Shape(StrEnum):
    """What a curve does over scale. The values are what tables hold, as of every label here."""

    FLAT = "flat"
    SMOOTH = "smooth"
    LATE = "late"
    EMERGENT = "emergent"
    INVERSE = "inverse"
    U = "U"
    INVERTED_U = "inverted-U"
    IRREGULAR = "irregular"
    ONE_MODEL = "one-model"
    SATURATED = "saturated"
    INCONCLUSIVE = "inconclusive"
    TOO_FEW = "too-few"


class Artefact(StrEnum):
    """Whether finer scores of the same answers jump where the score does. NONE: a curve without a rise off chance."""

    NONE = ""
    UNTESTED = "untested"
    UNDETERMINED = "undetermined"
    METRIC_ARTEFACT = "metric-artefact"
    METRIC_ROBUST = "metric-robust"


class Certainty(StrEnum):
    """A verdict's confidence in a word."""

    FIRM = "firm"
    LIKELY = "likely"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a curve shows, how surely, and why.

    ``confidence``: how probable it is that the shape is right (calibrated); ``stability``: how often it stays when
    questions are drawn anew. ``width``: decades from a tenth to nine tenths of the rise. ``scatter``: standard
    deviation between models beyond the noise of items. ``bound``: of a flat curve, the largest change there may be.
    ``reasons``: (code, arguments) each, a sentence as a string.
    """

    shape: Shape
    sublabel: str = ""
    confidence: float | None = None
    threshold: float | None = None
    threshold_interval: tuple[float, float] | None = None
    artefact: Artefact = Artefact.UNTESTED
    flags: tuple[str, ...] = ()
    linearity: float | None = None
    breakthroughness: float | None = None
    p_flat: float | None = None
    stability: float | None = None
    width: float | None = None
    width_interval: tuple[float, float] | None = None
    scatter: float | None = None
    bound: float | None = None
    reasons: tuple[tuple[str, tuple[float | str, ...]], ...] = ()

    @property
    def likeliest(self) -> str:
        """The shape, or the one that an inconclusive verdict leans to ("" where it leans to none)."""
        return self.sublabel if self.shape == Shape.INCONCLUSIVE else self.shape
