"""CONTRIBUTING.md shows seven additions of one file each, and tests: in a fresh copy all work as they stand."""

import base64
import gzip
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import yaml

from scalecurve.analysis.verdicts.reasons import remark
from scalecurve.errors import UserError
from scalecurve.io import all_readers
from scalecurve.io.shape import reader
from scalecurve.metrics import get_metric, metric
from scalecurve.metrics.registry import TEXT
from scalecurve.models.backend import backend, backend_names
from scalecurve.strategies import get_strategy
from scalecurve.strategies.protocol import before, strategy
from scalecurve.tasks import load_tasks
from scalecurve.tasks.registry import task_format

ROOT = Path(__file__).resolve().parent.parent
MODEL = '{ name = "m", backend = "mock", location = "mock", params_non_embedding = 1000 }'
COMMAND = f"{sys.executable} -c 'import sys; sys.stdin.read(); print(\"New Paris\")'"


def diffs() -> dict[str, str]:
    """The file that each diff of the page adds, and the diff."""
    found = re.findall(r"```diff\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.S)
    return {re.findall(r"^\+\+\+ b/(.*)$", diff, re.M)[0]: diff for diff in found}


TASK, TASK_FORMAT, STRATEGY, METRIC, BACKEND, FORMAT, REASON = diffs()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, but for the weights."""
    folder = tmp_path_factory.mktemp("copy")
    leave = shutil.ignore_patterns("weights")
    shutil.copytree(ROOT / "src", folder / "src", ignore=leave)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture
def fresh(copy: Path, tmp_path: Path) -> Path:
    shutil.copytree(copy, tmp_path / "fresh")
    return tmp_path / "fresh"


def apply(folder: Path, path: str) -> None:
    subprocess.run(["git", "apply", "-"], input=diffs()[path], text=True, cwd=folder, check=True)


def scalecurve(folder: Path, *arguments: object) -> str:
    code = "from scalecurve.cli import main; main()"
    env = {"PYTHONPATH": str(folder / "src"), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    words = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(folder: Path, **changed: str) -> list[dict[str, object]]:
    """The curves of a small study, after a run that lacks nothing; ``changed`` lines in place of the usual ones."""
    lines = {"models": f"[{MODEL}]", "tasks": '["lab:reversal:short"]', "metrics": '["exact_str_match"]', "limit": "3"}
    (folder / "s.toml").write_text("".join(f"{name} = {value}\n" for name, value in (lines | changed).items()))
    assert json.loads(scalecurve(folder, "run", "s.toml", "--out", "run", "--quiet", "--json"))["complete"]
    return list(json.loads(scalecurve(folder, "curves", "run", "--json")))


def test_each_diff_adds_one_file() -> None:
    for diff in diffs().values():
        assert diff.startswith("--- /dev/null\n")
        assert diff.count("+++ b/") == 1


def test_a_task(fresh: Path) -> None:
    apply(fresh, TASK)
    (curve,) = run(fresh, tasks='["capitals/task.json"]')
    assert curve["y"] == [0.0]
    assert curve["n"] == [3]


def test_a_format_of_tasks(fresh: Path) -> None:
    apply(fresh, TASK_FORMAT)
    (fresh / "sums.txt").write_text("1 + 1 =\t2\n2 + 3 =\t5\n")
    (curve,) = run(fresh, tasks='["tabs:sums.txt"]')
    assert (curve["task"], curve["n"]) == ("sums", [2])
    assert f'ref = "tabs:{fresh / "sums.txt"}"' in (fresh / "run" / "study.toml").read_text()
    (fresh / "sums.txt").write_text("1 + 1 = 2\n")
    with pytest.raises(AssertionError, match=r"sums\.txt: line 1: no tab"):
        scalecurve(fresh, "run", "s.toml", "--out", "again", "--quiet")


def test_a_strategy(fresh: Path) -> None:
    apply(fresh, STRATEGY)
    tasks = '["lab:reversal:short", { ref = "lab:rebus:is_film", metrics = ["multiple_choice_grade"] }]'
    texts, options = run(fresh, tasks=tasks, strategies='["restate"]')
    assert (texts["strategy"], options["strategy"]) == ("restate", "restate")
    assert (texts["n"], options["n"]) == ([3], [3])


def test_a_metric(fresh: Path) -> None:
    apply(fresh, METRIC)
    (curve,) = run(fresh, metrics='["target_word_recall"]')
    assert curve["y"] == [0.0]


def test_a_backend_and_all_of_them_together(fresh: Path) -> None:
    for path in diffs():
        apply(fresh, path)
    model = "{ name = 'm', backend = 'command', params_non_embedding = 1000, location = '''" + COMMAND + "''' }"
    (curve,) = run(fresh, models=f"[{model}]", tasks='["capitals/task.json"]', metrics='["target_word_recall"]',
                   strategies='["restate"]')  # fmt: skip
    assert curve["y"] == [pytest.approx((1 + 0 + 0.5) / 3)], "Paris; not Tokyo; the New of New Delhi"


def test_a_format_of_results(fresh: Path) -> None:
    apply(fresh, FORMAT)
    (fresh / "results").mkdir()
    for size, right in (("70m", 25), ("160m", 40), ("410m", 60)):
        told = {"tally": 1, "model": f"EleutherAI/pythia-{size}", "right": {"sums": [right, 100]}}
        (fresh / "results" / f"{size}.json").write_text(json.dumps(told))
    scalecurve(fresh, "import", "auto", "results", "--into", "imported", "--shots", "0")
    (curve,) = json.loads(scalecurve(fresh, "curves", "imported", "--json"))
    assert (curve["task"], curve["metric"], curve["y"]) == ("tally:sums", "accuracy", [0.25, 0.4, 0.6])
    (fresh / "results" / "bad.json").write_text(json.dumps({"tally": 1, "model": "m", "right": {"sums": [7, 5]}}))
    with pytest.raises(AssertionError, match=r"bad\.json: right\.sums: must be \[RIGHT, ASKED\]"):
        scalecurve(fresh, "import", "auto", "results", "--into", "again", "--shots", "0")


def test_a_reason_in_both_languages(fresh: Path) -> None:
    apply(fresh, REASON)
    sizes = [
        f'{{ name = "m{n}", backend = "mock", location = "mock", params_non_embedding = 1{"0" * n} }}'
        for n in range(4, 9)
    ]
    run(fresh, models=f"[{', '.join(sizes)}]", limit="5")
    (verdict,) = json.loads(scalecurve(fresh, "verdicts", "run", "--json"))
    assert "Between chance and the ceiling 100% is still open to the largest model." in verdict["reasons"]
    scalecurve(fresh, "report", "run", "--out", "page.html", "--lang", "zh")
    packed = re.findall(r'id="data">([^<]*)<', (fresh / "page.html").read_text())[0]
    assert "最大的模型距上限仍有 100% 的空间" in gzip.decompress(base64.b64decode(packed)).decode()


def test_the_tests_of_what_is_registered_take_additions(fresh: Path) -> None:
    for path in diffs():
        apply(fresh, path)
    lists = ("metrics/test_registry", "io/test_formats", "strategies/test_strategies", "analysis/test_reasons")
    files = [f"tests/{one}.py" for one in lists]
    words = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
    env = {"PYTHONPATH": str(fresh / "src"), "PATH": "/usr/bin:/bin", "HOME": str(fresh), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_tests_beside_them_pass_with_them_and_fail_without(fresh: Path) -> None:
    tests = re.findall(r"```python\n# (tests/\S+)\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.S)
    for path, text in tests:
        shutil.copytree(ROOT / path.rpartition("/")[0], (fresh / path).parent, ignore=shutil.ignore_patterns("test_*"))
        (fresh / path).write_text(text)
    words = [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", *(path for path, _ in tests)]
    env = {"PYTHONPATH": str(fresh / "src"), "PATH": "/usr/bin:/bin", "HOME": str(fresh), "OMP_NUM_THREADS": "1"}
    without = subprocess.run(words, cwd=fresh, env=env, capture_output=True, text=True)
    assert f"{len(tests)} failed" in without.stdout, without.stdout
    for path in (STRATEGY, METRIC, FORMAT, REASON):
        apply(fresh, path)
    done = subprocess.run(words, cwd=fresh, env=env, capture_output=True, text=True)
    assert f"{len(tests)} passed" in done.stdout, done.stdout
    for check in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *check, *(path for path, _ in tests)]
        assert not subprocess.run(ruff, cwd=fresh, capture_output=True).returncode


@pytest.mark.parametrize(
    ("register", "name"),
    [
        (partial(metric, needs=TEXT), "exact_str_match"), (strategy, "direct"), (before, "gate"), (backend, "mock"),
        (partial(reader, role=str), "helm"), (task_format, "lab"), (partial(remark, en="", zh=""), "goes"),
    ],
)  # fmt: skip
def test_a_name_has_one_owner(register: Callable[[str], Callable[[object], object]], name: str) -> None:
    assert get_metric("exact_str_match")
    assert get_strategy("gate+direct")
    assert all_readers()
    assert backend_names()
    assert load_tasks("lab:addition")
    with pytest.raises(UserError, match=rf"'{name}': scalecurve\..* and {__name__}\..* both have this name"):
        register(name)(lambda *_: None)


def test_the_files_are_written_as_the_others_are(fresh: Path) -> None:
    for path in diffs():
        apply(fresh, path)
    own = [path for path in diffs() if path.endswith(".py")]
    for check in (["check"], ["format", "--check"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *check, *own], cwd=fresh, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_the_version_is_the_same_everywhere() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert str(cited["version"]) == version
    assert {"cff-version", "message", "title", "authors", "license"} <= set(cited)
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text()
