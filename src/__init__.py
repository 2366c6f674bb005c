"""tunebench: parameter-efficient fine-tuning methods on one frozen transformer, side by side.

Each name below is imported when it is first asked for, so that `import tunebench` and the
command line's own answers never wait for torch.
"""

from __future__ import annotations

from importlib import import_module

# As type checkers know it, without the time that `typing` takes: until the program receives
# signals, Ctrl-C is answered by a traceback.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .checkpoints.checkpoint import Checkpoint as Checkpoint
    from .checkpoints.checkpoint import load_backbone as load_backbone
    from .config import Experiment as Experiment
    from .data.load import load_task as load_task
    from .methods import get_method as get_method
    from .methods.base import Method as Method
    from .study.compare import compare as compare
    from .study.once import run_once as run_once
    from .training.classifier import Classifier as Classifier
    from .training.predictor import load_predictor as load_predictor

__version__ = "0.1.0"

_HOMES = {
    "Checkpoint": ".checkpoints.checkpoint",
    "Classifier": ".training.classifier",
    "Experiment": ".config",
    "Method": ".methods.base",
    "compare": ".study.compare",
    "get_method": ".methods",
    "load_backbone": ".checkpoints.checkpoint",
    "load_predictor": ".training.predictor",
    "load_task": ".data.load",
    "run_once": ".study.once",
}

__all__ = [
    "Checkpoint",
    "Classifier",
    "Experiment",
    "Method",
    "__version__",
    "compare",
    "get_method",
    "load_backbone",
    "load_predictor",
    "load_task",
    "run_once",
]


def __getattr__(name: str) -> Any:
    """Import a public name from the module that defines it (PEP 562).

    Raises:
        AttributeError: The package has no such name.
    """
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    """The public names, also those not imported yet."""
    return sorted({*globals(), *_HOMES})
