"""What is timed: the same answers folded and unfolded, and the backbone's weights themselves."""

import pytest
import torch
from tunebench.costs.subjects import base_of, subjects, untrained
from tunebench.methods import get_method

from tests import tiny

FOLDS = {
    "encoder": {"lora", "ia3", "vera", "prefix", "p_tuning"},
    "decoder": {"lora", "ia3", "vera", "prefix", "p_tuning", "prompt"},
}
STAYS = {"adapter", "full", "head", "p_tuning_v2"}


@pytest.mark.parametrize("shape", FOLDS)
def test_a_method_that_folds_has_two_forms_with_the_same_answers(shape):
    base_model = tiny.backbone(tiny.CONFIGS[shape])
    for name in sorted(FOLDS[shape] | STAYS):
        forms = list(subjects(base_model, get_method(name)()))
        wanted = ["folded", "unfolded"] if name in FOLDS[shape] else ["either"]
        assert [one.form for one in forms] == wanted, name
        answers = [one.classifier.logits(tiny.batch()) for one in forms]
        for other in answers[1:]:
            assert torch.allclose(answers[0], other, atol=1e-5)
    assert base_model.tuned_by is None


@pytest.mark.parametrize("name", ["full", "lora", "prompt"])
def test_nothing_trains_and_the_backbone_is_not_copied(name):
    base_model = tiny.backbone(tiny.ENCODER)
    table = base_model.embedding.weight
    for one in (
        base_of(base_model),
        *(s.classifier for s in subjects(base_model, get_method(name)())),
    ):
        assert not any(p.requires_grad for p in one.parameters())
        assert not any(part.training for part in one.modules())
        assert one.backbone.embedding.weight is table


def test_a_method_keeps_its_settings_and_lets_others_attach():
    method = get_method("lora")(rank=2)
    classifier, attached = untrained(tiny.backbone(tiny.ENCODER), method)
    assert attached.hyperparameters() == method.hyperparameters()
    assert len(classifier.backbone.blocks[0].attn.q.a) == 2
    untrained(tiny.backbone(tiny.ENCODER), method)
