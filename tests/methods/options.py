"""Settings beside the defaults under which the laws of the contract are held too."""

OPTIONS = {
    "adapter": (
        {"place": "pfeiffer", "train_norms": False, "activation": "relu"},
        {"place": "pfeiffer", "bottleneck": 8},
        {"place": "parallel", "activation": "gelu"},
        {"train_norms": False, "activation": "tanh"},
    ),
    "lora": (
        {"rank_stabilised": True, "rank": 4},
        {"dora": True},
        {"dora": True, "sites": ("attn.k", "attn.o", "mlp.up", "mlp.down")},
    ),
    "prefix": (
        {"hidden": 0},
        {"position_offset": "length", "length": 5},
        {"hidden": 0, "position_offset": "length"},
    ),
    "p_tuning": ({"encoder": "lstm", "hidden": 16}, {"length": 1}),
    "p_tuning_v2": ({"position_offset": "length"},),
    "prompt": ({"start": "random", "length": 1},),
    "vera": ({"sites": ("attn.k", "mlp.up", "mlp.down"), "rank": 64, "seed": 5},),
}
CASES = [(name, settings) for name, cases in OPTIONS.items() for settings in cases]


def label(value: object) -> str | None:
    """A case's name in pytest's output."""
    if isinstance(value, dict):
        return ",".join(
            f"{key}={'+'.join(v) if isinstance(v, tuple) else v}" for key, v in value.items()
        )
    return None
