"""Every precision that is offered trains every method, on an encoder and on a decoder."""

from __future__ import annotations

from typing import get_args, get_type_hints

import pytest
import torch
from lightning.pytorch import Trainer
from tunebench.config import TrainSettings
from tunebench.methods import get_method, names
from tunebench.training.classifier import Classifier

from tests import tiny
from tests.tiny import CONFIGS

PRECISIONS = get_args(get_type_hints(TrainSettings)["precision"])


def trained(name: str, shape: str, precision: str, clip: float | None) -> tuple[float, float]:
    """The loss before and after twenty steps on one batch, read in fp32."""
    torch.manual_seed(0)
    classifier = Classifier(tiny.backbone(CONFIGS[shape]), lr=1e-2, head_dropout=0.0)
    method = get_method(name)()
    method.prepare(lambda text: [12, 13], ("negative", "positive"))
    method.attach(classifier.backbone)
    batch = tiny.batch()

    def loss() -> float:
        with torch.no_grad():
            return float(classifier.eval().training_step(batch))

    before = loss()
    trainer = Trainer(
        max_epochs=20,
        accelerator="cpu",
        precision=precision,
        gradient_clip_val=clip,
        callbacks=[method],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(classifier.train(), tiny.Loader(batch))
    return before, loss()


# Lightning computes in bf16 where fp16 is asked for on a CPU, and says so.
@pytest.mark.filterwarnings("ignore:You passed .*precision='16-mixed'")
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("shape", sorted(CONFIGS))
@pytest.mark.parametrize("name", names())
def test_every_method_trains_in_every_precision(name: str, shape: str, precision: str) -> None:
    if get_method(name)().trainable(CONFIGS[shape]) == 0 and name != "head":
        pytest.skip("this backbone has nothing for this method")
    before, after = trained(name, shape, precision, clip=1.0)
    assert after < before


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_training_without_clipping_takes_larger_steps(precision: str) -> None:
    clipped, free = (trained("lora", "encoder", precision, clip)[1] for clip in (1e-6, None))
    assert clipped != free
