"""Drawn tokens against the distribution that they are drawn from."""

import pytest
import torch
from scipy.stats import chisquare
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper
from tunebench.backbone.sampling import Sampler, Sampling
from tunebench.errors import UserError

DRAWS = 20_000
HOW = [
    Sampling(seed=1),
    Sampling(0.5, seed=2),
    Sampling(2.0, top_k=4, seed=3),
    Sampling(1.5, top_p=0.7, seed=4),
    Sampling(1.0, top_k=5, top_p=0.8, seed=5),
]


def wanted(logits: torch.Tensor, how: Sampling) -> torch.Tensor:
    """The distribution as transformers' own filters leave it."""
    row = TemperatureLogitsWarper(how.temperature)(None, logits[None].double())
    if how.top_k is not None:
        row = TopKLogitsWarper(how.top_k)(None, row)
    if how.top_p is not None:
        row = TopPLogitsWarper(how.top_p)(None, row)
    return row[0].softmax(-1)


@pytest.mark.parametrize("how", HOW, ids=str)
def test_frequencies_are_those_of_the_softmax(how):
    logits = torch.tensor([0.3, -1.0, 2.0, 0.9, -0.2, 1.4, 0.0])
    drawn = torch.cat([Sampler(how, DRAWS).draw(logits.expand(DRAWS, -1), range(DRAWS))])
    expected = wanted(logits, how)
    counts = drawn.bincount(minlength=len(logits))
    possible = expected > 0
    assert int(counts[~possible].sum()) == 0
    result = chisquare(counts[possible].numpy(), (expected[possible] * DRAWS).numpy())
    assert result.pvalue > 1e-3


def test_one_text_draws_as_many_do():
    logits, how = torch.tensor([[0.3, -1.0, 2.0]]), Sampling(seed=9)
    sampler = Sampler(how, 1)
    drawn = torch.cat([sampler.draw(logits, [0]) for _ in range(2000)])
    result = chisquare(drawn.bincount().numpy(), (wanted(logits[0], how) * 2000).numpy())
    assert result.pvalue > 1e-3


def test_a_text_s_stream_is_its_own():
    logits = torch.randn(3, 40)
    together, single = Sampler(Sampling(seed=4), 3), Sampler(Sampling(seed=4), 3)
    for texts in ([0, 1, 2], [0, 2], [2]):
        rows = together.draw(logits[texts], texts)
        if 2 in texts:
            assert int(rows[-1]) == int(single.draw(logits[[2]], [2]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -0.1}, r"`temperature >= 0` must hold, but got \(temperature=-0.1\)"),
        ({"temperature": float("nan")}, "temperature=nan"),
        ({"top_k": 0}, "`top_k >= 1` must hold"),
        ({"top_p": 0.0}, "`0 < top_p <= 1` must hold"),
        ({"top_p": 1.1}, "`0 < top_p <= 1` must hold"),
        ({"seed": -1}, "`0 <= seed"),
    ],
)
def test_what_cannot_be_drawn_from_is_refused(settings, message):
    with pytest.raises(UserError, match=message):
        Sampling(**settings)
