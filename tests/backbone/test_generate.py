"""Generation: with the cache equals without, whatever is attached; texts end where they should."""

import dataclasses

import pytest
import torch
from torch import nn
from tunebench.backbone.cache import KVCache
from tunebench.backbone.config import RopeScaling
from tunebench.backbone.generate import generate
from tunebench.backbone.layout import Layout
from tunebench.backbone.ports import Memory, plug
from tunebench.backbone.sampling import Sampling
from tunebench.checkpoints.language_head import LanguageHead
from tunebench.errors import UserError
from tunebench.methods import get_method, names

from tests import contract, tiny

PROMPTS = [[3, 14, 15, 9, 2], [6], [5, 35, 8, 9, 7, 9, 32, 38], [4, 6, 2]]


class Watched(nn.Module):
    """A head that keeps every row of logits it gives."""

    def __init__(self, backbone) -> None:
        super().__init__()
        self.head, self.seen = LanguageHead(backbone.embedding.weight), []

    def forward(self, states):
        logits = self.head(states)
        self.seen.append(logits)
        return logits


def both(backbone, prompts=PROMPTS, **options):
    """The tokens and all logits, with the cache and without."""
    texts = []
    for cached in (True, False):
        head = Watched(backbone)
        tokens = generate(backbone, head, prompts, cached=cached, **options)
        texts.append((tokens, torch.cat(head.seen)))
    return texts


def attached(name):
    """A tiny decoder with a method whose trained weights are off their start."""
    backbone = tiny.backbone(tiny.DECODER)
    get_method(name)().attach(backbone)
    with torch.no_grad():
        for parameter in backbone.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return backbone


def test_with_the_cache_equals_without_for_prompts_of_unequal_length():
    (tokens, logits), (others, wanted) = both(tiny.backbone(tiny.DECODER), tokens=20)
    assert tokens == others
    assert [len(row) for row in tokens] == [20] * len(PROMPTS)
    assert torch.allclose(logits, wanted, rtol=0, atol=1e-5 * float(wanted.abs().max()))


STEADY = sorted(shape for shape, cfg in tiny.FAMILIES.items() if cfg.causal and not cfg.dynamic)


@pytest.mark.parametrize("shape", STEADY)
@pytest.mark.parametrize("method", ["lora", "prompt"])
def test_every_family_of_decoders_generates_alike_with_the_cache_and_without(shape, method):
    backbone = tiny.backbone(tiny.FAMILIES[shape])
    get_method(method)().attach(backbone)
    (tokens, logits), (others, wanted) = both(backbone, tokens=9)
    assert tokens == others
    assert torch.allclose(logits, wanted, rtol=0, atol=1e-5 * float(wanted.abs().max()))


def test_dynamic_angles_are_cached_up_to_the_length_of_pretraining_and_no_further():
    scaling = RopeScaling("dynamic", 4.0, trained=12)
    backbone = tiny.backbone(dataclasses.replace(tiny.DECODER, rope_scaling=scaling))
    (tokens, _), (others, _) = both(backbone, tokens=4)
    assert tokens == others
    head = LanguageHead(backbone.embedding.weight)
    with pytest.raises(UserError, match="got 13 positions, trained=12; --no-cache goes further"):
        generate(backbone, head, PROMPTS, tokens=5)
    ids, layout = torch.zeros(13, dtype=torch.int64), Layout.from_lengths([13])
    with pytest.raises(UserError, match="got 13 positions, trained=12"):
        backbone.encode(ids, layout, cache=KVCache(1))
    separate = generate(backbone, head, PROMPTS[2:3], tokens=5, cached=False)
    read = torch.tensor([PROMPTS[2] + separate[0][:-1]])
    with torch.no_grad():
        assert separate[0][-1] == int(head(backbone(read)[0, -1:]).argmax())


ON_A_DECODER = [name for name in names() if contract.fits(get_method(name)(), tiny.DECODER)]


@pytest.mark.parametrize("name", ON_A_DECODER)
def test_with_a_method_attached_the_cache_equals_the_full_forward(name):
    backbone = attached(name)
    (tokens, logits), (others, wanted) = both(backbone, tokens=12)
    assert tokens == others
    assert torch.allclose(logits, wanted, rtol=0, atol=1e-5 * float(wanted.abs().max()))
    for prompt, continuation in zip(PROMPTS, tokens, strict=True):
        whole = torch.tensor(prompt + continuation)
        states = backbone.encode(whole, Layout.from_lengths([len(whole)]))[len(prompt) - 1 : -1]
        assert (states @ backbone.embedding.weight.T).argmax(-1).tolist() == continuation


@pytest.mark.parametrize("start", [0, 4])
def test_a_memory_may_say_where_the_text_starts(start):
    cfg = tiny.DECODER
    keys, values = torch.randn(2, cfg.layers, 4, cfg.key_heads, cfg.head_size)

    class Taught(nn.Module):
        def forward(self):
            return Memory(keys, values, start)

    backbone = tiny.backbone(cfg)
    plug(backbone, "memory", lambda _: Taught())
    (tokens, logits), (others, wanted) = both(backbone, tokens=12)
    assert tokens == others
    assert torch.allclose(logits, wanted, rtol=0, atol=1e-5 * float(wanted.abs().max()))
    with pytest.raises(UserError, match=f"inserted={start}, prompt=8, tokens=60, context=64"):
        generate(backbone, Watched(backbone), PROMPTS, tokens=60)


def test_learned_positions_go_on_behind_the_cache():
    cfg = dataclasses.replace(tiny.DECODER, positions="learned")
    (tokens, logits), (others, wanted) = both(tiny.backbone(cfg), tokens=20)
    assert tokens == others
    assert torch.allclose(logits, wanted, rtol=0, atol=1e-5 * float(wanted.abs().max()))


def test_a_text_ends_with_a_stop_token_and_the_others_go_on():
    backbone = tiny.backbone(tiny.DECODER)
    free = generate(backbone, Watched(backbone), PROMPTS, tokens=20)
    stop = {free[0][4], free[2][0]}
    wanted = [row[: min([row.index(s) for s in stop if s in row], default=19) + 1] for row in free]
    assert len({len(row) for row in wanted}) > 1
    for tokens, _ in both(backbone, tokens=20, stop=stop):
        assert tokens == wanted


def test_a_batch_changes_no_text():
    backbone = tiny.backbone(tiny.DECODER)
    together = generate(backbone, Watched(backbone), PROMPTS, tokens=10)
    separate = [generate(backbone, Watched(backbone), [p], tokens=10)[0] for p in PROMPTS]
    assert together == separate
    assert generate(backbone, Watched(backbone), [], tokens=10) == []


def test_the_head_sees_the_last_position_alone():
    for (_, logits), texts in zip(both(tiny.backbone(tiny.DECODER), tokens=5), (4, 4), strict=True):
        assert len(logits) == 5 * texts


def test_with_the_cache_every_token_is_read_once(monkeypatch):
    read = {}
    backbone = tiny.backbone(tiny.DECODER)
    whole = backbone.encode
    for cached in (True, False):
        read[cached] = 0

        def counted(ids, layout, cached=cached, **more):
            read[cached] += len(ids)
            return whole(ids, layout, **more)

        monkeypatch.setattr(backbone, "encode", counted)
        generate(backbone, Watched(backbone), PROMPTS, tokens=20, cached=cached)
    prompts = sum(map(len, PROMPTS))
    assert read[True] == prompts + 19 * len(PROMPTS)
    assert read[False] == 20 * prompts + len(PROMPTS) * sum(range(20))


@pytest.mark.parametrize("sampling", [Sampling(0.9, seed=7), Sampling(1.3, top_k=9, top_p=0.8)])
def test_the_same_seed_gives_the_same_text_with_the_cache_and_without(sampling):
    backbone = tiny.backbone(tiny.DECODER)
    (tokens, _), (others, _) = both(backbone, tokens=20, sampling=sampling)
    assert tokens == others
    again = dataclasses.replace(sampling, seed=sampling.seed + 1)
    assert generate(backbone, Watched(backbone), PROMPTS, tokens=20, sampling=again) != tokens


def test_the_likeliest_alone_is_greedy():
    backbone = tiny.backbone(tiny.DECODER)
    greedy = generate(backbone, Watched(backbone), PROMPTS, tokens=20)
    for one in (Sampling(5.0, top_k=1), Sampling(5.0, top_p=1e-9), Sampling(1e-4)):
        assert generate(backbone, Watched(backbone), PROMPTS, tokens=20, sampling=one) == greedy


def test_a_context_that_is_just_long_enough_is_used_up():
    backbone = tiny.backbone(tiny.DECODER)
    (tokens, _), (others, _) = both(backbone, [PROMPTS[2]], tokens=64 - 8)
    assert tokens == others


def test_a_prompt_takes_its_part_of_the_context():
    backbone = tiny.backbone(tiny.DECODER)
    get_method("prompt")(length=10).attach(backbone)
    generate(backbone, Watched(backbone), PROMPTS, tokens=64 - 8 - 10)
    message = r"inserted=10, prompt=8, tokens=47, context=64"
    with pytest.raises(UserError, match=rf"`inserted \+ prompt \+ tokens <= context`.*{message}"):
        generate(backbone, Refused(), PROMPTS, tokens=64 - 8 - 10 + 1)


class Refused(nn.Module):
    """A head that nothing may reach."""

    def forward(self, states):
        raise AssertionError("nothing is computed before the laws hold")


@pytest.mark.parametrize(
    ("cfg", "prompts", "tokens", "message"),
    [
        (tiny.ENCODER, PROMPTS, 4, "only a decoder generates"),
        (tiny.DECODER, [[1], []], 4, "prompt 2 has none"),
        (tiny.DECODER, PROMPTS, 0, "`tokens >= 1` must hold"),
        (tiny.DECODER, PROMPTS, 57, "tokens=57, context=64"),
    ],
)
def test_what_cannot_be_continued_is_refused_before_anything_is_computed(
    cfg, prompts, tokens, message
):
    with pytest.raises(UserError, match=message):
        generate(tiny.backbone(cfg), Refused(), prompts, tokens=tokens)
