"""Settings beside the defaults under which the laws of the contract are held too."""

OPTIONS = {
    "lora": (
        {"rank_stabilised": True, "rank": 4},
        {"dora": True},
        {"dora": True, "sites": ("attn.k", "attn.o", "mlp.up", "mlp.down")},
    ),
    "vera": ({"sites": ("attn.k", "mlp.up", "mlp.down"), "rank": 64, "seed": 5},),
}
CASES = [(name, settings) for name, found in OPTIONS.items() for settings in found]


def label(value: object) -> str | None:
    """A case's name in pytest's output."""
    if isinstance(value, dict):
        return ",".join(
            f"{key}={'+'.join(v) if isinstance(v, tuple) else v}" for key, v in value.items()
        )
    return None
