"""Every method under every law of the contract."""

import pytest
from tunebench.methods import names

from tests import contract
from tests.tiny import CONFIGS

LAWS = [
    contract.frozen_weights_stay_bit_identical,
    contract.trainable_count_equals_the_closed_form,
    contract.start_is_exact_or_finite,
    contract.loss_falls,
    contract.folding_changes_no_more_than_rounding,
    contract.a_second_setup_plugs_nothing,
    contract.hyperparameters_survive_yaml,
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("shape", sorted(CONFIGS))
@pytest.mark.parametrize("name", names())
def test_a_method_obeys_the_law(name, shape, law):
    law(name, CONFIGS[shape])


@pytest.mark.parametrize("shape", sorted(CONFIGS))
@pytest.mark.parametrize("name", names())
def test_saving_and_loading_gives_the_same_output(name, shape, tmp_path):
    contract.saving_and_loading_gives_the_same_output(name, CONFIGS[shape], tmp_path)


@pytest.mark.parametrize("name", names())
def test_cached_decoding_equals_the_full_forward(name):
    contract.cached_decoding_equals_the_full_forward(name, CONFIGS["decoder"])
