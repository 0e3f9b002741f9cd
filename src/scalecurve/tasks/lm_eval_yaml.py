"""The YAML file of a task of lm-evaluation-harness: read, includes merged, and everything unsupported refused by name.

The file is data: ``!function`` and whatever else is code is refused, never run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from scalecurve.errors import UserError
from scalecurve.tasks.postprocess import FILTERS, not_a_regex
from scalecurve.util.guard import check_size, regular

OUTPUT_TYPES = ("multiple_choice", "loglikelihood", "generate_until")
METRICS: Mapping[str, tuple[str, ...]] = {
    "multiple_choice": ("acc", "acc_norm", "acc_bytes", "brier_score"),
    "loglikelihood": ("perplexity", "acc"),
    "generate_until": ("exact_match",),
}
_DEFAULT_METRICS = {"multiple_choice": ("acc", "acc_norm"), "loglikelihood": ("perplexity", "acc")}
_AGGREGATIONS = {"perplexity": "perplexity", "brier_score": "brier_score"}
_IGNORE = ("regexes_to_ignore", "ignore_case", "ignore_punctuation", "ignore_numbers")
LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
DEFAULT_LENGTH = 256
LARGEST = 1 << 20  # bytes of a YAML file

_READ = frozenset(
    "task dataset_path dataset_kwargs training_split validation_split test_split fewshot_split doc_to_text "
    "doc_to_target doc_to_choice description target_delimiter fewshot_delimiter fewshot_config num_fewshot "
    "metric_list output_type generation_kwargs filter_list gen_prefix metadata repeats unsafe_code".split()
)
_WITHOUT_EFFECT = frozenset(
    "task_alias tag dataset_name should_decontaminate doc_to_decontamination_query include task_list".split()
)
_CODE = frozenset({"process_docs", "process_results", "custom_dataset", "class"})
_FEWSHOT = frozenset(
    "sampler split samples doc_to_text doc_to_target doc_to_choice gen_prefix fewshot_delimiter "
    "target_delimiter".split()
)
_TEXTS = (
    "training_split validation_split test_split fewshot_split doc_to_text description target_delimiter "
    "fewshot_delimiter gen_prefix"
).split()
_FILTER_SETTINGS: Mapping[str, frozenset[str]] = {
    "regex": frozenset({"regex_pattern", "group_select", "fallback"}),
    "map": frozenset({"mapping_dict", "default_value"}),
}


@dataclass(frozen=True, slots=True)
class Code:
    """What stood behind ``!function``."""

    spec: str


@dataclass(frozen=True, slots=True)
class Config:
    """A task's file. ``values`` hold what it says, everything of it known to be supported."""

    path: Path
    values: Mapping[str, Any]

    def get(self, key: str, default: object = None) -> Any:
        value = self.values.get(key)
        return default if value is None else value

    def fewshot(self, key: str, default: object = None) -> Any:
        """A field of ``fewshot_config``, else the task's own."""
        value = (self.values.get("fewshot_config") or {}).get(key)
        return default if value is None else value

    def fail(self, field: str, problem: str) -> NoReturn:
        raise UserError(f"{self.path}: {field}: {problem}")

    @property
    def output_type(self) -> str:
        return str(self.get("output_type", "generate_until"))


def read_config(path: Path) -> Config:
    """The checked file at ``path``. ``UserError`` names the file and the field."""
    config = Config(path, _merged(path, ()))
    _check_fields(config)
    if config.output_type not in OUTPUT_TYPES:
        config.fail("output_type", f"{config.output_type} is not supported; {', '.join(OUTPUT_TYPES)} are")
    _check_fewshot(config)
    for entry in metric_list(config):
        _check_metric(config, entry)
    for name, pipeline in filter_list(config).items():
        _check_filters(config, name, pipeline)
    if config.output_type == "generate_until":
        generation(config)
    return config


def _merged(path: Path, above: tuple[Path, ...]) -> dict[str, object]:
    """The file's fields over those of the files it includes."""
    values = _load(path)
    included = values.get("include")
    merged: dict[str, object] = {}
    for one in included if isinstance(included, list) else [included] if included else []:
        if Path(str(one)).is_absolute() or not str(one).endswith(("yaml", "yml")):
            raise UserError(f"{path}: include: {one}: is no YAML file beside it; include files of the task only")
        other = (path.parent / str(one)).resolve()
        if other in (*above, path.resolve()):
            raise UserError(f"{path}: include: {one}: includes itself")
        merged |= _merged(other, (*above, path.resolve()))
    return merged | values


def _load(path: Path) -> dict[str, Any]:
    try:
        import yaml
    except ImportError:
        raise UserError(f"{path}: reading YAML needs pyyaml; pip install pyyaml") from None

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda _, node: Code(str(node.value)))
    regular(path, LARGEST)
    try:
        with path.open(encoding="utf-8") as file:
            values = yaml.load(file, Loader=Loader)
        check_size(values)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give the path of a task's YAML file") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that is none, not UTF-8
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: must hold the fields of a task")
    return values


def _check_fields(config: Config) -> None:
    for field, value in config.values.items():
        if field in _CODE and value is not None:
            config.fail(field, "is code, which is not run; write the documents or the template out")
        if field in ("group", "aggregate_metric_list") or (field == "task" and isinstance(value, list)):
            config.fail(field, "is a group of tasks; give the file of one task")
        if value and field in ("doc_to_image", "doc_to_audio", "use_prompt", "unsafe_code"):
            config.fail(field, "is not supported; leave it out")
        if field not in _READ | _WITHOUT_EFFECT | _CODE | {"doc_to_image", "doc_to_audio", "use_prompt"}:
            config.fail(str(field), "is not supported; leave it out")
        _no_code(config, str(field), value)
    for field in _TEXTS:
        _check_text(config, field, config.get(field))
    if config.get("repeats", 1) != 1:
        config.fail("repeats", "is not supported; ask once (1)")
    for field in ("doc_to_text", "doc_to_target", "dataset_path"):
        if config.get(field) is None:
            config.fail(field, "is missing")
    if config.output_type == "multiple_choice" and config.get("doc_to_choice") is None:
        config.fail("doc_to_choice", "is missing; a task of output_type multiple_choice needs it")
    if not (config.get("test_split") or config.get("validation_split")):
        config.fail("test_split", "is missing, and so is validation_split; name the split to ask")
    shots = config.get("num_fewshot", 0)
    if not isinstance(shots, int) or shots < 0:
        config.fail("num_fewshot", "must be a whole number of 0 or more")


def _check_text(config: Config, field: str, value: object) -> None:
    if value is not None and not isinstance(value, str):
        config.fail(field, f"{value!r} is not a text; put it into quotes")


def _no_code(config: Config, field: str, value: object) -> None:
    if isinstance(value, Code):
        config.fail(field, f"!function {value.spec} is code, which is not run; use a template or a column's name")
    for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        _no_code(config, f"{field}.{key}", one)


def _check_fewshot(config: Config) -> None:
    given = config.get("fewshot_config", {})
    if not isinstance(given, dict):
        config.fail("fewshot_config", "must be a table of fields")
    for key, value in given.items():
        if key not in _FEWSHOT:
            config.fail(f"fewshot_config.{key}", "is not supported; leave it out")
        if key in (*_TEXTS, "split"):
            _check_text(config, f"fewshot_config.{key}", value)
    if config.fewshot("sampler", "default") not in ("default", "first_n"):
        config.fail("fewshot_config.sampler", f"{given['sampler']!r} is not supported; default and first_n are")
    samples = config.fewshot("samples")
    if samples is not None and not (isinstance(samples, list) and all(isinstance(one, dict) for one in samples)):
        config.fail("fewshot_config.samples", "must be a list of documents")


# ── Metrics ──────────────────────────────────────────────────────────────────────────────────────────────────
def metric_list(config: Config) -> list[Mapping[str, object]]:
    """The file's metrics, or those the harness takes when it names none."""
    given = config.get("metric_list")
    if given is None:
        return [{"metric": name} for name in _DEFAULT_METRICS.get(config.output_type, ("exact_match",))]
    if not isinstance(given, list) or not given or not all(isinstance(e, dict) and "metric" in e for e in given):
        config.fail("metric_list", "must be a list of entries with metric")
    return given


def ignored(config: Config) -> dict[str, object]:
    """What ``exact_match`` disregards."""
    found: dict[str, object] = {}
    for entry in metric_list(config):
        found |= {key: entry[key] for key in _IGNORE if entry.get(key)}
    return found


def _check_metric(config: Config, entry: Mapping[str, object]) -> None:
    name = entry["metric"]
    known = METRICS[config.output_type]
    if name not in known:
        config.fail("metric_list", f"{name} is not supported with {config.output_type}; {', '.join(known)} are")
    allowed = {"metric", "aggregation", "higher_is_better", "hf_evaluate", *(_IGNORE if name == "exact_match" else ())}
    for key, value in entry.items():
        if key not in allowed or (key == "hf_evaluate" and value):
            config.fail(f"metric_list.{name}.{key}", "is not supported; leave it out")
    patterns = entry.get("regexes_to_ignore") or []
    wrong = [one for one in patterns if not_a_regex(one)] if isinstance(patterns, list) else [patterns]
    if wrong:
        config.fail(f"metric_list.{name}.regexes_to_ignore", f"{wrong[0]!r} is no list of regular expressions")
    wanted = _AGGREGATIONS.get(name, "mean")
    if entry.get("aggregation", wanted) != wanted:
        config.fail(f"metric_list.{name}.aggregation", f"{entry['aggregation']} is not supported; {wanted} is")


# ── Generation ───────────────────────────────────────────────────────────────────────────────────────────────
def generation(config: Config) -> tuple[tuple[str, ...], int]:
    """(strings that end a generation, most tokens); the harness's defaults where the file has none."""
    given = config.get("generation_kwargs", {})
    if not isinstance(given, dict):
        config.fail("generation_kwargs", "must be a table of settings")
    given = dict(given)
    until = given.pop("until", [config.get("fewshot_delimiter", "\n\n")])
    lengths = [given.pop(name, None) for name in LENGTHS]
    length = next((one for one in lengths if one is not None), DEFAULT_LENGTH)
    sampled = given.pop("do_sample", None)
    temperature = given.pop("temperature", 0.0)
    if not isinstance(temperature, int | float):
        config.fail("generation_kwargs.temperature", f"{temperature!r} is not a number; decode greedily (0)")
    if sampled or (sampled is None and temperature > 0):
        config.fail("generation_kwargs.do_sample", "is not supported; decode greedily (do_sample: false)")
    if given:
        config.fail(f"generation_kwargs.{next(iter(given))}", "is not supported; leave it out")
    texts = [until] if isinstance(until, str) else until
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        config.fail("generation_kwargs.until", "must be a text or a list of texts")
    if not isinstance(length, int) or length < 1:
        config.fail("generation_kwargs.max_gen_toks", "must be a whole number of 1 or more")
    return tuple(texts), length


def filter_list(config: Config) -> dict[str, list[Mapping[str, object]]]:
    """Name → steps of every pipeline; one that changes nothing where the file has none."""
    given = config.get("filter_list")
    if given is None:
        return {"none": []}
    try:
        return {str(entry["name"]): list(entry["filter"]) for entry in given}
    except (TypeError, KeyError):
        config.fail("filter_list", "must be a list of entries with name and filter")


def _check_filters(config: Config, name: str, pipeline: list[Mapping[str, Any]]) -> None:
    for step in pipeline:
        function = step.get("function") if isinstance(step, dict) else None
        if function not in FILTERS:
            config.fail(f"filter_list.{name}", f"{function} is not supported; {', '.join(FILTERS)} are")
        if function != "take_first" and config.output_type != "generate_until":
            config.fail(f"filter_list.{name}", f"{function} needs output_type generate_until")
        for key in step:
            if key != "function" and key not in _FILTER_SETTINGS.get(str(function), ()):
                config.fail(f"filter_list.{name}.{key}", f"is not a setting of {function}; leave it out")
        problem = not_a_regex(step.get("regex_pattern", ""))
        if problem:
            config.fail(f"filter_list.{name}.regex_pattern", problem)
        group, mapping = step.get("group_select", 0), step.get("mapping_dict", {})
        if not isinstance(group, int):
            config.fail(f"filter_list.{name}.group_select", f"{group!r} is not a whole number")
        if not isinstance(mapping, dict) or not all(isinstance(key, str) for key in mapping):
            config.fail(f"filter_list.{name}.mapping_dict", "must map texts to texts; put them into quotes")
