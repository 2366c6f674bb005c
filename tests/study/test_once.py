"""One cell by itself: no search, no database."""

import dataclasses
import os
import signal

import pyarrow.parquet as pq
import pytest
import torch
from sklearn.metrics import accuracy_score
from tunebench.errors import UserError
from tunebench.methods import get_method
from tunebench.study.once import run_once
from tunebench.study.prepare_run import usable_cores

from tests import small


def test_one_cell_runs_without_optuna_and_without_mlflow(checkpoint, tmp_path):
    experiment = small.experiment(checkpoint, tmp_path / "unused")
    (task,) = experiment.tasks
    row = run_once(task, get_method("lora")(rank=2), experiment=experiment, out=tmp_path)
    assert (row.status, row.method, row.hyperparameters["rank"]) == ("complete", "lora", 2)
    assert (row.best_trial, row.validation_score) == (None, None)
    assert {path.name for path in tmp_path.iterdir()} == {"adapters", "predictions"}
    assert (tmp_path / row.adapter).is_file()
    answers = pq.read_table(tmp_path / row.predictions).to_pydict()
    right = accuracy_score(answers["label"], answers["prediction"])
    assert (row.metrics, row.score, row.accuracy) == ({"accuracy": right}, right, right)
    again = run_once(task, get_method("lora")(rank=2), experiment=experiment)
    assert (again.metrics, again.curve) == (row.metrics, row.curve)


def test_a_setting_that_the_backbone_cannot_have_is_told_before_training(checkpoint, tmp_path):
    experiment = small.experiment(checkpoint, tmp_path)
    with pytest.raises(UserError, match="1 <= rank <= min"):
        run_once(experiment.tasks[0], get_method("lora")(rank=64), experiment=experiment)


def test_head_method_and_training_draw_from_streams_of_their_own(checkpoint, tmp_path, monkeypatch):
    experiment = small.experiment(checkpoint, tmp_path)
    seeded, streams = torch.manual_seed, []
    monkeypatch.setattr(torch, "manual_seed", lambda seed: streams.append(seed) or seeded(seed))
    for seed in range(3):
        run_once(experiment.tasks[0], get_method("lora")(rank=2), experiment=experiment, seed=seed)
    assert len(streams) == len(set(streams)) == 9


def test_a_method_gets_a_text_s_own_tokens_and_the_names_of_the_classes(checkpoint, tmp_path):
    received = {}

    def prepare(self, encode, labels):
        received.update(ids=list(encode("the film")), labels=tuple(labels))

    kind = type("Asking", (get_method("head"),), {"prepare": prepare})
    experiment = small.experiment(checkpoint, tmp_path)
    run_once(experiment.tasks[0], kind(), experiment=experiment)
    whole = small.tokenizer().encode("the film")
    plain = [
        n for n, special in zip(whole.ids, whole.special_tokens_mask, strict=True) if not special
    ]
    assert received == {"ids": plain, "labels": ("negative", "positive")}
    assert len(plain) == len(whole.ids) - 2


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_it_computes_with_the_threads_that_were_asked_for(checkpoint, tmp_path):
    experiment = small.experiment(checkpoint, tmp_path)
    train = dataclasses.replace(experiment.train, threads=2)
    torch.set_num_threads(1)
    row = run_once(
        experiment.tasks[0],
        get_method("head")(),
        experiment=dataclasses.replace(experiment, train=train),
    )
    assert torch.get_num_threads() == 2
    assert "2 threads" in row.device


def test_cores_are_counted_where_the_system_has_no_affinity(monkeypatch):
    assert usable_cores() == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")
    assert usable_cores() == os.cpu_count()


def stop(self, *arguments, **named):
    """What Ctrl-C does, in the middle of training."""
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_is_a_keyboard_interrupt_and_ctrl_c_works_afterwards(checkpoint, tmp_path):
    experiment = small.experiment(checkpoint, tmp_path)
    method = get_method("head")()
    kind = type("Stopping", (type(method),), {"on_train_batch_start": stop})
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run_once(experiment.tasks[0], kind(), experiment=experiment)
    assert signal.getsignal(signal.SIGINT) is before
    assert run_once(experiment.tasks[0], method, experiment=experiment).status == "complete"


def test_a_method_of_ones_own_that_no_registry_holds_runs_too(checkpoint, tmp_path):
    kind = type("Mine", (get_method("lora"),), {})
    experiment = small.experiment(checkpoint, tmp_path)
    mine = run_once(experiment.tasks[0], kind(rank=2), experiment=experiment)
    other = run_once(experiment.tasks[0], get_method("lora")(rank=2), experiment=experiment)
    assert (mine.status, mine.metrics, mine.curve) == ("complete", other.metrics, other.curve)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": (0, 0)}, "no seed may stand twice"),
        ({"executor": "in_proces"}, "did you mean 'in_process'"),
        ({"train": {"batch_size": 0}}, "train.batch_size"),
        ({"backbone": {"layers": 3}}, "backbone.layers: must be from 1 to 2"),
        ({"data": {"template": ("{nothing}",), "label_words": ("a", "b")}}, "nothing"),
    ],
)
def test_the_checks_of_the_command_line_are_made(checkpoint, tmp_path, changes, message):
    experiment = small.experiment(checkpoint, tmp_path)
    plain = {key: value for key, value in changes.items() if not isinstance(value, dict)}
    for key in changes.keys() - plain.keys():
        plain[key] = dataclasses.replace(getattr(experiment, key), **changes[key])
    wrong = dataclasses.replace(experiment, **plain)
    with pytest.raises(UserError, match=message):
        run_once(experiment.tasks[0], get_method("lora")(), experiment=wrong, out=tmp_path)
    assert not (tmp_path / "adapters").exists()
