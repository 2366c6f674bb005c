"""From new tokens back to text, and where a checkpoint says that a text ends."""

import json

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from tunebench.data.text.tokens import continuation, encode, load_tokenizer, stop_tokens, unseen
from tunebench.errors import UserError

from tests import small


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"config": {"eos_token_id": 7}}, {7}),
        ({"config": {"eos_token_id": [7, 9]}}, {7, 9}),
        ({"config": {"eos_token_id": 7}, "generation_config": {"eos_token_id": [3, 4]}}, {3, 4}),
        ({"config": {"eos_token_id": 7}, "generation_config": {}}, {7}),
        ({"config": {"eos_token_id": None}}, set()),
        ({"config": {}}, set()),
        ({"config": {"eos_token_id": 0}}, {0}),
    ],
)
def test_a_folder_says_which_tokens_end_a_text(files, wanted, tmp_path):
    for name, settings in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(settings))
    assert stop_tokens(str(tmp_path)) == wanted


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "generation_config.json").write_text("{")
    with pytest.raises(UserError, match=r"generation_config\.json is not readable JSON"):
        stop_tokens(str(tmp_path))


def test_smollm2_ends_a_text_with_a_token_of_its_own():
    (stop,) = stop_tokens("smollm2")
    assert load_tokenizer("smollm2").id_to_token(stop) == "<|im_end|>"


def test_a_continuation_keeps_the_blank_that_stands_before_it():
    words = {"▁the": 0, "▁cat": 1, "s": 2, "</s>": 3}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="s"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(["</s>"])
    assert tokenizer.decode([1, 2]) == "cats"
    assert continuation(tokenizer, [0], [1, 2, 3]) == " cats"
    assert continuation(tokenizer, [0, 1], [2]) == "s"
    assert continuation(tokenizer, [0], []) == ""


def test_rows_of_unknown_tokens_alone_are_counted():
    made = small.tokenizer()
    rows = [("zzz qqq",), ("the zzz",), ("",), ("zzz", "qqq"), ("zzz", "the")]
    encoded = encode(made, rows, max_length=16, pairs=True)
    assert unseen(made, encoded) == 3
