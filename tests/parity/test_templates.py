"""Label words against transformers' language models: the same text, the same logits.

The text is put together by hand and read by a transformers model with its language head; ours goes
through a template, the packed batch and the label words' rows alone.
"""

import os
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, LlamaConfig, LlamaForCausalLM
from tunebench.checkpoints.checkpoint import Checkpoint, load_backbone
from tunebench.config import DataSettings
from tunebench.data.glue import read_glue
from tunebench.data.load import load_task
from tunebench.data.tasks import get_task
from tunebench.data.text.batches import Batches
from tunebench.data.text.template import parse
from tunebench.data.text.template_encoding import encode_template
from tunebench.errors import UserError
from tunebench.methods import get_method
from tunebench.training.classifier import Classifier
from tunebench.training.heads import LabelWords
from tunebench.training.verbalizer import Verbalizer
from tunebench.training.zero_shot import probabilities

from tests import small
from tests.parity.test_smollm2 import llama

SHAPE = {
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 32,
    "initializer_range": 0.3,
}
SST2 = get_task("sst2")
TEXTS = tuple(
    row[0] for row in load_task("sentiment", DataSettings(source="pocket")).train.texts[:4]
)
WORDS = ("negative", "positive")


@pytest.fixture(params=["tied", "untied", "masked"])
def pair(request, tmp_path):
    """Their model in a folder with a tokenizer, and the folder."""
    torch.manual_seed(5)
    masked = request.param == "masked"
    tokenizer = small.tokenizer() if masked else small.plain_tokenizer()
    if masked:
        tokenizer.add_tokens(["negative", "positive", "[MASK]"])
    shape = SHAPE | {"vocab_size": tokenizer.get_vocab_size()}
    if masked:
        model = BertForMaskedLM(BertConfig(**shape, pad_token_id=0))
    else:
        tied = request.param == "tied"
        config = LlamaConfig(**shape, num_key_value_heads=2, tie_word_embeddings=tied)
        model = LlamaForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(tmp_path)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return model.eval(), tmp_path, masked


def ours(folder, masked, soft_tokens=""):
    """Backbone, language head and a batch in its template."""
    tokenizer, backbone = Checkpoint.open(folder).load_tokenizer(), load_backbone(folder)
    text = f"review : {soft_tokens}{{sentence}} sentiment" + (" [MASK] ." if masked else "")
    template = parse(text, SST2, causal=not masked)
    encoded = encode_template(tokenizer, template, [(text,) for text in TEXTS], max_length=32)
    batch = Batches(encoded, batch_size=4).batch(range(4))
    ids = tuple(tokenizer.token_to_id(word) for word in WORDS)
    return backbone, Checkpoint.open(folder).load_language_head(backbone), batch, ids


def test_label_word_logits_are_those_of_the_language_model(pair):
    model, folder, masked = pair
    backbone, language, batch, words = ours(folder, masked)
    tokenizer = Checkpoint.open(folder).load_tokenizer()
    wanted = []
    for text in TEXTS:
        whole = f"review : {text} sentiment" + (" [MASK] ." if masked else "")
        ids = tokenizer.encode(whole).ids
        with torch.no_grad():
            peer_logits = model(torch.tensor([ids])).logits[0]
        place = ids.index(tokenizer.token_to_id("[MASK]")) if masked else -1
        wanted.append(peer_logits[place, list(words)])
    wanted = torch.stack(wanted)
    classifier = Classifier(backbone, head=LabelWords(language, words)).eval()
    with torch.no_grad():
        logits = classifier.logits(batch)
    assert float((logits - wanted).abs().max()) <= 1e-5 * max(1.0, float(wanted.abs().max()))


def test_lora_starts_at_the_zero_shot_logits(pair):
    _, folder, masked = pair
    backbone, language, batch, words = ours(folder, masked, soft_tokens="[P] ")
    classifier = Classifier(backbone, head=LabelWords(language, words)).eval()
    with torch.no_grad():
        zero_shot = classifier.logits(batch)
        get_method("lora")().attach(backbone)
        assert torch.equal(classifier.logits(batch), zero_shot)


def test_a_soft_token_that_is_a_word_reads_as_that_word(pair):
    _, folder, masked = pair
    backbone, language, batch, words = ours(folder, masked, soft_tokens="[P] ")
    spelt = ours(folder, masked, soft_tokens="negative positive ")[2]
    classifier = Classifier(backbone, head=LabelWords(language, words)).eval()
    tokenizer = Checkpoint.open(folder).load_tokenizer()
    with torch.no_grad():
        wanted = classifier.logits(spelt)
        get_method("prompt")(length=2).attach(backbone)
        rows = [tokenizer.token_to_id(word) for word in WORDS]
        backbone.prompt.table.copy_(backbone.embedding.weight[rows])
        logits = classifier.logits(batch)
    assert torch.allclose(logits, wanted, rtol=1e-5, atol=1e-5)


def test_an_encoder_without_a_language_head_says_so():
    backbone = load_backbone("minilm")
    with pytest.raises(UserError, match=r"has no language head: .* is missing"):
        Checkpoint.open("minilm").load_language_head(backbone)


@pytest.mark.slow
def test_smollm2_reads_the_sst2_dev_set_as_transformers_does():
    """The whole dev set, one text at a time on their side, so that nothing is padded."""
    if "GLUE_DIR" not in os.environ:
        pytest.skip("needs GLUE's files in $GLUE_DIR")
    test = read_glue(Path(os.environ["GLUE_DIR"]), SST2).test
    tokenizer, backbone = Checkpoint.open("smollm2").load_tokenizer(), load_backbone("smollm2")
    template = parse("Review: {sentence1}\nSentiment:", SST2, causal=True)
    ids = tuple(tokenizer.encode(f" {word}").ids[0] for word in WORDS)
    verbalizer = Verbalizer(
        template, WORDS, ids, Checkpoint.open("smollm2").load_language_head(backbone)
    )
    answers = probabilities(
        verbalizer,
        backbone,
        encode_template(tokenizer, template, test.texts, max_length=backbone.cfg.context),
    )
    model, wanted = llama(backbone.cfg.layers), []
    for (text,) in test.texts:
        prompt = torch.tensor([tokenizer.encode(f"Review: {text}\nSentiment:").ids])
        with torch.no_grad():
            state = model(prompt, use_cache=False).last_hidden_state[0, -1]
            wanted.append((model.embed_tokens.weight[list(ids)] @ state).softmax(-1))
    wanted = torch.stack(wanted)
    assert float((answers - wanted).abs().max()) < 1e-3
    right = torch.tensor(test.labels)
    accuracies = [float((one.argmax(-1) == right).float().mean()) for one in (answers, wanted)]
    print("zero-shot SST-2:", accuracies)
    assert abs(accuracies[0] - accuracies[1]) <= 0.003
