"""Examples in docstrings are what happens."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import scalecurve

SOURCE = Path(scalecurve.__file__).parent
WITH_EXAMPLES = sorted(path for path in SOURCE.rglob("*.py") if ">>> " in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_examples(path: Path) -> None:
    module = import_module("scalecurve." + ".".join(path.relative_to(SOURCE).with_suffix("").parts))
    outcome = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert outcome.attempted
    assert not outcome.failed
