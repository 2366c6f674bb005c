"""What comparisons with other libraries share: a call without their warnings, and a tolerance."""

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from torch import Tensor

Result = TypeVar("Result")


def quiet(call: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
    """The call, whatever the library warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*arguments, **named)


def close(ours: Tensor, wanted: Tensor, share: float = 1e-5) -> bool:
    """Within a share of the largest value, and of the same shape."""
    assert ours.shape == wanted.shape
    return float((ours - wanted).abs().max()) <= share * float(wanted.abs().max())
