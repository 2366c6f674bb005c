"""What is timed and counted: a method on a backbone, as it is served and as it was trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch

from ..backbone.model import Backbone, shared_copy
from ..methods.base import Method
from ..training.classifier import Classifier

Form = Literal["folded", "unfolded", "either"]
"""`either`: folding changes nothing, so that both forms are one network."""


@dataclass(frozen=True)
class Subject:
    """A method's classifier in one form, untrained."""

    method: str
    form: Form
    classifier: Classifier
    inserted: int
    """Positions of the context that the method takes from a text."""


def base_of(base_model: Backbone) -> Classifier:
    """The base model with a head: what every subject is held against."""
    return _at_rest(Classifier(shared_copy(base_model)))


def untrained(base_model: Backbone, method: Method) -> tuple[Classifier, Method]:
    """A method of these settings on a copy that shares the backbone's weights; random, by seed 0.

    Raises:
        UserError: The backbone cannot have the method.
    """
    torch.manual_seed(0)
    classifier = Classifier(shared_copy(base_model), lr=1e-3)
    attached = type(method)(**method.hyperparameters())
    attached.attach(classifier.backbone)
    return classifier, attached


def subjects(base_model: Backbone, method: Method) -> Iterator[Subject]:
    """The method folded and unfolded; once, where that is the same network.

    Raises:
        UserError: The backbone cannot have the method.
    """
    inserted = method.inserted(base_model.cfg)
    folded, attached = untrained(base_model, method)
    before = _structure(folded.backbone)
    attached.fold(folded.backbone)
    if _structure(folded.backbone) == before:
        yield Subject(method.name, "either", _at_rest(folded), inserted)
        return
    yield Subject(method.name, "folded", _at_rest(folded), inserted)
    unfolded, _ = untrained(base_model, method)
    yield Subject(method.name, "unfolded", _at_rest(unfolded), inserted)


def _structure(backbone: Backbone) -> list[tuple[str, type]]:
    """The modules of a network by place."""
    return [(name, type(module)) for name, module in backbone.named_modules()]


def _at_rest(classifier: Classifier) -> Classifier:
    """As it is served: in evaluation mode, with nothing that trains."""
    return classifier.eval().requires_grad_(False)
