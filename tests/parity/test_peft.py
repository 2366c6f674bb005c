"""PEFT on transformers' model against ours: trainable counts, and one step from equal weights."""

import dataclasses
import random
import warnings

import peft
import pytest
import torch
from transformers import BertConfig, BertModel, LlamaConfig, LlamaModel
from tunebench.checkpoints.checkpoint import load_backbone
from tunebench.methods import get_method

from tests.parity.conftest import SHAPE, Padded

QUIET = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
SITES = {
    "bert": {
        "attn.q": "encoder.layer.{}.attention.self.query",
        "attn.k": "encoder.layer.{}.attention.self.key",
        "attn.v": "encoder.layer.{}.attention.self.value",
        "attn.o": "encoder.layer.{}.attention.output.dense",
        "mlp.up": "encoder.layer.{}.intermediate.dense",
        "mlp.down": "encoder.layer.{}.output.dense",
    },
    "llama": {
        "attn.q": "layers.{}.self_attn.q_proj",
        "attn.k": "layers.{}.self_attn.k_proj",
        "attn.v": "layers.{}.self_attn.v_proj",
        "attn.o": "layers.{}.self_attn.o_proj",
        "mlp.gate": "layers.{}.mlp.gate_proj",
        "mlp.up": "layers.{}.mlp.up_proj",
        "mlp.down": "layers.{}.mlp.down_proj",
    },
}
"""Our sites by transformers' names."""
KINDS = {
    "bert": (BertModel, BertConfig(**SHAPE, **QUIET)),
    "llama": (LlamaModel, LlamaConfig(**SHAPE, num_key_value_heads=2)),
}
WHOLE = LlamaConfig(**SHAPE)
"""A Llama of which every head has keys of its own."""
TASK = {"task_type": "FEATURE_EXTRACTION"}
RATE = 0.5
every_kind = pytest.mark.parametrize("kind", sorted(KINDS))
ENCODERS = {"mlp": "MLP", "lstm": "LSTM"}


class Pair:
    """Their model and ours of the same weights, and how a site is called over there."""

    def __init__(self, kind, folder, config=None):
        torch.manual_seed(5)
        (self.make, usual), self.kind = KINDS[kind], kind
        self.bert, self.config = kind == "bert", config or usual
        self.renew()
        with torch.no_grad():
            for parameter in self.model.parameters():
                if parameter.ndim == 1:
                    parameter.add_(0.2 * torch.randn_like(parameter))
        self.model.save_pretrained(folder)
        self.ours = load_backbone(folder)

    def renew(self):
        """A model of peer that carries no method."""
        extra = {"add_pooling_layer": False} if self.bert else {}
        self.model = self.make(self.config, **extra)

    def sites(self, sites):
        """Full names over there of these sites in every block."""
        names = SITES[self.kind]
        return [names[s].format(n) for n in range(self.ours.cfg.layers) for s in sites]

    def maps(self, sites):
        """Our map and peer at each of these sites in every block."""
        for n in range(self.ours.cfg.layers):
            for s in sites:
                other = self.model.get_submodule(SITES[self.kind][s].format(n))
                yield self.ours.get_submodule(f"blocks.{n}.{s}"), other

    def norms(self):
        """Full names over there of every norm."""
        kinds = ("LayerNorm", "LlamaRMSNorm")
        return [name for name, m in self.model.named_modules() if type(m).__name__ in kinds]

    def tuned(self, config):
        with warnings.catch_warnings():
            # PEFT warns of prompt encoders' ignored options and of DoRA's cost.
            warnings.simplefilter("ignore")
            return peft.get_peft_model(self.model, config)

    def attach(self, name, **settings):
        method = get_method(name)(**settings)
        method.attach(self.ours)
        return method

    def step(self, tuned, pairs):
        """One SGD step on the same batch and loss; `pairs` are (ours, peer, reshaped)."""
        batch = Padded(SHAPE["vocab_size"], "right")
        torch.manual_seed(9)
        weights = torch.randn(int(batch.mask.sum()), SHAPE["hidden_size"])
        wanted = tuned(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
        wanted = wanted[:, -batch.ids.shape[1] :]
        states = self.ours(batch.ids, batch.mask)
        assert close(batch.real(states).detach(), batch.real(wanted).detach())
        for hidden in (wanted, states):
            (batch.real(hidden) * weights).mean().backward()
        for mine, other, _ in pairs:
            for weight in (mine, other):
                assert float(weight.grad.abs().max()) > 1e-6
                weight.data -= RATE * weight.grad
        for mine, other, reshaped in pairs:
            assert close(mine.detach(), reshaped(other.detach()))
            assert close(mine.grad, reshaped(other.grad), 1e-4)


def close(tensor, wanted, share=1e-5):
    """Within a share of the largest value."""
    return float((tensor - wanted).abs().max()) <= share * float(wanted.abs().max())


def same(tensor):
    return tensor


def shared(mine, other, back=same):
    """A triple of weights, peer moved off its start and ours set to it."""
    with torch.no_grad():
        other.add_(0.2 * torch.randn_like(other))
        mine.copy_(back(other))
    return mine, other, back


def counted(tuned):
    return sum(p.numel() for p in tuned.parameters() if p.requires_grad)


@pytest.fixture
def pair(kind, tmp_path):
    return Pair(kind, tmp_path)


@every_kind
@pytest.mark.parametrize("options", [{}, {"rank_stabilised": True}, {"dora": True}], ids=str)
def test_a_step_of_lora_is_peft_s(pair, options):
    sites = ("attn.q", "attn.v", "mlp.down")
    pair.attach("lora", rank=4, alpha=6.0, sites=sites, **options)
    config = peft.LoraConfig(
        r=4,
        lora_alpha=6,
        target_modules=pair.sites(sites),
        use_rslora="rank_stabilised" in options,
        use_dora="dora" in options,
        **TASK,
    )
    tuned = pair.tuned(config)
    pairs = []
    for mine, other in pair.maps(sites):
        pairs.append(shared(mine.a, other.lora_A["default"].weight))
        pairs.append(shared(mine.b, other.lora_B["default"].weight))
        if "dora" in options:
            pairs.append(shared(mine.magnitude, other.lora_magnitude_vector["default"].weight))
    pair.step(tuned, pairs)


@every_kind
def test_a_step_of_ia3_is_peft_s(pair):
    pair.attach("ia3")
    feed = pair.sites(("mlp.down",))
    targets = [*pair.sites(("attn.k", "attn.v")), *feed]
    config = peft.IA3Config(target_modules=targets, feedforward_modules=feed, **TASK)
    tuned = pair.tuned(config)
    pairs = [
        shared(mine.scale, other.ia3_l["default"], torch.flatten)
        for mine, other in pair.maps(("attn.k", "attn.v", "mlp.down"))
    ]
    pair.step(tuned, pairs)


@every_kind
def test_a_step_of_vera_is_peft_s_with_the_same_random_pair(pair):
    sites = ("attn.q", "attn.v", "mlp.down")
    pair.attach("vera", rank=7, seed=3, sites=sites)
    config = peft.VeraConfig(
        r=7,
        projection_prng_key=3,
        target_modules=pair.sites(sites),
        vera_dropout=0.0,
        **TASK,
    )
    tuned = pair.tuned(config)
    pairs = []
    for mine, other in pair.maps(sites):
        pairs.append(shared(mine.d, other.vera_lambda_d["default"]))
        pairs.append(shared(mine.b, other.vera_lambda_b["default"]))
    pair.step(tuned, pairs)


@every_kind
def test_a_step_of_a_prefix_without_mlp_is_peft_s(pair):
    pair.attach("p_tuning_v2", length=5, position_offset="length")
    tuned = pair.tuned(peft.PrefixTuningConfig(num_virtual_tokens=5, **TASK))
    cfg = pair.ours.cfg

    def back(table):
        """Theirs is p × (layers 2 g e)."""
        return table.view(5, cfg.layers, 2, cfg.key_heads, cfg.head_size).permute(2, 1, 0, 3, 4)

    other = tuned.prompt_encoder["default"].embedding.weight
    pair.step(tuned, [shared(pair.ours.memory.table, other, back)])


@every_kind
def test_a_step_of_a_prefix_with_mlp_is_peft_s(kind, tmp_path):
    # Its seeds are as wide as the keys, ours as the backbone: equal where all heads have keys.
    pair = Pair(kind, tmp_path, WHOLE if kind == "llama" else None)
    pair.attach("prefix", length=5, hidden=7, position_offset="length")
    config = peft.PrefixTuningConfig(
        num_virtual_tokens=5, prefix_projection=True, encoder_hidden_size=7, **TASK
    )
    tuned = pair.tuned(config)
    cfg, mine, other = pair.ours.cfg, pair.ours.memory, tuned.prompt_encoder["default"]

    def back(rows):
        """Their rows are (layers 2 g e), ours (2 layers g e)."""
        width = cfg.key_heads * cfg.head_size
        return rows.unflatten(0, (cfg.layers, 2, width)).transpose(0, 1).flatten(0, 2)

    pairs = [
        shared(mine.seeds.weight, other.embedding.weight),
        shared(mine.mlp[0].weight, other.transform[0].weight),
        shared(mine.mlp[0].bias, other.transform[0].bias),
        shared(mine.mlp[2].weight, other.transform[2].weight, back),
        shared(mine.mlp[2].bias, other.transform[2].bias, back),
    ]
    pair.step(tuned, pairs)


@every_kind
def test_a_step_of_prompt_tuning_is_peft_s(pair):
    pair.attach("prompt", length=4)
    tuned = pair.tuned(peft.PromptTuningConfig(num_virtual_tokens=4, **TASK))
    other = tuned.prompt_encoder["default"].embedding.weight
    pair.step(tuned, [shared(pair.ours.prompt.table, other)])


@every_kind
@pytest.mark.parametrize("encoder", sorted(ENCODERS))
def test_a_step_of_p_tuning_is_peft_s(pair, encoder):
    pair.attach("p_tuning", length=4, encoder=encoder, hidden=6)
    tuned = pair.tuned(p_tuning(4, 6, encoder))
    mine, other = pair.ours.prompt, tuned.prompt_encoder["default"]
    heads = [(mine.encoder, other.mlp_head)]
    if encoder == "lstm":
        heads = [(mine.encoder.lstm, other.lstm_head), (mine.encoder.mlp, other.mlp_head)]
    pairs = [shared(mine.seeds.weight, other.embedding.weight)]
    for one, another in heads:
        named = dict(another.named_parameters())
        pairs += [shared(weight, named[name]) for name, weight in one.named_parameters()]
    pair.step(tuned, pairs)


def p_tuning(length, hidden, encoder):
    return peft.PromptEncoderConfig(
        num_virtual_tokens=length,
        encoder_hidden_size=hidden,
        encoder_reparameterization_type=ENCODERS[encoder],
        encoder_num_layers=2,
        **TASK,
    )


def drawn(seed, kind, whole):
    """A shape of peer, every head with keys of its own where `whole`, and what draws the rest."""
    draw = random.Random(f"{kind}{seed}")
    heads, size = draw.choice([2, 4, 6]), draw.choice([4, 8])
    shape = SHAPE | {
        "hidden_size": heads * size,
        "num_hidden_layers": draw.randint(1, 4),
        "num_attention_heads": heads,
        "intermediate_size": draw.randint(9, 70),
    }
    more = QUIET if kind == "bert" else {"num_key_value_heads": draw.choice([1, heads // 2, heads])}
    if whole:
        more = {}
    return draw, type(KINDS[kind][1])(**shape, **more)


def configurations(draw, pair):
    """Settings of ours and PEFT's configuration of the same, method by method."""
    cfg = pair.ours.cfg
    sites = tuple(draw.sample(cfg.sites, draw.randint(1, len(cfg.sites))))
    targets, rank = pair.sites(sites), draw.randint(1, 4)
    length, hidden = draw.randint(1, 9), draw.randint(1, 30)
    options = {"r": rank, "target_modules": targets} | TASK
    yield "lora", {"rank": rank, "sites": sites}, peft.LoraConfig(**options)
    yield (
        "lora",
        {"rank": rank, "sites": sites, "dora": True},
        peft.LoraConfig(**options, use_dora=True),
    )
    yield (
        "lora",
        {"rank": rank, "sites": sites, "rank_stabilised": True},
        peft.LoraConfig(**options, use_rslora=True),
    )
    yield "vera", {"rank": rank, "sites": sites}, peft.VeraConfig(**options)
    feed = pair.sites(("mlp.down",))
    scaled = [*pair.sites(("attn.k", "attn.v")), *feed]
    yield (
        "ia3",
        {},
        peft.IA3Config(target_modules=scaled, feedforward_modules=feed, **TASK),
    )
    yield "prompt", {"length": length}, peft.PromptTuningConfig(num_virtual_tokens=length, **TASK)
    for encoder in ENCODERS:
        settings = {"length": length, "hidden": hidden, "encoder": encoder}
        yield "p_tuning", settings, p_tuning(length, hidden, encoder)
    flat = peft.PrefixTuningConfig(num_virtual_tokens=length, **TASK)
    yield "p_tuning_v2", {"length": length}, flat
    yield "prefix", {"length": length, "hidden": 0}, flat
    if cfg.key_heads == cfg.heads:
        # As in the step above.
        yield (
            "prefix",
            {"length": length, "hidden": hidden},
            peft.PrefixTuningConfig(
                num_virtual_tokens=length,
                prefix_projection=True,
                encoder_hidden_size=hidden,
                **TASK,
            ),
        )
    yield "layer_norm", {}, peft.LNTuningConfig(target_modules=pair.norms(), **TASK)


def counts_agree(kind, seed, folder, *, whole=False):
    draw, config = drawn(seed, kind, whole)
    pair = Pair(kind, folder, config)
    for name, settings, other in configurations(draw, pair):
        if whole and not (name == "prefix" and settings["hidden"]):
            continue
        pair.renew()
        number = counted(pair.tuned(other))
        assert get_method(name)(**settings).trainable(pair.ours.cfg) == number, (name, settings)
        if name == "lora" and not settings.get("dora"):
            # PEFT has no BitFit, but LoRA whose model's biases train too.
            pair.renew()
            with_biases = counted(pair.tuned(dataclasses.replace(other, bias="all")))
            assert get_method("bitfit")().trainable(pair.ours.cfg) == with_biases - number


@every_kind
@pytest.mark.parametrize("seed", range(2))
def test_trainable_counts_are_peft_s(kind, seed, tmp_path):
    counts_agree(kind, seed, tmp_path)


@pytest.mark.slow
@every_kind
@pytest.mark.parametrize("seed", range(2, 20))
def test_trainable_counts_are_peft_s_in_many_shapes(kind, seed, tmp_path):
    counts_agree(kind, seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_trainable_counts_of_prefixes_with_mlp_are_peft_s_where_all_heads_have_keys(seed, tmp_path):
    counts_agree("llama", seed, tmp_path, whole=True)
