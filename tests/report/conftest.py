"""A run that the tests of the report read."""

from pathlib import Path

import pytest
from synthetic import make_run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("report") / "run", tasks=6, rung_count=5, examples=30, evil=True)
