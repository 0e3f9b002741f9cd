"""The page of two sides compared."""

import json
import re
from pathlib import Path

from command_line import Call
from synthetic import make_run, rungs


def test_a_comparison_is_a_page_with_the_questions_won_and_lost(tmp_path: Path, call: Call) -> None:
    run = make_run(tmp_path / "run", tasks=3, rung_count=5, examples=60, evil=True)
    out = tmp_path / "pages" / "both.html"
    small, large = (rung.name for rung in (rungs(5)[0], rungs(5)[-1]))
    said = call("compare", f"{large}:direct", f"{small}:direct", "--run", str(run), "--html", str(out))
    assert said.code == 0, said.err
    assert said.out.endswith(f"page: {out}\n")
    page = out.read_text("utf-8")
    assert f"{large}:direct is significantly better than {small}:direct on 2 of 3" in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page, "a hostile question is shown, not run"
    found = json.loads(call("compare", f"{large}:direct", f"{small}:direct", "--run", str(run), "--json").out)
    sudden = next(row for row in found["rows"] if "sudden" in row["task"])
    assert f"{sudden['wins']}, {sudden['losses']}" in page
    assert f"Only A got ({sudden['wins']})" in page
    assert page.count("A said <b") >= 20


def test_a_chinese_comparison_has_no_latin_word_but_names(tmp_path: Path, call: Call) -> None:
    run = make_run(tmp_path / "run", tasks=3, rung_count=5, examples=60)
    out = tmp_path / "zh.html"
    small, large = (rung.name for rung in (rungs(5)[0], rungs(5)[-1]))
    said = call("compare", f"{large}:direct", f"{small}:direct", "--run", str(run), "--html", str(out), "--lang", "zh")
    assert said.code == 0, said.err
    page = out.read_text("utf-8")
    assert '<html lang="zh-Hans">' in page
    assert f"3 项中，{large}:direct 在 2 项上显著优于 {small}:direct" in page
    body = re.sub(r"<head>.*?</head>|<li>.*?</li>|<[^>]+>", " ", page, flags=re.S)
    for name in (*(rung.name for rung in rungs(5)), "lab:sudden_0", "lab:steady_1", "lab:flat_2", ":direct"):
        body = body.replace(name, " ")
    assert {*re.findall(r"[A-Za-z][A-Za-z-]+", body)} <= {"scalecurve", "holm", "items", "json"}
    bad = call("compare", large, small, "--run", str(run), "--html", str(out), "--lang", "fr")
    assert bad.code == 2
    assert "--lang: 'fr' is not known; choose en or zh" in bad.err
