"""What the laboratory trains: the rungs, the number of tokens, the learning rates. One page, no logic.

Models of the Qwen3 architecture, each about three times the one before in non-embedding parameters, see the same
tokens in the same order. Learning rates fall with width; they were found on short runs, judged by validation loss.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

CONTEXT = 256
ROWS_PER_STEP = 8
STEPS = 2000
WARM_UP_STEPS = 100
WEIGHT_DECAY = 0.05
QUESTION_WEIGHT = 0.1  # of the loss on the text of questions; answers and statements count fully
CURRICULUM_SHARE, CURRICULUM_TOKENS = 0.04, 600_000  # of all tokens, at least so many: short lists said twice
CORPUS_SEED, VALIDATION_SEED, TOKENIZER_SEED, CURRICULUM_SEED = 1, 2, 3, 5
VALIDATION_ROWS = 256
CHECKPOINT_RUNGS = ("lab-332k", "lab-109k")
CHECKPOINT_STEPS = (4, 16, 64, 128, 256, 512, 768, 1024, 1536)


@dataclass(frozen=True, slots=True)
class RungRecipe:
    """Architecture and learning rates of one rung: ``matrix_rate`` for Muon, ``vector_rate`` for AdamW.

    ``seed`` draws the initial weights and, unless 0, another order of the rows after the curriculum.
    """

    name: str
    width: int
    layers: int
    heads: int
    feed_forward: int
    matrix_rate: float
    vector_rate: float
    seed: int = 0


RUNGS = (
    RungRecipe("lab-3k", 16, 1, 2, 40, 8e-3, 1e-2),
    RungRecipe("lab-12k", 32, 1, 2, 80, 6e-3, 1e-2),
    RungRecipe("lab-36k", 40, 2, 2, 96, 5e-3, 8e-3),
    RungRecipe("lab-109k", 64, 2, 4, 192, 4e-3, 6e-3),
    RungRecipe("lab-332k", 96, 3, 6, 256, 3e-3, 6e-3),
    RungRecipe("lab-1m", 144, 4, 9, 392, 3e-3, 6e-3),
    RungRecipe("lab-3m", 224, 5, 14, 616, 2e-3, 4e-3),
)
SEEDS = (1, 2)
REPEATED_RUNGS = ("lab-109k", "lab-332k", "lab-1m")  # trained again with every further seed: how much is luck?
REPEATS = tuple(
    replace(rung, name=f"{rung.name}-seed{seed}", seed=seed)
    for rung in RUNGS
    for seed in SEEDS
    if rung.name in REPEATED_RUNGS
)


def tokens_per_step() -> int:
    """Tokens one optimiser step sees."""
    return CONTEXT * ROWS_PER_STEP


def curriculum_rows(rows: int) -> int:
    """How many of the first ``rows`` rows hold lists only."""
    return min(rows, max(round(rows * CURRICULUM_SHARE), -(-CURRICULUM_TOKENS // CONTEXT)))
