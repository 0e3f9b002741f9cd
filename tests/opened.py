"""Opens the report of a run in Chromium and holds it against the study: ``opened.py runs/lab/report.html``.

Every task of the study must have its curve for every way of asking it, with a point for every model; every page must be
drawn without an error in the console and without a request to a network. Ends with 1 and the reason where that fails.
"""

import sys
from pathlib import Path

from chromium import Page, chromium, programs

CURVES = """return state.data.curves.filter(c => c.p).map(c => [state.data.tasks[c.t].ref, c.s, c.k, c.y, c.t])"""
MARKS = "document.querySelectorAll('#headline .mark-symbol.role-mark path').length"


def check(page: Page, report: Path) -> str:
    """What was seen. Raises ``AssertionError`` where it is not what the study asked for."""
    from scalecurve.study.plan import make_plan
    from scalecurve.study.study import load_study

    plan = make_plan(load_study(report.with_name("study.toml")))
    models = sum(1 for _ in plan.rungs())
    asked = {(task.ref, arm.strategy, arm.shots) for task in plan.tasks for arm in task.arms}
    page.open()
    drawn = {(ref, way, shots): (scores, index) for ref, way, shots, scores, index in page.run(CURVES)}
    assert set(drawn) == asked, f"missing {sorted(asked - set(drawn))}, not asked for {sorted(set(drawn) - asked)}"
    for curve, (scores, _) in drawn.items():
        points = sum(isinstance(score, int | float) for score in scores)
        assert points == models, f"{curve}: {points} points, but {models} models were asked"
    abilities = sorted({index for _, index in drawn.values()})
    for index in abilities:
        page.open(f"#/ability/{index}").wait("'drawn' in (document.getElementById('headline')?.dataset ?? {})")
        least = models * sum(at == index for _, at in drawn.values())
        assert page.run(f"return {MARKS}") >= least, f"ability {index}: fewer than {least} points are drawn"
    for name in ("abilities", "map", "methods"):
        page.open(f"#/{name}")
    assert page.errors() == [], page.errors()
    assert page.requests() == [], page.requests()
    return f"{len(abilities)} abilities, {len(drawn)} curves of {models} points, no error, no request"


def main(path: str) -> None:
    report = Path(path).resolve()
    if not report.is_file():
        sys.exit(f"{report}: there is no such report")
    paths = programs()
    if paths is None:
        sys.exit("Chromium and chromedriver are not installed")
    with chromium(paths) as browser:
        try:
            print(f"{path} opened in Chromium: {check(Page(browser, report.as_uri()), report)}", flush=True)
        except AssertionError as error:
            sys.exit(f"{path}: {error}")


if __name__ == "__main__":
    main(sys.argv[1])
