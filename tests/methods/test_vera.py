"""VeRA against its paper's equation; the random pair is shared and comes from its seed."""

import pytest
import torch
from tunebench.errors import UserError
from tunebench.methods import get_method
from tunebench.methods.vera import Projections, VectorLinear
from tunebench.training.classifier import Classifier

from tests import contract, tiny

SITES = ("attn.q", "attn.k", "mlp.down")


def test_it_is_its_equation():
    frozen, x = torch.nn.Linear(7, 5), torch.randn(3, 7)
    made = VectorLinear(frozen, Projections(4, (9, 6), seed=3), 0.1)
    with torch.no_grad():
        made.b.normal_()
    a, b = made.shared.a[:, :7], made.shared.b[:5]
    wanted = x @ (frozen.weight + made.b.diag() @ b @ made.d.diag() @ a).T + frozen.bias
    assert torch.allclose(made(x), wanted, atol=1e-5)


def test_all_maps_share_one_pair_as_wide_as_the_widest():
    backbone = tiny.backbone(tiny.DECODER)
    get_method("vera")(rank=6, sites=SITES).attach(backbone)
    pairs = {id(m) for m in backbone.modules() if isinstance(m, Projections)}
    shared = backbone.blocks[0].attn.q.shared
    assert len(pairs) == 1
    assert (shared.a.shape, shared.b.shape) == ((6, 48), (32, 6))
    backbone.to(torch.float64)
    assert backbone.blocks[1].mlp.down.shared.a is shared.a


def test_a_file_holds_the_vectors_and_the_seed_gives_the_pair_again(tmp_path):
    settings = {"rank": 5, "seed": 7, "sites": SITES}
    method, classifier = contract.make("vera", tiny.DECODER, settings)
    contract.shake(classifier)
    method.save(tmp_path / "vera.safetensors", classifier)
    fresh = Classifier(tiny.backbone(tiny.DECODER), outputs=2, lr=1e-2)
    again = get_method("vera")(**method.hyperparameters())
    again.load(tmp_path / "vera.safetensors", fresh)
    assert torch.equal(contract.output(fresh), contract.output(classifier))
    other = Classifier(tiny.backbone(tiny.DECODER), outputs=2, lr=1e-2)
    get_method("vera")(**settings | {"seed": 8}).load(tmp_path / "vera.safetensors", other)
    assert not torch.equal(contract.output(other), contract.output(classifier))


def test_the_rank_may_exceed_the_widths_but_sites_must_be_there():
    get_method("vera")(rank=100).attach(tiny.backbone(tiny.ENCODER))
    for settings in ({"rank": 0}, {"sites": ()}, {"sites": ("attn.z",)}, {"seed": -1}):
        with pytest.raises(UserError, match=r"methods\.vera: "):
            get_method("vera")(**settings).attach(tiny.backbone(tiny.ENCODER))


@pytest.mark.parametrize("diagonal", [0.1, 1.0])
def test_it_starts_where_its_paper_says(diagonal):
    backbone = tiny.backbone(tiny.ENCODER)
    get_method("vera")(rank=6, diagonal=diagonal).attach(backbone)
    vectors = [m for m in backbone.modules() if isinstance(m, VectorLinear)]
    assert len(vectors) == 2 * tiny.ENCODER.layers
    for made in vectors:
        assert torch.equal(made.d, torch.full((6,), diagonal))
        assert not made.b.any()
