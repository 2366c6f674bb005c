"""Small vocabularies, trained on a few hundred texts, as GGUF files keep them."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from gguf import GGUFWriter, TokenType
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from tests.parity.texts import TEXTS

ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
LLAMA3 = {"<|begin_of_text|>": TokenType.CONTROL, "<|end: of text|>": TokenType.CONTROL}
QWEN = {"<|endoftext|>": TokenType.CONTROL, "<think>": TokenType.USER_DEFINED}


@dataclass(frozen=True)
class Vocabulary:
    """Tokens in order, each with its kind; merges of some, scores of others."""

    tokens: dict[str, TokenType]
    merges: list[tuple[str, str]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    @property
    def numbers(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens)}


def of_bytes(extra: dict[str, TokenType], size: int = 420) -> Vocabulary:
    """Byte-level pieces, then what stands for no text or is found whole."""
    made = Tokenizer(models.BPE())
    # Words as wide as blanks allow: whatever the splitting, some merge would go across it.
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\S+\s*"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=ALPHABET, show_progress=False, min_frequency=2
    )
    made.train_from_iterator(TEXTS * 2, trainer)
    numbers = made.get_vocab()
    tokens = dict.fromkeys(sorted(numbers, key=numbers.__getitem__), TokenType.NORMAL)
    return Vocabulary(tokens | extra, merges=_merges(made))


def of_pieces(size: int = 300) -> Vocabulary:
    """SentencePiece's: what is unknown, marks, bytes, joined pieces by rank, characters."""
    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.Replace(" ", "▁")
    made.pre_tokenizer = pre_tokenizers.Split(Regex("▁+[^▁]*"), "isolated")
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, limit_alphabet=90)
    made.train_from_iterator(TEXTS * 2, trainer)
    joined = ["".join(merge) for merge in _merges(made)]
    letters = [token for token in sorted(made.get_vocab()) if token not in set(joined)]
    pieces = [*dict.fromkeys(joined), *letters]
    marks = {"<unk>": TokenType.UNKNOWN, "<s>": TokenType.CONTROL, "</s>": TokenType.CONTROL}
    bytes_ = {f"<0x{number:02X}>": TokenType.BYTE for number in range(256)}
    tokens = marks | bytes_ | dict.fromkeys(pieces, TokenType.NORMAL)
    scores = [0.0] * (len(marks) + len(bytes_)) + [-float(rank) for rank in range(len(pieces))]
    return Vocabulary(tokens, scores=scores)


def _merges(made: Tokenizer) -> list[tuple[str, str]]:
    """Those that were learned, in order."""
    return [tuple(pair) for pair in json.loads(made.to_str())["model"]["merges"]]


def write_vocabulary(writer: GGUFWriter, model: str, pre: str | None, made: Vocabulary) -> None:
    """The keys of a vocabulary, as llama.cpp's converter writes them."""
    writer.add_tokenizer_model(model)
    if pre is not None:
        writer.add_tokenizer_pre(pre)
    writer.add_token_list(list(made.tokens))
    writer.add_token_types(list(made.tokens.values()))
    if made.merges:
        writer.add_token_merges([" ".join(pair) for pair in made.merges])
    if made.scores:
        writer.add_token_scores(made.scores)


def vocabulary_file(path: Path, model: str, pre: str | None, made: Vocabulary, **more: int) -> Path:
    """A file of nothing but a vocabulary; the other keys by the ends of their names."""
    writer = GGUFWriter(path, "llama")
    write_vocabulary(writer, model, pre, made)
    for key, value in more.items():
        if isinstance(value, bool):
            writer.add_bool(f"tokenizer.ggml.{key}", value)
        else:
            writer.add_uint32(f"tokenizer.ggml.{key}", value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
