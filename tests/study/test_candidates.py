"""Methods that a backbone cannot have: left out where only `all` asked for them, else refused."""

import dataclasses

import pytest
from tunebench.__main__ import main
from tunebench.cli.fields import experiment_flags
from tunebench.cli.flags import parse
from tunebench.cli.settings import resolve
from tunebench.errors import UserError
from tunebench.methods import names
from tunebench.progress import Quiet
from tunebench.store.store import Store
from tunebench.study.candidates import attachable, candidates
from tunebench.study.compare import compare
from tunebench.study.plan import assemble

from tests import small, tiny

WHY = "this backbone has no bias, so nothing would train"


class Notes(Quiet):
    """Keeps what is reported."""

    def __init__(self):
        self.messages = []

    def note(self, text):
        self.messages.append(text)


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    return small.make_decoder(tmp_path_factory.mktemp("decoder") / "tiny-llama")


def typed(*line):
    return resolve(parse(line, experiment_flags()))


def test_all_leaves_out_what_the_backbone_cannot_have_and_says_so_once():
    kept, left_out = attachable(typed("--methods", "all"), tiny.DECODER)
    assert left_out == {"bitfit": WHY}
    assert set(kept.methods) == set(names()) - {"bitfit"}
    whole = typed("--methods", "all")
    assert attachable(whole, tiny.ENCODER) == (whole, {})


@pytest.mark.parametrize(
    "line",
    [
        ("--methods", "bitfit,head"),
        ("--methods", "all,bitfit"),
        ("--methods", "all", "--methods.bitfit.lr=1e-3"),
    ],
)
def test_a_method_that_is_named_is_not_optional(line):
    experiment = typed(*line)
    assert "bitfit" not in experiment.optional
    assert attachable(experiment, tiny.DECODER) == (experiment, {})


def test_a_named_one_is_refused_before_training_with_exit_code_2(decoder, out, capsys):
    line = ["compare", str(decoder / "reviews.tsv"), "--backbone", str(decoder)]
    more = ["--data.max_length=32", "--out", str(out), "--train.threads=1", "--trials=1"]
    assert main([*line, *more, "--methods", "all,bitfit"]) == 2
    assert "methods.bitfit: this backbone has no bias" in capsys.readouterr().err
    assert not list(out.glob("trials/*"))


def test_the_others_of_all_are_planned(decoder, out):
    notes = Notes()
    experiment = dataclasses.replace(
        small.experiment(decoder, out), methods={"head": {}, "bitfit": {}}, optional=("bitfit",)
    )
    plan = compare(experiment, progress=notes)
    assert plan.methods == ("head",)
    assert f"bitfit: left out, {WHY}" in notes.messages
    assert plan.left_out == {"bitfit": WHY}
    (kept,) = Store(out).plans()
    assert assemble(kept, Store(out)).left_out == plan.left_out
    single = dataclasses.replace(experiment, methods={"bitfit": {}})
    with pytest.raises(UserError, match="this backbone can have none of them"):
        compare(single)


def test_an_unknown_name_is_refused():
    with pytest.raises(UserError, match=r"--optional: .*did you mean 'bitfit'"):
        typed("--optional", "bitfti")


def test_candidates_are_the_corners_of_each_space():
    several = candidates(typed("--methods", "lora", "--trials", "2"))
    assert len(several["lora"]) > 1
    assert [len(settings) for settings in candidates(typed("--trials", "1")).values()] == [1] * 8
