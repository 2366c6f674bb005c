"""From new tokens back to text, and texts that a tokenizer cannot see."""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from tunebench.data.text.tokens import continuation, encode, unseen

from tests import small


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
