"""What the columns of tables are called, in the field and in several languages, and what a benchmark's name tells."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from scalecurve.io.cells import shots_in
from scalecurve.io.conventions import higher_is_better, is_share

NAMES: dict[str, tuple[str, ...]] = {
    "model": ("model", "model_name", "model_id", "fullname", "model_name_or_path", "base_model", "checkpoint", "llm",
              "models", "model/adapter", "run_name", "modell", "modèle", "modele", "modelo", "模型", "模型名称",
              "模型名", "モデル"),
    "task": ("task", "task_name", "benchmark", "dataset", "eval", "evaluation", "subject", "test", "tasks",
             "benchmarks", "aufgabe", "tâche", "tache", "datensatz", "tarea", "任务", "数据集", "评测集", "评测任务",
             "测试集", "基准", "基准测试", "评测", "タスク"),
    "metric": ("metric", "metric_name", "measure", "metrik", "métrique", "métrica", "指标", "评价指标", "评测指标"),
    "score": ("score", "value", "result", "y", "mean_score", "metric_value", "primary_score", "wert", "ergebnis",
              "genauigkeit", "trefferquote", "valeur", "résultat", "exactitude", "puntuación", "得分", "分数", "成绩",
              "结果", "数值", "准确率", "正确率", "スコア"),
    "se": ("se", "stderr", "std_err", "std_error", "standard_error", "score_stderr", "acc_stderr", "sem",
           "standardfehler", "erreur_standard", "标准误", "标准误差"),
    "n": ("n", "count", "num_samples", "n_samples", "num_examples", "n_items", "num_instances", "num_questions",
          "#questions", "#samples", "#items", "#examples", "anzahl", "fragen", "nombre", "样本数",
          "题数", "题目数", "样本量", "数量"),
    "shots": ("shots", "n_shot", "n_shots", "num_fewshot", "num_shots", "fewshot", "few_shot", "k_shot", "nshot",
              "#shots", "number_few_shot", "few_shots",
              "样例数", "示例数", "少样本数"),
    "seed": ("seed", "run", "trial", "repeat", "repetition", "随机种子", "种子"),
    "version": ("version", "task_version"),
    "strategy": ("strategy", "prompting"),
    "revision": ("revision", "branch"),
    "family": ("family", "model_family", "系列", "模型系列"),
    "params_non_embedding": ("params_non_embedding", "non_embedding_params", "n_non_embedding",
                             "non_embedding_parameters", "params_nonembedding", "nonembedding_params",
                             "non_emb_params", "params_non_emb", "非嵌入参数量"),
    "params_total": ("params_total", "params", "n_params", "num_params", "parameters", "num_parameters", "model_size",
                     "#params", "#parameters", "param_count", "parameter_count", "total_params", "param", "#param",
                     "nparams", "n_parameters", "total_parameters", "size", "model_num_parameters", "parameter",
                     "paramètres", "parámetros", "参数量", "参数", "参数规模", "模型大小", "规模"),
    "training_flops": ("training_flops", "flops", "compute", "train_flops", "训练算力", "算力"),
    "training_tokens": ("training_tokens", "tokens", "train_tokens", "n_tokens", "pretraining_data_size", "训练词元数",
                        "训练词元", "训练token数", "训练数据量"),
    "step": ("step", "training_step", "global_step", "steps", "iteration", "iter", "步数", "训练步数"),
    "epoch": ("epoch", "epochs", "num_epochs", "n_epochs", "train_epochs", "num_train_epochs", "training_epochs",
              "epoche", "epochen", "époque", "época", "轮数", "训练轮数"),
    "loss": ("loss", "training_loss", "validation_loss", "val_loss"),
    "chance": ("chance", "random_baseline", "baseline", "chance_level", "随机基线"),
    "ceiling": ("ceiling", "max_score"),
    "higher_is_better": ("higher_is_better",),
    "example": ("example_id", "example", "doc_id", "item", "item_id", "question_id", "sample_id", "instance_id", "题号",
                "样本编号"),
    "input": ("input", "question", "query", "问题", "题目"),
    "prompt": ("prompt", "full_prompt"),
    "target": ("target", "gold", "answer", "reference", "答案", "标准答案", "参考答案"),
    "text": ("text", "output", "generation", "completion", "model_output", "回答", "模型输出"),
    "response": ("response", "prediction", "extracted_answer"),
}  # fmt: skip
"""Our names, and how tables call them (in lower case, blanks and hyphens as underscores)."""

METRICS = {"genauigkeit": "accuracy", "trefferquote": "accuracy", "exactitude": "accuracy", "准确率": "accuracy",
           "正确率": "accuracy", "精度": "accuracy", "困惑度": "perplexity", "召回率": "recall", "精确率": "precision",
           "精确匹配": "exact_match", "f1值": "f1", "métrique": "score"}  # fmt: skip
"""Metrics under names of other languages."""

COUNTED = ("correct", "num_correct", "n_correct", "#correct", "right", "solved", "passed", "正确数", "答对数")
TOTALS = ("total", "num_total", "n_total", "attempted", "all", "out_of", "总数")
"""How many answers are right, and of how many: the second beside a column of the first."""

_UNIT = re.compile(r"(.+?)[_/]?(?:in_)?([kmbt]|bn|mn|mio|mrd|thousands?|millions?|billions?|trillions?)")
_COUNTED_IN_UNITS = frozenset(
    one for ours in ("params_non_embedding", "params_total", "training_tokens") for one in NAMES[ours]
)
"""Names of columns that a unit may follow: ``params_b``, ``size_in_millions``, ``tokens_t``."""

_ERROR = re.compile(
    r"(.*?)[\s_(]+(std_?err|std[\s_]error|standard[\s_]error|stderr|se|std|stdev|ci|ci95|95%?[\s_]?ci|±|标准误差?)\)?(,.*)?"
)
_SHOTS = re.compile(r"\d{1,3}[\s_-]?shots?|(zero|one|two|three|four|five|ten)[\s_-]?shots?|k\s*=\s*\d+", re.IGNORECASE)
_OTHER_METRICS = re.compile(
    r"(sacre|sp)?bleu(_?[1-4])?|chrf(_?\+{1,2}|pp)?|rouge(_?(1|2|l|lsum))?|meteor|bertscore|bleurt|comet|mcc|elo|bpb|auc|auroc|mrr"
    r"|ndcg(@\d+)?|spearman|pearson"
)
"""Metrics that are no shares of items and grow as models get better."""
_SPREAD = re.compile(r"(std|stdev|ci|ci95|±)\)?(,.*)?$")
"""Columns of deviations and intervals, which are no standard errors."""


def metric_columns(names: list[str]) -> list[str]:
    """Columns that are called as metrics are, without those of their errors."""
    return [name for name in names if is_metric_name(name) and not of_error(name)]


_WITH_ERROR = re.compile(r"(?<=\S)\s*[(（\[]?\s*(±|\+/-)[^)）\]]*[)）\]]?\s*$")


def of_error(name: str) -> str:
    """What a column of errors is an error of, in lower case: ``piqa_acc_stderr`` of ``piqa_acc``; "" for another."""
    if _WITH_ERROR.search(name):
        return ""  # the score and its error stand in one cell
    found = _ERROR.fullmatch(name.strip().lower())
    return f"{found[1]}{found[3] or ''}" if found else ""


def is_spread(name: str) -> bool:
    """Whether a name is that of a deviation or an interval, which is no standard error."""
    return bool(_SPREAD.search(name.lower()))


def error_columns(names: list[str], scores: Iterable[str]) -> dict[str, str]:
    """Column of scores → the column of its standard errors, where the two are named as one."""
    errors = {of: name for name in names if (of := of_error(name)) and not is_spread(name)}
    return {name: errors[name.strip().lower()] for name in scores if name.strip().lower() in errors}


@dataclass(frozen=True, slots=True)
class Heading:
    """What a benchmark's name in a table says: the task, and beside it a metric, shots, or that it is in percent."""

    task: str
    metric: str = ""
    shots: int | None = None
    percent: bool = False
    up: bool | None = None
    """Whether higher is better, where an arrow says it."""


@cache
def heading(name: str) -> Heading:
    """What is told in parentheses, or after a blank, goes out of the task's name where it is understood.

    >>> heading("MMLU (5-shot)"), heading("ARC (easy)").task
    (Heading(task='MMLU', metric='', shots=5, percent=False, up=None), 'ARC (easy)')
    >>> heading("GSM8K (8-shot, EM, %)")
    Heading(task='GSM8K', metric='em', shots=8, percent=True, up=None)
    """
    up = True if re.search("[↑⬆▲]", name) else False if re.search("[↓⬇▼]", name) else None
    name = re.sub(r"\s*[(（]?\s*[↑⬆▲↓⬇▼]\ufe0f?\s*[)）]?", "", name) if up is not None else name
    name = _WITH_ERROR.sub("", name)
    found = re.fullmatch(r"(.+?)\s*[(（\[]([^()（）\[\]]*)[)）\]]\s*", name)
    task, told = (found[1], found[2]) if found else (name.strip(), "")
    metric, shots, percent, kept = "", None, False, []
    for part in (one.strip() for one in re.split(r"[,，;]", told) if one.strip()):
        plain = part.lower().replace(" ", "_").replace("-", "_")
        if _SHOTS.fullmatch(part):
            shots = shots_in(part)
        elif part in ("%", "％"):
            percent = True
        elif (
            plain in METRICS
            or is_share(plain)
            or not higher_is_better(plain)
            or plain == "map"
            or _OTHER_METRICS.fullmatch(plain)
        ):
            metric = METRICS.get(plain, plain)
        else:
            kept.append(part)
    ending = re.fullmatch(r"(.+?)[\s,]+(\d{1,3}[\s-]?shots?)", task, re.IGNORECASE)
    if shots is None and ending:
        task, shots = ending[1], shots_in(ending[2])
    elif shots is None and (ending := re.fullmatch(r".+[_-](\d{1,3})[_-]?shots?", task, re.IGNORECASE)):
        shots = int(ending[1])
    return Heading(f"{task} ({', '.join(kept)})" if kept else task, metric, shots, percent, up)


def says_shots(name: str) -> bool:
    """Whether a name says a number of shots and nothing else: ``5-shot``, ``zero-shot``."""
    return bool(_SHOTS.fullmatch(name.strip()))


def is_metric_name(heading_: str) -> bool:
    """Whether a column is called as a metric is, and by no name that means another thing."""
    name = plain(heading_)
    known = is_share(name) or not higher_is_better(name) or bool(_OTHER_METRICS.fullmatch(name))
    return known and not any(name in usual for ours, usual in NAMES.items() if ours != "score")


def plain(name: str) -> str:
    """A column name in lower case, its unit dropped: ``Model Size (B)`` is ``model_size``, ``# Params`` ``#params``,
    ``params_m`` ``params``."""
    return plain_and_unit(name)[0]


@cache
def plain_and_unit(name: str) -> tuple[str, str]:
    """``plain``, and the unit that stands at the end of a name of sizes or tokens without brackets ("" for none)."""
    bare = re.sub(r"\s*[(（\[][^)）\]]*[)）\]]\s*$", "", name.strip()).lower()
    own = re.sub(r"[\s\-]+", "_", re.sub(r"^(#\s*(of\s+)?|(no\.|num\.?|number)\s+of\s+)", "#", bare))
    found = _UNIT.fullmatch(own)
    return (found[1], found[2]) if found and found[1] in _COUNTED_IN_UNITS else (own, "")
