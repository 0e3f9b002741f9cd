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
    rises = [c for c in data["curves"] if c["p"] and "off" in c]
    assert rises
    for curve in rises:
        names = [data["families"][curve["f"]]["rungs"][rung]["name"] for rung in curve["r"]]
        counted = next(text for text in curve["v"]["evidence"] if text.startswith("The first "))
        assert int(counted.split()[2]) == curve["off"], "no model is left out here"
        if curve["v"]["shape"] == "late":
            assert names[curve["off"] - 1] in curve["v"]["claim"]
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
    told = [c for c in unpacked(html, "data")["curves"] if c["p"] and c["o"] and "off" in c]
    assert told
    for curve in told:
        assert (curve["o"], curve["ov"], curve["off"], curve["b"]) == ([2], [3], 3, [1, 3])
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


def with_verdicts(run: Path, out: Path, *changes: tuple[dict[str, str], dict[str, object]]) -> Path:
    """``run`` with verdicts changed: of every row that has the first values of a change, to its second."""
    import polars as pl

    shutil.copytree(run, out)
    table = pl.read_parquet(out / "verdicts.parquet")
    rows = table.to_dicts()
    for which, new in changes:
        for row in rows:
            if all(row[name] == value for name, value in which.items()):
                row.update(new)
    pl.DataFrame(rows, schema=table.schema).write_parquet(out / "verdicts.parquet")
    return out


def claims_of(report: Path) -> dict[str, dict]:
    """Task → verdict of its direct headline curve."""
    data = unpacked(report.read_text(), "data")
    return {data["tasks"][c["t"]]["ref"]: c["v"] for c in data["curves"] if c["p"] and c["s"] == "direct"}


CLIMBS = ["companion-climbs", "target_logprob", 5.0, 0.3], ["companion-bends", "target_logprob"]
STILL = ["companion-still", "edit_similarity"], ["companion-bends", "edit_similarity"]
STEADY = ["companion-climbs", "bleu", 9.0, 0.9], ["companion-straight", "bleu"]
FLUENT = (["companion-fluency", "target_logprob"],)


@pytest.mark.parametrize(
    ("status", "reasons", "said"),
    [
        (
            "metric-robust",
            (*CLIMBS, *STILL),
            "robust, although some finer scores improve before (log-probability of the target)",
        ),
        ("metric-robust", (*STILL,), "robust. A turn where the score rises is seen in edit similarity too"),
        ("metric-artefact", (*STEADY,), "the overall pace or more, in BLEU; no finer score starts only with"),
        ("undetermined", (*STEADY, *STILL), "speak 1 of 2 finer scores, for a jump of the ability 1 of 2;"),
        ("undetermined", FLUENT, "The finer scores here (log-probability of the target) rise with fluency"),
    ],
)
def test_the_metric_check_says_what_it_rests_on(
    run: Path, tmp_path: Path, status: str, reasons: tuple, said: str
) -> None:
    """Also why a rise is robust although finer scores improve before it, where that is said."""
    kept = [json.dumps(one) for one in (["floor", 2, 5], *reasons)]
    sudden = {"task": "lab:sudden_0", "strategy": "direct", "metric": "exact_match"}
    new = {"shape": "emergent", "sublabel": "", "artefact": status, "reasons": kept, "threshold": 3e4}
    changed = with_verdicts(run, tmp_path / "changed", (sudden, new))
    evidence = claims_of(write_report([changed], tmp_path / "r.html"))["lab:sudden_0"]["evidence"]
    (check,) = [text for text in evidence if text.startswith("Metric check: ")]
    assert said.lower() in check.lower()
    zh = claims_of(write_report([changed], tmp_path / "zh.html", lang="zh"))["lab:sudden_0"]["evidence"]
    assert any(text.startswith("指标检验：") for text in zh)


def test_a_check_not_made_tells_whether_finer_scores_were_recorded(run: Path, tmp_path: Path) -> None:
    import polars as pl

    sudden = {"task": "lab:sudden_0", "strategy": "direct", "metric": "exact_match"}
    new = {"shape": "emergent", "artefact": "untested", "reasons": ['["floor", 2, 5]'], "threshold": 3e4}
    changed = with_verdicts(run, tmp_path / "changed", (sudden, new))
    said = claims_of(write_report([changed], tmp_path / "r.html"))["lab:sudden_0"]["evidence"]
    assert any("(log-probability of the target" in text and "cannot be compared here" in text for text in said)
    bare = pl.col("metric") == "exact_match"
    pl.read_parquet(changed / "curves.parquet").filter(bare).write_parquet(changed / "curves.parquet")
    said = claims_of(write_report([changed], tmp_path / "bare.html"))["lab:sudden_0"]["evidence"]
    assert "Metric check: not made, as no finer score of these answers was recorded." in said


def test_a_finer_score_that_goes_another_way_is_spoken_of(run: Path, tmp_path: Path) -> None:
    task = {"task": "lab:steady_1", "strategy": "direct"}
    changes = [
        ({**task, "metric": "exact_match"}, {"shape": "smooth", "sublabel": "", "artefact": "", "threshold": None}),
        ({**task, "metric": "target_logprob"}, {"shape": "inverse", "flags": []}),
    ]
    falling = claims_of(write_report([with_verdicts(run, tmp_path / "a", *changes)], tmp_path / "a.html"))
    (said,) = [text for text in falling["lab:steady_1"]["caveats"] if "goes the other way" in text]
    assert re.fullmatch(
        r"Log-probability of the target goes the other way: it gets worse, from −\d\.\d\d to −\d\.\d\d\.", said
    ), said
    changes[0][1]["shape"], changes[1][1]["shape"] = "flat", "smooth"
    still = claims_of(write_report([with_verdicts(run, tmp_path / "b", *changes)], tmp_path / "b.html"))
    assert any("improves all the same" in text for text in still["lab:steady_1"]["caveats"])
    changes[0][1]["shape"] = "smooth"
    agreeing = claims_of(write_report([with_verdicts(run, tmp_path / "c", *changes)], tmp_path / "c.html"))
    assert not any("target" in text for text in agreeing["lab:steady_1"].get("caveats", []))


def test_a_rise_begins_between_the_same_two_models_everywhere(run: Path, tmp_path: Path) -> None:
    """The claim, the words of the overview, and what strip, table and parts draw from (``st``)."""
    report = write_report([run], tmp_path / "r.html")
    html, data = report.read_text(), unpacked(report.read_text(), "data")
    late = [c for c in data["curves"] if c["p"] and c["v"]["shape"] == "late" and "st" in c]
    assert late
    for curve in late:
        a, b = (data["families"][curve["f"]]["rungs"][curve["r"][at]]["name"] for at in curve["st"])
        assert curve["st"] == curve["b"]
        assert f"up to {a}, then" in curve["v"]["claim"]
        assert f"begins between {a} and {b}" in html
    assert all("st" in c for c in data["curves"] if c["p"] and c["v"].get("threshold") is not None)


def test_numbers_are_written_with_one_sign_for_minus(run: Path, tmp_path: Path) -> None:
    fallen = with_reasons(run, tmp_path / "odd", "floor", [["one-model", "syn-81k", -0.9, -0.5, "late"]])
    data = unpacked(write_report([fallen], tmp_path / "r.html").read_text(), "data")
    said = [text for c in data["curves"] if c["p"] for text in c["v"].get("evidence", [])]
    assert any("−0.9, −0.5 from where" in text for text in said)
    assert not any(re.search(r"(^|\s)-\d", text) for text in said)


def test_scores_with_cut_answers_taken_as_right_stay_beside_the_floor(run: Path, tmp_path: Path) -> None:
    import polars as pl

    cut = tmp_path / "cut"
    shutil.copytree(run, cut)
    curves = pl.read_parquet(cut / "curves.parquet")
    bounds = {"all_wrong": pl.col("y"), "all_right": pl.col("y") + 0.02}
    counts = pl.lit(1).cast(curves.schema["censored"])
    curves.with_columns(censored=counts, **bounds).write_parquet(cut / "curves.parquet")
    found = unpacked(write_report([cut], tmp_path / "r.html").read_text(), "data")["curves"]
    floors = [curve for curve in found if curve["p"] and "off" in curve]
    assert floors
    for curve in floors:
        assert curve["g"] == pytest.approx([y + 0.02 for y in curve["y"]], abs=1e-4)


def test_a_check_left_open_names_the_scores_over_options_that_it_could_not_use(run: Path, tmp_path: Path) -> None:
    flat = {"task": "lab:flat_2", "strategy": "direct", "metric": "multiple_choice_grade"}
    kept = [json.dumps(one) for one in (["floor-near", 3, 5, 0.18, 0.25], *FLUENT)]
    new = {"shape": "emergent", "sublabel": "", "artefact": "undetermined", "reasons": kept, "threshold": 3e4}
    changed = with_verdicts(run, tmp_path / "changed", (flat, new))
    evidence = claims_of(write_report([changed], tmp_path / "r.html"))["lab:flat_2"]["evidence"]
    (check,) = [text for text in evidence if text.startswith("Metric check: ")]
    assert "whatever the options (log-probability of the target), and others (" in check
    assert "cannot be compared here" in check


def test_finer_scores_are_told_over_the_whole_floor_of_the_verdict(run: Path, tmp_path: Path) -> None:
    sudden = {"task": "lab:sudden_0", "strategy": "direct", "metric": "exact_match"}
    worse = '["companion-worsens", "target_logprob", -1.0, -2.0]'
    reasons = ['["floor", 3, 5]', '["sharp-as-ladder"]', worse]
    for threshold, shape in ((3e4, "emergent"), (3e4, "late")):
        new = {"shape": shape, "artefact": "undetermined", "reasons": reasons, "threshold": threshold}
        told = with_verdicts(run, tmp_path / shape, (sudden, new))
        data = unpacked(write_report([told], tmp_path / f"{shape}.html").read_text(), "data")
        task = next(at for at, one in enumerate(data["tasks"]) if one["ref"] == "lab:sudden_0")
        own = [c for c in data["curves"] if c["t"] == task and c["s"] == "direct"]
        curve, finer = (next(c for c in own if c["m"] == metric) for metric in ("exact_match", "target_logprob"))
        first, worst = finer["y"][0], min(finer["y"][:3])
        said = f"worsens from {first:.3g} to {worst:.3g} before the score rises.".replace("-", "−")
        assert any(text.endswith(said) for text in curve["v"]["evidence"])
        sharp = any("as sharp as two neighbouring models" in text for text in curve["v"]["evidence"])
        assert sharp == (curve["st"] == curve["b"])


def test_a_check_not_made_for_a_floor_off_chance_says_that(run: Path, tmp_path: Path) -> None:
    sudden = {"task": "lab:sudden_0", "strategy": "direct", "metric": "exact_match"}
    reasons = ['["floor-near", 2, 5, 0.05, 0.0]']
    new = {"shape": "late", "artefact": "untested", "reasons": reasons, "threshold": 3e4}
    told = with_verdicts(run, tmp_path / "near", (sudden, new))
    for lang, said in (("en", "the floor lies above chance."), ("zh", "底部高于随机水平。")):
        evidence = claims_of(write_report([told], tmp_path / f"{lang}.html", lang=lang))["lab:sudden_0"]["evidence"]
        assert any(text.endswith(said) for text in evidence)
