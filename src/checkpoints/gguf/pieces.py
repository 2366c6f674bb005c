"""Vocabularies of pieces in GGUF files: BERT's (model bert) and SentencePiece's (model llama).

llama.cpp writes BERT's pieces the other way round: a leading ▁ where a word begins and nothing
where it goes on. SentencePiece's file of Llama 2 and Mistral keeps a score for each piece and no
merges: of two neighbours those are joined whose whole has the highest score (Kudo and Richardson
2018), which is byte-pair encoding with the pieces' parts as merges, the highest score first.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from ...errors import UserError
from .stored import CONTROL, DEFINED, NORMAL, Stored

BEGIN = "▁"
"""Of a word; U+2581."""


def word_piece(stored: Stored) -> Tokenizer:
    """BERT's: the longest piece that fits, from the word's beginning on."""
    pairs = list(zip(stored.tokens, stored.kinds, strict=True))
    vocabulary = {_bert_piece(token, kind): number for number, (token, kind) in enumerate(pairs)}
    # Older files do not say; a vocabulary with capitals was not made of lower-cased texts.
    pieces = (token for token, kind in pairs if kind == NORMAL and not _bracketed(token))
    lower = stored.flag("normalizer.lowercase", all(piece == piece.lower() for piece in pieces))
    accents = None  # BERT's own rule: as the lower-casing says
    if stored.get("normalizer.strip_accents") is not None:
        accents = stored.flag("normalizer.strip_accents", False)
    unknown = role(stored, vocabulary, "unknown", "[UNK]")
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=unknown[0]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower, strip_accents=accents)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    return tokenizer


def role(stored: Stored, names: Mapping[str, int], of: str, usual: str) -> tuple[str, int]:
    """BERT's token of a role: as the file says, else the one that BERT's vocabularies name so."""
    return stored.token(of, names.get(usual))


def _bert_piece(token: str, kind: int) -> str:
    """A piece as BERT writes it."""
    if kind == CONTROL or _bracketed(token):
        return token
    begins = token.startswith(BEGIN) and token != BEGIN
    return token.removeprefix(BEGIN) if begins else f"##{token}"


def _bracketed(token: str) -> bool:
    """Whether it stands for no text, as llama.cpp's first converter knew by the brackets."""
    return token.startswith("[") and token.endswith("]")


def sentence_piece(stored: Stored) -> Tokenizer:
    """Llama 2's and Mistral's: characters joined by score, bytes for characters without a piece."""
    vocabulary = {token: number for number, token in enumerate(stored.tokens)}
    merges = _merges(stored, vocabulary)
    model = models.BPE(
        vocab=vocabulary,
        merges=merges,
        unk_token=stored.token("unknown", 0)[0],
        fuse_unk=True,
        byte_fallback=True,
    )
    tokenizer, prefixed = Tokenizer(model), stored.flag("add_space_prefix", True)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(
        BEGIN, prepend_scheme="first" if prefixed else "never", split=False
    )
    steps = [decoders.Replace(BEGIN, " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence([*steps, *([decoders.Strip(" ", 1, 0)] * prefixed)])
    return tokenizer


def _merges(stored: Stored, vocabulary: Mapping[str, int]) -> list[tuple[str, str]]:
    """Every way to join two pieces into a third, the highest score of the whole first.

    Raises:
        UserError: There is not a score for each token, or all are the same and order nothing.
    """
    kinds, scores = stored.kinds, stored.listed("scores", (int, float))
    if len(scores) != len(stored.tokens):
        raise UserError(
            f"{stored.path}: tokenizer.ggml.scores must have a number for each token, "
            f"but got (tokens={len(stored.tokens)}, scores={len(scores)})"
        )
    joined = {token for token, number in vocabulary.items() if kinds[number] in (NORMAL, DEFINED)}
    if len({scores[vocabulary[token]] for token in joined}) < 2 < len(joined):
        raise UserError(
            f"{stored.path}: tokenizer.ggml.scores must order the pieces, but they are all "
            f"{scores[vocabulary[next(iter(joined))]]:g}; take its safetensors folder"
        )
    # Only where both parts can be as long as some piece: a damaged vocabulary may have huge ones.
    lengths = sorted({len(token) for token in joined})
    merges = [
        (scores[vocabulary[whole]], whole[:cut], whole[cut:])
        for whole in vocabulary
        if whole in joined
        for cut in lengths[: bisect.bisect_left(lengths, len(whole))]
        if whole[:cut] in joined and whole[cut:] in joined
    ]
    merges.sort(key=lambda way: (way[0], len(way[1]), len(way[2])), reverse=True)
    return [(left, right) for _, left, right in merges]
