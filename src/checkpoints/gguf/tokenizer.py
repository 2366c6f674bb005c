"""The tokenizer inside a GGUF file: llama.cpp's kinds of vocabularies in ours.

    gpt2/<splitting>    bytes of words, merged                GPT-2, Llama 3, Qwen, SmolLM, RoBERTa
    bert                pieces of words, longest first        BERT
    llama               characters, merged by score           Llama 2, Mistral

Ids are those of the original's own tokenizer; where llama.cpp differs from it (it composes no
accents for Qwen, and reads one blank more at a Llama 2's beginning), the original is followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, processors

from ...errors import UnknownName, UserError
from ...text import one_line
from .byte_level import SPLITTINGS, byte_level
from .pieces import role, sentence_piece, word_piece
from .stored import CONTROL, DEFINED, UNKNOWN, Named, Stored

KNOWN = ("bert", "llama", *(f"gpt2/{name}" for name in SPLITTINGS))


def tokenizer_of(raw: Mapping[str, Any], path: Path) -> Tokenizer:
    """The tokenizer that a file's key-value pairs describe.

    Raises:
        UnknownName: Its kind is not among those that are read.
        UserError: Something that its kind needs is missing or contradicts itself.
    """
    stored = Stored(path, raw)
    try:
        return _made(stored)
    except UserError:
        raise
    except Exception as error:  # tokenizers raises no narrower one
        text = one_line(str(error))
        raise UserError(f"{path}: its tokenizer cannot be made: {text}") from None


def _made(stored: Stored) -> Tokenizer:
    """The tokenizer of the kind that the file names."""
    model, splitting = str(stored.get("model")), str(stored.get("pre", "default"))
    if model == "bert":
        tokenizer, frame = word_piece(stored), _bert_frame
    elif model == "llama":
        tokenizer, frame = sentence_piece(stored), _decoder_frame
    elif model == "gpt2" and splitting in SPLITTINGS:
        tokenizer = byte_level(stored, SPLITTINGS[splitting])
        frame = _roberta_frame if splitting == "roberta-bpe" else _decoder_frame
    else:
        kind = f"gpt2/{splitting}" if model == "gpt2" else model
        raise UnknownName(f"tokenizer in {stored.path}:", kind, KNOWN)
    _add(tokenizer, stored)
    frame(tokenizer, stored)
    return tokenizer


def _add(tokenizer: Tokenizer, stored: Stored) -> None:
    """The tokens that are found whole in a text: those that stand for no text, and the others."""
    kinds = list(zip(stored.tokens, stored.kinds, strict=True))
    special = [token for token, kind in kinds if kind in (UNKNOWN, CONTROL)]
    whole = [token for token, kind in kinds if kind == DEFINED]
    tokenizer.add_special_tokens([AddedToken(each, normalized=False) for each in special])
    tokenizer.add_tokens([AddedToken(each, normalized=False) for each in whole])


def _decoder_frame(tokenizer: Tokenizer, stored: Stored) -> None:
    """A decoder's texts: bos before and eos after each, where the file or its kind says so."""
    pieces = stored.get("model") == "llama"
    usual = {"bos": 1, "eos": 2} if pieces else {}
    begins = pieces or SPLITTINGS[stored.get("pre")].begins
    first = stored.flag("add_bos_token", begins)
    last = stored.flag("add_eos_token", False)
    marks = (("bos", first), ("eos", last))
    tokens = {each: stored.token(each, usual.get(each)) for each, wanted in marks if wanted}
    if tokens:
        sides = [["bos"] * first + [text] + ["eos"] * last for text in ("$A", "$B")]
        a, b = (" ".join(f"{each}:{n}" for each in side) for n, side in enumerate(sides))
        tokenizer.post_processor = _template(a, f"{a} {b}", tokens)


def _bert_frame(tokenizer: Tokenizer, stored: Stored) -> None:
    """[CLS] a [SEP], and for a pair b [SEP] after it in the second segment."""
    names = tokenizer.get_vocab()
    tokens = {
        "first": role(stored, names, "bos", "[CLS]"),
        "last": role(stored, names, "seperator", "[SEP]"),
    }
    tokenizer.post_processor = _template("first $A last", "first $A last $B:1 last:1", tokens)


def _roberta_frame(tokenizer: Tokenizer, stored: Stored) -> None:
    """<s> a </s>, and for a pair </s> b </s> after it; a mask takes the blank before it."""
    tokens = {each: stored.token(each) for each in ("bos", "eos")}
    tokenizer.post_processor = _template("bos $A eos", "bos $A eos eos $B eos", tokens)
    if tokenizer.token_to_id("<mask>") is not None:
        tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])


def _template(single: str, pair: str, tokens: Mapping[str, Named]) -> processors.TemplateProcessing:
    """A frame in which tokens have plain names, since their own may hold blanks and colons."""
    named = [
        {"id": name, "ids": [number], "tokens": [token]} for name, (token, number) in tokens.items()
    ]
    return processors.TemplateProcessing(single=single, pair=pair, special_tokens=named)
