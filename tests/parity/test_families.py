"""Every family, saved by transformers itself: the same states, logits, gradients and counts."""

import pytest
import torch
from tunebench.checkpoints.checkpoint import Checkpoint, load_backbone

from tests.parity.families import FAST, GRID, batch_for, body, inputs, saved
from tests.parity.gradients import close, gradients_agree

CASES = [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in GRID)]


@pytest.fixture(scope="module", params=CASES)
def pair(request, tmp_path_factory):
    """Their model, ours, and the folder between them."""
    folder = tmp_path_factory.mktemp("family")
    model = saved(request.param, folder)
    return model, load_backbone(folder), folder


def test_hidden_states_and_logits_are_theirs(pair, side):
    model, ours, folder = pair
    batch, head = batch_for(model, side), Checkpoint.open(folder).load_language_head(ours)
    segments = batch.segments if ours.cfg.segments > 1 else None
    with torch.no_grad():
        states = ours(batch.ids, batch.mask, segments)
        wanted = body(model)(batch.ids, **inputs(model, batch)).last_hidden_state
        logits = model(batch.ids, **inputs(model, batch)).logits
    assert close(batch.real(states), batch.real(wanted), 1e-5)
    assert close(head(batch.real(states)), batch.real(logits), 1e-5)


def test_gradients_of_a_scalar_loss_agree_for_every_weight(pair, side):
    model, ours, _ = pair
    batch = batch_for(model, side)
    gradients_agree(body(model), ours, batch, inputs(model, batch), model.config.model_type)


def test_the_count_in_closed_form_is_theirs(pair):
    model, ours, _ = pair
    counted = sum(p.numel() for p in ours.parameters())
    waves = ours.positions.table.numel() if ours.cfg.positions == "sinusoidal" else 0
    assert ours.cfg.count() == counted
    assert counted + waves == sum(p.numel() for p in body(model).parameters())


def test_every_site_has_the_widths_and_the_bias_that_it_says(pair):
    _, ours, _ = pair
    for site in ours.cfg.sites:
        port = ours.blocks[0].get_submodule(site)
        assert (port.in_features, port.out_features) == ours.cfg.linear(site)
        assert (port.bias is not None) == ours.cfg.biased(site)
