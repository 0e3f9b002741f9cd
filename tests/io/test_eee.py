"""Every Eval Ever, out and in (schema 0.3.0): what its validator demands, and what its repository holds."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from scalecurve.errors import UserError
from scalecurve.io.exporters.export import export
from scalecurve.io.importing import import_run
from scalecurve.pipeline import rescore, run_study
from scalecurve.store import RunDirectory, read_outputs
from scalecurve.study.study import parse_study

TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
TEXT, NUMBER, COUNT = {"type": "string"}, {"type": "number"}, {"type": "integer", "minimum": 0}


def record(required: str, closed: bool = False, **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "required": required.split(), "properties": fields}
    return found | ({"additionalProperties": False} if closed else {})


# What the published schema and its validator say of the fields that we write, in our words.
MODEL = record(
    "name id additional_details", name=TEXT, id=TEXT, developer=TEXT,
    additional_details=TEXTS | {"required": ["deployment_type", "model_availability"]},
)  # fmt: skip
METRIC = record(
    "lower_is_better", lower_is_better={"type": "boolean"}, score_type={"enum": ["binary", "continuous", "levels"]},
    metric_id=TEXT, metric_name=TEXT, metric_unit=TEXT, min_score=NUMBER, max_score=NUMBER, additional_details=TEXTS,
) | {"dependentRequired": {"score_type": ["min_score", "max_score"]}}  # fmt: skip
RESULT = record(
    "evaluation_name source_data metric_config score_details", evaluation_name=TEXT, evaluation_result_id=TEXT,
    source_data=record("dataset_name source_type", dataset_name=TEXT, source_type={"const": "other"}),
    metric_config=METRIC, generation_config=record("", additional_details=TEXTS),
    score_details=record(
        "score", score=NUMBER,
        uncertainty=record("", standard_error=record("value", value=NUMBER), num_samples=COUNT),
    ),
)  # fmt: skip
AGGREGATE = record(
    "schema_version evaluation_id retrieved_timestamp source_metadata model_info eval_library evaluation_results",
    closed=True, schema_version={"const": "0.3.0"}, evaluation_id=TEXT, retrieved_timestamp=TEXT,
    evaluation_timestamp=TEXT, model_info=MODEL, evaluation_results={"type": "array", "items": RESULT, "minItems": 1},
    eval_library=record("name version", name=TEXT, version=TEXT),
    source_metadata=record(
        "source_type source_organization_name evaluator_relationship",
        source_type={"enum": ["documentation", "evaluation_run"]},
        evaluator_relationship={"enum": ["first_party", "third_party", "collaborative", "other"]},
    ),
    detailed_evaluation_results=record(
        "", format={"const": "jsonl"}, file_path=TEXT, checksum=TEXT, hash_algorithm={"enum": ["sha256", "md5"]},
        total_rows=COUNT,
    ),
)  # fmt: skip
ITEM = record(
    "schema_version evaluation_id model_id evaluation_name sample_id interaction_type input answer_attribution "
    "evaluation output", closed=True, schema_version=TEXT, evaluation_id=TEXT, model_id=TEXT, evaluation_name=TEXT,
    evaluation_result_id=TEXT, sample_id=TEXT, sample_hash=TEXT, interaction_type={"const": "single_turn"},
    input=record(
        "raw reference", raw=TEXT, formatted={"type": ["string", "null"]},
        reference={"type": "array", "items": TEXT}, choices={"type": ["array", "null"], "items": TEXT},
    ),
    output=record("raw", raw={"type": "array", "items": TEXT}),
    answer_attribution={"type": "array", "items": record(
        "turn_idx source extracted_value extraction_method is_terminal", turn_idx=COUNT, extracted_value=TEXT)},
    evaluation=record("score is_correct", score=NUMBER, is_correct={"type": "boolean"}),
    token_usage=record("input_tokens output_tokens total_tokens", input_tokens=COUNT, total_tokens=COUNT),
    error={"type": ["string", "null"]}, metadata=TEXTS,
)  # fmt: skip
PLACE = r"data/[^/<>:\"\\|?*]+/[^/]+/[^/]+/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.json"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    models = [
        {"name": f"mock={size}", "backend": "mock", "location": f"m/{size}", "params_non_embedding": size,
         "options": {"ability": at / 3, "answers": {"1+6": "7", "6+9": "15"}}}
        for at, size in enumerate((1000, 10_000, 100_000), 1)
    ]  # fmt: skip
    asked = {"tasks": ["lab:rebus:title", "lab:addition:1_digit"], "strategies": ["direct", "chain_of_thought"]}
    made, _ = run_study(
        parse_study({"name": "s", "models": models, **asked, "shots": [0, 2], "limit": 10}),
        tmp_path_factory.mktemp("runs") / "run",
    )
    return made


def test_an_export_is_what_the_schema_and_its_validator_demand(run: RunDirectory, tmp_path: Path) -> None:
    out = tmp_path / "out"
    written = [Path(path) for path in export(run, "eee", str(out))]
    assert len(written) == 3 * 2 * 2 * 2
    for path in written:
        assert re.fullmatch(PLACE, path.relative_to(out).as_posix())
        content = json.loads(path.read_text())
        jsonschema.validate(content, AGGREGATE)
        detail = content["detailed_evaluation_results"]
        samples = path.with_name(f"{path.stem}_samples.jsonl")
        assert out / detail["file_path"] == samples
        assert detail["checksum"] == hashlib.sha256(samples.read_bytes()).hexdigest()
        rows = [json.loads(line) for line in samples.read_text().splitlines()]
        assert len(rows) == detail["total_rows"]
        known = {result["evaluation_result_id"] for result in content["evaluation_results"]}
        for row in rows:
            jsonschema.validate(row, ITEM)
            assert row["evaluation_id"] == content["evaluation_id"]
            assert row["model_id"] == content["model_info"]["id"]
            assert row["evaluation_result_id"] in known


def test_a_run_that_goes_out_comes_back_identical(run: RunDirectory, tmp_path: Path) -> None:
    export(run, "eee", str(tmp_path / "out"))
    done = import_run([tmp_path / "out"], tmp_path / "again")
    assert not done.missing
    again = RunDirectory(tmp_path / "again")
    keys = ["family", "rung", "task", "strategy", "shots", "seed", "metric", "example_id"]
    for _ in range(2):
        for table in ("scores", "curves"):
            before, after = (pl.read_parquet(getattr(one, table)) for one in (run, again))
            order = [key for key in keys if key in before.columns]
            bounds = ("censored", "all_wrong", "all_right")  # of answers that a limit cut off: there are none
            before, after = (one.sort(order).drop(bounds, strict=False) for one in (before, after))
            assert_frame_equal(before, after, check_exact=True)
        rescore(again.path)
    before, after = (read_outputs(one).collect() for one in (run, again))
    order = [key for key in keys if key in before.columns]
    assert_frame_equal(before.sort(order).drop("metadata"), after.sort(order).drop("metadata"), check_exact=True)


# ── As others write it ───────────────────────────────────────────────────────────────────────────────────────
def published(folder: Path, size: str, score: float, **more: Any) -> Path:
    """A file of the repository's layout, one of an older release of the schema."""
    place = folder / "data" / "global-mmlu-lite" / "google" / f"gemma-3-{size}-it"
    place.mkdir(parents=True)
    result = {
        "evaluation_name": "Global MMLU Lite",
        "source_data": {"dataset_name": "global-mmlu-lite", "source_type": "url", "url": ["https://x"]},
        "metric_config": {
            "evaluation_description": "Global MMLU Lite - Global MMLU Lite",
            "lower_is_better": False, "score_type": "continuous", "min_score": 0.0, "max_score": 1.0,
        },
        "score_details": {"score": score, "uncertainty": {"confidence_interval": {"lower": -0.0392, "upper": 0.0392}}},
    }  # fmt: skip
    german = json.loads(json.dumps(result)) | {"evaluation_name": "German"}
    german["metric_config"] |= {"min_score": 0, "max_score": 100, "metric_id": "accuracy"}
    german["score_details"] = {"score": 100 * score - 1}
    content = {
        "schema_version": "0.2.0", "evaluation_id": f"g/{size}/1", "retrieved_timestamp": "1770822205.0",
        "source_metadata": {"source_type": "documentation", "source_organization_name": "Cohere Labs",
                            "evaluator_relationship": "third_party"},
        "model_info": {"name": f"gemma-3-{size}-it", "id": f"google/gemma-3-{size}-it", "developer": "google"},
        "evaluation_results": [result, german],
    } | more  # fmt: skip
    path = place / f"b455eee3-2917-4479-89b1-{hashlib.sha256(size.encode()).hexdigest()[:12]}.json"
    path.write_text(json.dumps(content))
    return path


def test_scores_of_the_repository_come_in(tmp_path: Path) -> None:
    for size, score in (("4b", 0.6511), ("12b", 0.7), ("27b", 0.75)):
        published(tmp_path / "in", size, score)
    done = import_run([tmp_path / "in"], tmp_path / "run")
    curves = pl.read_parquet(tmp_path / "run" / "curves.parquet").sort("y")
    whole = curves.filter(task="eee:Global MMLU Lite")
    assert whole["y"].to_list() == [0.6511, 0.7, 0.75]
    assert whole["se"].to_list() == pytest.approx([0.02] * 3, abs=1e-4)  # the interval is given as distances
    parts = curves.filter(task="eee:global-mmlu-lite:German")
    assert parts["metric"].unique().to_list() == ["accuracy"]
    assert parts["y"].to_list() == pytest.approx([0.6411, 0.69, 0.74])  # of 100
    assert any("shots" in note for note in done.notes)


def test_items_of_other_tools_come_in_with_their_answers(tmp_path: Path) -> None:
    path = published(tmp_path / "in", "4b", 0.5)
    content = json.loads(path.read_text())
    content["evaluation_results"] = content["evaluation_results"][:1]
    content["evaluation_results"][0]["generation_config"] = {"additional_details": {"n_shot": "5"}}
    path.write_text(json.dumps(content))
    rows = [
        {
            "schema_version": "0.3.0", "evaluation_id": "g/4b/1", "model_id": "google/gemma-3-4b-it",
            "evaluation_name": "Global MMLU Lite", "sample_id": f"q{n}", "interaction_type": "single_turn",
            "input": {"raw": f"What is {n}?", "reference": ["b"], "choices": ["a", "b"]},
            "output": {"raw": [f"It is {'ab'[n]}."]},
            "answer_attribution": [{"turn_idx": 0, "source": "output.raw", "extracted_value": "ab"[n],
                                    "extraction_method": "regex", "is_terminal": True}],
            "evaluation": {"score": float(n), "is_correct": bool(n)},
            "token_usage": {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13},
        }
        for n in range(2)
    ]  # fmt: skip
    path.with_name(f"{path.stem}_samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_run([tmp_path / "in"], tmp_path / "run")
    answers = read_outputs(RunDirectory(tmp_path / "run")).collect().sort("example_id")
    assert answers["response"].to_list() == ["a", "b"]
    assert answers["shots"].unique().to_list() == [5]
    assert answers["option_scores"].to_list() == [[0.0, 1.0]] * 2
    scores = pl.read_parquet(tmp_path / "run" / "scores.parquet").filter(metric="score").sort("example_id")
    assert scores["value"].to_list() == [0.0, 1.0]


def test_what_is_wrong_is_said_with_its_place(tmp_path: Path) -> None:
    path = published(tmp_path / "in", "4b", 0.5, model_info={"developer": "google"})
    with pytest.raises(UserError, match=r"model_info\.id: is missing"):
        import_run([path], tmp_path / "run")
    other = published(tmp_path / "in2", "4b", 0.5)
    other.with_name(f"{other.stem}_samples.jsonl").write_text("{}\n")
    with pytest.raises(UserError, match=r"_samples\.jsonl: line 1: KeyError"):
        import_run([tmp_path / "in2"], tmp_path / "run")
