"""`Method`: a way to adapt a frozen backbone, as a Lightning callback.

A method is a dataclass of hyperparameters that says what it plugs into which port, which of the
backbone's own weights it trains, and how many weights that makes in closed form. Freezing,
plugging, saving and folding are the same for all and live here. Trained weights are known by
identity: what came in through `plug`, what the method unfroze, and everything outside the
backbone (the head).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from annotated_types import Gt
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

from ..backbone.config import BackboneConfig
from ..backbone.layout import SharedPrefix
from ..backbone.model import Backbone
from ..backbone.ports import Plug, plug, weights
from ..errors import UserError
from ._file import fill, header, read, write
from ._fold import prefill_shared, replace

NO_SHARED_PREFIX = SharedPrefix()


@dataclasses.dataclass(eq=False)
class Method(Callback):
    """What every method has; subclasses add hyperparameters, `plugs` and `trainable`."""

    lr: Annotated[float, Gt(0)] = 1e-3
    """Peak learning rate of AdamW, head included."""

    _backbone: Backbone | None = dataclasses.field(default=None, init=False, repr=False)
    exact_start: ClassVar[bool] = False
    """Whether the adapted backbone begins with exactly the base model's output."""
    compared: ClassVar[bool] = True
    """Whether a comparison that names no methods has this one; a literal: it is read as text."""

    def plugs(self, backbone: Backbone) -> Mapping[str, Plug]:
        """Port pattern → what makes the newcomer from the occupant."""
        return {}

    def trains(self, cfg: BackboneConfig) -> tuple[str, ...]:
        """Patterns of the backbone's own weights, or of modules of them, that train too."""
        return ()

    def trainable(self, cfg: BackboneConfig) -> int:
        """Weights that train, head not counted, in closed form."""
        raise TypeError(f"{type(self).__name__} must say how many weights it trains")

    def stored(self, cfg: BackboneConfig) -> int:
        """Weights to keep for each task once training is over and encoders are dropped, no head."""
        return self.trainable(cfg)

    def inserted(self, cfg: BackboneConfig) -> int:
        """Positions of the context that are not the text's own, folded or not."""
        return 0

    def check(self, cfg: BackboneConfig) -> None:
        """Refuse hyperparameters that this backbone cannot have, with a UserError."""

    def prepare(self, encode: Callable[[str], Sequence[int]], labels: Sequence[str]) -> None:
        """Learn, before training, how a text becomes token ids and what the classes are called.

        Raises:
            UserError: Where the method needs of these what is not there.
        """

    @property
    def name(self) -> str:
        """The method's name: its file's."""
        return type(self).__module__.rpartition(".")[2]

    def hyperparameters(self) -> dict[str, Any]:
        """Every setting by name, as plain values."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init}

    def require(self, holds: bool, condition: str, **values: object) -> None:
        """Raise a UserError that states the law and the values, unless it holds."""
        if not holds:
            shown = ", ".join(f"{key}={value}" for key, value in values.items())
            raise UserError(f"methods.{self.name}: `{condition}` must hold, but got ({shown})")

    # --- what Lightning calls ---

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Freeze and plug, once; before the optimizer is made."""
        self.attach(backbone_of(pl_module))
        pl_module.strict_loading = False
        if getattr(pl_module, "lr", self.lr) is None:
            pl_module.lr = self.lr  # type: ignore[assignment]

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep only what trains."""
        kept = set(trained(pl_module))
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {key: state[key] for key in state if key in kept}

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Complain about trained weights that the checkpoint lacks."""
        missing = sorted(set(trained(pl_module)) - set(checkpoint["state_dict"]))
        if missing:
            raise UserError(
                f"the checkpoint lacks weights that '{self.name}' trains: {missing[:5]}"
            )

    # --- what the runner and notebooks call ---

    def attach(self, backbone: Backbone) -> None:
        """Freeze the backbone and fill its ports; a second call does nothing."""
        if self._backbone is backbone:
            return
        if backbone.tuned_by is not None:
            raise UserError(
                f"this backbone already carries '{backbone.tuned_by}': "
                f"load a fresh one for '{self.name}'"
            )
        self.check(backbone.cfg)
        backbone.requires_grad_(False)
        device = backbone.embedding.weight.device
        for pattern, make in self.plugs(backbone).items():
            for newcomer in plug(backbone, pattern, make):
                newcomer.to(device)
        for weight in weights(backbone, self.trains(backbone.cfg)):
            weight.requires_grad_(True)
        counted = sum(p.numel() for p in backbone.parameters() if p.requires_grad)
        assert counted == self.trainable(backbone.cfg), (counted, self.trainable(backbone.cfg))
        backbone.tuned_by, self._backbone = self.name, backbone

    def drop_encoder(self, backbone: Backbone) -> None:
        """Replace every encoder by what it gave: all that trains now is all there is to keep."""
        replace(backbone, "drop_encoder")

    def fold(self, backbone: Backbone, prefix: SharedPrefix = NO_SHARED_PREFIX) -> bool:
        """Make the cheapest equal network: occupants by their equals, first tokens by their keys.

        Args:
            backbone: What the method is attached to.
            prefix: What every text begins with: on a causal backbone it is computed once, with the
                virtual tokens in it, and costs no token any more.

        Returns:
            Whether it was, so that texts come without it from now on.
        """
        self.drop_encoder(backbone)
        replace(backbone, "fold")
        return prefill_shared(backbone, prefix)

    def save(
        self, path: str | Path, module: nn.Module, metadata: Mapping[str, str] | None = None
    ) -> None:
        """Write what was trained (head included) and the hyperparameters, as safetensors.

        Args:
            path: The file.
            module: What the method is attached to, or a module around it.
            metadata: What else the file's header shall say, such as the template of the task.
        """
        settings = header(self.name, self.hyperparameters())
        write(path, trained(module), {**(metadata or {}), **settings})

    def load(self, path: str | Path, module: nn.Module) -> None:
        """Attach, and read what `save` wrote, with its encoders or without.

        Raises:
            UserError: The file is none that `save` wrote, or does not fit this module.
        """
        _, saved = read(path)
        self.attach(backbone_of(module))
        if saved.keys() != trained(module).keys():
            self.drop_encoder(backbone_of(module))
        fill(trained(module), saved, f"{path} does not fit '{self.name}' on this module")


def backbone_of(module: nn.Module) -> Backbone:
    """The one backbone inside a module."""
    backbones = [part for part in module.modules() if isinstance(part, Backbone)]
    if len(backbones) != 1:
        raise UserError(
            f"a method needs one Backbone inside {type(module).__name__}, found {len(backbones)}"
        )
    return backbones[0]


def trained(module: nn.Module) -> dict[str, Tensor]:
    """Every weight that trains, by its name in the module."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}
