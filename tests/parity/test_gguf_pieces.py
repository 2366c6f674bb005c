"""Ids of the pieces in GGUF files, SentencePiece's and BERT's, against transformers' classes."""

import re
from itertools import pairwise

import pytest
from gguf import GGUFWriter, SpecialVocab, TokenType
from transformers import AutoTokenizer, BertTokenizer, LlamaTokenizer
from transformers.convert_slow_tokenizer import generate_merges
from tunebench.checkpoints.catalogue import locate
from tunebench.checkpoints.checkpoint import Checkpoint
from tunebench.data.text.tokens import encode

from tests.parity.texts import TEXTS
from tests.vocabularies import Vocabulary, of_pieces, vocabulary_file

MARKED = ("<s>x</s> y", "<unk> z", "a</s>")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pieces")


@pytest.fixture(scope="module")
def pieces(folder):
    made = of_pieces()
    ids = {"bos_token_id": 1, "eos_token_id": 2, "unknown_token_id": 0}
    path = vocabulary_file(folder / "llama2.gguf", "llama", "default", made, **ids)
    scores = dict(zip(made.tokens, made.scores, strict=True))
    peer = LlamaTokenizer(vocab=made.numbers, merges=generate_merges(made.numbers, scores))
    return Checkpoint.open(path).load_tokenizer(), peer, made, path


def test_sentence_pieces_become_the_ids_of_transformers(pieces):
    ours, peer, _, path = pieces
    read = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    for text in (*TEXTS, *MARKED):
        wanted = peer.encode(text, add_special_tokens=False)
        assert ours.encode(text).ids == [1, *wanted], repr(text)
        assert read.encode(text) == [1, *wanted], repr(text)
        assert ours.decode(ours.encode(text).ids) == peer.decode(wanted, skip_special_tokens=True)


def joined_by_score(text: str, made: Vocabulary) -> list[int]:
    """SentencePiece's own rule: the best pair of neighbours first, the left one of equals."""
    score = dict(zip(made.tokens, made.scores, strict=True))
    pieces = list("▁" + text.replace(" ", "▁"))
    while True:
        pairs = [(score[a + b], -n) for n, (a, b) in enumerate(pairwise(pieces)) if a + b in score]
        if not pairs:
            break
        place = -max(pairs)[1]
        pieces[place : place + 2] = ["".join(pieces[place : place + 2])]
    spelt = [[p] if p in score else [f"<0x{byte:02X}>" for byte in p.encode()] for p in pieces]
    return [made.numbers[piece] for each in spelt for piece in each]


def test_sentence_pieces_are_joined_by_their_scores(pieces):
    ours, _, made, _ = pieces
    for text in TEXTS:
        if not text.startswith((" ", "▁")):
            assert ours.encode(text).ids == [1, *joined_by_score(text, made)], repr(text)


def test_a_file_says_whether_texts_begin_with_a_blank_a_bos_and_end_with_an_eos(folder, pieces):
    flags = {"add_space_prefix": False, "add_bos_token": False, "add_eos_token": True}
    path = vocabulary_file(folder / "flags.gguf", "llama", None, pieces[2], **flags)
    ours = Checkpoint.open(path).load_tokenizer()
    assert ours.encode("a").tokens == ["a", "</s>"]
    assert ours.encode("a", "b").tokens == ["a", "</s>", "b", "</s>"]
    assert ours.encode("a", "b").type_ids == [0, 0, 1, 1]
    assert ours.decode(ours.encode(" a").ids) == " a"


def test_minilms_vocabulary_in_a_gguf_file_gives_its_own_ids_and_segments(tmp_path):
    peer = AutoTokenizer.from_pretrained(locate("minilm"))
    names = sorted(peer.get_vocab(), key=peer.get_vocab().get)
    marks = set(peer.all_special_tokens)
    # As llama.cpp's converter turns the pieces round, with the ids that it finds.
    pieces = {
        token
        if token in marks
        else re.sub("^##", "", token)
        if token[:2] == "##"
        else f"▁{token}": (TokenType.CONTROL if token in marks else TokenType.NORMAL)
        for token in names
    }
    writer = GGUFWriter(tmp_path / "bert.gguf", "bert")
    writer.add_tokenizer_model("bert")
    writer.add_token_list(list(pieces))
    writer.add_token_types(list(pieces.values()))
    SpecialVocab(locate("minilm")).add_to_gguf(writer, quiet=True)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    ours = Checkpoint.open(tmp_path / "bert.gguf").load_tokenizer()
    pairs = list(zip((*TEXTS, "a [MASK] b"), reversed((*TEXTS, "[UNK]")), strict=True))
    encoded = encode(ours, pairs, max_length=512, pairs=True)
    wanted = peer([a for a, _ in pairs], [b for _, b in pairs])
    assert [list(ids) for ids in encoded.ids] == wanted["input_ids"]
    assert [list(ids) for ids in encoded.segments] == wanted["token_type_ids"]
    for a, _ in pairs:
        assert ours.encode(a).ids == peer.encode(a)


MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CASED = ("The", "the", "fil", "##m", "é", "caf", "##é", "It", "'", "s", "日", "##ly", "▁", "##▁")


@pytest.mark.parametrize("lowercase", [None, True, False])
def test_bert_keeps_capitals_where_the_vocabulary_has_some_or_the_file_says_so(tmp_path, lowercase):
    spelt = (*MARKS, *CASED)
    pieces = {
        t if t in MARKS else t.removeprefix("##") if t[:2] == "##" else f"▁{t}": TokenType.CONTROL
        if t in MARKS
        else TokenType.NORMAL
        for t in spelt
    }
    flags = {} if lowercase is None else {"normalizer.lowercase": lowercase}
    path = vocabulary_file(tmp_path / "b.gguf", "bert", None, Vocabulary(pieces), **flags)
    vocabulary = {token: number for number, token in enumerate(spelt)}
    peer = BertTokenizer(vocab=vocabulary, do_lower_case=bool(lowercase))
    ours = Checkpoint.open(path).load_tokenizer()
    for text in ("The films", "the film café", "It's 日本", "THE [MASK] ▁", "the▁", "lyly"):
        assert ours.encode(text).ids == peer.encode(text), text
