"""What tuning gained, on the page, in Markdown and on the terminal: as it was recorded."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console
from tunebench.analysis import Analysis, analyse
from tunebench.analysis.studies import LEAST_FOR_IMPORTANCES
from tunebench.records import Comparison, Study
from tunebench.report import markdown, page, terminal, tuning

from tests.records import comparison, name_of, trial

TRIALS = 10


def records(trials: int = TRIALS, random: int = 9, **experiment: object) -> Comparison:
    """Two methods whose studies have so many trials, of which trial 0 is no random one."""
    made = comparison(("sst2",), ("lora", "head"), (0, 1), trials)
    studies = tuple(Study(name_of("sst2", m), "sst2", m, 100, "accuracy") for m in made.methods)
    search = {"trials": trials, "random_trials": random}
    return replace(made, studies=studies, experiment={**made.experiment, "search": search})


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return analyse(records())


def test_a_line_has_the_numbers_of_its_study(analysis: Analysis) -> None:
    study = analysis.studies[0]
    label, trials, default, tuned, gain, one, best, band, importance = tuning.tuning_texts(study)
    assert study.best is not None
    assert study.curve is not None
    assert (label, trials) == ("lora", "10")
    assert (default, tuned) == (f"{study.default_score:.3f}", f"{study.best.score:.3f}")
    assert gain == f"{study.best.score - study.default_score:+.3f}"  # type: ignore[operator]
    assert (one, best) == (f"{study.curve.expected[0]:.3f}", f"{study.curve.expected[7]:.3f}")
    assert study.curve.trials == 8
    assert band == f"{study.curve.low[7]:.3f} to {study.curve.high[7]:.3f}"
    assert importance == "not measured"


def test_too_few_trials_have_no_curve_and_say_so() -> None:
    few = analyse(records(4, 4))
    study = few.studies[0]
    assert tuning.tuning_texts(study)[5:8] == ("", "", "")
    assert (
        study.importances
        == f"not measured: 4 complete trials, and {LEAST_FOR_IMPORTANCES} it takes"
    )
    text = page.text(few, {})
    assert "3 random trials say too little" in text
    assert "multiples" not in text.partition("</style>")[2]
    assert "3 random trials say too little" in markdown.text(few)


def test_one_trial_is_no_search() -> None:
    single = analyse(records(1, 4))
    assert tuning.shown(single.tasks[0]) == []
    assert "Tuning" not in page.text(single, {}).partition("</style>")[2]
    assert "### Tuning" not in markdown.text(single)
    assert "Tuning gained" not in printed(single)


def printed(analysis: Analysis) -> str:
    file = io.StringIO()
    from pathlib import Path

    terminal.show(analysis, Path("runs"), Console(file=file, width=200))
    return file.getvalue()


def test_the_terminal_says_in_one_line_what_was_gained(analysis: Analysis) -> None:
    gains = [f"{study.study.method} {study.gain:+.3f}" for study in analysis.studies]
    line = f"Tuning gained over the defaults, on the validation rows: {' and '.join(gains)}."
    assert line in printed(analysis).replace("\n", " ")


def test_the_page_draws_a_curve_with_its_band_for_each_method(analysis: Analysis) -> None:
    text = page.text(analysis, {})
    drawings = re.findall(r'<svg[^>]*class="multiple".*?</svg>', text, re.S)
    assert len(drawings) == 2
    for drawing, study in zip(drawings, analysis.studies, strict=True):
        assert study.curve is not None
        (band,) = re.findall(r'<polygon points="([^"]*)"', drawing)
        assert len(band.split()) == 2 * study.curve.trials
        (line,) = re.findall(r'<polyline points="([^"]*)" class="line"', drawing)
        heights = [float(point.split(",")[1]) for point in line.split()]
        # Up is better, and more trials are never worse.
        assert heights == sorted(heights, reverse=True)
        assert study.curve.summary in drawing


def test_importances_stand_in_the_table_the_largest_first() -> None:
    made = records()
    shares = {"lr": 0.7, "rank": 0.3}
    studies = tuple(replace(study, importances=shares) for study in made.studies)
    text = markdown.text(analyse(replace(made, studies=studies)))
    assert "lr 0.70, rank 0.30" in text


def test_a_search_by_itself_says_what_random_trials_reach(analysis: Analysis) -> None:
    made = records()
    searched = analyse(replace(made, results=(), seeds=()))
    curve = searched.studies[0].curve
    assert curve is not None
    for text in (markdown.text(searched), page.text(searched, {}), printed(searched)):
        assert curve.summary in text.replace("\n", " ")
        assert "Importance of settings: not measured." in text


def test_a_failed_trial_is_counted_beside_the_others() -> None:
    made = records()
    failed = trial("sst2", "lora", 3, "diverged")
    trials = tuple(
        failed if (one.study, one.number) == (failed.study, 3) else one for one in made.trials
    )
    study = analyse(replace(made, trials=trials)).studies[0]
    assert tuning.tuning_texts(study)[1] == "10, 1 failed"
    assert "failed count with 0" in tuning.under([study])


def learned() -> Comparison:
    """Every trial with two epochs, the second of which has its score."""
    made = records()
    trials = tuple(
        replace(one, curve=replace(one.curve, epochs=(10, 20), validation=(0.6, one.score or 0.0)))
        for one in made.trials
    )
    return replace(made, trials=trials)


def test_trials_of_several_epochs_are_drawn_epoch_by_epoch(analysis: Analysis) -> None:
    made = analyse(learned())
    for shown in (made, analyse(replace(learned(), results=(), seeds=()))):
        source = page.text(shown, {})
        for study in made.studies:
            drawings = re.findall(
                rf'<svg[^>]*aria-label="([^"]*) by epoch of {study.label}".*?</svg>', source
            )
            assert drawings == ["validation score", "training loss"]
        lines = re.findall(r'<polyline points="[^"]*" class="(\w+)"><title>', source)
        lines = re.findall(r'class="(line|thin)"><title>trial', source) or lines
        assert lines
    assert "by epoch of" not in page.text(analysis, {})


def test_the_best_trial_is_drawn_over_the_others() -> None:
    made = analyse(learned())
    (study, _) = made.studies
    drawing = tuning.epochs([study], ["lora"])
    titles = re.findall(r"<title>trial (\d+)(, the best)?", drawing)[: len(study.trials)]
    assert study.best is not None
    assert titles[-1] == (str(study.best.number), ", the best")
    assert len(titles) == len(study.trials)
