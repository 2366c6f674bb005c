"""Templates as token ids: the tokenizer's own ids of the whole text are the oracle."""

import pytest
from tokenizers import AddedToken, Tokenizer, models, normalizers
from tunebench.checkpoints.checkpoint import Checkpoint
from tunebench.data.tasks import get_task
from tunebench.data.text.built_in_templates import BUILT_IN, built_in
from tunebench.data.text.template import parse
from tunebench.data.text.template_encoding import encode_template, mask_of, word_id
from tunebench.errors import UserError

SST2, RTE = get_task("sst2"), get_task("rte")
TEXTS = ("it 's a charming and often affecting journey .", "Café ☕ 42", "", "  bad ", "[MASK] it")
LONG = ("one two three four five six seven eight nine ten", "a b c d")
REVIEW = "Review: {sentence}\nSentiment:"
NAMES = ("smollm2", "minilm")


@pytest.fixture(scope="module", params=NAMES)
def reader(request):
    return Checkpoint.open(request.param).load_tokenizer(), request.param == "smollm2"


def written(causal: bool, text: str = REVIEW) -> str:
    return text if causal else f"{text} [MASK]."


def test_a_posed_row_is_the_tokenizer_s_own_reading_of_the_whole_text(reader):
    tokenizer, causal = reader
    template = parse(written(causal), SST2, causal=causal)
    encoded = encode_template(tokenizer, template, [(text,) for text in TEXTS], max_length=64)
    for row, text in enumerate(TEXTS):
        whole = tokenizer.encode(written(causal).replace("{sentence}", text))
        assert list(encoded.ids[row]) == whole.ids
        assert list(encoded.segments[row]) == whole.type_ids
    assert encoded.truncated == 0


@pytest.mark.parametrize("before", [True, False])
def test_a_soft_token_stands_before_the_token_that_begins_there_or_after_all_text(reader, before):
    tokenizer, causal = reader
    if causal:
        # No soft token may end a decoder's template.
        text = "[P] {sentence}[P] so" if before else "Say[P] {sentence} so"
    else:
        text = "[P] {sentence}[P] so [MASK]" if before else "Say[P] {sentence} so [MASK] [P]"
    encoded = encode_template(
        tokenizer, parse(text, SST2, causal=causal), [("good",)], max_length=64
    )
    (ids,), (spans,) = encoded.ids, encoded.spans
    words = [tokenizer.decode([token]).strip() for token in ids]
    marks = 0 if causal else 1
    last = [] if causal or before else [len(ids) - marks]
    wanted = ["good", "so"] if before else ["good"]
    assert spans.soft_token_positions == (*(words.index(word) for word in wanted), *last)


def test_the_word_is_read_from_the_last_token_or_from_the_template_s_own_mask(reader):
    tokenizer, causal = reader
    template = parse(written(causal), SST2, causal=causal)
    encoded = encode_template(tokenizer, template, [(text,) for text in TEXTS], max_length=64)
    for ids, place in zip(encoded.ids, encoded.spans, strict=True):
        if causal:
            assert place.read == len(ids) - 1
        else:
            mask = tokenizer.token_to_id("[MASK]")
            assert place.read == max(n for n, token in enumerate(ids) if token == mask)


def test_slots_stand_between_the_tokens_that_they_stand_between_in_the_template(reader):
    tokenizer, causal = reader
    text = "[P]Review:[P] {sentence}[P]\nSentiment[P]:"
    template = parse(written(causal, text), SST2, causal=causal)
    plain = parse(written(causal, text.replace("[P]", "")), SST2, causal=causal)
    rows = [("it 's good .",), ("",)]
    encoded, without = (
        encode_template(tokenizer, one, rows, max_length=64) for one in (template, plain)
    )
    assert encoded.ids == without.ids
    for ids, place in zip(encoded.ids, encoded.spans, strict=True):
        ends = [tokenizer.decode(list(ids[:n])).lower().strip() for n in place.soft_token_positions]
        column = "review: it ' s good." if not causal else "review: it 's good ."
        assert ends[0] == ""
        assert ends[1] in ("review:", "review :")
        assert ends[2].replace(" ", "") in (column.replace(" ", ""), "review:")
        assert ends[3].endswith("sentiment")


@pytest.mark.parametrize("max_length", range(22, 34))
def test_only_columns_are_cut_the_longest_first_and_slots_stay(reader, max_length):
    tokenizer, causal = reader
    text = "First: {sentence1}[P]\nSecond: {sentence2}\nDo they mean the same?[P] Answer:"
    template = parse(written(causal, text), RTE, causal=causal)
    whole = encode_template(tokenizer, template, [LONG], max_length=128)
    cut = encode_template(tokenizer, template, [LONG], max_length=max_length)
    kept = list(cut.ids[0])
    assert len(kept) == min(max_length, len(whole.ids[0]))
    assert cut.truncated == (len(whole.ids[0]) > max_length)
    shorter = [LONG[0].split()[:n] for n in range(11)], [LONG[1].split()[:n] for n in range(5)]
    fits = [
        list(
            encode_template(tokenizer, template, [(" ".join(a), " ".join(b))], max_length=128).ids[
                0
            ]
        )
        for a in shorter[0]
        for b in shorter[1]
        if len(a) >= len(b) or len(b) == 4
    ]
    assert kept in fits
    again = encode_template(tokenizer, template, [LONG], max_length=128).spans[0]
    lost = len(whole.ids[0]) - len(kept)
    assert again.read - cut.spans[0].read == lost
    assert again.soft_token_positions[1] - cut.spans[0].soft_token_positions[1] == lost


def test_a_template_longer_than_the_limit_is_refused(reader):
    tokenizer, causal = reader
    template = parse(written(causal), SST2, causal=causal)
    with pytest.raises(UserError, match=r"longer than the 4 tokens of data\.max_length"):
        encode_template(tokenizer, template, [("good",)], max_length=4)


def test_a_label_word_follows_after_a_space_but_for_a_line_break():
    tokenizer = Checkpoint.open("smollm2").load_tokenizer()
    spaced = parse("{sentence} It was", SST2, causal=True)
    broken = parse("{sentence}\n", SST2, causal=True)
    for template, text in ((spaced, " great"), (broken, "great")):
        encoded = word_id(tokenizer, template, "great", causal=True)
        assert [encoded] == tokenizer.encode(text).ids


def test_a_mask_that_takes_the_space_before_it_holds_a_word_with_a_space():
    tokenizer = Checkpoint.open("smollm2").load_tokenizer()
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    template = parse("{sentence} It was [MASK].", SST2, causal=False)
    for word in ("great", "terrible"):
        encoded = word_id(tokenizer, template, word, causal=False)
        assert [encoded] == tokenizer.encode(f" {word}").ids
    inside = encode_template(tokenizer, template, [("good",)], max_length=64)
    masked = inside.ids[0].index(tokenizer.token_to_id("<mask>"))
    whole = tokenizer.encode("good It was great.").ids
    assert [*inside.ids[0][:masked], *inside.ids[0][masked + 1 :]] == whole[:masked] + whole[
        masked + 1 :
    ]


@pytest.fixture(scope="module")
def pieces():
    """Pieces that begin with a mark for a space, one put before every text, as Llama 2 has them."""
    merges, vocabulary = list[tuple[str, str]](), ["<unk>", *"\n▁abegirstw"]
    for word in ("great", "it", "is", "was"):
        merges += [(word[:end], word[end]) for end in range(1, len(word))]
        merges.append(("▁", word))
    numbered = {piece: n for n, piece in enumerate([*vocabulary, *map("".join, merges)])}
    made = Tokenizer(models.BPE(vocab=numbered, merges=merges, unk_token="<unk>"))
    spaces = normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")
    made.normalizer = normalizers.Sequence(list(spaces))
    return made


@pytest.mark.parametrize(
    ("written", "token"), [("{sentence} is", "▁great"), ("{sentence}\n", "great")]
)
def test_a_space_is_what_the_tokenizer_makes_of_it(pieces, written, token):
    template = parse(written, SST2, causal=True)
    assert word_id(pieces, template, "great", causal=True) == pieces.token_to_id(token)


@pytest.mark.parametrize(
    ("name", "word", "message"),
    [
        ("smollm2", "entailment", "must be one token, but 'entailment' is 2 here"),
        ("smollm2", "two words", "is 2 here"),
        ("minilm", "unputdownable", "must be one token"),
        ("minilm", "", "is 0 here .nothing."),
        ("minilm", "☃", "is not in this backbone's vocabulary"),
    ],
)
def test_a_label_word_that_is_no_single_token_is_refused(name, word, message):
    causal = name == "smollm2"
    template = parse(written(causal), SST2, causal=causal)
    with pytest.raises(UserError, match=message):
        word_id(Checkpoint.open(name).load_tokenizer(), template, word, causal=causal)


def test_every_built_in_label_word_is_one_token_of_its_own(reader):
    tokenizer, causal = reader
    for name in BUILT_IN:
        task = get_task(name)
        for text, words in built_in(task, causal=causal):
            template = parse(text, task, causal=causal)
            ids = {word_id(tokenizer, template, word, causal=causal) for word in words}
            assert len(ids) == len(words)


def test_a_mask_that_the_tokenizer_lacks_is_refused():
    template = parse("{sentence} [MASK]", SST2, causal=False)
    with pytest.raises(UserError, match="tokenizer has no mask"):
        mask_of(Checkpoint.open("smollm2").load_tokenizer(), template)
