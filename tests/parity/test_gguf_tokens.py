"""Ids of byte-level vocabularies in GGUF files against those of transformers' own classes."""

import pytest
from gguf import TokenType
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken
from transformers import (
    GPT2Tokenizer,
    Qwen2Tokenizer,
    RobertaTokenizer,
)
from transformers.convert_slow_tokenizer import TikTokenConverter
from tunebench.checkpoints.checkpoint import Checkpoint

from tests.parity.texts import TEXTS
from tests.vocabularies import LLAMA3, QWEN, Vocabulary, of_bytes, vocabulary_file

MARKED = ("a<|endoftext|>b", "<think> 12\n</think>", "<s>x</s> y", "<|begin_of_text|>It's 2024")
PARTS = ("a", "b", "Don", "'s", "'Sx", "7", "2024", "²", " ", "  ", "\n", "\t", "!?", "é", "日本")
MORE = ("e\u0301", "👍🏽", "ß", "_", "\u00a0", "the film")
DRAWN = st.lists(st.sampled_from(PARTS + MORE), max_size=12)
"""Pieces at which the splittings differ, in any order."""


class Llama3(TikTokenConverter):
    """transformers' converter of Llama 3's file, which is given its contents."""

    def __init__(self, made: Vocabulary) -> None:
        super().__init__()
        self.made = made

    def extract_vocab_merges_from_model(self, tiktoken_url):
        return self.made.numbers, self.made.merges


BYTES = {"gpt-2": GPT2Tokenizer, "qwen2": Qwen2Tokenizer}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("vocabularies")


@pytest.fixture(scope="module")
def qwen_pieces():
    return of_bytes(QWEN)


@pytest.fixture(scope="module", params=BYTES)
def byte_pair(request, folder, qwen_pieces):
    """Ours and peer of one splitting."""
    path = vocabulary_file(folder / f"{request.param}.gguf", "gpt2", request.param, qwen_pieces)
    peer = BYTES[request.param](vocab=qwen_pieces.numbers, merges=qwen_pieces.merges)
    peer.add_tokens(["<think>"])
    return Checkpoint.open(path).load_tokenizer(), peer


@pytest.fixture(scope="module")
def llama3(folder):
    made = of_bytes(LLAMA3)
    bos, eos = (made.numbers[token] for token in LLAMA3)
    ids = {"bos_token_id": bos, "eos_token_id": eos}
    path = vocabulary_file(folder / "llama3.gguf", "gpt2", "llama-bpe", made, **ids)
    peer = Llama3(made).converted()
    peer.add_special_tokens(list(LLAMA3))
    return Checkpoint.open(path).load_tokenizer(), peer, bos


def test_byte_level_texts_become_the_ids_of_transformers(byte_pair):
    ours, peer = byte_pair
    for text in (*TEXTS, *MARKED):
        assert ours.encode(text).ids == peer.encode(text), repr(text)
        shown = peer.decode(peer.encode(text), skip_special_tokens=True)
        assert ours.decode(ours.encode(text).ids) == shown


def test_llama_3_texts_become_the_ids_of_transformers_behind_a_bos(llama3):
    ours, peer, bos = llama3
    for text in (*TEXTS, *MARKED):
        wanted = peer.encode(text, add_special_tokens=False).ids
        assert ours.encode(text).ids == [bos, *wanted], repr(text)
        assert ours.decode(ours.encode(text).ids) == peer.decode(wanted)


def test_a_word_that_is_a_token_of_llama_3_needs_no_merge(folder):
    made = of_bytes(LLAMA3 | {"Ġzyzzyva": TokenType.NORMAL})
    numbers = {"add_bos_token": False}
    whole, split = (
        Checkpoint.open(
            vocabulary_file(folder / f"w-{pre}.gguf", "gpt2", pre, made, **numbers)
        ).load_tokenizer()
        for pre in ("llama-bpe", "gpt-2")
    )
    assert whole.encode(" zyzzyva").tokens == ["Ġzyzzyva"]
    assert len(split.encode(" zyzzyva").ids) > 1


@given(DRAWN)
def test_any_pieces_become_the_ids_of_transformers(byte_pair, llama3, drawn):
    text = "".join(drawn)
    for ours, peer in (byte_pair, llama3[:2]):
        peer = getattr(peer, "backend_tokenizer", peer)
        split = ours.pre_tokenizer.pre_tokenize_str(text)
        assert split == peer.pre_tokenizer.pre_tokenize_str(text)
    assert byte_pair[0].encode(text).ids == byte_pair[1].encode(text)
    assert llama3[0].encode(text).ids[1:] == llama3[1].encode(text, add_special_tokens=False).ids


def test_robertas_frame_and_mask_are_those_of_transformers(tmp_path):
    marks = dict.fromkeys(("<s>", "<pad>", "</s>", "<unk>", "<mask>"), TokenType.CONTROL)
    made = of_bytes(marks)
    ids = {"bos_token_id": made.numbers["<s>"], "eos_token_id": made.numbers["</s>"]}
    path = vocabulary_file(tmp_path / "r.gguf", "gpt2", "roberta-bpe", made, **ids)
    ours = Checkpoint.open(path).load_tokenizer()
    mask = AddedToken("<mask>", lstrip=True)  # as in every published RoBERTa
    peer = RobertaTokenizer(vocab=made.numbers, merges=made.merges, mask_token=mask)
    for a, b in zip((*TEXTS, "It is <mask>."), (*reversed(TEXTS), "<mask>"), strict=True):
        assert ours.encode(a).ids == peer.encode(a)
        assert ours.encode(a, b).ids == peer.encode(a, b)
        assert set(ours.encode(a, b).type_ids) == {0}
