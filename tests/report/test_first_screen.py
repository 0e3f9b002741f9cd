"""The first screen: the finding, the doubt, the cards, and what is missing."""

import json
import re
import shutil
from pathlib import Path

from synthetic import unpacked

from scalecurve.report import write_report


def test_the_first_screen_states_a_finding_and_a_doubt(run: Path, tmp_path: Path) -> None:
    screen = unpacked(write_report([run], tmp_path / "report.html").read_text(), "data")["screen"]
    assert screen["kicker"].startswith("5 models, ")
    assert screen["headline"].endswith(".")
    assert screen["doubt"]
    data = unpacked((tmp_path / "report.html").read_text(), "data")
    curves, data_tasks = data["curves"], data["tasks"]
    hero = [curves[index] for index in screen["hero"]]
    assert len({(curve["t"], curve["m"]) for curve in hero}) == 1
    assert 1 <= len(screen["cards"]) <= 6
    judged = [curve for curve in curves if curve["p"] and curve["v"]]
    assert sum(int(card["count"].split(" ")[0]) for card in screen["cards"]) <= len(judged)
    for card in screen["cards"]:
        counted = [c for c in judged if c["v"]["shape"] in card["shapes"]]
        assert len(counted) == int(card["count"].split(" ")[0])
        assert [name for name, _ in card["names"]] == [data_tasks[task]["name"] for _, task in card["names"]]
    assert {card["strength"] for card in screen["cards"]} <= {"firm", "likely", "open"}
    zh = unpacked(write_report([run], tmp_path / "zh.html", lang="zh").read_text(), "data")["screen"]
    for text in (zh["headline"], zh["doubt"], *(card["title"] for card in zh["cards"])):
        assert re.search("[\u4e00-\u9fff]", text), text


def test_the_doubt_names_both_models_where_either_may_be_odd(run: Path, tmp_path: Path) -> None:
    """Told curve by curve: where one curve has a rival and another has none, each has its own."""
    import polars as pl

    one, rival = json.dumps(["one-model", "syn-81k", 0.9, 0.5, "late"]), json.dumps(["one-model-or", "syn-262k", 0.2])
    for cases, lang, said in (
        (
            [[one, rival]],
            "en",
            "syn-81k or syn-262k stands apart on “sudden 0”; look at that curve before believing its shape.",
        ),
        ([[one, rival]], "zh", "syn-81k 或 syn-262k 在“sudden 0”中与众不同；请先查看，再相信这条曲线的形状。"),
        ([[one]], "en", "syn-81k stands apart on “sudden 0”; look at that curve before believing its shape."),
        ([[one, rival], [one]], "en", "syn-81k or syn-262k stands apart on “sudden 0”, and syn-81k on “steady 1”; "),
    ):
        odd = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        shutil.copytree(run, odd)
        table = pl.read_parquet(odd / "verdicts.parquet")
        tasks = ["lab:sudden_0", "lab:steady_1"][: len(cases)]
        rows = [
            row | {"shape": "late", "flags": ["outlier-driven"], "reasons": cases[tasks.index(row["task"])]}
            if row["task"] in tasks and row["strategy"] == "direct"
            else row | {"shape": "smooth", "flags": []}
            for row in table.to_dicts()
        ]
        pl.DataFrame(rows, schema=table.schema).write_parquet(odd / "verdicts.parquet")
        html = write_report([odd], tmp_path / f"{odd.name}.html", lang=lang).read_text()
        doubt = unpacked(html, "data")["screen"]["doubt"]
        assert doubt.startswith(said)


def test_what_is_missing_stands_on_the_first_screen(run: Path, tmp_path: Path) -> None:
    import polars as pl

    holed = tmp_path / "holed"
    shutil.copytree(run, holed)
    curves = pl.read_parquet(holed / "curves.parquet")
    first = pl.int_range(pl.len()) == 0
    curves.with_columns(
        failed=pl.when(first).then(7).otherwise("failed"), preferred=pl.when(first).then(True).otherwise("preferred")
    ).write_parquet(holed / "curves.parquet")
    html = write_report([holed], tmp_path / "report.html").read_text()
    assert unpacked(html, "data")["screen"]["trouble"].startswith("7 without an answer")
    assert 'class="chip amber"' in html
    assert not unpacked(write_report([run], tmp_path / "whole.html").read_text(), "data")["screen"]["trouble"]


def test_the_headline_is_a_jump_that_finer_scores_confirm_or_says_that_they_do_not(run: Path, tmp_path: Path) -> None:
    import polars as pl

    def screen(checks: dict[str, str], lang: str = "en") -> dict:
        out = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        shutil.copytree(run, out)
        table = pl.read_parquet(out / "verdicts.parquet")
        rows = [
            row | {"shape": "emergent", "artefact": checks[row["task"]], "flags": [], "confidence": 0.95}
            if row["task"] in checks and row["strategy"] == "direct" and row["metric"] == "exact_match"
            else row | {"shape": "flat", "artefact": "", "flags": []}
            for row in table.to_dicts()
        ]
        pl.DataFrame(rows, schema=table.schema).write_parquet(out / "verdicts.parquet")
        html = write_report([out], tmp_path / f"{out.name}.html", lang=lang).read_text()
        return unpacked(html, "data")["screen"]

    both = screen({"lab:sudden_0": "undetermined", "lab:steady_1": "metric-robust"})
    assert both["headline"].startswith("Steady 1 (direct) appears suddenly")
    assert both["headline"].endswith(". Finer scores jump too.")
    (card,) = [card for card in both["cards"] if card["kind"] == "emergent"]
    assert [name for name, _ in card["names"]] == ["steady 1", "sudden 0"]  # what is confirmed comes first
    assert card["count"] == "2 curves"
    assert card["aside"] == "finer scores leave open whether the ability jumps too: sudden 0"
    assert dict(zip([name for name, _ in card["names"]], card["whose"], strict=True))["steady 1"] == "direct"
    one = screen({"lab:sudden_0": "undetermined"})
    assert one["headline"].startswith("The score on sudden 0 (direct) jumps")
    assert one["headline"].endswith("whether the ability does is open.")
    untested = screen({"lab:sudden_0": "untested"})
    assert untested["doubt"].startswith("The finer scores of sudden 0 cannot be compared")
    assert "尚无定论" in screen({"lab:sudden_0": "undetermined"}, "zh")["headline"]


def test_every_count_says_of_what(run: Path, tmp_path: Path) -> None:
    html = write_report([run], tmp_path / "r.html").read_text()
    data = unpacked(html, "data")
    judged = [c for c in data["curves"] if c["p"] and c["v"]]
    for card in data["screen"]["cards"]:
        own = [c for c in judged if c["v"]["shape"] in card["shapes"]]
        curves, abilities = len(own), len({c["t"] for c in own})
        names = {(abilities, abilities): f"{curves} curves", (1, 1): "1 curve", (2, 1): "2 curves of one ability"}
        assert card["count"] == names.get((curves, abilities), f"{curves} curves of {abilities} abilities")
        assert card["count"] in html


def test_a_prompt_that_harms_is_named_and_so_are_its_texts_without_an_answer(run: Path, tmp_path: Path) -> None:
    import polars as pl

    harmed = tmp_path / "harmed"
    shutil.copytree(run, harmed)
    scores = pl.read_parquet(harmed / "scores.parquet")
    arm = (pl.col("task") == "lab:steady_1") & (pl.col("strategy") == "chain_of_thought")
    scores = scores.with_columns(value=pl.when(arm & (pl.col("metric") == "exact_match")).then(0.0).otherwise("value"))
    found = scores.filter(pl.col("task") == "lab:steady_1", pl.col("metric") == "exact_match").with_columns(
        metric=pl.lit("extraction_rate"), value=pl.when(arm).then(0.0).otherwise(1.0)
    )
    for table, lang, doubt in (
        (scores, "en", ""),
        (pl.concat([scores, found]), "en", " (no answer was found in 100% of its texts)"),
        (pl.concat([scores, found]), "zh", "（其文本中 100% 未抽取到答案）"),
    ):
        table.write_parquet(harmed / "scores.parquet")
        html = write_report([harmed], tmp_path / "report.html", lang=lang).read_text()
        first = unpacked(html, "data")["screen"]["harms"][0]
        assert first["name"] == "steady 1"
        largest = "最甚" if lang == "zh" else "most at syn-"
        assert largest in first["by"]
        assert ("answer" in first["by"] or "答案" in first["by"]) == bool(doubt)
        assert first["by"].endswith(doubt)
