"""Templates as they are written: what they become, and what is refused."""

import pytest
from tunebench.data.tasks import get_task
from tunebench.data.text.built_in_templates import BUILT_IN, built_in
from tunebench.data.text.template import parse
from tunebench.errors import UserError

SST2, RTE, QNLI, MRPC = map(get_task, ("sst2", "rte", "qnli", "mrpc"))
PAIR = ("A b.", "c d")


def test_columns_are_put_where_the_template_has_them():
    filled = parse("Is it that {sentence2}? {sentence1} So:", RTE, causal=True).fill(PAIR)
    assert filled.text == "Is it that c d? A b. So:"
    assert [filled.text[a:b] for a, b in filled.columns] == ["c d", "A b."]
    assert filled.soft_token_positions == ()
    assert filled.mask is None


@pytest.mark.parametrize(
    ("task", "written"),
    [
        (QNLI, "{sentence} {question}"),
        (QNLI, "{sentence2} {sentence1}"),
        (MRPC, "{#2 String} {#1 String}"),
    ],
)
def test_a_column_goes_by_its_own_name_and_by_its_place(task, written):
    assert parse(written, task, causal=True).fill(PAIR).text == "c d A b."


@pytest.mark.parametrize(
    ("written", "text", "positions"),
    [
        ("[P]{sentence}[P] It was", "good It was", [0, 4]),
        ("[P] [P] It: {sentence} [P] [P]so", "It: goodso", [0, 0, 8, 8]),
        ("It [P] is {sentence}:", "It is good:", [2]),
        ("It is {sentence} ", "It is good", []),
        (r"{sentence}\nSo:", "good\nSo:", []),
    ],
)
def test_a_slot_takes_no_room_and_the_spaces_before_it(written, text, positions):
    template = parse(written, SST2, causal=True)
    filled = template.fill(("good",))
    assert (filled.text, list(filled.soft_token_positions)) == (text, positions)
    assert template.soft_tokens == len(positions)


def test_what_a_text_holds_is_never_read_as_a_template():
    filled = parse("{{x}} {sentence}!", SST2, causal=True).fill(("{a} [P] [MASK] {{",))
    assert filled.text == "{x} {a} [P] [MASK] {{!"
    assert filled.mask is None


def test_an_encoder_s_mask_is_written_as_its_tokenizer_writes_it():
    filled = parse("{sentence}[P] It was [MASK].", SST2, causal=False).fill(("ok",), "<mask>")
    assert filled.text == "ok It was <mask>."
    assert filled.text[filled.mask :].startswith("<mask>")


@pytest.mark.parametrize(
    ("written", "task", "causal", "message"),
    [
        ("It was", SST2, True, "lacks the column {sentence} of sst2"),
        ("", SST2, True, "lacks the column {sentence}"),
        ("{sentence1}", RTE, True, "lacks the column {sentence2}"),
        ("{sentence} {sentence1}", SST2, True, "repeats the column {sentence}"),
        ("{text}", SST2, True, "has no column 'text' .there are: {sentence1}, {sentence}"),
        ("{sentence", SST2, True, "a brace stands alone"),
        ("sentence} {sentence}", SST2, True, "a brace stands alone"),
        ("{sentence}: [MASK]", SST2, True, "is for encoders"),
        ("{sentence}[P]", SST2, True, r"no \[P\] may end it"),
        ("{sentence}:", SST2, False, "has one .MASK., but this has 0"),
        ("{sentence}: [MASK] [MASK]", SST2, False, "but this has 2"),
    ],
)
def test_a_template_that_does_not_fit_is_refused_with_its_text(written, task, causal, message):
    with pytest.raises(UserError, match=message) as refused:
        parse(written, task, causal=causal)
    assert str(refused.value).startswith(f"data.template {written!r}: ")


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_built_in_template_fits_its_task(name, causal):
    task = get_task(name)
    for written, words in built_in(task, causal=causal):
        parse(written, task, causal=causal)
        assert len(words) == len(set(words)) == len(task.labels)


def test_every_classification_has_a_built_in_template():
    from tunebench.data.tasks import task_names

    classifications = {
        name for name in task_names() if get_task(name).objective == "classification"
    }
    assert set(BUILT_IN) == classifications
