"""Every method under every requirement of the contract."""

import pytest
from tunebench.methods import get_method, names

from tests import contract
from tests.methods.options import CASES, label
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
FILES = [
    contract.saving_and_loading_gives_the_same_output,
    contract.what_is_kept_is_counted_and_loads_again,
]
QUICK = [
    contract.trainable_count_equals_the_closed_form,
    contract.start_is_exact_or_finite,
    contract.folding_changes_no_more_than_rounding,
    contract.hyperparameters_survive_yaml,
]
every_shape = pytest.mark.parametrize("shape", sorted(CONFIGS))
every_case = pytest.mark.parametrize(("name", "settings"), CASES, ids=label)


def by_name(requirements):
    return pytest.mark.parametrize(
        "requirement", requirements, ids=lambda requirement: requirement.__name__
    )


@by_name(LAWS)
@every_shape
@pytest.mark.parametrize("name", names())
def test_a_method_obeys_the_law(name, shape, requirement):
    contract.hold(requirement, name, CONFIGS[shape])


@by_name(FILES)
@every_shape
@pytest.mark.parametrize("name", names())
def test_a_method_s_files_obey_the_law(name, shape, requirement, tmp_path):
    contract.hold(requirement, name, CONFIGS[shape], tmp_path)


@pytest.mark.parametrize("name", names())
def test_cached_decoding_equals_the_full_forward(name):
    contract.hold(contract.cached_decoding_equals_the_full_forward, name, CONFIGS["decoder"])


@pytest.mark.parametrize("name", names())
def test_no_method_is_refused_everywhere(name):
    assert any(contract.fits(get_method(name)(), cfg) for cfg in CONFIGS.values())


@by_name(QUICK)
@every_shape
@every_case
def test_an_option_obeys_the_law(name, settings, shape, requirement):
    contract.hold(requirement, name, CONFIGS[shape], **settings)


@pytest.mark.slow
@by_name([requirement for requirement in LAWS if requirement not in QUICK])
@every_shape
@every_case
def test_an_option_obeys_every_law(name, settings, shape, requirement):
    contract.hold(requirement, name, CONFIGS[shape], **settings)


@pytest.mark.slow
@by_name(FILES)
@every_shape
@every_case
def test_an_option_s_files_obey_the_law(name, settings, shape, requirement, tmp_path):
    contract.hold(requirement, name, CONFIGS[shape], tmp_path, **settings)


@pytest.mark.slow
@every_case
def test_an_option_decodes_from_the_cache(name, settings):
    requirement = contract.cached_decoding_equals_the_full_forward
    contract.hold(requirement, name, CONFIGS["decoder"], **settings)
