"""A method is one file: what is put into the registry is found by all that speak of methods."""

import sys

import pytest
from tunebench import methods, run_once
from tunebench.cli import listings
from tunebench.cli.fields import experiment_flags
from tunebench.cli.flags import parse
from tunebench.cli.settings import resolve
from tunebench.methods import get_method, names
from tunebench.methods._catalogue import card, compared

from tests import contract, small
from tests.methods.test_methods import FILES, LAWS
from tests.tiny import CONFIGS

USUAL = ("adapter", "full", "head", "lora", "p_tuning", "p_tuning_v2", "prefix", "prompt")
TOY = '''"""Toy: a trained vector after each attention.

    h + v        v: d

Plugs      blocks.*.after_attn
Trains     layers · d
Folds      nothing
Source     this test
Prefer     never
Drawback   it is a toy; not measured
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from ..backbone.config import BackboneConfig
from ..backbone.model import Backbone
from ..backbone.ports import Plug
from ..config import Range
from .base import Method


class Shift(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.vector = nn.Parameter(torch.zeros(width))

    def forward(self, h: Tensor) -> Tensor:
        return h + self.vector


@dataclass(eq=False)
class Toy(Method):
    lr: Annotated[float, Range(1e-3, 1e-1, log=True)] = 1e-2
    """Peak learning rate of AdamW."""
    exact_start: ClassVar[bool] = True

    def plugs(self, backbone: Backbone) -> Mapping[str, Plug]:
        return {"blocks.*.after_attn": lambda _: Shift(backbone.cfg.width)}

    def trainable(self, cfg: BackboneConfig) -> int:
        return cfg.layers * cfg.width


METHOD = Toy
'''


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A folder with one file, which for this test belongs to the registry."""
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "toy.py").write_text(TOY)
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(folder)])
    yield "toy"
    sys.modules.pop("tunebench.methods.toy", None)
    vars(methods).pop("toy", None)


def test_the_usual_comparison_has_the_same_eight_methods():
    assert compared() == USUAL
    assert tuple(resolve(parse((), experiment_flags())).methods) == USUAL


def test_all_means_every_method_and_a_name_adds_one():
    everyone = resolve(parse(("--methods", "all"), experiment_flags()))
    assert tuple(everyone.methods) == everyone.optional == names()
    others = sorted(set(names()) - set(USUAL))
    for name in others:
        assert tuple(resolve(parse(("--methods", name), experiment_flags())).methods) == (name,)
        assert not get_method(name).compared
    assert all(get_method(name).compared for name in USUAL)
    usual, _, more = listings.methods().partition("--methods all")
    assert all(f"  {name} " in usual for name in USUAL)
    assert all(f"  {name} " in more for name in others)


def test_a_new_file_is_in_the_listings_the_help_and_the_settings(toy, tmp_path):
    assert toy in names()
    assert toy in compared()
    assert card(toy).header["Source"] == "this test"
    assert "A trained vector after each attention. Trains: layers · d" in listings.methods()
    assert "searched from 0.001 to 0.1" in listings.method(toy)
    path = tmp_path / "mine.yaml"
    path.write_text("methods: {toy: {lr: {low: 1e-3, high: 1e-2}}}\n")
    experiment = resolve(parse(("--experiment", str(path)), experiment_flags()))
    assert experiment.methods == {toy: {"lr": {"low": 1e-3, "high": 1e-2}}}
    assert toy in resolve(parse((), experiment_flags())).methods


@pytest.mark.parametrize("shape", sorted(CONFIGS))
def test_a_new_file_is_held_to_the_contract(toy, shape, tmp_path):
    for requirement in LAWS:
        requirement(toy, CONFIGS[shape])
    if CONFIGS[shape].causal:
        contract.cached_decoding_equals_the_full_forward(toy, CONFIGS[shape])
    for requirement in FILES:
        requirement(toy, CONFIGS[shape], tmp_path)


def test_a_new_file_is_run_like_the_others(toy, tmp_path):
    folder = small.make_folder(tmp_path / "tiny-bert")
    experiment = small.experiment(folder, tmp_path / "runs")
    result = run_once(str(folder / "reviews.tsv"), get_method(toy)(), experiment=experiment)
    assert (result.status, result.method, result.trainable_params) == ("complete", toy, 2 * 32)


def test_the_registry_forgets_what_was_taken_out():
    assert "toy" not in names()
    assert "toy" not in compared()
