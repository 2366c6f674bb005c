"""What the pocket pack promises: knowledge wins over counting words, by a wide margin."""

from __future__ import annotations

import pytest
from tunebench.baselines.bag_of_words import bag_of_words, majority
from tunebench.config import DataSettings, Experiment, SearchSettings
from tunebench.data.pocket import TASKS, TRAIN_ROWS, make
from tunebench.methods import get_method
from tunebench.study.once import run_once

EPOCHS = 3
MARGIN = 0.10


@pytest.mark.soak
@pytest.mark.parametrize("name", tuple(TASKS))
def test_full_fine_tuning_stays_ten_points_above_counting_words(name: str) -> None:
    experiment = Experiment(
        data=DataSettings(source="pocket"),
        search=SearchSettings(pocket_examples=TRAIN_ROWS, epochs=EPOCHS),
    )
    tuned = run_once(name, get_method("full")(), experiment=experiment).score
    counted, constant = bag_of_words(make(name)).score, majority(make(name)).score
    assert tuned is not None
    assert tuned >= counted + MARGIN, f"full {tuned:.3f}, bag of words {counted:.3f}"
    assert tuned >= constant + MARGIN, f"full {tuned:.3f}, majority {constant:.3f}"
