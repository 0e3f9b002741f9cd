"""One HTML file that holds everything: the words, the data, the charts and the scripts that draw them.

The Content Security Policy allows the page's own scripts by their hashes and nothing else: no network, no eval, no
other script, whatever a task or a model may have written.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any

from scalecurve._version import __version__
from scalecurve.report import charts
from scalecurve.report.checks import CHOICE, FINER, FINER_OF_CHOICE
from scalecurve.report.data import Contents, RunSource, study_of
from scalecurve.report.findings import findings
from scalecurve.report.glossary import caveats, glossary
from scalecurve.report.safe import to_json, visible
from scalecurve.report.summary import amount, sentences
from scalecurve.report.words import HTML_LANGUAGE, words
from scalecurve.schema import CURVE_AXES

PAGES = ("overview", "abilities", "models", "methods")
SCRIPTS = (
    "base.js",
    "labels.js",
    "charts.js",
    "lists.js",
    "ability.js",
    "examples.js",
    "models.js",
    "live.js",
    "main.js",
)
_EXPOSE = "window.vegaEmbed = vegaEmbed; window.vega = vega;"
CITATION = """@software{scalecurve,
  title   = {scalecurve: which abilities language models gain or lose with scale},
  version = {VERSION},
  license = {Apache-2.0}
}"""


def render(
    contents: Contents, examples: Mapping[int, str], left: Sequence[int], lang: str, *, version: str = ""
) -> str:
    """The page. ``examples`` are packed chunks by task index, ``left`` the tasks whose examples did not fit.

    With ``version`` the page is live: it asks the server it came from for examples and for news.
    """
    from jinja2 import Environment
    from markupsafe import Markup

    said = words(lang)
    scripts = [_vega(), _own_script()]
    families = [
        family | {"rungs": [{name: value for name, value in rung.items() if name != "key"} for rung in family["rungs"]]}
        for family in contents.families
    ]
    data: dict[str, Any] = {"families": families, "tasks": contents.tasks, "curves": contents.curves}
    screen = findings(contents, said, lang)
    terms = glossary(lang)
    data |= {"left": list(left), "null": noise_region(contents), "screen": screen}
    template = Environment(autoescape=True, trim_blocks=False).from_string(page_text("report.html"))
    return template.render(
        html_lang=HTML_LANGUAGE[lang],
        policy=_policy(scripts, live=bool(version)),
        version=__version__,
        title=visible(
            " · ".join(dict.fromkeys(said.get(source.name, source.name) for source in contents.sources)), 120
        ),
        css=Markup(page_text("report.css")),
        pages=PAGES,
        axes=CURVE_AXES,
        w=said,
        live=bool(version),
        sentences=sentences(contents, said, lang),
        screen=screen,
        caveats=caveats(lang),
        terms=terms,
        runs=[_methods(source, said) for source in contents.sources],
        citation=CITATION.replace("VERSION", __version__),
        words_json=Markup(to_json(_words_of_page(said, version) | {"terms": terms})),
        data=Markup(pack(data)),
        examples=[(key, Markup(chunk)) for key, chunk in examples.items()],
        scripts=[Markup(script) for script in scripts],
    )


def render_waiting(title: str, lang: str) -> str:
    """The page of a run of which nothing is known yet: how far it is, asked again and again, until there is more."""
    from jinja2 import Environment
    from markupsafe import Markup

    said = words(lang)
    script = page_text("live.js") + 'followRun(JSON.parse(document.getElementById("said").textContent), "");'
    template = Environment(autoescape=True).from_string(page_text("waiting.html"))
    return template.render(
        html_lang=HTML_LANGUAGE[lang], policy=_policy([script], live=True), title=visible(title, 120), w=said,
        css=Markup(page_text("report.css")), said=Markup(to_json(said)), script=Markup(script),
    )  # fmt: skip


def pack(value: object) -> str:
    """``value`` as JSON, gzipped, in base64: the form data travels in inside the page."""
    return base64.b64encode(gzip.compress(to_json(value).encode("utf-8", "replace"), 6, mtime=0)).decode()


def _words_of_page(said: Mapping[str, str], version: str) -> dict[str, object]:
    specs = {
        "score": charts.score_chart(said_of(said)),
        "map": charts.map_chart({"name": said["series"], "shape": said["verdict"]}),
        "threshold": charts.threshold_chart(
            {"name": said["task"], "shape": said["verdict"], "begins": said["threshold"]}
        ),
    }
    return {
        "words": said,
        "palette": charts.PALETTE,
        "shapes": charts.SHAPES,
        "axes": CURVE_AXES,
        "finer": FINER,
        "finerOfChoice": FINER_OF_CHOICE,
        "choice": CHOICE,
        "light": {colour: name for name, colour in charts.LIGHT.items()},
        "config": charts.config(),
        "charts": {name: _template(chart) for name, chart in specs.items()},
        "live": bool(version),
        "version": version,
    }


def said_of(said: Mapping[str, str]) -> dict[str, str]:
    """The words a score chart speaks."""
    return {
        "x": said["params_non_embedding"],
        "y": said["score"],
        "rung": said["model"],
        "items": said["items"],
        "series": said["series"],
    }


def _template(chart: Any) -> dict[str, object]:
    spec: dict[str, object] = chart.to_dict()
    spec.pop("config", None)
    spec.pop("datasets", None)
    return spec


def noise_region(contents: Contents) -> dict[str, float] | None:
    """The |L|/(m − 1) and |B| that 95% of curves of pure noise stay under, at the commonest number of scales."""
    from scalecurve.analysis import noise_null

    lengths = [len(curve["r"]) for curve in contents.curves if len(curve["r"]) > 2]
    if not lengths:
        return None
    scales = max(set(lengths), key=lengths.count)
    null_l, null_b = noise_null(scales)
    return {"l": float(null_l[int(0.95 * len(null_l))]) / (scales - 1), "b": float(null_b[int(0.95 * len(null_b))])}


def _methods(source: RunSource, said: Mapping[str, str]) -> dict[str, Any]:
    manifest = source.manifest
    totals: Mapping[str, Any] = manifest.get("totals", {})
    environment: Mapping[str, Any] = manifest.get("environment", {})
    libraries: Mapping[str, Any] = environment.get("libraries", {})
    versions = {"scalecurve": manifest.get("scalecurve", ""), "python": environment.get("python", "")} | dict(libraries)
    study = source.run.study.read_text("utf-8", errors="replace") if source.run.study.exists() else ""
    seeds = sorted({cell["seed"] for cell in manifest.get("cells", [])})
    facts = [
        (said["started"], _minute(manifest.get("created")) or "–"),
        (said["finished"], _minute(manifest.get("finished")) or said["unfinished"]),
        (said["questions"], f"{totals.get('examples', 0):,}"),
        (said["prompt_tokens"], f"{totals.get('prompt_tokens', 0):,}"),
        (said["generated_tokens"], f"{totals.get('generated_tokens', 0):,}"),
        (said["seconds"], f"{totals.get('seconds', 0):,.0f}"),
        (
            said["seeds" if len(seeds) > 1 else "seed"],
            ", ".join(map(str, seeds[:20])) or str(study_of(source).get("seed", 0)),
        ),
    ]
    failures = [
        (visible(cell["key"], 200), visible(cell["reason"], 300))
        for cell in manifest.get("cells", [])
        if cell.get("reason")
    ]
    return {
        "name": visible(source.name, 120),
        "facts": facts,
        "rungs": [_rung(rung) for rung in manifest.get("rungs", [])],
        "failures": failures[:200],
        "versions": visible(" · ".join(f"{k} {v}" for k, v in versions.items() if v), 2000),
        "study": visible(study, 8000),
        "reproduce": _reproduced(manifest, source),
    }


def _minute(stamp: object) -> str:
    """A time stamp (ISO 8601) to the minute, with UTC where it says so; as it is where it is none; "" for none."""
    try:
        when = datetime.fromisoformat(str(stamp or ""))
    except ValueError:
        return visible(str(stamp or ""), 40)
    zone = "" if when.utcoffset() is None else " UTC" if not when.utcoffset() else f" UTC{when:%z}"
    return f"{when:%Y-%m-%d %H:%M}{zone}"


def _reproduced(manifest: Mapping[str, Any], source: RunSource) -> str:
    """The commands that make this report again: by asking the models, or from the files it was imported from."""
    run = shlex.quote(f"runs/{visible(source.name, 80)}")
    version = manifest.get("scalecurve", __version__)
    if "imported" in manifest:
        files = [visible(str(one.get("file", "")), 120) for one in manifest["imported"]]
        shown = " ".join(files[:4]) + (f" …  # {len(files)} files" if len(files) > 4 else "")
        made = [f"pip install scalecurve=={version}", f"scalecurve import auto {shown} --into {run}"]
    else:
        made = [f"pip install 'scalecurve[models]=={version}'", f"scalecurve run study.toml --out {run}"]
    return "\n".join([*made, f"scalecurve report {run}"])


def _rung(rung: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "family": visible(str(rung.get("family", "")), 120),
        "name": visible(str(rung.get("name", "")), 120),
        "scales": [amount(rung.get(axis)) for axis in CURVE_AXES],
        "fingerprint": visible(str(rung.get("fingerprint", "")), 12)[:12],
    }


def _policy(scripts: Sequence[str], *, live: bool) -> str:
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    connect = "; connect-src 'self'" if live else ""
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        f"form-action 'none'{connect}"
    )


@lru_cache
def page_text(name: str) -> str:
    """A file of the page by its name."""
    return (files("scalecurve.report") / "page" / name).read_text(encoding="utf-8").replace("\r\n", "\n")


@lru_cache
def _own_script() -> str:
    return "\n".join(page_text(name) for name in SCRIPTS)


@lru_cache
def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script, as shipped inside vl-convert: nothing is fetched."""
    import vl_convert

    bundle: str = vl_convert.javascript_bundle(_EXPOSE)
    bundle = bundle.replace("\r\n", "\n").replace("</script", "<\\/script").replace("<!--", "\\x3c!--")
    return f"(() => {{{bundle}}})();"  # its many short names stay its own
