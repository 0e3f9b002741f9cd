"""Published evaluation results as curves tables: the readers of the studies and tests on real model families.

Each function takes the folder with the data and returns the long table that ``scalecurve.analysis`` reads. Defects of
the sources are repaired here and named in the docstrings.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

QUARTER = ("arc_easy", "arc_challenge", "sciq", "logiqa", "hendrycksTest")
OLMO_CHOICES = {
    "mmlu": 4, "hellaswag": 4, "arc_easy": 4, "arc_challenge": 4, "boolq": 2, "csqa": 5, "openbookqa": 4, "piqa": 2,
    "socialiqa": 3, "winogrande": 2,
}  # fmt: skip
OLMO_ITEMS = {  # sizes of the public splits; the source states none, but its scores are multiples of one such item
    "mmlu_stem_test": 3018, "mmlu_humanities_test": 4705, "mmlu_social_sciences_test": 3077, "mmlu_other_test": 3242,
    "mmlu_stem_val": 321, "mmlu_humanities_val": 518, "mmlu_social_sciences_val": 337, "mmlu_other_val": 355,
    "hellaswag_val": 10042, "arc_easy_test": 2376, "arc_easy_val": 570, "arc_challenge_test": 1172,
    "arc_challenge_val": 299, "boolq_val": 3270, "csqa_val": 1221, "openbookqa_test": 500, "openbookqa_val": 500,
    "piqa_val": 1838, "socialiqa_val": 1954, "winogrande_val": 1267,
}  # fmt: skip
OBS_TASKS = {  # column → (task, chance, items)
    "MMLU": ("mmlu", 0.25, 14042), "ARC-C": ("arc_challenge", 0.25, 1172), "HellaSwag": ("hellaswag", 0.25, 10042),
    "Winograd": ("winogrande", 0.5, 1267), "TruthfulQA": ("truthfulqa", None, 817), "GSM8K": ("gsm8k", 0.0, 1319),
    "HumanEval": ("humaneval", 0.0, 164), "parsinlu_qa_2_acc": ("parsinlu_qa", 0.25, 1050),
    "word_unscrambling_2_exact_match": ("word_unscrambling", 0.0, 2000),
    "ipa_transliterate_2_exact_match": ("ipa_transliterate", 0.0, 1003),
    "arithmetic_3ds_2_acc": ("3-digit subtraction", 0.0, 2000), "arithmetic_3da_2_acc": ("3-digit addition", 0.0, 2000),
    "arithmetic_2dm_2_acc": ("2-digit multiplication", 0.0, 2000),
    "arithmetic_2da_2_acc": ("2-digit addition", 0.0, 2000),
}  # fmt: skip


def pythia(data: Path, step: int = 143_000) -> pl.DataFrame:
    """Pythia (deduplicated), 8 sizes, 0 and 5 shots, accuracy; metrics without a direction (crows_pairs) left out."""
    frame = pl.read_parquet(data / "pythia_evals" / "pythia_v1_deduped.parquet")
    frame = frame.filter(pl.col("step") == step, pl.col("metric") == "acc")
    quarter = pl.any_horizontal(*(pl.col("task").str.starts_with(name) for name in QUARTER))
    chance = pl.when(pl.col("task") == "lambada_openai").then(0.0).when(quarter).then(0.25).otherwise(0.5)
    return _long(
        frame.select(
            "family",
            "task",
            "shots",
            "params_non_embedding",
            "params_total",
            "n",
            rung="model",
            y="value",
            se="stderr",
            chance=chance,
        ).with_columns(metric=pl.lit("acc"), ceiling=1.0)
    )


def pythia_plain(data: Path) -> pl.DataFrame:
    """Pythia without deduplication: same sizes, tasks and shots as ``pythia``.

    The source leaves out the 1B model's count of all parameters; it is that of the deduplicated one, of the same make.
    """
    frame = pl.read_parquet(data / "pythia_evals" / "pythia_v1_nondeduped_final.parquet")
    one = pl.when(pl.col("params_non_embedding") == 805_736_448).then(1_011_781_632.0)
    total = pl.coalesce("params_total", one)
    return frame.with_columns(params_total=total, strategy=pl.lit("direct"), preferred=pl.lit(True))


def gemstones(data: Path, final: bool = True) -> pl.DataFrame:
    """22 models of many widths and depths, of which several have nearly one size: by size (last checkpoints).

    ``final=False``: every model a family of its own over its checkpoints, by training steps.
    """
    items = {"mmlu": 14042, "openbookqa": 500}
    chance = {"commonsense_qa": 0.2, "piqa": 0.5, "winogrande": 0.5, "siqa": 1 / 3}
    frame = pl.read_parquet(data / "gemstones" / "gemstones.parquet")
    frame = frame.filter(pl.col("step").is_null() if final else pl.col("step").is_not_null())
    return _long(
        frame.select(
            "task", "params_non_embedding", "step", rung="checkpoint", y="acc", shots=pl.lit(0), metric=pl.lit("acc"),
            family=pl.lit("gemstones") if final else pl.col("model"), ceiling=pl.lit(1.0),
            n=pl.col("task").replace_strict(items, default=1000, return_dtype=pl.Int64),
            chance=pl.col("task").replace_strict(chance, default=0.25, return_dtype=pl.Float64),
        )
    )  # fmt: skip


def observational_models(data: Path, most_flops: float = 84.0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(known, withheld) for the ability axis: 8 benchmarks of all models, two-shot tasks of those up to ``most_flops``.

    Of the 84 models with two-shot scores, those whose training FLOPs (in 1e21; BTLM's token count mended) are known;
    RWKV-raven and the impossible IPA scores left out, as in ``observational``.
    """
    folder = data / "obsscaling"
    base = pl.read_csv(folder / "base_llm_benchmark_eval.csv").filter(~pl.col("Model").str.contains("raven"))
    emergent = pl.read_csv(folder / "base_llm_emergent_capability_eval.csv")
    wide = base.with_columns(flops=_mended_flops()).join(emergent, on="Model", how="left")
    ipa = pl.col("ipa_transliterate_2_exact_match")
    wide = wide.with_columns(
        ipa_transliterate_2_exact_match=pl.when((ipa * 1003 - (ipa * 1003).round()).abs() < 1e-3).then(ipa)
    )
    parts = []
    for column in (*base.columns[5:13], *(name for name in OBS_TASKS if name in emergent.columns)):
        task, chance, n = OBS_TASKS.get(column, (column.lower(), 0.5 if column == "XWinograd" else None, 2000))
        parts.append(
            wide.select(
                "flops", family="Model Family", rung="Model", params_total=pl.col("Model Size (B)") * 1e9,
                y=pl.col(column).cast(pl.Float64), task=pl.lit(task), chance=pl.lit(chance, pl.Float64), n=n,
                metric=pl.lit("score"), shots=pl.lit(2 if column in emergent.columns else 0),
            ).drop_nulls("y")
        )  # fmt: skip
    table = _long(pl.concat(parts).with_columns(params_non_embedding=pl.col("params_total"), ceiling=1.0))
    asked = pl.col("shots") == 2
    table = table.filter(pl.col("flops").is_not_null() & pl.col("rung").is_in(emergent["Model"].to_list()))
    return table.filter(~asked | (pl.col("flops") <= most_flops)), table.filter(asked, pl.col("flops") > most_flops)


def gadre(data: Path, multiplier: float = 1.0) -> pl.DataFrame:
    """Six sizes a training set at one token budget per parameter; one family a training set; loss on C4 as ``loss``.

    Tasks whose item count is not known (averages over categories) are left out.
    """
    frame = pl.read_parquet(data / "gadre_scaling" / "gadre_scaling.parquet")
    frame = frame.filter(pl.col("chinchilla_multiplier") == multiplier)
    losses = frame.filter(pl.col("kind") == "loss", pl.col("task") == "c4_val").select("run", loss="value")
    frame = frame.filter(pl.col("kind") == "downstream", pl.col("n").is_not_null()).join(losses, on="run", how="left")
    return _long(
        frame.select(
            "task", "shots", "loss", "n", family="train_data", rung="run", metric="metric", y="value",
            params_total="params", training_flops="flops_6nd", training_tokens="tokens", chance="random_baseline",
        ).with_columns(params_non_embedding=pl.col("params_total"), ceiling=1.0)
    )  # fmt: skip


def olmo(data: Path) -> pl.DataFrame:
    """OLMo ladder, last checkpoint of five sizes; one family a token budget (0.5 to 10 times Chinchilla).

    Beside accuracy: bits per byte (bpb) and log-probability of the right choice (soft_log). Reruns left out.
    """
    frame = pl.read_parquet(data / "olmo_ladder" / "ladder_runs.parquet")
    frame = frame.filter(pl.col("role") == "ladder", ~pl.col("is_rerun")).sort("tokens").group_by("run").last()
    places = {"acc": "downstream", "bpb": "downstream_bpb", "soft_log": "downstream_soft_log"}
    parts = []
    for metric, folder in places.items():
        for column in frame.columns:
            if not column.startswith(f"eval/{folder}/") or "_mc_" in column:
                continue
            task = column.split("/")[2].split("_rc_5shot")[0]
            choices = next(k for name, k in OLMO_CHOICES.items() if task.startswith(name))
            bounded = metric == "acc"
            parts.append(
                frame.select(
                    "run", "params", "tokens", "chinchilla_multiple", "flops_per_token", y=pl.col(column)
                ).with_columns(
                    task=pl.lit(task),
                    metric=pl.lit(metric),
                    n=OLMO_ITEMS[task],
                    chance=pl.lit(1 / choices if bounded else None, pl.Float64),
                    ceiling=pl.lit(1.0 if bounded else None, pl.Float64),
                    se=pl.lit(None if bounded else 0.01, pl.Float64),
                    higher_is_better=pl.lit(metric != "bpb"),
                )
            )
    table = pl.concat(parts)
    return _long(
        table.select(
            "task", "metric", "y", "se", "n", "chance", "ceiling", "higher_is_better", rung="run", shots=5,
            family=pl.format("olmo-{}xC", pl.col("chinchilla_multiple")), params_non_embedding="params",
            training_tokens="tokens", training_flops=pl.col("tokens").cast(pl.Float64) * pl.col("flops_per_token"),
        )
    )  # fmt: skip


def observational(data: Path) -> pl.DataFrame:
    """Public model families with four or more sizes; two-shot BIG-bench tasks and standard benchmarks.

    Left out: RWKV-raven (instruction-tuned), a second model of the same size in a family, and scores of IPA
    transliteration that no count of 1,003 items can give (two broken evaluations).
    """
    folder = data / "obsscaling"
    base = pl.read_csv(folder / "base_llm_benchmark_eval.csv").filter(~pl.col("Model").str.contains("raven"))
    wide = base.join(pl.read_csv(folder / "base_llm_emergent_capability_eval.csv"), on="Model", how="left")
    wide = wide.sort("Model Size (B)", "Model").unique(["Model Family", "Model Size (B)"], keep="first")
    ipa = pl.col("ipa_transliterate_2_exact_match")
    wide = wide.with_columns(
        ipa_transliterate_2_exact_match=pl.when((ipa * 1003 - (ipa * 1003).round()).abs() < 1e-3).then(ipa)
    )
    parts = [
        wide.select(
            family="Model Family", rung="Model", params_total=(pl.col("Model Size (B)") * 1e9).round().cast(pl.Int64),
            y=pl.col(column).cast(pl.Float64), task=pl.lit(task), chance=pl.lit(chance, pl.Float64), n=items,
            metric=pl.lit("score" if column in base.columns else column.rsplit("_2_", 1)[1]),
            shots=pl.lit(0 if column in base.columns else 2),
            training_flops=_mended_flops() * 1e21, training_tokens=pl.col("Pretraining Data Size (T)") * 1e12,
        ).drop_nulls("y")
        for column, (task, chance, items) in OBS_TASKS.items()
    ]  # fmt: skip
    table = pl.concat(parts).with_columns(params_non_embedding=pl.col("params_total"), ceiling=1.0)
    table = table.filter(pl.len().over("family", "task", "metric") >= 4)
    return _long(table.sort("family", "task", "params_total", "rung"))


def _mended_flops() -> pl.Expr:
    """Training FLOPs in 1e21; those of BTLM, whose token count is a thousand times too large, mended."""
    flops = pl.col("FLOPs (1E21)")
    return pl.when(pl.col("Model") == "cerebras/btlm-3b-8k-base").then(flops / 1000).otherwise(flops)


LEADERBOARD = {  # column → (chance where all questions have one, items)
    "leaderboard_bbh": (None, 5761), "leaderboard_gpqa": (0.25, 1192), "leaderboard_ifeval": (0.0, 541),
    "leaderboard_math_hard": (0.0, 1324), "leaderboard_mmlu_pro": (0.1, 12032), "leaderboard_musr": (None, 756),
}  # fmt: skip


def leaderboard(data: Path) -> pl.DataFrame:
    """Open LLM Leaderboard 2 scores of public families with four or more sizes, sizes as in ``observational``."""
    folder = data / "obsscaling"
    base = pl.read_csv(folder / "base_llm_benchmark_eval.csv").filter(~pl.col("Model").str.contains("raven"))
    scores = pl.read_csv(folder / "base_llm_leaderboard_v2_eval.csv")
    wide = scores.join(base, on="Model")
    wide = wide.sort("Model Size (B)", "Model").unique(["Model Family", "Model Size (B)"], keep="first")
    parts = [
        wide.select(
            family="Model Family", rung="Model", params_total=(pl.col("Model Size (B)") * 1e9).round().cast(pl.Int64),
            y=pl.col(column).cast(pl.Float64), task=pl.lit(column), chance=pl.lit(chance, pl.Float64), n=items,
            metric=pl.lit("score"), shots=pl.lit(0),
            training_flops=_mended_flops() * 1e21, training_tokens=pl.col("Pretraining Data Size (T)") * 1e12,
        ).drop_nulls("y")
        for column, (chance, items) in LEADERBOARD.items()
    ]  # fmt: skip
    table = pl.concat(parts).with_columns(params_non_embedding=pl.col("params_total"), ceiling=1.0)
    table = table.filter(pl.len().over("family", "task", "metric") >= 4)
    return _long(table.sort("family", "task", "params_total", "rung"))


def _long(frame: pl.DataFrame) -> pl.DataFrame:
    missing = {"strategy": pl.lit("direct"), "se": pl.lit(None, pl.Float64), "higher_is_better": pl.lit(True)}
    frame = frame.with_columns(**{name: value for name, value in missing.items() if name not in frame.columns})
    return frame.with_columns(preferred=pl.col("metric").is_in(["acc", "accuracy", "score", "exact_match"]))


SETS: dict[str, Callable[[Path], pl.DataFrame]] = {
    "Pythia": pythia,
    "Gadre": gadre,
    "OLMo ladder": olmo,
    "Observational": observational,
}
