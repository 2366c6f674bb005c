"""What families' config.json files have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast, get_args

from ...backbone.config import RopeScaling, ScalingKind
from ...backbone.counts import check_counts
from ...errors import UserError

ATTENTION = ("attn.q", "attn.k", "attn.v", "attn.o")
MLP = ("mlp.gate", "mlp.up", "mlp.down")
_EXACT, _TANH = ("gelu",), ("gelu_new", "gelu_pytorch_tanh", "gelu_fast")
_ROPE = frozenset({"rope_type", "type", "rope_theta", "partial_rotary_factor"})
_SCALING: Mapping[str, frozenset[str]] = {
    "default": _ROPE,
    "linear": _ROPE | {"factor"},
    "dynamic": _ROPE | {"factor"},
    "llama3": _ROPE | {"factor", "low_freq_factor", "high_freq_factor"},
}
"""Each kind of rotary angles that is read, and the settings that decide it."""
_UNUSED: Mapping[str, object] = {"factor": 1.0, "attention_factor": 1.0}
"""Settings that change nothing at this value, whatever the kind."""
_COUNTS = frozenset({
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
    "head_dim", "intermediate_size", "max_position_embeddings", "sliding_window", "local_attention",
    "global_attn_every_n_layers", "n_embd", "n_layer", "n_head", "n_inner", "n_positions",
    "dim", "n_layers", "n_heads", "hidden_dim",
})  # fmt: skip
"""What files call how many of something there are."""
_ABSENT = frozenset({"num_key_value_heads", "head_dim", "n_inner", "sliding_window"})
"""Of these null means that another setting decides."""


def check_numbers(raw: Mapping[str, Any]) -> None:
    """Refuse a number of something that is none, under the name that the file has it by.

    Raises:
        ValueError: It is no whole number, or less than 1.
    """
    absent = {key for key in _ABSENT if raw.get(key) is None}
    check_counts({key: raw[key] for key in sorted(_COUNTS & raw.keys() - absent)})


def only(raw: Mapping[str, Any], **known: Any) -> None:
    """Refuse what our network does not have, rather than pass over it.

    Raises:
        UserError: A setting has another value than the only one that is supported.
    """
    known |= {
        "quantization_config": None,
        "is_encoder_decoder": False,
        "add_cross_attention": False,
    }
    for key, value in known.items():
        if raw.get(key, value) != value:
            raise UserError(f"{key}={raw[key]!r} is not supported (only {value!r} is)")
    if raw.get("pruned_heads"):
        raise UserError(f"pruned_heads={raw['pruned_heads']!r} is not supported (only none is)")


def gelu(raw: Mapping[str, Any], key: str, usual: str = "gelu") -> Literal["gelu", "gelu_tanh"]:
    """The MLP's activation: the exact one, or its approximation by a tanh."""
    value = raw.get(key, usual)
    if value in _EXACT:
        return "gelu"
    if value in _TANH:
        return "gelu_tanh"
    known = ", ".join((*_EXACT, *_TANH))
    raise UserError(f"{key}={value!r} is not supported (known: {known})")


def rope(raw: Mapping[str, Any], theta: float = 10_000.0) -> tuple[float, RopeScaling | None]:
    """The base of the rotary angles, and how they are scaled."""
    settings = raw.get("rope_scaling") or raw.get("rope_parameters") or {}
    if not isinstance(settings, Mapping):
        raise UserError(f"rope_scaling must be an object of settings, but got {settings!r}")
    theta = settings.get("rope_theta") or raw.get("rope_theta") or theta
    kind = settings.get("rope_type") or settings.get("type") or "default"
    if kind not in _SCALING:
        raise UserError(f"rope_type={kind!r} is not supported (known: {', '.join(_SCALING)})")
    _check_scaling(kind, settings)
    for place in (raw, settings):
        only(place, partial_rotary_factor=1.0)
    if kind not in get_args(ScalingKind):
        return float(theta), None
    # Only llama3 reckons from the positions before scaling; the others pass over the key.
    trained = raw["max_position_embeddings"]
    if kind == "llama3":
        trained = settings.get("original_max_position_embeddings", trained)
    low, high = settings.get("low_freq_factor", 1.0), settings.get("high_freq_factor", 4.0)
    return float(theta), RopeScaling(
        cast(ScalingKind, kind), float(settings["factor"]), trained, low, high
    )


def _check_scaling(kind: str, settings: Mapping[str, Any]) -> None:
    """Refuse a setting of another kind of scaling, unless it changes nothing.

    Raises:
        UserError: There is one; the text has its name.
    """
    decides = _SCALING[kind] | {"original_max_position_embeddings"}
    for key, value in settings.items():
        if key not in decides and value is not None and value != _UNUSED.get(key):
            raise UserError(
                f"rope_scaling: with rope_type={kind!r} {key}={value!r} is not supported "
                f"(known: {', '.join(sorted(decides))})"
            )


def reach(context: int, scaling: RopeScaling | None) -> int:
    """Positions that may be used: linear and dynamic scaling say how many more than trained."""
    stretches = scaling is not None and scaling.kind in ("linear", "dynamic")
    return int(context * scaling.factor) if scaling is not None and stretches else context


def locals_of(kinds: Iterable[str]) -> tuple[bool, ...]:
    """Which layers are local, by their `layer_types`."""
    known = {"full_attention": False, "sliding_attention": True}
    kinds_of_layers = tuple(kinds)
    for kind in kinds_of_layers:
        if kind not in known:
            raise UserError(f"layer_types: {kind!r} is not supported (known: {', '.join(known)})")
    return tuple(known[kind] for kind in kinds_of_layers)
