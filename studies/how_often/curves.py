"""The public curves that the study judges: one long table an axis of scale, from ../shared/data.

``at_sizes`` is the main collection (scores of fully trained models against parameters), ``in_training`` the models'
checkpoints against tokens or steps, ``on_loss`` Gadre's runs against their validation loss.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from published import gadre, gemstones, leaderboard, observational, olmo, pythia, pythia_plain

BUDGETS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # tokens, in units of 20 a parameter
SCORES = ("acc", "accuracy", "score", "exact_match")
KEY = ["family", "task", "shots", "metric"]
MMLU = ("hendrycksTest", "mmlu")
SAME = {  # one benchmark under several names, its parts, and benchmarks made from its questions
    "csqa": "commonsense_qa", "socialiqa": "siqa", "social_iqa": "siqa", "wsc": "winograd", "lambada": "lambada_openai",
    "hellaswag_zeroshot": "hellaswag", "openbook_qa": "openbookqa", "logi_qa": "logiqa",
    "arc_easy": "arc", "arc_challenge": "arc",
    "agi_eval_lsat_ar": "lsat", "agi_eval_lsat_lr": "lsat", "agi_eval_lsat_rc": "lsat",
    "winogender_mc_female": "winogender", "winogender_mc_male": "winogender",
    "simple_arithmetic_nospaces": "simple_arithmetic", "simple_arithmetic_withspaces": "simple_arithmetic",
    "2-digit addition": "bigbench_arithmetic", "3-digit addition": "bigbench_arithmetic",
    "3-digit subtraction": "bigbench_arithmetic", "2-digit multiplication": "bigbench_arithmetic",
    "bigbench_elementary_math_qa": "math_qa", "leaderboard_mmlu_pro": "mmlu",
    "bigbench_logical_deduction": "leaderboard_bbh",
}  # fmt: skip
CONTINUED = {"CodeLlama": "Llama"}  # trained on from models of another family


def at_sizes(data: Path) -> pl.DataFrame:
    """Every curve over the parameters of fully trained models; ``set`` names the source."""
    parts = [
        pythia(data).with_columns(set=pl.lit("Pythia")),
        pythia_plain(data).with_columns(set=pl.lit("Pythia"), family=pl.lit("pythia-plain")),
        *(_gadre(data, budget) for budget in BUDGETS),
        olmo(data).with_columns(set=pl.lit("OLMo ladder")),
        _unsaid(observational(data)).with_columns(set=pl.lit("Public models")),
        _unsaid(leaderboard(data)).with_columns(set=pl.lit("Public models")),
        gemstones(data).with_columns(set=pl.lit("Gemstones")),
    ]
    return _same_types(parts)


def in_training(data: Path) -> dict[str, pl.DataFrame]:
    """Checkpoints of one model each: Pythia's by tokens (step 0 left out: equal to step 1), Gemstones' by steps."""
    frame = pl.read_parquet(data / "pythia_evals" / "pythia_v1_deduped.parquet")
    steps = sorted(step for step in frame["step"].unique() if step > 0)
    parts = [
        pythia(data, step).with_columns(
            set=pl.lit("Pythia"), family=pl.col("rung"), rung=pl.lit(f"step{step}"), training_tokens=step * 2_097_152
        )
        for step in steps
    ]
    stones = gemstones(data, final=False).with_columns(set=pl.lit("Gemstones"))
    return {"training_tokens": _same_types(parts), "step": stones}


def on_loss(data: Path) -> pl.DataFrame:
    """All runs of a corpus of Gadre et al., every size and token budget, against their loss on C4."""
    parts = [_gadre(data, budget).with_columns(family=pl.col("corpus")) for budget in BUDGETS]
    return _same_types(parts)


def _gadre(data: Path, budget: float) -> pl.DataFrame:
    frame = gadre(data, budget).with_columns(set=pl.lit("Gadre"), corpus=pl.col("family"))
    return frame.with_columns(family=pl.format("{}-{}x", pl.col("corpus"), pl.lit(f"{budget:g}")))


def _unsaid(frame: pl.DataFrame) -> pl.DataFrame:
    """Scores of ObsScaling other than those with two shots: the source states no number of shots."""
    return frame.with_columns(shots=pl.when(pl.col("shots") > 0).then("shots"))


def _same_types(parts: list[pl.DataFrame]) -> pl.DataFrame:
    numbers = {"n": pl.Int64, "params_non_embedding": pl.Float64, "params_total": pl.Float64, "y": pl.Float64}
    numbers |= dict.fromkeys(("se", "chance", "ceiling", "training_tokens", "training_flops", "loss"), pl.Float64)
    alike = [part.with_columns(pl.col(c).cast(t) for c, t in numbers.items() if c in part.columns) for part in parts]
    return pl.concat([part.with_columns(pl.col("shots").cast(pl.Int64)) for part in alike], how="diagonal_relaxed")


def benchmark(task: str) -> str:
    """The benchmark a task belongs to: subjects, splits, parts and shots of one benchmark are not independent."""
    if task.startswith(MMLU):
        return "mmlu"
    name = task.removesuffix("_val").removesuffix("_test")
    return SAME.get(name, name)


def origin(source: str, family: str) -> str:
    """Models of one project, of Gadre's those on one corpus: what they have in common is not independent."""
    if source == "Gadre":
        return f"Gadre {family.rsplit('-', 1)[0]}"
    if source == "Public models":
        return CONTINUED.get(family, family)
    return source


def sister(source: str, family: str) -> str:
    """What families that differ in their training data alone have in common; "" where there is none."""
    if source == "Pythia":
        return "Pythia"
    return f"Gadre {family.rsplit('-', 1)[1]}" if source == "Gadre" and "-" in family else ""
