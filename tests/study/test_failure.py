"""A method that fails is a row that says so, and the others run."""

import pytest
from tunebench.__main__ import main
from tunebench.cli import comparing
from tunebench.store.store import Store
from tunebench.study import cell
from tunebench.study.compare import compare
from tunebench.study.doctor import examine
from tunebench.training.watch import DivergedError

from tests import small

WILD = {"full": {"lr": 1e30}, "head": {}}


@pytest.mark.usefixtures("records_only")
def test_a_method_whose_trials_diverge_is_a_row_and_the_others_run(checkpoint, out):
    experiment = small.experiment(checkpoint, out, methods=WILD)
    for _ in range(2):
        wild, head = compare(experiment).results
        assert (wild.status, wild.score, wild.accuracy) == ("diverged", None, None)
        assert "0 of 1 trials complete" in wild.reason
        assert head.status == "complete"
        assert examine(out) == []


def test_mlflow_agrees_with_a_row_that_did_not_complete(checkpoint, out):
    compare(small.experiment(checkpoint, out, methods=WILD))
    assert examine(out) == []


@pytest.mark.usefixtures("records_only")
def test_the_winner_may_diverge_too(checkpoint, out, monkeypatch):
    inner = cell.fit

    def wild(*arguments, epochs, **named):
        if epochs == 3:
            raise DivergedError("the loss became nan at step 2")
        return inner(*arguments, epochs=epochs, **named)

    monkeypatch.setattr(cell, "fit", wild)
    search = small.SearchSettings(trials=1, trial_epochs=1, epochs=3)
    (row,) = compare(small.experiment(checkpoint, out, methods={"head": {}}, search=search)).results
    assert (row.status, row.reason) == ("diverged", "the loss became nan at step 2")
    assert row.validation_score is not None
    assert not (out / "adapters").exists()


@pytest.mark.usefixtures("records_only")
def test_an_error_of_torch_is_a_row_with_its_text(checkpoint, out, monkeypatch):
    def full(*arguments, **named):
        raise MemoryError("can't\nallocate")

    monkeypatch.setattr(cell, "fit", full)
    (row,) = compare(small.experiment(checkpoint, out, methods={"head": {}})).results
    assert row.status == "error"
    assert "MemoryError: can't allocate" in row.reason


@pytest.mark.usefixtures("records_only")
@pytest.mark.parametrize("fail_fast", [False, True])
def test_the_program_ends_with_1_where_a_cell_failed(
    checkpoint, out, monkeypatch, capsys, fail_fast
):
    experiment = small.experiment(checkpoint, out, methods=WILD)
    monkeypatch.setattr(comparing, "_experiment", lambda line: experiment)
    assert main(["compare", "sentiment", *(["--fail-fast"] if fail_fast else [])]) == 1
    printed = capsys.readouterr()
    assert "diverged" in printed.out
    assert "Traceback" not in printed.err
    ran = {Store(out).result(planned.cell) is not None for planned in Store(out).plan().cells}
    assert ran == ({True, False} if fail_fast else {True})
    monkeypatch.setattr(comparing, "_experiment", lambda line: small.experiment(checkpoint, out))
    assert main(["compare", "sentiment"]) == 0
