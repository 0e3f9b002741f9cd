"""The study of emergence: its pages say what its tables say, and its tables what the data say."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
STUDY = ROOT / "studies" / "how_often"
FOLDER = ROOT / "docs" / "studies"
MODULES = ("build", "coverage", "curves", "figures", "forecast_numbers", "measure", "numbers_of", "page", "shares")
MODULES += ("words", "published")
# Numbers that are part of a definition, a name or a citation; all others must come from the tables.
DEFINED = {
    *("0", "2", ".5", "95", "100", "1,000", "250", ".04", ".05", ".3", ".4", ".1", "150", ".6", "10", "90", "40", "80"),
    *("60", "1.2", ".01", "5", "1.4", "1.5", "2,000", "2507.00885", "2023", "2024", "2025", "2026", "0.1.0", "2.0"),
}

OTHER_QUESTIONS = {  # benchmarks whose names are alike
    ("bigbench_arithmetic", "simple_arithmetic"), ("copa", "coqa"), ("leaderboard_gpqa", "piqa"),
    ("leaderboard_math_hard", "math_qa"), ("piqa", "siqa"), ("sciq", "siqa"), ("winogender", "winogrande"),
    ("winograd", "winogrande"),
}  # fmt: skip


@pytest.fixture(scope="module")
def study() -> Iterator[dict[str, ModuleType]]:
    """The modules of the study, which are no package."""
    import importlib

    before = {name: sys.modules.pop(name, None) for name in MODULES}
    sys.path.insert(0, str(STUDY))
    try:
        yield {name: importlib.import_module(name) for name in MODULES[:-1]}
    finally:
        sys.path.remove(str(STUDY))
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module


def test_the_pages_are_what_the_tables_give(study: dict[str, ModuleType]) -> None:
    for language, text in study["page"].render(FOLDER / "how_often").items():
        name = study["page"].LANGUAGES[language]
        assert (FOLDER / name).read_text() == text, f"{name}: python studies/how_often/build.py DATA --pages"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_number_is_written_by_hand(language: str) -> None:
    text = (STUDY / f"page.{language}.md").read_text()
    text = re.sub(r"\{\{.*?\}\}|\]\(.*?\)|`.*?`|```.*?```", " ", text, flags=re.DOTALL)
    numbers = set(re.findall(r"(?<![A-Za-z\d])\.?\d[\d.,]*(?<![.,])", text))
    assert numbers <= DEFINED, "measured numbers belong into numbers_of.py"


def test_the_verdicts_are_those_of_the_data(study: dict[str, ModuleType], shared: Path) -> None:
    found = study["measure"].verdicts(study["curves"].at_sizes(shared / "data"))
    kept = pl.read_csv(FOLDER / "how_often" / "verdicts.csv", infer_schema_length=None)
    assert found.height == kept.height >= 1500
    same = ["family", "task", "shots", "metric", "shape", "benchmark", "origin"]
    assert found.select(same).rows() == kept.select(same).rows()
    sure = (found["confidence"] - kept["confidence"]).abs().max()
    assert sure < 1e-4


def test_sizes_are_what_the_pages_say(study: dict[str, ModuleType], shared: Path) -> None:
    """Both counts for Pythia, those without embeddings alone for OLMo and Gemstones, all parameters for the others."""
    sizes = ["params_non_embedding", "params_total"]
    frame = (
        study["curves"]
        .at_sizes(shared / "data")
        .group_by("set")
        .agg(
            pl.col(sizes).is_not_null().all(),
            same=(pl.col(sizes[0]) == pl.col(sizes[1])).all(),
            none=pl.col(sizes[1]).is_null().all(),
        )
    )
    assert {row[0]: row[1:] for row in frame.iter_rows()} == {
        "Pythia": (True, True, False, False),
        "OLMo ladder": (True, False, True, True),  # nothing to compare
        "Gemstones": (True, False, True, True),
        "Gadre": (True, True, True, False),
        "Public models": (True, True, True, False),
    }


def test_no_two_benchmarks_are_one_under_two_names(study: dict[str, ModuleType]) -> None:
    kept = pl.read_csv(FOLDER / "how_often" / "verdicts.csv", infer_schema_length=None)
    names = sorted({study["curves"].benchmark(task) for task in kept["task"].unique()})
    assert set(names) == set(kept["benchmark"].unique())
    suites = r"^(bigbench|leaderboard|agi_eval)_|[^a-z0-9]"
    plain = {name: re.sub(suites, "", name.lower()) for name in names}
    alike = {
        (one, two)
        for at, one in enumerate(names)
        for two in names[at + 1 :]
        if SequenceMatcher(None, plain[one], plain[two]).ratio() > 0.7
    }
    assert alike == OTHER_QUESTIONS


def test_intervals_hold_what_they_say_with_three_origins_too(study: dict[str, ModuleType]) -> None:
    kept = pl.read_csv(FOLDER / "how_often" / "coverage.csv")
    assert set(kept.filter(pl.col("origins") == 3)["part"]) == {"gadre", "loss", "forecasts_gadre"}
    assert kept.filter(pl.col("share").is_not_null())["held"].min() >= 0.9
    rng = np.random.default_rng(2)
    places = [np.repeat(np.arange(3), 40), np.tile(np.arange(40), 3)]
    rows = pl.DataFrame({"origin": [f"o{at}" for at in places[0]], "benchmark": [f"b{at}" for at in places[1]]})
    values = rng.normal(size=(3, 1000))[places[0]] + rng.normal(size=(40, 1000))[places[1]]
    low, high = study["shares"].interval(rows, values + rng.normal(size=values.shape))
    assert 0.92 < ((low <= 0) & (high >= 0)).mean() < 0.98
    none, most = study["shares"].spans(rows, np.zeros((120, 1)))
    assert (none[0], most[0]) == (0, pytest.approx(1 - 0.05 ** (1 / 40)))


def made_up() -> pl.DataFrame:
    """Two sister series of six models on four tasks: a jump, a climb, a fall, and nothing."""
    rng = np.random.default_rng(1)
    courses = {
        "jump": [0.25, 0.25, 0.25, 0.25, 0.75, 0.8],
        "climb": [0.3, 0.4, 0.5, 0.6, 0.7, 0.8],
        "fall": [0.6, 0.55, 0.5, 0.45, 0.4, 0.35],
        "nothing": [0.25] * 6,
    }
    rows = []
    for series in ("c4-1x", "rpj-1x"):
        for task, course in courses.items():
            for place, p in enumerate(course):
                size = 1e7 * 10 ** (place / 2)
                rows.append(
                    {"set": "Gadre", "family": series, "task": task, "strategy": "direct", "shots": 0, "metric": "acc"}
                    | {"rung": f"m{place}", "params_non_embedding": size, "training_flops": 120 * size**2}
                    | {"y": rng.binomial(2000, p) / 2000, "se": None, "n": 2000, "chance": 0.25, "ceiling": 1.0}
                    | {
                        "higher_is_better": True,
                        "preferred": True,
                        "loss": 4.0 - place / 4,
                        "training_tokens": 20 * size,
                    }
                )
    return pl.DataFrame(rows, schema_overrides={"se": pl.Float64})


def test_a_small_set_from_curves_to_pages(
    study: dict[str, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study["measure"], "PLANTED", 3)
    frame = made_up()
    for name in ("one", "two"):
        study["build"].build(frame, {"training_tokens": frame}, frame, tmp_path / name)
        study["page"].write(tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert {"how_often.md", "how_often.zh.md"} < {str(path) for path in files}
    assert Path("how_often/emergent.svg") in files
    for path in files:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes(), "twice is bit-equal"
    drawn = (tmp_path / "one" / "how_often" / "emergent.svg").read_text()
    assert ">Parameters<" in drawn, "all of them, or those without embeddings: the page says which"
    judged = pl.read_csv(tmp_path / "one" / "how_often" / "verdicts.csv")
    shapes = dict(judged.filter(family="c4-1x").select("task", "shape").iter_rows())
    assert shapes == {"jump": "emergent", "climb": "smooth", "fall": "inverse", "nothing": "flat"}
    page = (tmp_path / "one" / "how_often.md").read_text()
    assert "2 of the 8 curves that can be judged are emergent: 25 % [" in page
    assert "{{" not in page
    assert "sister series: emergent" in page
