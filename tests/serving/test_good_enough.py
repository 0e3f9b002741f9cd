"""`serve --ability`: a request names an ability, and the cheapest model that is surely good enough answers."""

import subprocess
from pathlib import Path

import pytest

from .test_serve import SCALECURVE, Served, chat

STUDY = """
name = "measured"
tasks = ["lab:codes"]
strategies = ["direct"]
limit = 40
[[models]]
ref = "lab"
rungs = ["lab-3k", "lab-332k", "lab-1m"]
"""
MODELS = ("--model", "lab:lab-3k", "--model", "lab:lab-332k", "--model", "lab:lab-1m")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measured")
    (folder / "study.toml").write_text(STUDY)
    subprocess.run(
        [SCALECURVE, "run", folder / "study.toml", "--out", folder / "run", "--quiet"], check=True, capture_output=True
    )
    return folder / "run"


def test_the_cheapest_model_that_is_good_enough_answers(measured: Path) -> None:
    server = Served(*MODELS, "--run", measured, "--ability", "lab:codes", "--min-accuracy", 0.8)
    try:
        client = server.client()
        names = [model.id for model in client.models.list()]
        assert names == ["lab-3k", "lab-332k", "lab-1m", "auto:lab:codes", "auto"]
        for name in ("auto", "auto:lab:codes"):
            assert chat(client, "What is 120+101?", name).model == "lab-332k", "lab-3k guesses; lab-1m costs more"
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--ability", "lab:codes"], "--run where that is measured"),
        (["--run", "RUN", "--ability", "lab:remap"], "--ability lab:remap: not measured of these models without shots"),
        (["--run", "RUN", "--ability", "lab:codes", "--min-accuracy", "1"], "no model is surely right in 100%"),
    ],
)
def test_what_cannot_be_promised_is_refused(measured: Path, options: list[str], said: str) -> None:
    words = [str(measured) if word == "RUN" else word for word in options]
    ended = subprocess.run([SCALECURVE, "serve", *MODELS, *words], capture_output=True, text=True)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
