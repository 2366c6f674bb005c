"""Which words go with which template: one's own before the built-in ones."""

import pytest
from tunebench.data.tasks import get_task
from tunebench.data.text.built_in_templates import built_in
from tunebench.training.verbalizer import _written

MINE = ("good", "bad")


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("words", [(), MINE])
def test_auto_stands_for_the_built_in_templates_and_the_own_words_go_first(words, causal):
    task = get_task("sst2")
    ours = built_in(task, causal=causal)
    assert ours
    written = _written(task, ("mine {sentence}", "auto"), words, causal)
    assert written == [
        ("mine {sentence}", words or ours[0][1]),
        *((text, words or usual) for text, usual in ours),
    ]


def test_a_template_that_is_written_twice_is_asked_once():
    ours = built_in(get_task("sst2"), causal=True)
    again = _written(get_task("sst2"), ("auto", "auto", ours[0][0]), (), causal=True)
    assert again == list(ours)
