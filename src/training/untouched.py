"""Test rows leave nothing behind: what they are shown to is afterwards what it was before.

Methods and objectives may be anybody's. An objective that keeps labels it scored, or a method whose
modules go on learning while they answer, would carry test rows into what is trained or scored next.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from ..data.leaks import LeakError
from ..objectives import Objective


@contextlib.contextmanager
def untouched(objective: Objective, classifier: nn.Module | None = None) -> Iterator[None]:
    """Refuse an objective or a classifier that test rows have changed.

    Args:
        objective: It may hold nothing of what it scores.
        classifier: Its trained weights and its buffers may not move; none where nothing is trained.

    Raises:
        LeakError: Something changed; names it.
    """
    known, weights = _attributes(objective), _weights(classifier)
    yield
    for name, content in _attributes(objective).items():
        if known.get(name) != content:
            raise LeakError(
                f"the objective '{objective.name}' changed its '{name}' while the test rows were "
                "scored: an objective keeps nothing, or what is trained next could know them"
            )
    for name, content in _weights(classifier).items():
        if weights.get(name) != content:
            raise LeakError(
                f"'{name}' changed while the test rows were answered: a method learns from the "
                "training rows alone"
            )


def _attributes(objective: Objective) -> Mapping[str, str]:
    """What an objective and its classes hold, functions left out."""
    content: dict[str, Any] = {}
    for kind in reversed(type(objective).__mro__):
        content |= vars(kind)
    content |= vars(objective)
    return {
        name: _written(value)
        for name, value in content.items()
        if not name.startswith(("__", "_abc_"))
        and not callable(value)
        and not hasattr(value, "__get__")
    }


def _written(value: Any) -> str:
    """A value in full: an array's own text leaves out its middle."""
    return repr(value.tolist()) if hasattr(value, "tolist") else repr(value)


def _weights(classifier: nn.Module | None) -> Mapping[str, str]:
    """Trained weights and buffers by name, as digests."""
    if classifier is None:
        return {}
    trained = {name: p for name, p in classifier.named_parameters() if p.requires_grad}
    tensors: dict[str, torch.Tensor] = trained | dict(classifier.named_buffers())
    return {name: _digest(tensor) for name, tensor in tensors.items()}


def _digest(tensor: torch.Tensor) -> str:
    plain = tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
    return hashlib.blake2b(plain.data, digest_size=16).hexdigest()
