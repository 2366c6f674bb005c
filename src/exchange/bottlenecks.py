"""Bottleneck adapters: the same two maps on both sides, and settings that say where they stand.

Theirs tell the width m by a `reduction_factor`: m = max(1, int(d // factor)). A parallel adapter
reads the MLP's input here and what stands before its norm there: the same where norms stand after.

Source: `adapters` 1.3.0, `methods/modeling.py` (the order of norms and sums) and
`configuration/adapter_config.py` (DoubleSeqBnConfig, SeqBnConfig, ParBnConfig).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..backbone.config import BackboneConfig
from ..backbone.model import Backbone
from ..errors import UserError
from ..methods.base import Method, trained
from .folder import Tensors
from .names import PeftNames
from .parts import Exported, ReadAdapter, made
from .places import pairs, root_of
from .settings import Known, real

LIBRARY = "adapters"
KINDS: Mapping[str, Mapping[str, Any]] = {
    "houlsby": {
        "mh_adapter": True,
        "output_adapter": True,
        "original_ln_before": False,
        "is_parallel": False,
    },
    "pfeiffer": {
        "mh_adapter": False,
        "output_adapter": True,
        "original_ln_before": True,
        "residual_before_ln": True,
        "is_parallel": False,
    },
    "parallel": {
        "mh_adapter": False,
        "output_adapter": True,
        "original_ln_before": False,
        "is_parallel": True,
    },
}
"""Our places in their settings."""
REST: Mapping[str, Any] = {
    "original_ln_after": True,
    "original_ln_before": False,
    "residual_before_ln": True,
    "is_parallel": False,
    "scaling": 1.0,
}
"""What a setting is where a file does not tell it."""
ACTIVATIONS: Mapping[str, str] = {"swish": "silu", "silu": "silu", "relu": "relu", "tanh": "tanh"}
"""Their names of the activation by which ours are; "gelu" is one thing or another by version."""
KNOWN = Known(
    read=frozenset({"reduction_factor", "non_linearity", *REST, *KINDS["houlsby"]}),
    idle=frozenset(
        {
            "adapter_residual_before_ln",
            "dropout",
            "factorized_phm_W",
            "factorized_phm_rule",
            "hypercomplex_nonlinearity",
            "init_weights",
            "init_weights_seed",
            "inv_adapter_reduction_factor",
            "learn_phm",
            "phm_bias",
            "phm_c_init",
            "phm_dim",
            "phm_init_range",
            "phm_rank",
            "shared_W_phm",
            "shared_phm_rule",
            "stochastic_depth",
        }
    ),
    only={"original_ln_after": (True,)},
    library=LIBRARY,
)


def export(method: Method, backbone: Backbone, names: PeftNames) -> Exported:
    """Our tensors by adapters' names.

    Raises:
        UserError: The format cannot carry what was trained.
    """
    hyperparameters, cfg = method.hyperparameters(), backbone.cfg
    if hyperparameters["train_norms"]:
        raise UserError(
            "this adapter trained the blocks' own norms, and AdapterHub's format carries none: "
            "train it with methods.adapter.train_norms=false to export it"
        )
    _parallel(hyperparameters["place"], cfg)
    weights = trained(backbone)
    tensors = {
        source_name: weights[ours]
        for ours, source_name, _ in pairs(
            hyperparameters["place"], hyperparameters["bottleneck"], cfg, names
        )
    }
    parallel = hyperparameters["place"] == "parallel"
    settings = {
        **REST,
        **KINDS[hyperparameters["place"]],
        "reduction_factor": factor(cfg.width, hyperparameters["bottleneck"]),
        "non_linearity": "swish"
        if hyperparameters["activation"] == "silu"
        else hyperparameters["activation"],
        "scaling": float(hyperparameters["scale"]) if parallel else 1.0,
        "ln_before": False,
        "ln_after": False,
    }
    return Exported(settings, tensors)


def import_(
    settings: Mapping[str, Any], tensors: Tensors, names: PeftNames, cfg: BackboneConfig
) -> ReadAdapter:
    """Theirs → ours.

    Args:
        settings: All that `adapter_config.json` says.
        tensors: The file's.
        names: The family.
        cfg: The backbone.

    Raises:
        UserError: It does not fit this backbone, or we have nothing that is equal.
    """
    values = {**REST, **settings["config"]}
    KNOWN.check(values)
    place, name = _place(values), str(settings.get("name"))
    _parallel(place, cfg)
    scale = real(values, "scaling", 1.0, LIBRARY)
    if place != "parallel" and scale != 1:
        raise UserError(f"the adapters setting scaling={scale} is read of parallel adapters alone")
    method = made(
        "adapter",
        place=place,
        bottleneck=_bottleneck(values, cfg),
        activation=_activation(values, "version" in settings),
        train_norms=False,
        **({"scale": scale} if place == "parallel" else {}),
    )
    bottleneck = method.hyperparameters()["bottleneck"]
    root = root_of(tensors, names, place, cfg, name)
    weights = {
        ours: tensors.read(source_name, shape)
        for ours, source_name, shape in pairs(place, bottleneck, cfg, names, root, name)
    }
    return ReadAdapter(method, weights)


def factor(width: int, bottleneck: int) -> int | float:
    """A reduction factor by which width // factor is this bottleneck, rounding or not."""
    return width // bottleneck if width % bottleneck == 0 else width / (bottleneck + 0.5)


def _place(values: Mapping[str, Any]) -> str:
    for place, settings in KINDS.items():
        if all(values.get(key) == value for key, value in settings.items()):
            return place
    shown = ", ".join(f"{key}={values.get(key)!r}" for key in KINDS["pfeiffer"])
    raise UserError(f"adapters with {shown} are not read (only: {', '.join(KINDS)})")


def _parallel(place: str, cfg: BackboneConfig) -> None:
    if place == "parallel" and cfg.norm_place == "before":
        raise UserError(
            "a parallel adapter reads the MLP's normed input here, and AdapterHub's what stands "
            "before that norm: on a backbone whose norms stand before they are not equal"
        )


def _bottleneck(values: Mapping[str, Any], cfg: BackboneConfig) -> int:
    """The one width that the reduction factors of all layers give."""
    factors = values.get("reduction_factor")
    if isinstance(factors, Mapping):
        numbers = [factors.get(str(n), factors.get("default")) for n in range(cfg.layers)]
    else:
        numbers = [factors]
    reals = [real({"reduction_factor": n}, "reduction_factor", 0.0, LIBRARY) for n in numbers]
    widths = {max(1, int(cfg.width // each)) if each >= 1 else 0 for each in reals}
    if len(widths) != 1 or not 1 <= min(widths) <= cfg.width:
        raise UserError(
            f"the adapters setting reduction_factor={factors!r} must give every layer one width "
            f"of 1 to {cfg.width}"
        )
    return widths.pop()


def _activation(values: Mapping[str, Any], versioned: bool) -> str:
    """The activation; before there was a version, "gelu" was GPT-2's approximation of it."""
    exact = {"gelu": "gelu"} if versioned else {"gelu_orig": "gelu"}
    known = {**ACTIVATIONS, **exact}
    name = str(values.get("non_linearity")).lower()
    if name not in known:
        raise UserError(
            f"the adapters setting non_linearity='{name}' has no equal (there are: "
            f"{', '.join(known)})"
        )
    return known[name]
