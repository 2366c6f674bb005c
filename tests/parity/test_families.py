"""Every family, saved by transformers itself: the same states, logits, gradients and counts."""

import pytest
import torch
from tunebench.backbone.language import load_language_head
from tunebench.backbone.load import load_backbone

from tests.parity.families import FAST, GRID, WIDTH, batch_for, body, inputs, part_of, saved

CASES = [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in GRID)]


@pytest.fixture(scope="module", params=CASES)
def pair(request, tmp_path_factory):
    """Their model, ours, and the folder between them."""
    folder = tmp_path_factory.mktemp("family")
    model = saved(request.param, folder)
    return model, load_backbone(folder), folder


def close(found, wanted, share):
    """Within a share of the largest value."""
    return float((found - wanted).abs().max()) <= share * float(wanted.abs().max())


def test_hidden_states_and_logits_are_theirs(pair, side):
    model, ours, folder = pair
    batch, head = batch_for(model, side), load_language_head(folder, ours)
    segments = batch.segments if ours.cfg.segments > 1 else None
    with torch.no_grad():
        states = ours(batch.ids, batch.mask, segments)
        wanted = body(model)(batch.ids, **inputs(model, batch)).last_hidden_state
        logits = model(batch.ids, **inputs(model, batch)).logits
    assert close(batch.real(states), batch.real(wanted), 1e-5)
    assert close(head(batch.real(states)), batch.real(logits), 1e-5)


def test_gradients_of_a_scalar_loss_agree_for_every_weight(pair):
    model, ours, _ = pair
    batch = batch_for(model, "right")
    torch.manual_seed(9)
    weights = torch.randn(int(batch.mask.sum()), WIDTH)
    segments = batch.segments if ours.cfg.segments > 1 else None
    named, own = dict(body(model).named_parameters()), dict(ours.named_parameters())
    wanted = batch.real(body(model)(batch.ids, **inputs(model, batch)).last_hidden_state)
    theirs = torch.autograd.grad((wanted * weights).sum(), named.values(), allow_unused=True)
    states = batch.real(ours(batch.ids, batch.mask, segments))
    found = torch.autograd.grad((states * weights).sum(), own.values())
    gradients = {name: g for name, g in zip(named, theirs, strict=True) if g is not None}
    for name, gradient in zip(own, found, strict=True):
        # Without rotation a key's bias shifts all scores of a query alike: rounding alone.
        if name.endswith("attn.k.bias") and ours.cfg.positions != "rotary":
            assert float(gradient.abs().max()) < 1e-3
            continue
        other = part_of(gradients, name, model.config.model_type)
        assert close(gradient, other, 1e-4), name


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
