"""Storages that are held: planted tensors, and what autograd keeps of a small network."""

import torch
from torch import nn
from tunebench.measure.allocations import Allocations

KB = 1024


def test_the_peak_has_what_was_held_together_by_what_it_is():
    weight = torch.zeros(256)
    with Allocations({"weights": [weight]}) as seen:
        a = torch.zeros(2 * 256)
        b = a + 1
        seen.mark(b, "optimizer")
        del a
        c = torch.zeros(256)
    assert seen.peak == {"weights": KB, "working": 2 * KB, "optimizer": 2 * KB}
    assert seen.total == (1 + 2 + 1) * KB
    del b, c
    assert seen.total == KB


def test_views_and_what_is_changed_in_place_are_one_storage():
    with Allocations({}) as seen:
        a = torch.zeros(256)
        b = a.view(16, 16).T[:3]
        a += 1
    assert seen.total == KB
    del a
    assert seen.total == KB
    del b
    assert seen.total == 0


def test_what_was_known_keeps_its_name():
    weight = torch.zeros(256)
    with Allocations({"weights": [weight]}) as seen:
        seen.mark(weight, "activations")
    assert seen.peak == {"weights": KB}


def test_what_the_backward_pass_needs_is_held_until_it_was_there():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.Linear(64, 1))
    x = torch.ones(32, 16)
    with Allocations({"weights": [*network.parameters(), x]}) as seen:
        with seen.saving():
            loss = network(x).sum()
        # Tanh's output is saved twice, by itself and as the second map's input; nothing else is.
        assert seen.peak["activations"] == 32 * 64 * 4
        before = seen.total
        loss.backward()
        gradients = sum(p.grad.nbytes for p in network.parameters())
        assert seen.total == before - 32 * 64 * 4 + gradients


def test_an_operator_is_given_all_that_it_was_called_with():
    with Allocations({}) as seen:
        a = torch.zeros(256, dtype=torch.float64)
    assert a.dtype == torch.float64
    assert seen.total == a.nbytes == 2 * KB
