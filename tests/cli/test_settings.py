from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml
from tunebench.cli.fields import experiment_flags
from tunebench.cli.flags import Line, parse
from tunebench.cli.settings import resolve
from tunebench.cli.yaml_file import read_list
from tunebench.config import BUDGETS, Experiment, SearchSettings
from tunebench.errors import UserError
from tunebench.methods._catalogue import compared

USUAL = {name: {} for name in compared()}


def typed(*arguments: str) -> Experiment:
    return resolve(parse(arguments, experiment_flags()))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "tasks: [rte, mrpc]\n"
        "budget: standard\n"
        "search:\n"
        "  trials: 3\n"
        "methods:\n"
        "  head: {}\n"
        "  lora:\n"
        "    rank: 4\n"
        "  full:\n"
    )
    return path


def test_an_empty_line_is_the_dataclasses_defaults_with_every_method_named() -> None:
    assert typed() == replace(Experiment(), methods=USUAL)


def test_the_result_can_be_hashed_where_it_is_frozen() -> None:
    hash(typed().search)


def test_a_budget_of_several_searches_has_one_where_seeds_are_found_by_looks() -> None:
    assert BUDGETS["full"]["search"]["studies"] == 3
    assert typed("--budget=full").search.studies == 3
    looked = typed("--budget=full", "--until=decided")
    assert looked.search.studies == Experiment(budget="full", until="decided").search.studies == 1
    assert looked.search.trials == BUDGETS["full"]["search"]["trials"]


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_budget_fills_search_and_seeds(budget: str) -> None:
    experiment = typed("--budget", budget)
    assert asdict(experiment.search) == asdict(SearchSettings()) | BUDGETS[budget]["search"]
    assert experiment.seeds == BUDGETS[budget]["seeds"]


def test_a_single_key_overrides_its_budget() -> None:
    experiment = typed("--budget=standard", "--search.trials=4", "--seeds=7")
    assert (experiment.search.trials, experiment.seeds) == (4, (7,))
    assert experiment.search.trial_epochs == BUDGETS["standard"]["search"]["trial_epochs"]


def test_a_file_lies_over_the_budget_and_the_flags_over_the_file(file: Path) -> None:
    experiment = typed("sst2", "--experiment", str(file), "--search.epochs=9")
    assert experiment.tasks == ("sst2",)
    assert (experiment.search.trials, experiment.search.epochs) == (3, 9)
    assert experiment.search.train_examples == BUDGETS["standard"]["search"]["train_examples"]
    assert experiment.seeds == BUDGETS["standard"]["seeds"]
    assert experiment.methods == {"head": {}, "lora": {"rank": 4}, "full": {}}
    assert typed("--experiment", str(file)).tasks == ("rte", "mrpc")


def test_a_budget_typed_replaces_the_one_in_the_file(file: Path) -> None:
    experiment = typed("--experiment", str(file), "--budget", "quick")
    assert (experiment.seeds, experiment.search.trials) == (BUDGETS["quick"]["seeds"], 3)
    assert experiment.search.epochs == SearchSettings().epochs


def test_selecting_methods_keeps_their_order_and_what_the_file_says_of_them(file: Path) -> None:
    experiment = typed("--experiment", str(file), "--methods", "lora,adapter,lora")
    assert list(experiment.methods) == ["lora", "adapter"]
    assert experiment.methods["lora"] == {"rank": 4}


def test_a_pin_alone_selects_nothing() -> None:
    experiment = typed("--methods.lora.rank=4")
    assert experiment.methods == USUAL | {"lora": {"rank": 4}}


def test_a_scalar_pins_a_list_chooses_a_mapping_is_a_range() -> None:
    experiment = typed(
        "--methods=lora",
        "--methods.lora.rank=[4, 8]",
        "--methods.lora.lr={low: 1e-4, high: 1, log: true}",
        "--methods.lora.sites=[attn.q]",
        "--methods.lora.alpha=8",
    )
    assert experiment.methods["lora"] == {
        "rank": [4, 8],
        "lr": {"low": 1e-4, "high": 1.0, "log": True},
        "sites": ["attn.q"],
        "alpha": 8.0,
    }
    assert isinstance(experiment.methods["lora"]["alpha"], float)


def test_a_setting_that_is_a_list_chooses_from_a_list_of_lists() -> None:
    experiment = typed("--methods.lora.sites=[[attn.q], [attn.q, attn.v]]")
    assert experiment.methods["lora"]["sites"] == [["attn.q"], ["attn.q", "attn.v"]]


@pytest.mark.parametrize(
    ("text", "sites"), [("attn.q", ["attn.q"]), ("attn.q, attn.v", ["attn.q", "attn.v"])]
)
def test_names_of_a_setting_that_is_a_list_may_have_commas_alone(
    text: str, sites: list[str]
) -> None:
    assert typed(f"--methods.lora.sites={text}").methods["lora"]["sites"] == sites


def test_a_number_in_yaml_may_have_no_dot(tmp_path: Path) -> None:
    path = tmp_path / "rate.yaml"
    path.write_text("methods: {lora: {lr: 1e-4}}\ntrain: {weight_decay: 0, clip: 1e-1}\n")
    experiment = typed("--experiment", str(path))
    assert experiment.methods == {"lora": {"lr": 1e-4}}
    assert (experiment.train.weight_decay, experiment.train.clip) == (0.0, 0.1)


def test_words_are_tasks_with_blanks_or_commas_between_them() -> None:
    assert typed("sst2", "rte").tasks == typed("sst2,rte").tasks == ("sst2", "rte")


def test_a_file_of_one_s_own_takes_its_columns(tmp_path: Path) -> None:
    file = tmp_path / "my, questions.tsv"
    file.write_text("question\tintent\na\tb\n")
    experiment = typed(str(file), "--text", "question", "--label", "intent", "--test", "t.tsv")
    assert experiment.tasks == (str(file),)
    assert (experiment.data.text, experiment.data.label, experiment.data.test) == (
        ("question",),
        "intent",
        "t.tsv",
    )


def test_what_was_resolved_resolves_to_itself(tmp_path: Path, file: Path) -> None:
    experiment = typed("--experiment", str(file), "--methods.lora.sites=[attn.q]")
    path = tmp_path / "again.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(_json(experiment))))
    assert typed("--experiment", str(path)) == experiment


def _json(experiment: Experiment) -> str:
    import json

    return json.dumps(asdict(experiment))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sst3"], "unknown task 'sst3'; did you mean 'sst2'?"),
        (["sst2", "gleu"], "unknown task 'gleu'; did you mean 'glue'?"),
        (["--tasks="], "--tasks: must name a task"),
        (["../secret"], "no such file '../secret'"),
        (["my.tsv"], "no such file 'my.tsv'"),
        (["--text=a"], "--text: is for a file of your own"),
        (["--backbone=minlm"], "unknown backbone 'minlm'; did you mean 'minilm'?"),
        (["--methods=lroa"], "--methods: unknown method 'lroa'; did you mean 'lora'?"),
        (["--methods=,"], "--methods: must name a method"),
        (["--methods=head", "--methods.lora.rank=4"], "lora is not among the methods (head)"),
        (["--methods.lroa.rank=4"], "--methods.lroa.rank: unknown method 'lroa'"),
        (["--methods.lora.rnk=4"], "--methods.lora.rnk: unknown setting of lora 'rnk'; did you"),
        (["--methods.lora.rank=four"], "--methods.lora.rank: must be a whole number, but got 'fo"),
        (["--methods.lora.rank=true"], "--methods.lora.rank: must be a whole number"),
        (["--methods.lora.rank=4.5"], "--methods.lora.rank: must be a whole number, but got 4.5"),
        (["--methods.lora.rank=[]"], "--methods.lora.rank: a list chooses"),
        (["--methods.lora.rank=[4, x]"], "--methods.lora.rank: must be a whole number"),
        (["--methods.lora.lr={low: 1}"], "--methods.lora.lr: a range needs low and high, and high"),
        (["--methods.lora.lr={low: 2, high: 1}"], "--methods.lora.lr: low <= high must hold"),
        (
            ["--methods.lora.dropout={low: 0, high: 0.5, log: true}"],
            "needs low > 0, but got 0.0",
        ),
        (["--methods.lora.lr=0"], "--methods.lora.lr: must be > 0, but got 0"),
        (["--methods.prefix.lr=[0.1, -1]"], "--methods.prefix.lr: must be > 0, but got -1"),
        (["--methods.prompt.lr={low: -1, high: 1}"], "must be > 0, but got -1"),
        (["--methods.lora.lr={low: 1, hi: 1}"], "unknown key of a range 'hi'"),
        (["--methods.lora.lr={low: a, high: 1}"], "--methods.lora.lr: must be a number"),
        (["--methods.lora.rank={low: 1, high: 2, step: 0}"], "step > 0 must hold"),
        (["--methods.lora.lr={low: 1, high: 2, step: 1, log: true}"], "has no step"),
        (["--methods.lora.sites={low: 1, high: 2}"], "a range is for numbers"),
        (["--methods.lora.sites=4"], "--methods.lora.sites: must be a list, but got 4"),
        (["--search.trials=four"], "--search.trials: must be a whole number, but got 'four'"),
        (["--trials=0"], "--trials: must be >= 1, but got 0"),
        (["--train.warmup=1"], "--train.warmup: must be < 1, but got 1"),
        (["--search.validation=0"], "--search.validation: must be > 0, but got 0"),
        (["--search.validation=0.6"], "--search.validation: must be <= 0.5, but got 0.6"),
        (["--train.clip=true"], "--train.clip: must be a number"),
        (["--train.clip=.nan"], "--train.clip: must be a number, but got '.nan'"),
        (["--seeds=0,0"], "--seeds: no seed may stand twice, but got 0"),
        (["--seeds=0,-1"], "--seeds: must be >= 0, but got -1"),
        (["--seeds="], "--seeds: must not be empty"),
        (
            ["--budget=quik"],
            "--budget: must be one of 'quick', 'standard' or 'full', but got 'quik'",
        ),
        (["--until=sure"], "--until: must be"),
        (["--until=decided", "--search.studies=2"], "--search.studies: must be 1 with until"),
        (["--until=decided", "--seeds=1,2"], "--seeds: not with until=decided"),
        (["--hours=1"], "--hours: is for until=decided"),
        (["--margin=0"], "--margin: must be > 0"),
        (["--train.precision=bf16"], "did you mean 'bf16-mixed'?"),
        (["--out=caf\udce9"], r"--out: must be text that UTF-8 can hold, but got 'caf\udce9'"),
        (["--tasks=caf\udce9.csv"], r"must be text that UTF-8 can hold, but got 'caf\udce9.csv'"),
    ],
)
def test_a_mistake_on_the_line_is_answered_by_its_flag(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError) as error:
        typed(*arguments)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("taskz: [rte]\n", ":1: taskz: unknown key 'taskz'; did you mean 'tasks'?"),
        (
            "search:\n  trails: 1\n",
            ":2: search.trails: unknown key of search 'trails'; did you mean",
        ),
        ("search:\n  trials: four\n", ":2: search.trials: must be a whole number, but got 'four'"),
        ("search: 4\n", ":1: search: must be a mapping, but got 4"),
        ("search: {trials: '4'}\n", ":1: search.trials: must be a whole number, but got '4'"),
        ("tasks: rte\n", ":1: tasks: must be a list, but got 'rte'"),
        ("tasks: [rte, 4]\n", ":1: tasks: must be text, but got 4 (write '4')"),
        ("\ntasks: [rtee]\n", ":2: tasks: unknown task 'rtee'"),
        ("methods: [lora]\n", ":1: methods: must be a mapping"),
        ("methods:\n  lroa: {}\n", ":2: methods.lroa: unknown method 'lroa'"),
        ("methods:\n  lora: 4\n", ":2: methods.lora: must be a mapping"),
        ("methods:\n  lora:\n    rnk: 4\n", ":3: methods.lora.rnk: unknown setting of lora 'rnk'"),
        ("methods:\n  lora:\n    rank: x\n", ":3: methods.lora.rank: must be a whole number"),
        ("seeds: [1, 1]\n", ":1: seeds: no seed may stand twice, but got 1"),
        ("data:\n  label: x\n", ":2: data.label: is for a file of your own"),
        ("budget: quik\n", ":1: budget: must be one of"),
        ("budget: 3\n", ":1: budget: must be one of"),
    ],
)
def test_a_mistake_in_a_file_is_answered_by_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        typed("--experiment", str(path))
    assert str(error.value).startswith(f"{path}:")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("path", sorted(Path("experiments").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_experiment_of_the_project_resolves_and_opens_with_a_sentence(path: Path) -> None:
    for document in read_list(path):
        assert resolve(Line(), document).methods
    first = path.read_text().splitlines()[0]
    assert first.startswith("# ")
    assert first.endswith((".", "?"))
