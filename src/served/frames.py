"""A trained adapter that answers tables: what MLflow loads and serves, without MLflow itself.

The script that MLflow keeps beside the adapter imports this file, so that a model that was stored
once answers by the code of the installed version.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from ..training.predictor import Predictor, load_predictor

if TYPE_CHECKING:
    import pandas

LABEL = "label"
"""The column of the answers."""


def load(adapter: str | Path, backbone: str | None = None) -> Predictor:
    """The predictor of an adapter file.

    Args:
        adapter: The file.
        backbone: Where the backbone is, if not where it was; it must have the same weights.

    Raises:
        UserError: The file is damaged, or the backbone is not there or another one.
    """
    return load_predictor(adapter, backbone=backbone)


def probability_column(name: str) -> str:
    """The column with a class's probability: its name, but for a class that is called `label`."""
    return f"probability of {name}" if name == LABEL else name


def answer(predictor: Predictor, frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row of answers for each row of texts: the label, and a probability for each class.

    Args:
        predictor: What answers.
        frame: It has the text columns of the training data; others are passed over.

    Raises:
        UserError: A column is not there, or a text is empty.
    """
    import pandas

    columns = predictor.task.text
    for name in columns:
        if name not in frame.columns:
            known = ", ".join(map(str, frame.columns)) or "none"
            raise UserError(f"there must be a column '{name}', but there are: {known}")
    rows = frame[list(columns)].itertuples(index=False, name=None)
    # What is missing in a frame is a number; `predict` says of which row there is no text.
    texts = [tuple(text if isinstance(text, str) else "" for text in row) for row in rows]
    answers = predictor.predict(texts)
    table = {
        LABEL: [one.label for one in answers],
        **{
            probability_column(name): [one.probabilities[name] for one in answers]
            for name in predictor.task.labels
        },
    }
    return pandas.DataFrame(table, index=frame.index)
