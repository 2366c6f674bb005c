"""The built-in data: the same for everyone, well-formed, and closed to those who count words."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from random import Random

import pytest
from scipy.stats import binomtest
from tunebench.baselines.bag_of_words import bag_of_words, majority
from tunebench.data.digest import digest
from tunebench.data.pocket import (
    SOURCE,
    TASKS,
    TEST_ROWS,
    TRAIN_ROWS,
    acceptability,
    make,
    sentiment,
    similarity,
)
from tunebench.data.pocket.entailment import _DENIED_NEUTRAL
from tunebench.data.pocket.grammar import FUNCTION_WORDS, sentence, words_of
from tunebench.data.pocket.meanings import Part
from tunebench.data.pocket.qualities import KINDS, QUALITIES
from tunebench.data.tasks import Examples
from tunebench.errors import UnknownName

NAMES = tuple(TASKS)

BARS = {
    "acceptability": 0.05,
    "sentiment": 0.55,
    "paraphrase": 0.60,
    "entailment": 0.45,
    "similarity": 0.10,
}
"""What counting words may reach on test: chance, and a little for the luck of the draw."""


def _content(rows: Examples) -> set[str]:
    return words_of(text for texts in rows.texts for text in texts) - FUNCTION_WORDS


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_make_the_same_rows(name: str) -> None:
    program = f"from tunebench.data.pocket import make; print(make({name!r}).digest)"
    environment = os.environ | {"PYTHONHASHSEED": "12345"}
    command = [sys.executable, "-c", program]
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert made.stdout.strip() == make(name).digest


def test_the_pack_is_made_without_torch() -> None:
    program = (
        "import sys; from tunebench.data import pocket\n"
        "for name in pocket.TASKS: pocket.make(name)\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("name", NAMES)
def test_the_source_says_that_it_is_not_glue(name: str) -> None:
    data = make(name)
    assert data.source == SOURCE == "built-in pocket data, not GLUE"
    assert data.digest == digest(data.task, data.train, data.test, {})
    assert not data.extra_tests


@pytest.mark.parametrize("name", NAMES)
def test_no_content_word_of_test_occurs_in_train(name: str) -> None:
    data = make(name)
    assert not _content(data.train) & _content(data.test)


@pytest.mark.parametrize("name", NAMES)
def test_no_input_occurs_twice(name: str) -> None:
    data = make(name)
    texts = data.train.texts + data.test.texts
    assert len(set(texts)) == len(texts) == TRAIN_ROWS + TEST_ROWS
    assert len(set(data.train.ids + data.test.ids)) == TRAIN_ROWS + TEST_ROWS


@pytest.mark.parametrize("name", [name for name in NAMES if TASKS[name].labels])
def test_classes_are_even(name: str) -> None:
    data = make(name)
    for rows in (data.train, data.test):
        counts = Counter(rows.labels)
        assert set(counts) == {float(label) for label in range(len(data.task.labels))}
        assert max(counts.values()) - min(counts.values()) <= 1


def test_similarity_spreads_from_unlike_to_alike() -> None:
    labels = make("similarity").test.labels
    assert min(labels) >= 0
    assert max(labels) <= 5
    for low in range(5):
        assert sum(low <= label <= low + 1 for label in labels) >= 10


@pytest.mark.parametrize("name", NAMES)
def test_every_row_is_well_formed(name: str) -> None:
    data = make(name)
    for part, rows in (("train", data.train), ("test", data.test)):
        assert len(rows.ids) == len(rows.texts) == len(rows.labels)
        assert rows.ids[17] == f"{name}-{part}-17"
        for texts in rows.texts:
            assert len(texts) == len(data.task.text)
            for text in texts:
                assert text[0].isupper()
                assert text.endswith(".")
                assert text == " ".join(text.split())
                assert 3 <= len(text.split()) <= 16


@pytest.mark.parametrize("name", NAMES)
def test_counting_words_tells_next_to_nothing(name: str) -> None:
    row = bag_of_words(make(name))
    assert row.score is not None
    assert abs(row.score) <= BARS[name]


@pytest.mark.parametrize("name", [name for name in NAMES if len(TASKS[name].text) == 2])
def test_shared_content_words_say_nothing_of_the_label(name: str) -> None:
    data = make(name)
    for rows in (data.train, data.test):
        shared: dict[float, list[int]] = {}
        for (first, second), label in zip(rows.texts, rows.labels, strict=True):
            both = words_of([first]) & words_of([second]) - FUNCTION_WORDS
            shared.setdefault(label if data.task.labels else 0.0, []).append(len(both))
        means = [sum(counts) / len(counts) for counts in shared.values()]
        assert max(means) - min(means) <= 0.02 if data.task.labels else means == [0.0]


@pytest.mark.parametrize("name", NAMES)
def test_the_majority_class_is_below_the_bar_too(name: str) -> None:
    row = majority(make(name))
    assert row.score is not None
    assert row.score <= BARS[name]


def test_an_unknown_pocket_task_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'sentiment'"):
        make("sentimant")


def test_the_article_fits_the_next_word() -> None:
    assert sentence("it is a", "old", "lamp") == "It is an old lamp."
    assert sentence("a", "lamp", ", a", "old", "one") == "A lamp, an old one."


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_review_has_words_of_the_lists_alone(part: Part) -> None:
    lists = (
        *(word for words in sentiment._ADJECTIVES[part] for word in words),
        *(word for words in sentiment._VERBS[part] for word in words),
        *(word for words in sentiment._SUBJECTS[part] for word in words),
        *(word for phrase in sentiment._OCCASIONS[part] for word in phrase.split()),
    )
    data = make("sentiment")
    counted = _content(data.train if part == "train" else data.test)
    assert counted == {word.lower() for word in lists} - FUNCTION_WORDS


def _quality(part: Part, first: str, second: str) -> str:
    """How the second text's adjective is to the first one's, by the word lists; empty for none."""
    sides = [set(side) for _, meanings in QUALITIES[part] for side in meanings]
    opposite = [set(side) for _, meanings in QUALITIES[part] for side in reversed(meanings)]
    one, two = words_of([first]), words_of([second])
    for same, other in zip(sides, opposite, strict=True):
        if same & one:
            return "same" if same & two else "opposite" if other & two else "unrelated"
    return ""


def _kind(part: Part, first: str, second: str) -> str:
    """Which text names a kind, by the word lists; empty where none says what was chosen."""
    if not any(start in first for start in ("riddle", "favourite", "choice", "in mind")):
        return ""
    one, two = words_of([first]), words_of([second])
    for kind, members in KINDS[part].items():
        if kind in one:
            return "member of it" if {m.lower() for m in members} & two else "neither"
        if kind in two:
            return "its kind" if {m.lower() for m in members} & one else "another kind"
    return ""


def _relations(name: str, part: Part) -> Counter[tuple[float, str]]:
    """How often each class has each relation of two qualities, or of a member and a kind."""
    data = make(name)
    rows = data.train if part == "train" else data.test
    counts: Counter[tuple[float, str]] = Counter()
    for (first, second), label in zip(rows.texts, rows.labels, strict=True):
        if relation := _kind(part, first, second) or _quality(part, first, second):
            counts[label, relation] += 1
    return counts


@pytest.mark.parametrize(("part", "rows"), [("train", TRAIN_ROWS), ("test", TEST_ROWS)])
def test_one_pair_of_eight_says_of_a_bearer_the_same_quality_or_the_opposite(
    part: Part, rows: int
) -> None:
    assert _relations("paraphrase", part) == {(1, "same"): rows // 16, (0, "opposite"): rows // 16}


@pytest.mark.parametrize(("part", "rows"), [("train", TRAIN_ROWS), ("test", TEST_ROWS)])
def test_one_pair_of_eight_follows_by_its_quality_and_one_by_its_kind(
    part: Part, rows: int
) -> None:
    qualities = {(0, "same"), (1, "unrelated"), (2, "opposite")}
    kinds = {(0, "its kind"), (1, "member of it"), (2, "another kind")}
    counted = _relations("entailment", part)
    assert counted.keys() == qualities | kinds
    # The last 24 may be begun and not ended.
    assert {count - rows // 24 for count in counted.values()} <= {0, 1}


@pytest.mark.parametrize("part", ["train", "test"])
def test_events_are_denied_where_they_contradict_and_in_a_quarter_of_the_neutral(
    part: Part,
) -> None:
    data = make("entailment")
    rows = data.train if part == "train" else data.test
    denied: dict[float, list[bool]] = {0: [], 1: [], 2: []}
    for (first, second), label in zip(rows.texts, rows.labels, strict=True):
        if not _kind(part, first, second) and not _quality(part, first, second):
            denials = {"never", "not", "lie", "no", "untrue", "false"}
            denied[label].append(bool(denials & words_of([second])))
    assert (any(denied[0]), all(denied[2])) == (False, True)
    assert binomtest(sum(denied[1]), len(denied[1]), _DENIED_NEUTRAL).pvalue > 0.01


WELL_FORMED = (
    "the HOW THING in the WHERE is HOW",
    "the HOW THINGs in the WHERE are HOW",
    "the WHO has TAKEN the HOW THING in the WHERE",
    "the WHO will TAKE the HOW THING in the WHERE",
    "the WHO TOOK the THING in the WHERE",
    "the WHO TOOK this HOW THING",
    "the HOW THING was never in our WHERE",
    "there is a WHO with her HOW THING",
    "the THING that the WHO TOOK was HOW",
    "the THINGs that the WHO TOOK were HOW",
    "our WHO had TAKEN a HOW THING",
    "our WHO could TAKE a HOW THING",
    "at our WHERE the WHO TOOK a THING",
    "my WHO has a HOW THING",
    "that THING had been TAKEN by their WHO",
    "THINGs in the WHERE are often HOW",
)
"""A grammar by itself: what English allows of the forms, word for word."""


@pytest.mark.parametrize("part", ["train", "test"])
def test_acceptable_is_what_a_grammar_allows(part: Part) -> None:
    base, past, participle = zip(*acceptability._VERBS[part], strict=True)
    words = {
        "HOW": acceptability._QUALITIES[part],
        "THING": acceptability._THINGS[part],
        "WHO": acceptability._PEOPLE[part],
        "WHERE": acceptability._PLACES[part],
        "TAKEN": participle,
        "TAKE": base,
        "TOOK": past,
    }
    grammar = re.compile(
        "|".join(
            re.sub("[A-Z]+", lambda name: f"({'|'.join(words[name[0]])})", form)
            for form in WELL_FORMED
        )
    )
    data = make("acceptability")
    rows = data.train if part == "train" else data.test
    allowed = [
        bool(grammar.fullmatch(text.removesuffix(".").lower().replace(" an ", " a ")))
        for (text,) in rows.texts
    ]
    assert allowed == [data.task.labels[int(label)] == "acceptable" for label in rows.labels]


@pytest.mark.parametrize("name", NAMES)
def test_an_stands_before_vowels_and_a_before_all_else(name: str) -> None:
    data = make(name)
    texts = [text.lower() for rows in (data.train, data.test) for row in rows.texts for text in row]
    matches = [match.groups() for text in texts for match in re.finditer(r"\b(an?) (\w+)", text)]
    assert matches
    # Words in disorder may have two articles in a row, and "a a" stays as it is.
    wrong = [
        (article, word)
        for article, word in matches
        if word != "a" and (article == "an") != (word[0] in "aeiou" or word == "hour")
    ]
    assert wrong == []


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_third_of_the_pairs_is_alike_a_third_in_nothing_and_a_third_between(part: Part) -> None:
    random = Random(0)
    thirds: list[list[float]] = [[], [], []]
    for index in range(300):
        thirds[index % 3].append(similarity.draw(part, index, random).label)
    alike, unlike, between = thirds
    assert {*alike} == {5.0}
    # Three parts, of which each may still be near: two fifths of its points.
    assert max(unlike) <= 2.0
    assert min(unlike) == 0.0
    assert min(between) < 1.0
    assert max(between) == 5.0
    assert len({*between}) > 5
