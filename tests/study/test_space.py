"""What an experiment's setting means: a scalar pins, a list chooses, a mapping bounds."""

import json

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from tunebench.errors import UnknownName, UserError
from tunebench.methods import get_method, names
from tunebench.study.space import as_fields, boundary_settings, space

LORA = get_method("lora")


def test_an_absent_key_uses_the_fields_own_range_and_default():
    method_space = space(LORA, {})
    assert method_space.searched["lr"] == FloatDistribution(3e-4, 1e-2, log=True)
    assert method_space.searched["rank"] == CategoricalDistribution([4, 8, 16, 32])
    assert method_space.fixed == {
        "sites": ("attn.q", "attn.v"),
        "rank_stabilised": False,
        "dora": False,
    }
    assert method_space.defaults == {"lr": 3e-3, "rank": 8, "alpha": 16.0, "dropout": 0.0}


@pytest.mark.parametrize("name", names())
def test_the_defaults_of_every_method_make_the_method_itself(name):
    kind = get_method(name)
    method_space = space(kind, {})
    assert kind(**method_space.hyperparameters(method_space.defaults)).hyperparameters() == (
        kind().hyperparameters()
    )


def test_a_scalar_pins():
    method_space = space(LORA, {"rank": 4, "lr": 1})
    assert method_space.fixed["rank"] == 4
    assert (method_space.fixed["lr"], type(method_space.fixed["lr"])) == (1.0, float)
    assert set(method_space.searched) == {"alpha", "dropout"}


def test_a_list_chooses():
    method_space = space(LORA, {"rank": [2, 3]})
    assert method_space.searched["rank"] == CategoricalDistribution([2, 3])
    assert "rank" not in method_space.defaults


def test_a_mapping_bounds_by_optunas_own_names():
    method_space = space(
        LORA, {"rank": {"low": 2, "high": 8, "step": 2}, "lr": {"low": 0.1, "high": 1}}
    )
    assert method_space.searched["rank"] == IntDistribution(2, 8, step=2)
    assert method_space.searched["lr"] == FloatDistribution(0.1, 1)
    assert method_space.defaults["rank"] == 8
    assert "lr" not in method_space.defaults


def test_a_list_is_the_value_of_a_field_that_is_a_sequence():
    assert space(LORA, {"sites": ["attn.o"]}).fixed["sites"] == ("attn.o",)


def test_a_list_of_lists_chooses_among_sequences():
    method_space = space(LORA, {"sites": [["attn.q"], ["attn.q", "attn.v"]]})
    choices = method_space.searched["sites"].choices
    assert [json.loads(choice) for choice in choices] == [["attn.q"], ["attn.q", "attn.v"]]
    assert method_space.hyperparameters({"sites": choices[0]})["sites"] == ("attn.q",)
    assert method_space.defaults["sites"] == choices[1]


def test_what_json_made_a_list_is_a_tuple_again():
    params = {"sites": ("attn.q",), "rank": 8, "lr": 0.5}
    assert as_fields(json.loads(json.dumps(params))) == params


def test_the_corners_hold_every_choice_and_bound_once_and_begin_with_the_defaults():
    pinned = {"alpha": 8.0, "dropout": 0.0, "lr": {"low": 0.01, "high": 0.1}}
    method_space = list(boundary_settings(space(LORA, pinned)))
    assert [(c["lr"], c["rank"]) for c in method_space] == [
        *((0.01, 8), (0.01, 8), (0.1, 8)),
        *((0.01, 4), (0.01, 8), (0.01, 16), (0.01, 32)),
    ]
    assert all(c["sites"] == ("attn.q", "attn.v") for c in method_space)


def test_an_unknown_key_names_the_fields():
    with pytest.raises(UnknownName, match=r"methods.lora: 'rnk'; did you mean 'rank'"):
        space(LORA, {"rnk": 4})


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"rank": []}, "methods.lora.rank: an empty list"),
        ({"lr": {"low": 1, "high": 0.1}}, "methods.lora.lr: .* is no range"),
        ({"lr": {"lo": 0.1, "high": 1}}, "methods.lora.lr: .* is no range"),
    ],
)
def test_what_is_no_range_is_told_with_its_key(settings, text):
    with pytest.raises(UserError, match=text):
        space(LORA, settings)
