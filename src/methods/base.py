"""`Method`: a way to adapt a frozen backbone, as a Lightning callback.

A method is a dataclass of hyperparameters. It says what it plugs into which port of the backbone,
which of the backbone's own weights it trains, and how many trained weights that makes in closed
form. Freezing, plugging, saving and folding are the same for all methods and are written here once.
After `attach` the weights that train are those that require a gradient: what was plugged in, what
the method unfroze, and everything outside the backbone (the head).

A method goes through three states, and an operation in the wrong one is a UserError:

    fresh      -> attach, setup (Lightning's fit), load
    attached   -> save, load, drop_encoder, fold; training
    folded     -> predict, fold (again: nothing changes). `fold` may have put frozen weights in the
                  place of trained ones; of such a method nothing is left to save, load or train
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from annotated_types import Gt
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

from ..backbone.config import BackboneConfig
from ..backbone.layout import SharedPrefix
from ..backbone.model import Backbone
from ..backbone.ports import Plug, plug, weights
from ..backbone.shared_prefix import PrefilledMemory
from ..errors import UserError
from ._file import fill, header, read, write
from ._fold import prefill_shared_prefix, replace

NO_SHARED_PREFIX = SharedPrefix()


@dataclasses.dataclass(eq=False)
class Method(Callback):
    """What every method has; subclasses add hyperparameters, `plugs` and `trainable`."""

    lr: Annotated[float, Gt(0)] = 1e-3
    """Peak learning rate of AdamW, head included."""

    _backbone: Backbone | None = dataclasses.field(default=None, init=False, repr=False)
    """What the method is attached to."""
    _original: Collection[nn.Module] = dataclasses.field(default=(), init=False, repr=False)
    """The backbone's modules before the method came: all others are the method's."""
    _folded_away: bool = dataclasses.field(default=False, init=False, repr=False)
    """Whether `fold` put frozen weights in the place of trained ones."""
    _restored: bool = dataclasses.field(default=False, init=False, repr=False)
    """Whether the weights come from a file, so that they were trained as they are."""
    exact_start: ClassVar[bool] = False
    """Whether the adapted backbone begins with exactly the base model's output."""
    compared: ClassVar[bool] = True
    """Whether a comparison that names no methods has this one. The file is read as text for it, so
    that it must be a literal."""

    def plugs(self, backbone: Backbone) -> Mapping[str, Plug]:
        """What the method puts into the backbone.

        Returns:
            By the pattern of a port, such as `blocks.*.attn.q`, a function that makes the new
            module from the one that is there.
        """
        return {}

    def trains(self, cfg: BackboneConfig) -> tuple[str, ...]:
        """Patterns of the backbone's own weights, or of modules of it, that train too."""
        return ()

    def trainable(self, cfg: BackboneConfig) -> int:
        """How many weights train, head not counted, in closed form."""
        raise TypeError(f"{type(self).__name__} must say how many weights it trains")

    def stored(self, cfg: BackboneConfig) -> int:
        """How many weights must be kept for each task, without encoders and without the head."""
        return self.trainable(cfg)

    def inserted(self, cfg: BackboneConfig) -> int:
        """Positions of the context that the method takes from the text, folded or not."""
        return 0

    def check(self, cfg: BackboneConfig) -> None:
        """Refuse hyperparameters that a backbone of this shape cannot have, with a UserError."""

    def prepare(self, encode: Callable[[str], Sequence[int]], labels: Sequence[str]) -> None:
        """Take what a method may need of the task before it is attached.

        Args:
            encode: Makes token ids of a text, without the tokenizer's special tokens.
            labels: The names of the classes; none for a regression.

        Raises:
            UserError: The method needs what the task does not have.
        """

    @property
    def name(self) -> str:
        """The method's name: its file's."""
        return type(self).__module__.rpartition(".")[2]

    def hyperparameters(self) -> dict[str, Any]:
        """Every setting by name, as plain values."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init}

    def require(self, holds: bool, condition: str, **values: object) -> None:
        """Raise a UserError that states the condition and the values, unless it holds."""
        if not holds:
            shown = ", ".join(f"{key}={value}" for key, value in values.items())
            raise UserError(f"methods.{self.name}: `{condition}` must hold, but got ({shown})")

    # --- what Lightning calls ---

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Freeze and plug, once; before the optimizer is made.

        Lightning does not switch a module that is in evaluation mode to training mode, and
        `load_backbone` gives the backbone in evaluation mode. The method's own modules are put
        into training mode here, so that a dropout that was asked for is one.
        """
        backbone = backbone_of(pl_module)
        self.attach(backbone)
        if stage == "fit":
            self.require_weights(backbone, "train")
            if isinstance(backbone.memory, PrefilledMemory):
                raise UserError(
                    f"'{self.name}' was folded with what every text begins with, which would not "
                    "train: load the backbone and the adapter file again"
                )
            self._set_mode(training=True)
        pl_module.strict_loading = False
        if getattr(pl_module, "lr", self.lr) is None:
            pl_module.lr = self.lr  # type: ignore[assignment]

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep only what trains."""
        self.require_weights(backbone_of(pl_module), "save")
        kept = set(trained(pl_module))
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {key: state[key] for key in state if key in kept}

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Refuse a checkpoint that lacks weights that train."""
        self.require_weights(backbone_of(pl_module), "load")
        missing = sorted(set(trained(pl_module)) - set(checkpoint["state_dict"]))
        if missing:
            raise UserError(
                f"the checkpoint lacks weights that '{self.name}' trains: {missing[:5]}"
            )

    # --- what the runner and notebooks call ---

    def attach(self, backbone: Backbone, *, restored: bool = False) -> None:
        """Freeze the backbone and put the method's modules into its ports.

        The new modules are in training mode, as torch makes every module and as PEFT does, whatever
        mode the backbone is in. With `restored` they take the backbone's mode. A second call for
        the same backbone does nothing.

        Args:
            backbone: A fresh one; or the one that the method is attached to.
            restored: Whether weights that were trained before come next. What would merely be
                wasteful to train, such as a rank above what a map can have, is not refused then.

        Raises:
            UserError: The backbone has a method already, or cannot have these hyperparameters.
        """
        if self._backbone is backbone:
            return
        if backbone.tuned_by is not None:
            raise UserError(
                f"this backbone already carries '{backbone.tuned_by}': "
                f"load a fresh one for '{self.name}'"
            )
        self._restored = restored
        self.check(backbone.cfg)
        backbone.requires_grad_(False)
        original = frozenset(backbone.modules())
        device = backbone.embedding.weight.device
        for pattern, make in self.plugs(backbone).items():
            for newcomer in plug(backbone, pattern, make):
                newcomer.to(device)
        for weight in weights(backbone, self.trains(backbone.cfg)):
            weight.requires_grad_(True)
        counted = sum(p.numel() for p in backbone.parameters() if p.requires_grad)
        assert counted == self.trainable(backbone.cfg), (counted, self.trainable(backbone.cfg))
        backbone.tuned_by, self._backbone = self.name, backbone
        self._original, self._folded_away = original, False
        self._set_mode(training=backbone.training or not restored)

    def release(self) -> None:
        """Let go of the backbone, which is of no use any more; the method is fresh again."""
        self._backbone, self._original = None, ()
        self._folded_away = self._restored = False
        # What Lightning's trainer gave its callbacks: methods of the module around the backbone.
        for name in ("log", "log_dict"):
            vars(self).pop(name, None)

    def drop_encoder(self, backbone: Backbone) -> None:
        """Replace every encoder by what it computes, which is all that must be kept.

        Raises:
            UserError: The method is not attached to this backbone.
        """
        self._require_attached(backbone, "drop the encoder of")
        replace(backbone, "drop_encoder")

    def fold(self, backbone: Backbone, prefix: SharedPrefix = NO_SHARED_PREFIX) -> bool:
        """Make the cheapest network that computes the same, for serving.

        Modules that know a cheaper equal are replaced by it: LoRA's maps become plain linear maps.
        On a causal backbone the keys and values of what every text begins with are computed once.
        Save before folding: afterwards there may be nothing left of the method.

        Args:
            backbone: What the method is attached to.
            prefix: What every text begins with, with the virtual tokens in it.

        Returns:
            Whether the prefix was computed, so that texts must come without it from now on.

        Raises:
            UserError: The method is not attached to this backbone.
        """
        self.drop_encoder(backbone)
        before = trained(backbone).keys()
        replace(backbone, "fold")
        prefilled = prefill_shared_prefix(backbone, prefix)
        self._folded_away |= trained(backbone).keys() != before
        return prefilled

    def save(
        self, path: str | Path, module: nn.Module, metadata: Mapping[str, str] | None = None
    ) -> None:
        """Write what was trained (head included) and the hyperparameters, as safetensors.

        Args:
            path: The file.
            module: What the method is attached to, or a module around it.
            metadata: What else the file's header shall say, such as the template of the task.

        Raises:
            UserError: The method is not attached to it, or was folded away.
        """
        self.require_weights(backbone_of(module), "save")
        settings = header(self.name, self.hyperparameters())
        write(path, trained(module), {**(metadata or {}), **settings})

    def load(self, path: str | Path, module: nn.Module) -> None:
        """Attach, and read what `save` wrote, with its encoders or without.

        Raises:
            UserError: The file is none that `save` wrote, does not fit this module, or the method
                was folded away.
        """
        _, saved = read(path)
        backbone = backbone_of(module)
        self.attach(backbone, restored=True)
        self.require_weights(backbone, "load")
        if saved.keys() != trained(module).keys():
            self.drop_encoder(backbone)
        fill(trained(module), saved, f"{path} does not fit '{self.name}' on this module")

    def require_weights(self, backbone: Backbone, verb: str) -> None:
        """Refuse an operation on weights that are not there.

        Args:
            backbone: Where they should be.
            verb: The operation, as a message names it: "save", "train".

        Raises:
            UserError: The method is not attached to this backbone, or was folded away.
        """
        self._require_attached(backbone, verb)
        if self._folded_away:
            raise UserError(
                f"'{self.name}' was folded: nothing of it is left to {verb} "
                f"({verb} before `fold`, or load the adapter file into a fresh backbone)"
            )

    def _require_attached(self, backbone: Backbone, verb: str) -> None:
        """Refuse an operation on a backbone that the method is not attached to."""
        if self._backbone is not backbone:
            carried = backbone.tuned_by
            state = "no method" if carried is None else f"'{carried}' by another object"
            raise UserError(
                f"cannot {verb} '{self.name}': it is not attached to this backbone, which has "
                f"{state} (`attach`, `load` or a Trainer's fit come first)"
            )

    def _set_mode(self, *, training: bool) -> None:
        """Put the modules that came with the method into training or evaluation mode."""
        assert self._backbone is not None
        for module in self._backbone.modules():
            if module not in self._original:
                module.training = training


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
