"""A backbone and a reader of its states, as a LightningModule: loss, optimizer, predictions.

The reader is a fresh linear head on pooled states, or the label words of a template (`heads.py`);
either sees the text's own token states, never those of prompts. The task's objective
(`objectives/`) says what the loss is, and how outputs become probabilities or values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from ..backbone.model import Backbone
from ..data.text.batches import Batch, Pooled
from ..errors import UserError
from ..objectives import IDENTITY, Objective, Scale, get_objective
from .heads import PooledHead, Pooling, Reader

MIXED = frozenset({"16-mixed", "bf16-mixed"})
"""Lightning's precisions that compute in fewer bits than they keep weights in."""

Inputs = Batch | Pooled | Mapping[str, Tensor]
"""What a step takes: a packed batch, or a mapping with `input_ids`, `attention_mask` and, where
the loss is wanted, `labels` in the form that the objective's loss takes."""


class Classifier(LightningModule):
    """Gives each text what the objective asks for: by default one of several classes."""

    def __init__(
        self,
        backbone: Backbone,
        *,
        head: Reader | None = None,
        objective: Objective | str = "classification",
        outputs: int = 2,
        lr: float | None = None,
        head_lr: float | None = None,
        pooling: Pooling = "mean",
        head_dropout: float = 0.1,
        warmup: float = 0.06,
        weight_decay: float = 0.01,
        scale: Scale = IDENTITY,
    ) -> None:
        """Put a reader on a backbone.

        Args:
            backbone: What a method attaches to; without a method all of it trains.
            head: How states become logits; none makes a fresh linear head.
            objective: Loss and answers: a name in `objectives/`, or an objective itself.
            outputs: Outputs of a fresh head: classes, or 1 for a regression; `head` has its own.
            lr: Peak learning rate; none takes the attached method's.
            head_lr: The head's own; none means the same.
            pooling: How token states become one vector.
            head_dropout: Dropout before the head.
            warmup: Share of steps in which the rate rises linearly; then it falls to zero.
            weight_decay: AdamW's, on matrices only.
            scale: How the training targets were standardised. Once training is over the head has
                absorbed it, and this is the identity; but for a scale that does not fit into fp32
                weights, which stays here.
        """
        super().__init__()
        self.backbone = backbone
        width = backbone.cfg.width
        self.head = PooledHead(width, outputs, pooling, head_dropout) if head is None else head
        self.objective = get_objective(objective) if isinstance(objective, str) else objective
        self.lr, self.head_lr = lr, head_lr
        self.warmup, self.weight_decay = warmup, weight_decay
        self.scale = scale
        self.train()

    def forward(
        self,
        input_ids: Int[Tensor, "b t"],
        attention_mask: Int[Tensor, "b t"] | None = None,
        token_type_ids: Int[Tensor, "b t"] | None = None,
    ) -> Float[Tensor, "b c"]:
        """Logits of a padded batch, or standardised values.

        Raises:
            UserError: A row has no token, so that there is nothing to pool.
        """
        states, layout, _ = self.backbone.encode_padded(input_ids, attention_mask, token_type_ids)
        empty = (layout.lengths == 0).nonzero().flatten().tolist()
        if empty:
            raise UserError(
                "every row of `attention_mask` must have a token, "
                f"but row {empty[0]} of {layout.sequences} (from 0) has none"
            )
        return self.read(self.head.gather(states, layout, None))

    def pooled(self, batch: Batch) -> Float[Tensor, "b d"]:
        """One vector for each text of a packed batch."""
        places = None if batch.spans is None else batch.spans.soft_token_positions
        states = self.backbone.encode(
            batch.ids, batch.layout, segments=batch.segments, soft_token_positions=places
        )
        return self.head.gather(states, batch.layout, batch.spans)

    def logits(self, batch: Batch | Pooled) -> Float[Tensor, "b c"]:
        """Logits of a packed batch, or standardised values."""
        return self.read(batch.vectors if isinstance(batch, Pooled) else self.pooled(batch))

    def read(self, pooled: Float[Tensor, "b d"]) -> Float[Tensor, "b c"]:
        """The head on each text's vector."""
        out: Tensor = self.head(pooled)
        return out

    def outputs(self, batch: Inputs) -> Float[Tensor, "b c"]:
        """Head outputs of a packed batch, or of a padded one in a mapping."""
        if isinstance(batch, (Batch, Pooled)):
            return self.logits(batch)
        inputs = {key: value for key, value in batch.items() if key != "labels"}
        outputs: Tensor = self(**inputs)
        return outputs

    def loss(self, outputs: Float[Tensor, "b c"], targets: Tensor) -> Float[Tensor, ""]:
        """The objective's loss; targets are what its `targets` makes of labels."""
        return self.objective.loss(outputs, targets)

    def training_step(self, batch: Inputs, batch_idx: int = 0) -> Float[Tensor, ""]:
        """The loss of one batch; of a part of one, with the part's weight."""
        loss = self.mean_loss(batch)
        weight = batch.weight if isinstance(batch, (Batch, Pooled)) else 1.0
        return loss if weight == 1.0 else loss * weight

    def mean_loss(self, batch: Inputs) -> Float[Tensor, ""]:
        """The mean loss over the examples of a batch."""
        return self.loss(self.outputs(batch), _targets(batch))

    def validation_step(self, batch: Inputs, batch_idx: int = 0) -> None:
        """`Trainer.validate`, and validation while fitting: the mean loss, as `val_loss`."""
        self.log("val_loss", self.mean_loss(batch), batch_size=len(_targets(batch)))

    def test_step(self, batch: Inputs, batch_idx: int = 0) -> None:
        """`Trainer.test`: the mean loss over the examples, as `test_loss`."""
        self.log("test_loss", self.mean_loss(batch), batch_size=len(_targets(batch)))

    def predict_step(self, batch: Inputs, batch_idx: int = 0) -> Float[Tensor, "b c"]:
        """`Trainer.predict`: probabilities in fp32, or values on the labels' own scale."""
        return self.objective.predictions(self.outputs(batch).float().cpu(), self.scale)

    def on_train_end(self) -> None:
        """What only training needed goes into the head, which is what is kept."""
        if isinstance(self.head, PooledHead):
            absorbed = self.scale if self.scale.fits_single else IDENTITY
            self.head.absorb_normalisation(absorbed.center, absorbed.spread)
            if absorbed == self.scale:
                self.scale = IDENTITY

    @torch.inference_mode()
    def predict(self, batches: Iterable[Batch]) -> Float[Tensor, "b c"]:
        """Probabilities in fp32, or values on the labels' own scale, of the rows of all batches."""
        was_training = self.training
        self.eval()
        outputs = torch.cat([self.logits(b.to(self.device)).float().cpu() for b in batches])
        self.train(was_training)
        return self.objective.predictions(outputs, self.scale)

    def configure_optimizers(self) -> Any:
        """AdamW on what trains; linear warm-up, then linearly to zero."""
        if self.lr is None:
            raise ValueError("`lr` must be given where no method is attached")
        adapted, head = (
            [p for p in part.parameters() if p.requires_grad] for part in (self.backbone, self.head)
        )
        head_lr = self.lr if self.head_lr is None else self.head_lr
        groups = [*self._groups(adapted, self.lr), *self._groups(head, head_lr)]
        # A fused optimizer unscales gradients by itself, so that Lightning refuses to clip them
        # under mixed precision; there the plain one is used.
        fused = self.trainer.precision not in MIXED
        optimizer = torch.optim.AdamW(groups, lr=self.lr, fused=fused)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: lr_factor(step, steps, self.warmup)
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _groups(self, weights: Iterable[nn.Parameter], lr: float) -> list[dict[str, Any]]:
        """Matrices decay, vectors do not."""
        matrices: list[nn.Parameter] = []
        vectors: list[nn.Parameter] = []
        for weight in weights:
            (matrices if weight.ndim > 1 else vectors).append(weight)
        groups = ((matrices, self.weight_decay), (vectors, 0.0))
        return [{"params": w, "weight_decay": decay, "lr": lr} for w, decay in groups if w]


def _targets(batch: Inputs) -> Tensor:
    """What the loss takes beside the outputs."""
    return batch.labels if isinstance(batch, (Batch, Pooled)) else batch["labels"]


def lr_factor(step: int, steps: int, warmup: float) -> float:
    """The learning rate's factor: linearly up over the warm-up, then linearly to zero."""
    rising = max(1, round(warmup * steps))
    if step < rising:
        return (step + 1) / rising
    return max(0.0, (steps - step) / max(1, steps - rising))
