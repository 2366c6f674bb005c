"""From new tokens back to text, and texts that a tokenizer cannot see."""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from tunebench.data.text.tokens import Encoded, TemplateSpans, continuation, encode, unseen

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


def test_ids_and_segments_are_the_tokenizer_s_own_and_an_empty_text_has_one_token():
    made = Tokenizer(models.WordLevel({"the": 0, "cat": 1, "sat": 2, "\n": 3}, unk_token="the"))
    made.pre_tokenizer = pre_tokenizers.Split(" ", "removed")
    made.post_processor = processors.TemplateProcessing(single="$A:0", pair="$A:0 $B:1")
    rows = [("the cat",), ("cat", "the sat"), ("",)]
    encoded = encode(made, rows, max_length=16, pairs=True)
    assert encoded.ids == ((0, 1), (1, 0, 2), (3,))
    assert encoded.segments == ((0, 0), (0, 1, 1), (0,))


def test_places_are_counted_from_where_a_row_begins_without_its_first_tokens():
    spans = (TemplateSpans((1, 3, 4), 5), TemplateSpans((1, 5, 7), 6))
    rows = Encoded(((1, 2, 3, 4, 5, 6), (1, 2, 7, 8, 9, 0, 3)), ((0,) * 6, (0,) * 7), 1, spans)
    rest = rows.without_prefix(2, 1)
    assert rest.ids == ((3, 4, 5, 6), (7, 8, 9, 0, 3))
    assert rest.segments == ((0,) * 4, (0,) * 5)
    assert rest.spans == (TemplateSpans((1, 2), 3), TemplateSpans((3, 5), 4))
    for before, after, ids in zip(spans, rest.spans, rows.ids, strict=True):
        assert ids[before.read] == ids[2:][after.read]


def test_rows_are_taken_with_all_that_belongs_to_them():
    spans = tuple(TemplateSpans((n,), n + 1) for n in range(3))
    rows = Encoded(((1, 2), (3,), (4, 5, 6)), ((0, 1), (1,), (0, 0, 1)), 2, spans)
    taken = Encoded(((4, 5, 6), (1, 2)), ((0, 0, 1), (0, 1)), 0, (spans[2], spans[0]))
    assert rows.take([2, 0]) == taken
    assert Encoded(rows.ids, rows.segments, 0).take([1]) == Encoded(((3,),), ((1,),), 0)
