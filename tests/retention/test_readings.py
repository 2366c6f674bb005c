"""What is asked of a language model: the right tokens, the same for every model."""

from __future__ import annotations

from pathlib import Path

import pytest
from tunebench.checkpoints.checkpoint import Checkpoint
from tunebench.errors import UserError
from tunebench.retention.readings import Reading, readings


def read(folder: Path, texts: list[str], **more: int) -> list[Reading]:
    checkpoint = Checkpoint.open(folder)
    settings = {"max_length": 40} | more
    return readings(texts, checkpoint.load_tokenizer(), checkpoint.config, **settings)


def test_a_decoder_is_asked_for_each_token_after_the_first(causal: Path, texts: list[str]) -> None:
    tokenizer = Checkpoint.open(causal).load_tokenizer()
    for text, one in zip(texts, read(causal, texts), strict=True):
        ids = tokenizer.encode(text).ids
        assert list(one.ids) == ids
        assert [ids[place + 1] for place in one.places] == list(one.targets) == ids[1:]


def test_an_encoder_is_asked_for_what_is_masked_and_nothing_else(
    masked: Path, texts: list[str]
) -> None:
    tokenizer = Checkpoint.open(masked).load_tokenizer()
    mask = tokenizer.token_to_id("[MASK]")
    for text, one in zip(texts, read(masked, texts), strict=True):
        ids = tokenizer.encode(text).ids
        assert [n for n, token in enumerate(one.ids) if token == mask] == list(one.places)
        assert [ids[n] for n in one.places] == list(one.targets)
        kept = set(range(len(ids))) - set(one.places)
        assert all(one.ids[n] == ids[n] for n in kept)
        # [CLS] and [SEP] are not asked for: they stand in every text.
        assert {0, len(ids) - 1} <= kept
        assert len(one.places) == max(1, round(0.15 * (len(ids) - 2)))


def test_masks_belong_to_the_text_and_the_seed(masked: Path, texts: list[str]) -> None:
    there = dict(zip(texts, read(masked, texts), strict=True))
    back = dict(zip(texts[::-1], read(masked, texts[::-1]), strict=True))
    assert there == back
    other = dict(zip(texts, read(masked, texts, seed=1), strict=True))
    assert there != other


def test_texts_are_cut_and_those_with_nothing_to_ask_left_out(
    causal: Path, texts: list[str]
) -> None:
    cut = read(causal, [*texts, "film"], max_length=5)
    assert len(cut) == len(texts)
    assert max(len(one.ids) for one in cut) == 5


def test_too_few_texts_and_a_missing_mask_are_refused(
    causal: Path, masked: Path, texts: list[str], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="two texts of several words at least, but got 1 such of 2"):
        read(causal, [texts[0], "film"])
    from tests import small

    with pytest.raises(UserError, match="its tokenizer has none of"):
        read(small.make_folder(tmp_path / "tiny-bert"), texts)
