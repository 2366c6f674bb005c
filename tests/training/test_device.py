"""What does not run here is refused before anything trains."""

from __future__ import annotations

import logging
import warnings

import pytest
import torch
from lightning.fabric.utilities.warnings import PossibleUserWarning
from tunebench import Experiment
from tunebench.__main__ import main
from tunebench.checkpoints.checkpoint import Checkpoint
from tunebench.config import BackboneSettings, TrainSettings
from tunebench.errors import UserError
from tunebench.methods import get_method
from tunebench.study import once
from tunebench.training.device import MUTED, device_of, quiet_lightning

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to run on")


@pytest.fixture(autouse=True)
def _compiled(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)


def asking(attention: str = "auto", accelerator: str = "auto") -> Experiment:
    return Experiment(
        backbone=BackboneSettings(attention=attention),
        train=TrainSettings(accelerator=accelerator),
    )


@pytest.mark.parametrize("attention", ["auto", "sdpa", "reference"])
def test_a_cpu_takes_every_attention_but_triton(attention):
    assert device_of(asking(attention, "cpu")) == torch.device("cpu")


def test_triton_on_a_cpu_is_refused_with_setting_law_and_device():
    with pytest.raises(
        UserError, match=r"backbone\.attention=triton: `device == cuda` must hold"
    ) as e:
        device_of(asking("triton", "cpu"))
    assert "on a CPU: auto, sdpa or reference" in str(e.value)
    assert "device=cpu" in str(e.value)


def test_triton_on_a_cpu_is_taken_where_the_interpreter_runs(monkeypatch):
    pytest.importorskip("triton", reason="triton is installed on Linux only")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert device_of(asking("triton", "cpu")) == torch.device("cpu")


def test_an_accelerator_that_is_not_there_is_refused():
    with pytest.raises(UserError, match=r"train\.accelerator=gpu: "):
        device_of(asking(accelerator="gpu"))


def test_the_command_line_answers_in_one_line_before_it_loads_a_backbone(
    capsys, monkeypatch, tmp_path
):
    def loaded(*arguments, **named):
        raise AssertionError("nothing may be loaded")

    monkeypatch.setattr(Checkpoint, "load_tokenizer", loaded)
    monkeypatch.setattr(Checkpoint, "load_backbone", loaded)
    line = ["compare", "sst2", "--data", "pocket", "--backbone.attention", "triton"]
    assert main([*line, "--out", str(tmp_path / "runs")]) == 2
    assert capsys.readouterr().err.startswith("tunebench: backbone.attention=triton: ")
    with pytest.raises(UserError, match="attention=triton"):
        once.run_once("sst2", get_method("head")(), experiment=asking("triton"))


def warned(message, category):
    """The warning as Lightning gives it, from one of its own modules."""
    warnings.warn_explicit(message, category, "fit_loop.py", 1, "lightning.pytorch.loops.fit_loop")


@pytest.mark.parametrize(("message", "category", "reason"), MUTED, ids=lambda part: str(part)[:20])
def test_a_listed_warning_is_muted_and_has_a_reason(message, category, reason):
    assert len(reason.split()) > 5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with quiet_lightning():
            warned(message.replace("\\", ""), category)


def test_a_warning_that_is_not_listed_gets_through():
    with pytest.warns(PossibleUserWarning, match="something new"), quiet_lightning():
        warned("something new", PossibleUserWarning)


def test_a_logged_warning_gets_through_and_a_remark_does_not(caplog):
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    with caplog.at_level(logging.INFO, "lightning"), quiet_lightning():
        logger.info("a remark")
        logger.warning("a warning")
    assert "a remark" not in caplog.text
    assert logger.level == level
    assert "a warning" in caplog.text
