"""Byte-level vocabularies of GGUF files (`tokenizer.ggml.model` gpt2): how texts are split first.

A file names the splitting (`tokenizer.ggml.pre`) and does not hold it. Here are those of the
families that are read, as the originals' own tokenizer.json files have them; llama.cpp's src/
llama-vocab.cpp has the names. `default` is llama.cpp's substitute where the name was not known
when the file was written, so that nothing tells how its vocabulary was made: it is no entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from ...errors import UserError
from .stored import Stored


def _words(digits: str) -> str:
    """Words with what stands before them, digits, marks with line breaks, blanks."""
    ways = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        digits,
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",  # all blanks but the last, which belongs to the word after it
        r"\s+",
    )
    return "|".join(ways)


@dataclass(frozen=True)
class Splitting:
    """How texts become the words that merges work within."""

    pattern: str | None = None
    """What is cut out first; none: nothing."""
    gpt2: bool = True
    """Whether GPT-2's own splitting follows."""
    composed: bool = False
    """Whether texts are brought into Unicode's composed form (NFC)."""
    whole: bool = False
    """Whether a word that is a token stays one, whatever the merges say."""
    begins: bool = False
    """Whether texts begin with the file's bos where the file does not say."""


_LLAMA3 = Splitting(_words(r"\p{N}{1,3}"), gpt2=False, whole=True, begins=True)
SPLITTINGS: Mapping[str, Splitting] = {
    "gpt-2": Splitting(),
    "llama-bpe": _LLAMA3,
    "llama-v3": _LLAMA3,
    "llama3": _LLAMA3,
    "qwen2": Splitting(_words(r"\p{N}"), gpt2=False, composed=True),
    "roberta-bpe": Splitting(),
    "smollm": Splitting(r"\p{N}"),
}


def byte_level(stored: Stored, splitting: Splitting) -> Tokenizer:
    """Byte-pair encoding of the bytes of words.

    Raises:
        UserError: The file lacks merges, or has some of tokens that it does not have.
    """
    vocabulary = {token: number for number, token in enumerate(stored.tokens)}
    merges = [tuple(merge.split(" ", 1)) for merge in stored.listed("merges", str)]
    try:
        model = models.BPE(vocab=vocabulary, merges=merges, ignore_merges=splitting.whole)
    except Exception as error:  # tokenizers raises no narrower one
        raise UserError(f"{stored.path}: tokenizer.ggml.merges: {error}") from None
    tokenizer = Tokenizer(model)
    if splitting.composed:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = _splitter(splitting)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _splitter(splitting: Splitting) -> pre_tokenizers.PreTokenizer:
    """The splitting, and after it each byte as a letter."""
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=splitting.gpt2)
    if splitting.pattern is None:
        return last
    first = pre_tokenizers.Split(Regex(splitting.pattern), "isolated")
    return pre_tokenizers.Sequence([first, last])
