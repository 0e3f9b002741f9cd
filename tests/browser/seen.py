"""What the tests in the browser ask a page: its addresses, whether it is drawn, and what axe-core finds."""

PAGES = ("#/overview", "#/abilities", "#/ability/0", "#/ability/2", "#/models", "#/map", "#/methods")
# Every chart in sight is drawn.
DRAWN = (
    "[...document.querySelectorAll('.chart')].filter(c => c.clientWidth && c.getBoundingClientRect().top < innerHeight)"
    ".every(c => 'drawn' in c.dataset)"
)
MARKS = "document.querySelectorAll('#headline .mark-symbol.role-mark path').length"


def faults(page, axe: str) -> list[list[object]]:
    """What axe-core finds on the page as it is."""
    page.run(axe + "; window.axe = axe;")
    return page.browser.execute_async_script(
        "const done = arguments[0]; axe.run(document).then(r => done(r.violations"
        ".map(v => [v.impact, v.id, v.nodes.length, v.nodes[0].html.slice(0, 160), v.nodes[0].failureSummary])))"
    )
