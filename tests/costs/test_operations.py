"""Operations in closed form beside those that torch counts."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from tunebench.backbone.layout import Layout
from tunebench.costs.memory import Training
from tunebench.costs.operations import ClosedForm, forward_operations, operations_by_torch
from tunebench.costs.subjects import subjects
from tunebench.errors import UserError
from tunebench.methods import get_method, names

from tests import tiny

LENGTHS = {"short, of their own": (3, 2, 7, 5), "one length": (40, 40), "long": (40, 9)}


@pytest.mark.parametrize("shape", tiny.CONFIGS)
@pytest.mark.parametrize("lengths", [(7,), (3, 2, 9)])
def test_the_closed_form_counts_what_torch_counts(shape, lengths):
    cfg = tiny.CONFIGS[shape]
    backbone = tiny.backbone(cfg)
    backbone.implementation = "reference"
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        backbone.encode(torch.ones(sum(lengths), dtype=torch.int64), Layout.from_lengths(lengths))
    assert forward_operations(cfg, lengths) == counter.get_total_flops()


def made(name):
    """A method that a tiny backbone can have."""
    settings = {"bottleneck": 8} if name == "adapter" else {}
    return get_method(name)(**settings)


SHAPES = {**tiny.CONFIGS, **tiny.FAMILIES}


@pytest.mark.parametrize(
    "shape", [*tiny.CONFIGS, *(pytest.param(f, marks=pytest.mark.slow) for f in tiny.FAMILIES)]
)
@pytest.mark.parametrize("kind", LENGTHS)
def test_a_training_step_of_each_method_has_the_operations_that_torch_counts(shape, kind):
    batch = tiny.batch(LENGTHS[kind])
    for name in names():
        try:
            training = Training(tiny.backbone(SHAPES[shape]), made(name))
        except UserError:  # no bias to train
            continue
        with ClosedForm(training.classifier) as form:
            counted = operations_by_torch(lambda training=training: training.backward(batch))
        assert form.forward + form.backward == pytest.approx(counted, rel=0.01), name


@pytest.mark.parametrize("shape", tiny.CONFIGS)
def test_so_has_a_pass_of_what_is_served(shape):
    batch = tiny.batch(LENGTHS["short, of their own"])
    for name in ("lora", "adapter", "prefix", "prompt"):
        for one in subjects(tiny.backbone(tiny.CONFIGS[shape]), made(name)):
            with torch.no_grad(), ClosedForm(one.classifier) as form:
                run = lambda one=one: one.classifier.logits(batch)  # noqa: E731
                counted = operations_by_torch(run)
            assert form.forward == pytest.approx(counted, rel=0.01), (name, one.form)


def test_a_map_without_a_closed_form_is_named():
    recurrent = Training(tiny.backbone(tiny.ENCODER), get_method("p_tuning")(encoder="lstm"))
    with pytest.raises(UserError, match="LSTM"):
        ClosedForm(recurrent.classifier)
    training = Training(tiny.backbone(tiny.ENCODER), get_method("lora")(dora=True))
    with ClosedForm(training.classifier), pytest.raises(UserError, match="DoRA"):
        training.backward(tiny.batch())
