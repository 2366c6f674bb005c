"""The places where a method may meet the backbone, and the one verb that fills them.

A port is a named submodule; a method replaces its occupant. Tokens travel packed: n tokens of all
sequences in a row, with their `Layout`.

port and its empty occupant             what it must do
`prompt`, `NoPrompt`                    (x: n d, layout, soft_token_positions: b s or None)
                                        -> (x: m d, layout, places: n), after word embeddings,
                                        before positions, segments and the embedding norm.
                                        `soft_token_positions` names, for each sequence, the text
                                        tokens before which a template wants virtual ones; none:
                                        before the first. `places` says where the n text tokens
                                        now are. Inserted tokens take the positions they have.
`memory`, `NoMemory`                    () -> None or `Memory`: keys and values that every token of
                                        every sequence sees, in each layer, never rotated
`blocks.*.attn.{q,k,v,o}`, `nn.Linear`  a linear map of the same widths
`blocks.*.mlp.{gate,up,down}`, the same a linear map of the same widths
`blocks.*.{after_attn,after_mlp}`,      n d -> n d, before the residual sum
`nn.Identity`
`blocks.*.after`, `nn.Identity`         n d -> n d, the block's output
`blocks.*.mlp`, `blocks.*.norm_mlp`     n d -> n d; the newcomer keeps the occupant within itself
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor, nn

from .layout import Layout

Plug = Callable[[nn.Module], nn.Module]
"""Given a port's occupant, makes the newcomer."""


class NoPrompt(nn.Module):
    """The empty `prompt` port: the text as it is, without soft tokens."""

    def forward(
        self,
        x: Float[Tensor, "n d"],
        layout: Layout,
        soft_token_positions: Int[Tensor, "b s"] | None = None,
    ) -> tuple[Float[Tensor, "n d"], Layout, Int[Tensor, " n"] | None]:
        """The same tokens; no places, since none moved."""
        return x, layout, None


@dataclass(frozen=True)
class Memory:
    """Keys and values that come before those of every sequence, in each layer."""

    keys: Float[Tensor, "layers p g e"]
    values: Float[Tensor, "layers p g e"]
    start: int = 0
    """Position of the first text token: 0 leaves positions as they are, p moves them on."""


class NoMemory(nn.Module):
    """The empty `memory` port."""

    def forward(self) -> Memory | None:
        """Nothing stands before the text."""
        return None


def matching(root: nn.Module, pattern: str) -> Iterator[str]:
    """Paths of submodules that fit, segment by segment; `*` stands for one, "" for the root."""
    wanted = pattern.split(".")
    for path, _ in root.named_modules():
        parts = path.split(".")
        fits = len(parts) == len(wanted) and all(
            w in ("*", part) for w, part in zip(wanted, parts, strict=True)
        )
        # The root has no segment for a `*` to stand for: only the empty pattern means it.
        if fits and bool(path) == bool(pattern):
            yield path


def find(root: nn.Module, patterns: Sequence[str]) -> list[str]:
    """All paths that fit any of the patterns.

    Raises:
        ValueError: Where a pattern fits nothing; the text names the ports there are.
    """
    matches: dict[str, None] = {}
    for pattern in patterns:
        paths = list(matching(root, pattern))
        if not paths:
            raise ValueError(
                f"no port '{pattern}' in this backbone (there are: {', '.join(ports(root))})"
            )
        matches.update(dict.fromkeys(paths))
    return list(matches)


def weights(root: nn.Module, patterns: Sequence[str]) -> list[nn.Parameter]:
    """The weights that patterns name: a single one (`blocks.*.attn.q.bias`), or a module's all.

    Raises:
        ValueError: Where a pattern names no weight.
    """
    matches: dict[str, nn.Parameter] = {}
    for pattern in patterns:
        wanted = pattern.split(".") if pattern else []
        named = {
            path: weight
            for path, weight in root.named_parameters()
            if _begins(path.split("."), wanted)
        }
        if not named:
            raise ValueError(f"no weight '{pattern}' in this backbone")
        matches |= named
    return list(matches.values())


def _begins(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether a path begins with what a pattern says, segment by segment."""
    if len(parts) < len(wanted):
        return False
    return all(w in ("*", part) for w, part in zip(wanted, parts, strict=False))


def plug(root: nn.Module, pattern: str, make: Plug) -> list[nn.Module]:
    """Replace the occupant of every port that fits the pattern; returns the newcomers."""
    newcomers = []
    for path in find(root, [pattern]):
        newcomer = make(root.get_submodule(path)).train(root.training)
        root.set_submodule(path, newcomer)
        newcomers.append(newcomer)
    return newcomers


def ports(root: nn.Module) -> list[str]:
    """The patterns of a backbone's ports, its blocks written as `*`."""
    kinds: dict[str, None] = {}
    for path, module in root.named_modules():
        parts = path.split(".")
        parts = ["*" if part.isdigit() else part for part in parts]
        leaf = isinstance(module, (nn.Linear, nn.Identity, NoPrompt, NoMemory))
        if leaf and (len(parts) == 1 or parts[:2] == ["blocks", "*"]) and path:
            kinds[".".join(parts)] = None
    return list(kinds)
