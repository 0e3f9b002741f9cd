"""The human baselines: scales, odd numbers, and pickles that want more than numbers."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scalecurve.errors import UserError
from scalecurve.tasks.human import human_baselines


def write(path: Path, value: Any) -> Path:
    path.write_bytes(pickle.dumps(value, protocol=4))
    return path


def test_scales_and_odd_numbers(tmp_path: Path) -> None:
    average = {
        "emoji_movie": {
            "multiple_choice_grade": np.float64(92.5),
            "calibration_multiple_choice_brier_score": np.float64(0.03),
            "bleu": np.float64(47.0),
            "exact_str_match": np.float64(np.nan),
            "normalized_aggregate_score": np.float64(-np.inf),
        }
    }
    path = write(tmp_path / "human.pkl", {"average": average, "expert": {"other": {"bleu": 100.0}}})
    found = human_baselines(path)
    assert found["emoji_movie"].average == {
        "multiple_choice_grade": 0.925,
        "calibration_multiple_choice_brier_score": 0.03,
        "bleu": 47.0,
    }
    assert found["emoji_movie"].best == {}
    assert (found["other"].average, found["other"].best) == ({}, {"bleu": 100.0})


class Evil:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "evil.pkl", {"average": Evil(tmp_path / "made"), "expert": {}})
    with pytest.raises(UserError, match=r"not a pickle of plain numbers .*mkdir is not allowed"):
        human_baselines(path)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("value", [np.zeros(3), {"average": np.str_("x")}, [1], {"average": {}}])
def test_other_contents_are_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(UserError):
        human_baselines(write(tmp_path / "other.pkl", value))
    with pytest.raises(UserError, match="no human baselines"):
        human_baselines(tmp_path / "absent.pkl")
