"""Plain texts as a language model is asked about them: what it reads, and what it should say.

    causal     every token but the first, from those before it
    masked     15 % of the tokens, each replaced by the mask, from all others (Devlin et al. 2019)

Which tokens are masked depends on the text and the seed alone, so that every model is asked the
same. Special tokens, which the tokenizer puts around a text, are never asked for.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Encoding, Tokenizer

from ..backbone.config import BackboneConfig
from ..data.text.template_encoding import MASKS
from ..data.text.tokens import check_vocabulary
from ..errors import UserError

MASKED_SHARE = 0.15
SEED = 0


@dataclass(frozen=True)
class Reading:
    """One text as it is read, and the tokens that are asked for."""

    ids: tuple[int, ...]
    """What is read; masked tokens are replaced by the mask already."""
    places: tuple[int, ...]
    """The tokens of `ids` whose states are asked."""
    targets: tuple[int, ...]
    """The right token for each of these places."""


def readings(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    cfg: BackboneConfig,
    *,
    max_length: int,
    seed: int = SEED,
) -> list[Reading]:
    """The texts as this network is asked about them; those with nothing to ask are left out.

    Args:
        texts: Plain texts.
        tokenizer: That of the network; it cuts texts to this length from now on.
        cfg: Its shape: whether it is causal, and its context.
        max_length: Longer texts are cut to so many tokens.
        seed: Chooses what is masked.

    Raises:
        UserError: Tokenizer and weights do not fit, there is no mask, or fewer than two texts have
            a token to ask for, so that no interval over texts can be had.
    """
    tokenizer.enable_truncation(min(max_length, cfg.context))
    encodings = tokenizer.encode_batch(list(texts))
    check_vocabulary([one.ids for one in encodings], cfg.vocabulary)
    if cfg.causal:
        asked = [_following(one) for one in encodings]
    else:
        mask = _mask(tokenizer)
        pairs = zip(texts, encodings, strict=True)
        asked = [_masked(one, mask, random.Random(_digest(text, seed))) for text, one in pairs]
    kept = [one for one in asked if one.targets]
    if len(kept) < 2:
        raise UserError(
            f"retention takes two texts of several words at least, but got {len(kept)} such "
            f"of {len(texts)}"
        )
    return kept


def _following(text: Encoding) -> Reading:
    """Each token from those before it."""
    places = [n for n in range(1, len(text.ids)) if not text.special_tokens_mask[n]]
    return Reading(
        tuple(text.ids), tuple(n - 1 for n in places), tuple(text.ids[n] for n in places)
    )


def _masked(text: Encoding, mask: int, rng: random.Random) -> Reading:
    """Some tokens from all others; one at least where there are two."""
    plain = [n for n, special in enumerate(text.special_tokens_mask) if not special]
    count = max(1, round(MASKED_SHARE * len(plain))) if len(plain) > 1 else 0
    places = sorted(rng.sample(plain, count))
    hidden = set(places)
    ids = tuple(mask if n in hidden else token for n, token in enumerate(text.ids))
    return Reading(ids, tuple(places), tuple(text.ids[n] for n in places))


def _mask(tokenizer: Tokenizer) -> int:
    """The number of the tokenizer's mask."""
    for mask in MASKS:
        number = tokenizer.token_to_id(mask)
        if number is not None:
            return int(number)
    raise UserError(
        f"retention of an encoder needs a mask, and its tokenizer has none of {', '.join(MASKS)}"
    )


def _digest(text: str, seed: int) -> bytes:
    """What decides the masks of a text: its words, and no place in a file."""
    return hashlib.sha256(f"{seed}\n{text}".encode()).digest()
