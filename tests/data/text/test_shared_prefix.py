"""What stands before every text: cut off and put back, the rows are what they were."""

import pytest
from tunebench.backbone.layout import SharedPrefix
from tunebench.checkpoints.checkpoint import Checkpoint
from tunebench.data.tasks import get_task
from tunebench.data.text.shared_prefix import find_shared_prefix, leading
from tunebench.data.text.template import parse
from tunebench.data.text.template_encoding import encode_template
from tunebench.data.text.tokens import Encoded, TemplateSpans

SST2 = get_task("sst2")
TEXTS = ("it 's a charming and often affecting journey .", "Café ☕ 42", "", "  bad ", "s")


@pytest.fixture(scope="module")
def tokenizer():
    return Checkpoint.open("smollm2").load_tokenizer()


def with_template(tokenizer, written, texts=TEXTS):
    template = parse(written, SST2, causal=True)
    rows = encode_template(tokenizer, template, [(text,) for text in texts], max_length=64)
    return template, rows, find_shared_prefix(tokenizer, template, [rows])


@pytest.mark.parametrize(
    ("written", "positions", "later"),
    [
        ("Here is a review: {sentence}\nSo:", (0,), 0),
        ("[P]Here is a review: {sentence}\nSo:", (0,), 0),
        ("Here[P] is a review:[P] {sentence}\nSo:", (1, 5), 0),
        ("[P]Here is a review:[P] {sentence}[P]\nSo[P]:", (0, 5), 2),
        ("{sentence}[P] So:", (), 1),
        ("[P]{sentence} So:", (0,), 0),
    ],
)
def test_what_was_cut_put_back_is_the_whole_row(tokenizer, written, positions, later):
    template, rows, prefix = with_template(tokenizer, written)
    assert (prefix.soft_token_positions, prefix.later_soft_tokens) == (positions, later)
    assert len(prefix.soft_token_positions) + prefix.later_soft_tokens == (
        template.soft_tokens or 1
    )
    short = rows.without_prefix(len(prefix.ids), len(prefix.soft_token_positions))
    for n in range(len(rows)):
        assert prefix.ids + short.ids[n] == rows.ids[n]
        assert len(short.segments[n]) == len(short.ids[n])
        leading_places = () if not template.soft_tokens else prefix.soft_token_positions
        shifted = tuple(place + len(prefix.ids) for place in short.spans[n].soft_token_positions)
        assert leading_places + shifted == rows.spans[n].soft_token_positions
        assert short.spans[n].read + len(prefix.ids) == rows.spans[n].read
        assert 0 <= short.spans[n].read < len(short.ids[n])


def test_a_token_that_joins_template_and_text_is_not_in_front(tokenizer):
    """A space before a text is its first token's own; letters without a space between become one
    token with some texts, which no list of probes foresees: the rows themselves are compared."""
    _, _, spaced = with_template(tokenizer, "Review: {sentence}\nSo:")
    assert list(spaced.ids) == tokenizer.encode("Review:").ids
    single, joined = tokenizer.encode("Some").ids, tokenizer.encode("Something").ids
    assert len(joined) == 1 != single[0]
    template, rows, prefix = with_template(
        tokenizer, "It: Some{sentence}\nSo:", ("thing", "one", "x", "")
    )
    assert list(prefix.ids) == tokenizer.encode("It:").ids
    assert len({row[len(prefix.ids)] for row in rows.ids}) > 1
    assert prefix.ids == leading(tokenizer, template)[: len(prefix.ids)]


def test_a_row_that_the_probes_did_not_foresee_shortens_the_front(tokenizer):
    template, rows, prefix = with_template(tokenizer, "Here is a review:[P] {sentence}\nSo:")
    assert len(prefix.ids) == 5
    odd = Encoded(((*prefix.ids[:3], 7, 8, 9),), ((0,) * 6,), 0, (TemplateSpans((5,), 5),))
    shared = find_shared_prefix(tokenizer, template, [rows, odd])
    assert shared == SharedPrefix(prefix.ids[:3], (), 1)


def test_every_row_keeps_the_token_that_is_read(tokenizer):
    _, rows, prefix = with_template(tokenizer, "Review:{sentence}", ("good", "", " bad"))
    assert rows.spans[1].read == len(prefix.ids)
    assert len(rows.ids[1]) == len(prefix.ids) + 1


def test_an_encoder_s_opening_mark_is_in_front_too():
    tokenizer = Checkpoint.open("minilm").load_tokenizer()
    template = parse("{sentence} [MASK]", SST2, causal=False)
    rows = encode_template(tokenizer, template, [(text,) for text in TEXTS], max_length=64)
    assert find_shared_prefix(tokenizer, template, [rows]).ids == (tokenizer.token_to_id("[CLS]"),)
