"""The JSON schema of study files: current, true to the files there are, and as strict as the reader."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from command_line import Call
from jsonschema import Draft202012Validator

from scalecurve.errors import UserError
from scalecurve.study.study import parse_study, study_schema

ROOT = Path(__file__).resolve().parent.parent
COPY = ROOT / "docs" / "study.schema.json"
STUDIES = [*sorted((ROOT / "studies").glob("*.toml")), ROOT / "src" / "scalecurve" / "lab" / "study.toml"]
GOOD = 'models = ["lab"]\ntasks = ["lab:addition"]\n'


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = study_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def blocks() -> list[tuple[str, str]]:
    """Every block of TOML in the documentation that is a whole study: it names models and tasks."""
    pages = [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*.md"))]
    found = [(page.name, text) for page in pages for text in re.findall(r"```toml\n(.*?)```", page.read_text(), re.S)]
    return [(name, text) for name, text in found if re.search(r"^(\[\[)?models", text, re.M) and "tasks" in text]


def test_the_copy_in_the_documentation_is_current(call: Call) -> None:
    said = call("study", "schema")
    assert said.code == 0
    assert COPY.read_text() == said.out, "run: scalecurve study schema > docs/study.schema.json"


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)
def test_every_study_of_the_repository_follows_it(path: Path, validator: Draft202012Validator) -> None:
    assert list(validator.iter_errors(tomllib.loads(path.read_text()))) == []


def test_every_study_in_the_documentation_follows_it(validator: Draft202012Validator) -> None:
    assert blocks()
    for page, text in blocks():
        assert list(validator.iter_errors(tomllib.loads(text))) == [], f"{page}: {text}"


@pytest.mark.parametrize(
    "text",
    [
        'models = ["lab"]',
        'tasks = ["lab:addition"]',
        'models = []\ntasks = ["lab:addition"]',
        GOOD + "limt = 5",
        GOOD + "limit = 0",
        GOOD + 'limit = "all"',
        GOOD + "shots = [-1]",
        GOOD + "shots = [3, 3]",
        GOOD + "seed = 1\nseeds = [1, 2]",
        GOOD + 'dtype = "float8"',
        GOOD + 'shot_policy = "random"',
        GOOD + 'name = "a/b"',
        'models = ["lab", "lab"]\ntasks = ["lab:addition"]',
        'models = [{ rungs = ["lab-3m"] }]\ntasks = ["lab:addition"]',
        'models = [{ ref = "lab", name = "a" }]\ntasks = ["lab:addition"]',
        'models = [{ name = "a", backend = "mock" }]\ntasks = ["lab:addition"]',
        'models = [{ name = "a", backend = "mock", location = "m", rungs = ["a"] }]\ntasks = ["lab:addition"]',
        'models = [{ ref = "lab", parameters = 3 }]\ntasks = ["lab:addition"]',
        'models = ["lab"]\ntasks = [{ shots = [3] }]',
        'models = ["lab"]\ntasks = [{ ref = "lab:addition", shots = [] }]',
    ],
)
def test_what_is_wrong_both_refuse(text: str, validator: Draft202012Validator) -> None:
    data = tomllib.loads(text)
    assert list(validator.iter_errors(data))
    with pytest.raises(UserError):
        parse_study({"name": "study"} | data)


def test_every_field_says_what_it_is() -> None:
    schema = study_schema()
    tables = (schema, schema["$defs"]["ModelEntry"], schema["$defs"]["TaskEntry"])
    for table in tables:
        assert all(field["description"] for field in table["properties"].values())
    assert "null" not in json.dumps(schema)
