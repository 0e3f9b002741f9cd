"""The one-way flow: folders in their order, no circles, one name for one class, and what must stay light."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "scalecurve"

# Left to right: a folder (or a module of the package itself) imports what stands to its left, never to its right.
ORDER = (
    *("_version", "errors", "types", "schema", "util", "engine", "models", "tasks", "metrics", "strategies"),
    *("study", "store", "analysis", "runner", "cost", "io", "routing", "serving", "elicit", "report", "pipeline"),
    *("watch", "lab", "doctor", "query", "cli"),
)
TORCH_FOLDERS = {"models", "engine", "lab"}
WITHOUT_ANY = {"cost", "elicit", "serving", "strategies", "pipeline", "schema", "errors"}  # it only grows
FILES = sorted(SOURCE.rglob("*.py"))


def module_of(path: Path) -> str:
    """A file's module without "scalecurve."; "" for the package itself."""
    names = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


MODULES = {module_of(path) for path in FILES}


def imports(path: Path, *, late: bool = True) -> set[str]:
    """Every module a file imports, as dotted names; those of functions and type checkers too if ``late``."""
    tree = ast.parse(path.read_text())
    found = set()
    for node in ast.walk(tree) if late else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in names if name.removeprefix("scalecurve.") in MODULES} or {node.module or ""}
    return found


def own_imports(path: Path, *, late: bool = True) -> set[str]:
    return {name.removeprefix("scalecurve.") for name in imports(path, late=late) if name.startswith("scalecurve.")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_from_right_to_left(path: Path) -> None:
    folder = module_of(path).split(".")[0]
    if not folder:
        return  # the public names, imported when first used
    used = {name.split(".")[0] for name in own_imports(path)} - {folder}
    right = {name for name in used if ORDER.index(name) > ORDER.index(folder)}
    assert not right, f"{folder} stands left of {', '.join(sorted(right))}"
    if folder not in TORCH_FOLDERS:
        heavy = {name.split(".")[0] for name in imports(path)} & {"torch", "transformers"}
        assert not heavy, f"{folder} imports {', '.join(sorted(heavy))}"


@pytest.mark.parametrize("folder", sorted(WITHOUT_ANY))
def test_between_the_borders_everything_has_a_type(folder: str) -> None:
    """``Any`` is for what comes in untyped: JSON just parsed, rows of tables, objects of torch and transformers."""
    files = [path for path in FILES if module_of(path).split(".")[0] == folder]
    assert files
    assert [path.name for path in files if re.search(r"\bAny\b", path.read_text())] == []


def test_every_folder_has_its_place() -> None:
    assert {name.split(".")[0] for name in MODULES - {""}} == set(ORDER)


def test_no_circles_within_folders() -> None:
    """Imports at the top of files; a package's own ``__init__`` may name what stands in it."""
    graph: dict[str, set[str]] = defaultdict(set)
    for path in FILES:
        module = module_of(path)
        if path.name != "__init__.py":
            graph[module] |= own_imports(path, late=False) & MODULES - {module}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, f"a circle: {' → '.join((*way[way.index(module) :], module))}"
        if module not in done:
            for other in sorted(graph[module]):
                visit(other, (*way, module))
            done.add(module)

    for module in sorted(graph):
        visit(module, ())


def test_a_class_name_stands_for_one_class() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for path in FILES:
        classes = (node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef))
        for name in classes:
            homes[name].append(module_of(path))
    twice = {name: modules for name, modules in homes.items() if len(modules) > 1}
    assert not twice


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


def test_the_way_of_a_study_is_as_the_page_tells() -> None:
    page = (SOURCE.parents[1] / "docs" / "architecture.md").read_text()
    table = page.partition("### A study, file by file")[2].partition("Imports go one way")[0]
    files = re.findall(r"`([\w/]+\.py)`", table)
    assert len(set(files)) == len(files) <= 25
    assert [name for name in files if not (SOURCE / name).exists()] == []
    source = "".join(path.read_text() for path in FILES)
    named = re.findall(r"`([a-z_]+)`", table)
    assert len(named) >= 9
    assert [name for name in named if f"def {name}(" not in source] == []


def test_files_and_modules_that_are_named_exist() -> None:
    """Pages name files by their path in the checkout, in the package or in tests/; docstrings name modules by dots."""
    root = SOURCE.parents[1]
    pages = [*root.glob("*.md"), *(root / "docs").rglob("*.md"), *(root / "benchmarks").glob("*.md")]
    named = {(page, name) for page in pages for name in re.findall(r"`((?:[\w-]+/)+\w+\.py)`", page.read_text())}
    places = (root, SOURCE, root / "tests")
    assert [(page.name, name) for page, name in named if not any((place / name).exists() for place in places)] == []
    folders = {module.split(".")[0] for module in MODULES - {""}}
    wrong = []
    for path in FILES:
        for name in re.findall(r"``(?:scalecurve\.)?([a-z_]+(?:\.\w+)+)``", path.read_text()):
            home = next((module for module in (name, name.rpartition(".")[0]) if module in MODULES), None)
            if name.split(".")[0] in folders and home is None:
                wrong.append((module_of(path), name))
    assert wrong == []
