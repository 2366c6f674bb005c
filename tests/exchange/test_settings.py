"""Which modules PEFT's settings ask for, held against PEFT's own rule."""

import itertools

import peft
import pytest
from peft.tuners.tuners_utils import check_target_module_exists
from tunebench.errors import UserError
from tunebench.exchange.settings import Known, demands, flag, real, tidy, whole

MODULES = [
    f"{root}layers.{layer}.{name}"
    for root in ("", "model.")
    for layer in (0, 1, 11)
    for name in ("self_attn.q_proj", "self_attn.o_proj", "mlp.down_proj")
]
TARGETS = (
    ["q_proj"],
    ["self_attn.q_proj", "down_proj"],
    ["layers.1.self_attn.q_proj"],
    ["model.layers.0.self_attn.q_proj", "o_proj"],
    ["proj"],
)
LAYERS = (None, 1, [0], [1, 11], [])
PATTERNS = (None, "layers", ["blocks", "layers"], "h", [])
SAVED = (None, ["lm_head"], ["mlp"])


@pytest.mark.parametrize("targets", TARGETS, ids=str)
def test_a_module_is_demanded_where_peft_s_own_rule_targets_it(targets):
    for layers, pattern, saved in itertools.product(LAYERS, PATTERNS, SAVED):
        settings = {
            "target_modules": targets,
            "layers_to_transform": layers,
            "layers_pattern": pattern,
            "modules_to_save": saved,
        }
        config = peft.LoraConfig()
        vars(config).update(settings)
        for module in MODULES:
            layer = int(module.split("layers.")[1].partition(".")[0])
            wanted = bool(check_target_module_exists(config, module))
            # PEFT looks for the number after the first segment, which these names have at times.
            if layers not in (None, []) and module.startswith("layers") and not pattern:
                continue
            assert demands(settings, module, layer) == wanted, (settings, module)


@pytest.mark.parametrize(
    "settings",
    [
        {"target_modules": ".*q_proj"},
        {"target_modules": None},
        {},
        {"target_modules": ["q_proj"], "exclude_modules": ["layers.1.self_attn.q_proj"]},
        {"target_modules": ["q_proj"], "exclude_modules": ".*1.*"},
    ],
    ids=str,
)
def test_where_settings_leave_a_doubt_nothing_is_demanded(settings):
    assert not any(demands(settings, module, 0) for module in MODULES)


def test_what_is_known_passes_and_what_is_not_must_be_switched_off():
    known = Known(read=frozenset({"r"}), idle=frozenset({"seed"}), only={"bias": ("none",)})
    known.check({"r": 4, "seed": 7, "bias": "none", "task_type": "SEQ_CLS"})
    known.check({"later": None, "other": False, "more": [], "most": {}})
    with pytest.raises(UserError, match=r"the PEFT setting later=0\.5 is not read$"):
        known.check({"later": 0.5})
    with pytest.raises(UserError, match=r"setting bias='all' is not read \(only 'none'\)"):
        known.check({"bias": "all"})


def test_numbers_and_switches_are_what_they_should_be():
    assert whole({"r": 1}, "r") == 1
    for value in (0, True, 1.0, "1", None):
        with pytest.raises(UserError, match="r must be a whole number >= 1, but is"):
            whole({"r": value}, "r")
    assert real({}, "alpha", 8) == 8.0
    assert real({"alpha": 5}, "alpha", 8) == 5.0
    for wrong in (True, "5", float("inf"), float("nan"), -1e30):
        with pytest.raises(UserError, match="alpha must be a number"):
            real({"alpha": wrong}, "alpha", 8)
    assert (flag({}, "on"), flag({"on": None}, "on"), flag({"on": True}, "on")) == (0, 0, 1)
    with pytest.raises(UserError, match="on must be true or false, but is 1"):
        flag({"on": 1}, "on")
    assert repr(tidy(16.0)) == "16"
    assert repr(tidy(5.5)) == "5.5"


def test_a_message_is_short_however_long_a_setting_or_its_name_is():
    long = "a" * 5_000
    for settings in ({long: 1}, {"r": long}, {"bias": [long]}):
        with pytest.raises(UserError) as error:
            Known(read=frozenset(), only={"bias": ("none",)}).check(settings)
        assert len(str(error.value)) < 400
    for read in (whole, real, flag):
        arguments = ({"r": long}, "r", 1.0) if read is real else ({"r": long}, "r")
        with pytest.raises(UserError) as error:
            read(*arguments)
        assert len(str(error.value)) < 400
