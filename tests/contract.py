"""What every method must do, on an encoder and on a decoder."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from safetensors import safe_open
from safetensors.torch import load_file
from tunebench.backbone.cache import KVCache
from tunebench.backbone.config import BackboneConfig
from tunebench.backbone.layout import Layout
from tunebench.backbone.model import Backbone
from tunebench.backbone.ports import NoPrompt
from tunebench.data.text.batches import Batch
from tunebench.errors import UserError
from tunebench.methods import get_method
from tunebench.methods.base import Method, trained
from tunebench.training.classifier import Classifier

from tests import tiny

ROWS, TOKENS = 4, 16
"""Texts of a tiny batch, and their tokens."""
SINGLE = 4
"""Tokens that are decoded one by one."""


def hold(
    requirement: Callable[..., None],
    name: str,
    cfg: BackboneConfig,
    *arguments: Any,
    **settings: Any,
) -> None:
    """A requirement; or that a method which finds nothing to train on this backbone says so."""
    method = get_method(name)(**settings)
    if fits(method, cfg):
        requirement(name, cfg, *arguments, **settings)
        return
    untouched = tiny.backbone(cfg)
    with pytest.raises(UserError, match=f"methods.{name}: "):
        method.attach(untouched)
    assert untouched.tuned_by is None
    assert all(p.requires_grad for p in untouched.parameters())


def fits(method: Method, cfg: BackboneConfig) -> bool:
    """Whether a method has anything to do on this backbone."""
    try:
        method.check(cfg)
    except UserError:
        return False
    return True


def make(name: str, cfg: BackboneConfig, settings: dict[str, Any]) -> tuple[Method, Classifier]:
    """A method attached to a fresh tiny classifier."""
    classifier = Classifier(tiny.backbone(cfg), outputs=2, lr=1e-2, head_dropout=0.0)
    method = get_method(name)(**settings)
    torch.manual_seed(1)
    method.attach(classifier.backbone)
    return method, classifier


def shake(classifier: Classifier) -> None:
    """Move every trained weight off its start, so that zeros hide nothing."""
    with torch.no_grad():
        for parameter in trained(classifier).values():
            parameter.add_(torch.randn_like(parameter) * 0.05)


def train(method: Method, classifier: Classifier, steps: int) -> list[float]:
    """Train on one batch under Lightning's own loop; returns the losses."""
    losses: list[float] = []
    step = classifier.training_step

    def kept(batch: Batch, batch_idx: int) -> torch.Tensor:
        loss: torch.Tensor = step(batch, batch_idx)
        losses.append(float(loss.detach()))
        return loss

    classifier.train()
    classifier.training_step = kept
    loader = tiny.Loader(tiny.batch((3, 1, 7, 5, 4, 6, 2, 8)))
    trainer(method, steps).fit(classifier, loader)
    classifier.training_step = step
    return losses


def trainer(method: Method, steps: int) -> Trainer:
    """Lightning's own, with the method among its callbacks."""
    return Trainer(
        max_epochs=steps,
        accelerator="cpu",
        callbacks=[method],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


@torch.no_grad()
def text_states(backbone: Backbone) -> torch.Tensor:
    """What the first block computes for a batch: a row for each token that it is given."""
    seen: list[torch.Tensor] = []
    handle = backbone.blocks[0].register_forward_hook(lambda module, args, out: seen.append(out))
    backbone.encode(tiny.batch().ids, tiny.batch().layout)
    handle.remove()
    return seen[0]


def output(classifier: Classifier) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = classifier.eval().logits(tiny.batch())
    return logits


def frozen_weights_stay_bit_identical(name: str, cfg: BackboneConfig, **settings: Any) -> None:
    method, classifier = make(name, cfg, settings)
    frozen = {n: p for n, p in classifier.named_parameters() if not p.requires_grad}
    before = copy.deepcopy(frozen)
    moving = copy.deepcopy(trained(classifier))
    train(method, classifier, 10)
    for key, parameter in frozen.items():
        assert torch.equal(parameter, before[key]), key
    assert any(not torch.equal(p, moving[key]) for key, p in trained(classifier).items())
    assert not any(p.grad is not None for p in frozen.values())


def trainable_count_equals_the_closed_form(name: str, cfg: BackboneConfig, **settings: Any) -> None:
    method, classifier = make(name, cfg, settings)
    counted = sum(p.numel() for p in classifier.backbone.parameters() if p.requires_grad)
    assert counted == method.trainable(cfg)
    head = sum(p.numel() for p in classifier.head.parameters())
    assert sum(p.numel() for p in trained(classifier).values()) == counted + head


def start_is_exact_or_finite(name: str, cfg: BackboneConfig, **settings: Any) -> None:
    method, classifier = make(name, cfg, settings)
    text = tiny.batch()
    untuned = tiny.backbone(cfg).encode(text.ids, text.layout, segments=text.segments)
    tuned = classifier.backbone.encode(text.ids, text.layout, segments=text.segments)
    assert tuned.isfinite().all()
    assert torch.equal(tuned, untuned) == method.exact_start


def loss_falls(name: str, cfg: BackboneConfig, **settings: Any) -> None:
    losses = train(*make(name, cfg, settings), steps=40)
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])


def saving_and_loading_gives_the_same_output(
    name: str, cfg: BackboneConfig, folder: Path, **settings: Any
) -> None:
    method, classifier = make(name, cfg, settings)
    shake(classifier)
    path = folder / "adapter.safetensors"
    method.save(path, classifier)
    fresh = Classifier(tiny.backbone(cfg), outputs=2, lr=1e-2)
    again = get_method(name)(**method.hyperparameters())
    again.load(path, fresh)
    assert torch.equal(output(fresh), output(classifier))
    head = sum(p.numel() for p in classifier.head.parameters())
    with safe_open(path, framework="pt") as file:
        assert set(file.keys()) == set(trained(classifier))
        numbers = sum(file.get_tensor(key).numel() for key in file.keys())  # noqa: SIM118
        assert numbers == method.trainable(cfg) + head
        assert json.loads(file.metadata()["hyperparameters"]).keys() == (
            method.hyperparameters().keys()
        )


def what_is_kept_is_counted_and_loads_again(
    name: str, cfg: BackboneConfig, folder: Path, **settings: Any
) -> None:
    method, classifier = make(name, cfg, settings)
    shake(classifier)
    live, path = output(classifier), folder / "kept.safetensors"
    method.drop_encoder(classifier.backbone)
    assert torch.allclose(output(classifier), live, rtol=0, atol=1e-5 * float(live.abs().max()))
    assert sum(p.numel() for p in trained(classifier.backbone).values()) == method.stored(cfg)
    method.save(path, classifier)
    tensors = load_file(path).values()
    head = sum(p.numel() for p in classifier.head.parameters())
    assert sum(tensor.numel() for tensor in tensors) == method.stored(cfg) + head
    fresh = Classifier(tiny.backbone(cfg), outputs=2, lr=1e-2)
    get_method(name)(**settings).load(path, fresh)
    assert torch.equal(output(fresh), output(classifier))


def folding_changes_no_more_than_rounding(name: str, cfg: BackboneConfig, **settings: Any) -> None:
    method, classifier = make(name, cfg, settings)
    shake(classifier)
    live = output(classifier)
    method.fold(classifier.backbone)
    once = output(classifier)
    assert torch.allclose(once, live, rtol=0, atol=1e-5 * float(live.abs().max()))
    kept = sum(p.numel() for p in classifier.backbone.parameters() if p.requires_grad)
    assert kept <= method.stored(cfg)
    empty = isinstance(classifier.backbone.prompt, NoPrompt)
    assert empty or not cfg.can_prefill
    computed = TOKENS + (0 if empty else method.inserted(cfg) * ROWS)
    assert len(text_states(classifier.backbone)) == computed
    method.fold(classifier.backbone)
    assert torch.equal(output(classifier), once)


def one_graph(name: str, cfg: BackboneConfig, **settings: Any) -> None:
    _, classifier = make(name, cfg, settings)
    shake(classifier)
    text = tiny.batch()
    eager = classifier.eval().logits(text)
    torch._dynamo.reset()

    @torch.compile(fullgraph=True, backend="aot_eager")
    def compiled(
        ids: torch.Tensor, cu_seqlens: torch.Tensor, segments: torch.Tensor | None
    ) -> torch.Tensor:
        layout = Layout(cu_seqlens, text.layout.max_seqlen)
        result: torch.Tensor = classifier.logits(Batch(ids, layout, segments, text.labels))
        return result

    logits = compiled(text.ids, text.layout.cu_seqlens, text.segments)
    assert torch.allclose(logits, eager, rtol=1e-5, atol=1e-6)


def a_second_setup_plugs_nothing(name: str, cfg: BackboneConfig, **settings: Any) -> None:
    method, classifier = make(name, cfg, settings)
    names = [n for n, _ in classifier.named_parameters()]
    train(method, classifier, 1)
    first = output(classifier)
    (tested,) = trainer(method, 1).test(classifier, tiny.Loader(tiny.batch()), verbose=False)
    assert tested["test_loss"] == pytest.approx(float(classifier.loss(first, tiny.batch().labels)))
    train(method, classifier, 1)
    assert [n for n, _ in classifier.named_parameters()] == names
    first = output(classifier)
    fresh = Classifier(tiny.backbone(cfg), outputs=2, lr=1e-2)
    torch.manual_seed(1)
    method.attach(fresh.backbone)
    _, other = make(name, cfg, settings)
    fresh.head.load_state_dict(other.head.state_dict())
    assert torch.equal(output(fresh), output(other))
    assert torch.equal(output(classifier), first)


def cached_decoding_equals_the_full_forward(
    name: str, cfg: BackboneConfig, **settings: Any
) -> None:
    method, classifier = make(name, cfg, settings)
    shake(classifier)
    _decodes(classifier.eval().backbone)
    method.fold(classifier.backbone)
    _decodes(classifier.backbone)


@torch.no_grad()
def _decodes(backbone: Backbone) -> None:
    """Token by token from the cache as all at once, after beginnings of unequal length."""
    lengths = (7, 5, 10)
    ids = torch.randint(0, 50, (sum(lengths),))
    layout = Layout.from_lengths(lengths)
    full = backbone.encode(ids, layout)
    rows = [
        list(range(int(a), int(b)))
        for a, b in zip(layout.cu_seqlens, layout.cu_seqlens[1:], strict=False)
    ]
    cache = KVCache(len(lengths))
    whole = [row[:-SINGLE] for row in rows]
    states, expected = [], []
    for parts in (whole, *([[row[n]] for row in rows] for n in range(-SINGLE, 0))):
        places = [place for part in parts for place in part]
        states.append(
            backbone.encode(ids[places], Layout.from_lengths(list(map(len, parts))), cache=cache)
        )
        expected.append(full[places])
    assert torch.allclose(torch.cat(states), torch.cat(expected), rtol=1e-4, atol=1e-5)


def hyperparameters_survive_yaml(name: str, cfg: BackboneConfig, **settings: Any) -> None:
    import yaml

    method = get_method(name)(**settings)
    text = yaml.safe_dump(json.loads(json.dumps(method.hyperparameters())))
    back = yaml.safe_load(text)
    again = get_method(name)(**{k: tuple(v) if isinstance(v, list) else v for k, v in back.items()})
    assert repr(again) == repr(method)
    assert again.hyperparameters() == method.hyperparameters()
