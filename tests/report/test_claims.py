"""What the report says of a verdict: claim, evidence, what would refute it, caveats, and the words for these."""

import json
import re
import shutil
from pathlib import Path

import pytest
import synthetic
from synthetic import make_run, unpacked

from scalecurve.report import write_report


def test_a_claim_says_what_is_seen_what_would_refute_it_and_what_is_for_experts(run: Path, tmp_path: Path) -> None:
    data = unpacked(write_report([run], tmp_path / "report.html").read_text(), "data")
    for curve in data["curves"]:
        if not curve["p"]:
            assert "reasons" not in (curve["v"] or {})
            continue
        verdict = curve["v"]
        assert verdict["claim"].endswith(".")
        assert verdict["refute"]
        assert verdict["strength"] in ("firm", "likely", "open")
        assert not any("trained anew" in text for text in verdict.get("evidence", [])), "numbers are folded"
        low, high = curve["b"]
        assert 0 <= low < high < len(curve["r"])
    fall = next(c for c in data["curves"] if c["p"] and c["v"]["shape"] == "inverse")
    assert "Gets worse" in fall["v"]["claim"]
    assert re.match(r"A larger model that is better than syn-\w+ by more than 0\.\d+: three", fall["v"]["refute"][0])


def test_what_would_refute_a_verdict_has_not_been_seen_yet(run: Path, tmp_path: Path) -> None:
    curves = unpacked(write_report([run], tmp_path / "report.html").read_text(), "data")["curves"]
    told = [c for c in curves if c["p"] and c["v"]["shape"] in ("smooth", "flat")]
    assert {c["v"]["shape"] for c in told} == {"smooth", "flat"}
    for curve in told:
        stated = float(re.search(r"by more than ([\d.]+\d)", curve["v"]["refute"][0])[1])
        fallen = max(max(curve["y"][: at + 1]) - y for at, y in enumerate(curve["y"]))
        assert stated >= (fallen if curve["v"]["shape"] == "smooth" else max(curve["y"]) - min(curve["y"])) - 0.005


def test_claim_evidence_and_parts_count_the_same_models(run: Path, tmp_path: Path) -> None:
    data = unpacked(write_report([run], tmp_path / "report.html").read_text(), "data")
    rises = [c for c in data["curves"] if c["p"] and "g" in c]
    assert rises
    for curve in rises:
        names = [data["families"][curve["f"]]["rungs"][rung]["name"] for rung in curve["r"]]
        counted = next(text for text in curve["v"]["evidence"] if text.startswith("The first "))
        assert int(counted.split()[2]) == curve["g"], "no model is left out here"
        if curve["v"]["shape"] == "late":
            assert names[curve["g"] - 1] in curve["v"]["claim"]
            assert curve["v"]["claim"].startswith("At chance") == ("are at chance" in counted)


def test_a_fall_says_how_many_wrong_answers_repeat_the_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(synthetic.SHAPES, "flat", synthetic.SHAPES["falling"])  # the third task, of multiple choice
    for belief in (True, False):
        run = make_run(tmp_path / f"{belief}", tasks=3, rung_count=5, examples=60, belief=belief)
        data = unpacked(write_report([run], tmp_path / f"{belief}.html").read_text(), "data")
        fall = next(c for c in data["curves"] if c["p"] and c["t"] == 2 and c["s"] == "direct")
        assert fall["v"]["shape"] == "inverse"
        wrong = round(60 * (1 - fall["y"][-1]))
        said = f"Of {wrong} wrong answers of syn-838k, {wrong} are the option that the question itself names."
        assert (said in fall["v"]["evidence"]) == belief


def with_reasons(run: Path, out: Path, old: str, new: list[list]) -> Path:
    """``run`` with reasons of the code ``old`` replaced, everywhere."""
    import polars as pl

    shutil.copytree(run, out)
    table = pl.read_parquet(out / "verdicts.parquet")
    rows = [
        [text for one in own for text in ([json.dumps(more) for more in new] if json.loads(one)[0] == old else [one])]
        for own in table["reasons"].to_list()
    ]
    table.with_columns(reasons=pl.Series(rows, dtype=pl.List(pl.String))).write_parquet(out / "verdicts.parquet")
    return out


def test_a_floor_off_chance_is_not_called_chance(run: Path, tmp_path: Path) -> None:
    raised = with_reasons(run, tmp_path / "raised", "floor", [["floor-near", 2, 5, 0.04, 0.0]])
    for lang, start, chance in (
        ("en", "On a floor of 0.04 up to syn-25k", "chance"),
        ("zh", "syn-25k 及更小的模型处于约 0.04 的底部", "随机"),
    ):
        html = write_report([raised], tmp_path / f"{lang}.html", lang=lang).read_text()
        late = [c["v"]["claim"] for c in unpacked(html, "data")["curves"] if c["p"] and c["v"]["shape"] == "late"]
        assert late
        assert all(claim.startswith(start) and chance not in claim for claim in late)


def test_two_models_that_may_be_odd_are_both_in_the_page(run: Path, tmp_path: Path) -> None:
    odd = ["one-model", "syn-81k", 0.9, 0.5, "late"], ["one-model-or", "syn-262k", 0.2], ["floor", 2, 4]
    html = write_report([with_reasons(run, tmp_path / "odd", "floor", list(odd))], tmp_path / "r.html").read_text()
    told = [c for c in unpacked(html, "data")["curves"] if c["p"] and c["o"] and "g" in c]
    assert told
    for curve in told:
        assert (curve["o"], curve["ov"], curve["g"], curve["b"]) == ([2], [3], 3, [1, 3])
        assert any(text.startswith("Leaving out syn-262k") for text in curve["v"]["caveats"])


def test_what_would_refute_is_one_result_and_caveats_stand_apart(run: Path, tmp_path: Path) -> None:
    told = ["companion-fluency", "target_logprob"], ["one-companion"], ["floor", 2, 4]
    for lang, fluency in (("en", "is not compared: it rises with fluency"), ("zh", "它会随流畅度上升")):
        out = tmp_path / lang
        html = write_report([with_reasons(run, out, "floor", list(told))], tmp_path / f"{lang}.html", lang=lang)
        verdicts = [c["v"] for c in unpacked(html.read_text(), "data")["curves"] if c["p"] and c["v"]]
        assert {len(verdict["refute"]) for verdict in verdicts} == {1}
        cautious = [v for v in verdicts if any(fluency in text for text in v.get("caveats", []))]
        assert cautious
        for verdict in cautious:
            assert not any(fluency in text for text in (*verdict["refute"], *verdict["evidence"]))


def test_a_rise_whose_finer_scores_lack_a_model_is_untested_and_the_word_covers_it(run: Path, tmp_path: Path) -> None:
    import polars as pl

    from scalecurve.analysis.verdicts.run import judge_run
    from scalecurve.report.glossary import glossary
    from scalecurve.store import RunDirectory

    holed = tmp_path / "holed"
    shutil.copytree(run, holed)
    lacking = (pl.col("metric") != "exact_match") & (pl.col("rung") == "syn-81k")
    pl.read_parquet(holed / "curves.parquet").filter(~lacking).write_parquet(holed / "curves.parquet")
    (holed / "verdicts.parquet").unlink()
    judge_run(RunDirectory(holed))
    curves = unpacked(write_report([holed], tmp_path / "r.html").read_text(), "data")["curves"]
    rise = next(c for c in curves if c["p"] and c["t"] == 0 and c["s"] == "direct")
    assert rise["v"]["artefact"] == "untested"
    assert any(c["m"] == "target_logprob" and c["t"] == 0 for c in curves), "a finer score was recorded"
    assert "or none that can be compared here" in glossary("en")["untested"]
    assert "没有可在此比较的" in glossary("zh")["untested"]


def test_the_glossary_states_the_rule_of_the_metric_check() -> None:
    """What the words say of a pace is where the finding turns: half of the overall pace, and three standard errors."""
    from scalecurve.analysis.verdicts.artefact import CLEAR, STEADY, CompanionFinding
    from scalecurve.report.glossary import glossary

    assert (CLEAR, STEADY) == (3.0, 0.5)
    said = {lang: glossary(lang) for lang in ("en", "zh")}
    for pace, kind in ((0.43, "metric-robust"), (0.5, "metric-artefact")):  # improving before, with a bend at the rise
        assert CompanionFinding("brier", 4.0, pace, bends=True, near=True).says == kind
        assert "half of their overall pace" in said["en"][kind]
        assert "总体速度的一半" in said["zh"][kind]
    assert "had not improved before by as much as half" in said["en"]["metric-robust"]
    assert CompanionFinding("brier", 2.9, 0.9, bends=True, near=True).says == "undetermined"
    assert "three standard errors" in said["en"]["metric-artefact"]
