"""Bottleneck adapters: both sides hold the same two maps, and settings say where they stand.

AdapterHub's settings give the width m by a `reduction_factor`: m = max(1, int(d // factor)). Our
parallel adapter reads the MLP's input, AdapterHub's what comes before the norm of that input. The
two are the same where norms stand after the sublayers.

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
from .parts import Exported, ReadAdapter, method_of
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
"""Our `place` to AdapterHub's settings."""
DEFAULTS: Mapping[str, Any] = {
    "original_ln_after": True,
    "original_ln_before": False,
    "residual_before_ln": True,
    "is_parallel": False,
    "scaling": 1.0,
}
"""The settings' values where a file does not have them."""
ACTIVATIONS: Mapping[str, str] = {"swish": "silu", "silu": "silu", "relu": "relu", "tanh": "tanh"}
"""AdapterHub's names of activations to ours; what "gelu" means depends on the file's version."""
KNOWN = Known(
    read=frozenset({"reduction_factor", "non_linearity", *DEFAULTS, *KINDS["houlsby"]}),
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
    """An attached adapter by AdapterHub's names.

    Raises:
        UserError: The format cannot hold what was trained.
    """
    hyperparameters, cfg = method.hyperparameters(), backbone.cfg
    if hyperparameters["train_norms"]:
        raise UserError(
            "this adapter trained the blocks' own norms, and AdapterHub's format carries none: "
            "train it with methods.adapter.train_norms=false to export it"
        )
    _check_parallel(hyperparameters["place"], cfg)
    weights = trained(backbone)
    tensors = {
        source_name: weights[ours]
        for ours, source_name, _ in pairs(
            hyperparameters["place"], hyperparameters["bottleneck"], cfg, names
        )
    }
    parallel = hyperparameters["place"] == "parallel"
    settings = {
        **DEFAULTS,
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
    """AdapterHub's adapter as a method of ours.

    Args:
        settings: All that `adapter_config.json` says.
        tensors: The file's.
        names: Transformers' names of the backbone's modules.
        cfg: The backbone's shape.

    Raises:
        UserError: It does not fit this backbone, or we have nothing that is equal.
    """
    values = {**DEFAULTS, **settings["config"]}
    KNOWN.check(values)
    place, name = _place(values), str(settings.get("name"))
    _check_parallel(place, cfg)
    scale = real(values, "scaling", 1.0, LIBRARY)
    if place != "parallel" and scale != 1:
        raise UserError(f"the adapters setting scaling={scale} is read of parallel adapters alone")
    method = method_of(
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
    """A reduction factor for which AdapterHub's int(width // factor) is this bottleneck.

    Where the bottleneck divides the width it is their quotient. Otherwise width / (bottleneck +
    0.5): its quotient with the width lies half-way between two whole numbers, so that no rounding
    of the division reaches either.
    """
    return width // bottleneck if width % bottleneck == 0 else width / (bottleneck + 0.5)


def _place(values: Mapping[str, Any]) -> str:
    """Our `place` for AdapterHub's settings."""
    for place, settings in KINDS.items():
        if all(values.get(key) == value for key, value in settings.items()):
            return place
    shown = ", ".join(f"{key}={values.get(key)!r}" for key in KINDS["pfeiffer"])
    raise UserError(f"adapters with {shown} are not read (only: {', '.join(KINDS)})")


def _check_parallel(place: str, cfg: BackboneConfig) -> None:
    """Refuse a parallel adapter where the two sides would read different inputs."""
    if place == "parallel" and cfg.norm_place == "before":
        raise UserError(
            "a parallel adapter reads the MLP's normed input here, and AdapterHub's what stands "
            "before that norm: on a backbone whose norms stand before they are not equal"
        )


def _bottleneck(values: Mapping[str, Any], cfg: BackboneConfig) -> int:
    """The bottleneck's width: the same in every layer, though each may have a factor of its own."""
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
    """Our name of the activation.

    Files without a version are older: their "gelu" is the approximation of GPT-2, which we do not
    have, and their "gelu_orig" is the exact one.
    """
    exact = {"gelu": "gelu"} if versioned else {"gelu_orig": "gelu"}
    known = {**ACTIVATIONS, **exact}
    name = str(values.get("non_linearity")).lower()
    if name not in known:
        raise UserError(
            f"the adapters setting non_linearity='{name}' has no equal (there are: "
            f"{', '.join(known)})"
        )
    return known[name]
