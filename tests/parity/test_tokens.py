"""Token ids against transformers' own tokenizers."""

import random

import pytest
from tokenizers import Tokenizer, pre_tokenizers
from transformers import AutoTokenizer
from tunebench.checkpoints.catalogue import locate
from tunebench.checkpoints.checkpoint import Checkpoint
from tunebench.data.text.tokens import encode

from tests.parity.texts import TEXTS


@pytest.fixture(scope="module")
def smollm2():
    return Checkpoint.open("smollm2").load_tokenizer()


def test_minilm_texts_become_the_ids_of_transformers():
    peer = AutoTokenizer.from_pretrained(locate("minilm"))
    encoded = encode(
        Checkpoint.open("minilm").load_tokenizer(),
        [(t,) for t in TEXTS],
        max_length=512,
        pairs=True,
    )
    assert [list(ids) for ids in encoded.ids] == peer(list(TEXTS))["input_ids"]
    assert encoded.truncated == 0


def test_minilm_pairs_become_the_ids_and_segments_of_transformers():
    peer = AutoTokenizer.from_pretrained(locate("minilm"))
    pairs = list(zip(TEXTS, reversed(TEXTS), strict=True))
    encoded = encode(Checkpoint.open("minilm").load_tokenizer(), pairs, max_length=512, pairs=True)
    wanted = peer([a for a, _ in pairs], [b for _, b in pairs])
    assert [list(ids) for ids in encoded.ids] == wanted["input_ids"]
    assert [list(ids) for ids in encoded.segments] == wanted["token_type_ids"]


@pytest.mark.parametrize("max_length", [8, 13])
def test_long_minilm_pairs_are_cut_as_transformers_cuts_them(max_length):
    peer = AutoTokenizer.from_pretrained(locate("minilm"))
    pairs = list(zip(TEXTS, reversed(TEXTS), strict=True))
    encoded = encode(
        Checkpoint.open("minilm").load_tokenizer(), pairs, max_length=max_length, pairs=True
    )
    wanted = peer(
        [a for a, _ in pairs], [b for _, b in pairs], truncation=True, max_length=max_length
    )
    assert [list(ids) for ids in encoded.ids] == wanted["input_ids"]
    whole = encode(Checkpoint.open("minilm").load_tokenizer(), pairs, max_length=512, pairs=True)
    assert encoded.truncated == sum(len(ids) > max_length for ids in whole.ids)


def test_smollm2_texts_come_back_as_they_were(smollm2):
    for text in TEXTS:
        assert smollm2.decode(smollm2.encode(text).ids, skip_special_tokens=False) == text


def test_smollm2_splits_digits_and_merges_words(smollm2):
    assert smollm2.encode("in 1984, or 20").tokens == (
        ["in", "Ġ", "1", "9", "8", "4", ",", "Ġor", "Ġ", "2", "0"]
    )
    assert smollm2.encode("the film").tokens == ["the", "Ġfilm"]


def test_smollm2_knows_the_tokens_that_stand_for_no_text(smollm2):
    ids = smollm2.encode("<|im_start|>user\nHello<|im_end|>").ids
    assert (ids[0], ids[-1]) == (1, 2)
    assert smollm2.decode(ids) == "user\nHello"


def test_smollm2_reads_an_empty_text_as_one_token(smollm2):
    encoded = encode(smollm2, [("",), ("a",)], max_length=8, pairs=False)
    assert [len(ids) for ids in encoded.ids] == [1, 1]
    assert [len(row) for row in encoded.segments] == [1, 1]


def test_smollm2_splits_numbers_as_the_original_tokenizer_does(smollm2):
    original = Tokenizer(smollm2.model)
    original.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    for text in TEXTS:
        assert smollm2.encode(text).ids == original.encode(text).ids, repr(text)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_smollm2_texts_become_the_ids_of_transformers(smollm2):
    path = locate("smollm2")
    peer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    shuffled = random.Random(1)
    joined = [" ".join(shuffled.sample(TEXTS, 3)) for _ in range(100)]
    # Reading a GGUF file, transformers forgets that numbers are split off first.
    alike = [t for t in (*TEXTS, *joined) if not any(c.isnumeric() for c in t)]
    assert len(alike) > 100
    for text in alike:
        assert smollm2.encode(text).ids == peer.encode(text, add_special_tokens=False), repr(text)
