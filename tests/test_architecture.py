"""The one-way flow: who may import whom, and what must stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "scalecurve"

# Each room, and the rooms it may import (beside itself). A room is a package or a module directly in scalecurve.
MAY_IMPORT = {
    "nouns": set(),
    "strangers": set(),
    "study": {"nouns"},
    "tasks": {"nouns", "strangers"},
    "controller": {"nouns"},
    "prompts": {"nouns", "tasks", "controller"},
    "engine": {"nouns"},
    "models": {"nouns", "engine"},
    "metrics": {"nouns", "tasks"},
    "runs": {"nouns", "strangers", "tasks", "metrics", "study"},
    "plan": {"nouns", "study", "tasks", "prompts", "models", "metrics"},
    "asking": {"nouns", "prompts", "models"},
    "part": {"nouns", "prompts", "models", "metrics", "runs", "plan", "asking"},
    "rung_run": {"nouns", "models", "runs", "plan", "asking", "part"},
    "workers": {"nouns", "part", "rung_run"},
    "execute": {"nouns", "models", "runs", "plan", "part", "rung_run", "workers"},
    "distribute": {"nouns", "models", "runs", "plan", "part", "rung_run"},
    "adaptive": {"nouns", "models", "metrics", "plan", "part", "rung_run", "runs", "curves"},
    "cost": {"nouns", "engine", "models", "plan", "prompts", "asking", "part"},
    "curves": {"nouns", "tasks", "metrics"},
    "report": {"nouns", "metrics", "runs", "curves"},
    "pipeline": {
        *("nouns", "study", "metrics", "runs", "curves", "report", "plan", "rung_run"),
        *("execute", "distribute", "adaptive", "exchange"),
    },
    "watch": {"nouns", "study", "models", "runs", "curves", "plan", "execute", "pipeline"},
    "lab": {"nouns"},
    "elicit": {"nouns", "study", "prompts", "models", "metrics", "runs", "curves", "plan", "asking"},
    "exchange": {"nouns", "strangers", "models", "metrics", "runs"},
    "thinking": {"nouns", "tasks", "controller", "prompts", "metrics", "models", "asking", "runs", "curves"},
    "serving": {"nouns", "tasks", "prompts", "asking", "thinking"},
    "doctor": {"nouns", "models", "tasks"},
    "query": {"nouns", "tasks", "prompts", "models", "metrics", "curves", "asking", "runs"},
}
TORCH_ROOMS = {"models", "engine", "lab"}
FILES = sorted(SOURCE.rglob("*.py"))


def room_of(path: Path) -> str:
    """The room a file belongs to; "" for scalecurve/__init__.py."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def imports(path: Path) -> set[str]:
    """Every module a file imports, at its top or in a function, as dotted names."""
    package = ("scalecurve", *path.relative_to(SOURCE).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            found |= {f"{module}.{alias.name}" for alias in node.names} if module == "scalecurve" else {module}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_one_way(path: Path) -> None:
    room = room_of(path)
    used = {name.split(".")[1] for name in imports(path) if name.startswith("scalecurve.")} - {room, "__version__"}
    if room in MAY_IMPORT:
        assert used <= MAY_IMPORT[room], f"{room} may import {sorted(MAY_IMPORT[room])} only"
    elif room not in ("", "cli"):
        assert "cli" not in used, "only the command line imports the command line"
    if room and room not in TORCH_ROOMS:
        assert not {name.split(".")[0] for name in imports(path)} & {"torch", "transformers"}


def test_every_room_is_listed_or_free() -> None:
    listed = set(MAY_IMPORT) | {"", "cli"}
    assert {room_of(path) for path in FILES} >= set(MAY_IMPORT), f"a room in {sorted(listed)} has no file"


def loaded_by(code: str) -> set[str]:
    """The top-level packages that are loaded after ``code`` in a fresh interpreter."""
    script = f"{code}\nimport sys; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['scalecurve', '--help']\n"
        "from scalecurve.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass"
    )
    heavy = {"torch", "transformers", "polars", "numpy", "scipy", "altair", "duckdb", "rich", "pydantic", "jinja2"}
    assert not loaded_by(code) & heavy


def test_stored_results_are_read_without_torch() -> None:
    code = "import scalecurve\nfor name in scalecurve.__all__:\n    getattr(scalecurve, name)"
    assert not loaded_by(code) & {"torch", "transformers", "openai"}
