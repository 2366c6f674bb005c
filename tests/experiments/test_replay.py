"""The replay of strategies: what is counted as right and wrong, and what is kept of trainings."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tunebench.errors import UserError
from tunebench.store.store import Store

from tests import records

SCRIPT = Path(__file__).parents[2] / "experiments" / "replay.py"


def script() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("replay", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["replay"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


replay = script()


def truth(task: str = "planted", *, seeds: int = 20, examples: int = 400, seed: int = 0) -> object:
    """Four methods: two far ahead, one of them with other answers, one behind, one far behind."""
    generator = np.random.default_rng(seed)
    labels = generator.random(examples) < 0.5
    shares = {"far_above": 0.95, "level": 0.95, "behind": 0.75, "far_behind": 0.5}
    hard = generator.random(examples)
    right = []
    for method, share in shares.items():
        known = hard < share
        noise = generator.random((seeds, examples)) < (0.0 if method == "level" else 0.01)
        right.append(known[None] ^ noise)
    correct = np.array(right)
    return replay.Truth(
        task=task,
        metric="accuracy",
        methods=tuple(shares),
        labels=labels,
        answers=np.where(correct, labels, ~labels),
        scores=correct.mean(-1),
        seconds=np.full((len(shares), seeds), 2.0),
    )


def test_a_ground_truth_is_kept_bit_by_bit(tmp_path: Path) -> None:
    """Also where the examples are no multiple of eight."""
    wanted = (truth("one", examples=403), truth("two", seeds=5, examples=64))
    replay.write(wanted, tmp_path / "kept.npz")
    kept = replay.read(tmp_path / "kept.npz")
    for a, b in zip(kept, wanted, strict=True):
        assert (a.task, a.metric, a.methods) == (b.task, b.metric, b.methods)
        for name in ("labels", "answers", "scores", "seconds"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert (tmp_path / "kept.npz").stat().st_size < 20_000


def test_recorded_scores_are_held_against_the_answers() -> None:
    """The product's own check speaks up where a bit was lost."""
    one = truth()
    one.scores[0, 0] += 0.1
    with pytest.raises(ValueError, match="one of them was altered"):
        one.scored()


def test_clear_cases_are_decided_early_and_never_wrongly() -> None:
    """Large differences need few seeds; equal methods are not separated by any verdict."""
    outcomes = {one.name: one for one in replay.replayed([truth()], replays=5)}
    every, until = outcomes["20 seeds each"], outcomes["until decided"]
    assert every.trainings == 80
    assert every.correct == 1
    assert until.correct == 1
    assert until.trainings <= 40
    for name, one in outcomes.items():
        assert one.wrong == 0 or name.startswith("1 seed")
        assert one.any_wrong >= one.wrong


def test_every_strategy_costs_what_it_trains() -> None:
    """Trainings of all tasks are added up."""
    outcomes = {o.name: o for o in replay.replayed([truth(), truth("b", seed=1)], replays=2)}
    assert outcomes["1 seed each, the higher score"].trainings == 8
    assert outcomes["1 seed each, test examples alone"].trainings == 8
    assert [outcomes[f"{n} seeds each"].trainings for n in (2, 3, 5)] == [16, 24, 40]


def test_a_strategy_sees_the_seeds_in_the_order_of_the_replay() -> None:
    """The first of an order is another training than the first of all."""
    one = truth()
    one.answers[0, 3] = ~one.labels
    one.scores[0, 3] = 0.0
    known = one.scored()
    claims, _ = replay.higher(known, [3, 0, 1])
    assert claims["far_above", "far_behind"].better == "far_behind"
    claims, _ = replay.higher(known, [0, 3, 1])
    assert claims["far_above", "far_behind"].better == "far_above"


def test_equal_scores_of_one_seed_name_nobody() -> None:
    """Nor do differences that the test examples do not carry."""
    one = truth()
    one.answers[1] = one.answers[0]
    one.scores[1] = one.scores[0]
    known = one.scored()
    assert replay.higher(known, [0])[0]["far_above", "level"] == replay.Claim()
    one.answers[1, :, 0] = ~one.labels[0]
    one.answers[0, :, 0] = one.labels[0]
    one.scores[:2] = (one.answers[:2] == one.labels).mean(-1)
    known = one.scored()
    assert replay.higher(known, [0])[0]["far_above", "level"].better == "far_above"
    assert replay.examples_alone(known, [0])[0]["far_above", "level"] == replay.Claim()
    assert replay.examples_alone(known, [0])[0]["behind", "far_behind"].better == "behind"


def test_half_of_the_trainings_go_to_the_methods_that_differ() -> None:
    """The others cost nothing, and nothing is claimed of them."""
    known = truth().scored()
    everything = {pair: replay.Claim() for pair in replay.fixed(known, range(20), 20)[0]}
    differs = ("far_above", "far_behind")
    everything[differs] = replay.Claim("far_above")
    claims, cost = replay.foreknown(known, range(20), everything)
    assert cost == 4 * 20 // 2
    assert claims == everything
    assert replay.foreknown(known, range(20), dict.fromkeys(everything, replay.Claim()))[1] == 0


def test_a_task_that_is_not_kept_is_no_task() -> None:
    """Those known are listed; without a name all are taken."""
    both = (truth("a"), truth("b", seed=1))
    assert [one.task for one in replay.only(both, ["b"])] == ["b"]
    assert replay.only(both, ()) == both
    with pytest.raises(UserError, match="--tasks: known are a, b, not c"):
        replay.only(both, ["b", "c"])


@pytest.mark.parametrize(
    ("claimed", "meant", "difference", "counts"),
    [
        ("a", "a", 0.03, (1, 1, 0, 0)),
        ("b", "a", 0.03, (1, 0, 1, 0)),
        ("", "a", 0.03, (1, 0, 0, 0)),
        ("=", "a", 0.03, (1, 0, 1, 0)),
        ("=", "a", 0.004, (1, 0, 0, 1)),
        ("a", "=", 0.002, (1, 0, 0, 1)),
        ("b", "=", 0.002, (1, 0, 1, 0)),
        ("=", "=", 0.002, (1, 1, 0, 0)),
        ("a", "", 0.02, (0, 0, 0, 1)),
        ("", "", 0.02, (0, 0, 0, 0)),
        ("=", "", 0.01, (0, 0, 1, 0)),
    ],
)
def test_what_counts_as_right_wrong_and_unsupported(
    claimed: str, meant: str, difference: float, counts: tuple[int, ...]
) -> None:
    """By what all seeds say, and by their mean."""

    def claim(text: str) -> object:
        return replay.Claim(text.strip("="), text == "=")

    pair = ("a", "b")
    judged = replay.judged({pair: claim(claimed)}, {pair: claim(meant)}, {pair: difference})
    assert judged == (*counts, 1)


def stored(
    out: Path,
    methods: dict[str, tuple[int, ...]],
    labels: list[int],
    names: tuple[str, ...] = (),
) -> None:
    """Made-up cells with answers: each seed gets one example wrong; with names in place of numbers
    they have columns of probabilities."""
    for method, seeds in methods.items():
        for seed in seeds:
            row = records.result("sst2", method, seed)
            answers = [1 - y if i == seed else y for i, y in enumerate(labels)]
            path = out / f"predictions/{row.cell}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            ids = [str(i) for i in range(len(labels))]
            columns = {"id": ids, "label": labels, "prediction": answers}
            for key in ("label", "prediction") if names else ():
                columns[key] = [names[int(one)] for one in columns[key]]
            columns |= {f"probability_{name}": [0.5] * len(labels) for name in names}
            pq.write_table(pa.table(columns), path)
            (out / "adapters").mkdir(exist_ok=True)
            score = 1 - 1 / len(labels)
            Store(out).put_result(
                replace(
                    row,
                    score=score,
                    metric="accuracy",
                    adapter="",
                    predictions=f"predictions/{row.cell}.parquet",
                )
            )


def test_cells_of_several_folders_are_put_together(tmp_path: Path) -> None:
    """Seeds that one method lacks are left out, and each answer stays with its seed."""
    labels = [0, 1, 1, 0, 1, 0]
    stored(tmp_path / "a", {"lora": (0, 1), "head": (0, 1)}, labels)
    stored(tmp_path / "b", {"lora": (1, 2, 4), "head": (2, 3)}, labels)
    (one,) = replay.collect([tmp_path / "a", tmp_path / "b"], tmp_path / "kept.npz")
    assert one.methods == ("head", "lora")
    assert one.seeds == 3
    for method in range(2):
        for place, seed in enumerate((0, 1, 2)):
            wrong = np.flatnonzero(one.answers[method, place] != one.labels)
            assert wrong.tolist() == [seed]
    assert replay.read(tmp_path / "kept.npz")[0].scores.tolist() == one.scores.tolist()


def test_names_of_classes_become_their_numbers(tmp_path: Path) -> None:
    """In the order of the columns of probabilities, not of the alphabet: F1 is of the second."""
    labels = [0, 1, 1, 0, 1, 0]
    stored(tmp_path, {"lora": (0, 1), "head": (0, 1)}, labels, names=("yes", "no"))
    (one,) = replay.collect([tmp_path], tmp_path / "kept.npz")
    assert one.labels.tolist() == [bool(label) for label in labels]
    for method in range(2):
        for seed in range(2):
            assert np.flatnonzero(one.answers[method, seed] != one.labels).tolist() == [seed]


def test_what_cannot_be_a_ground_truth_is_refused(tmp_path: Path) -> None:
    """A folder without cells, answers of three classes, methods without a common seed."""
    with pytest.raises(UserError, match="no cell in"):
        replay.collect([tmp_path], tmp_path / "kept.npz")
    stored(tmp_path / "three", {"lora": (0,), "head": (0,)}, [0, 1, 2])
    with pytest.raises(UserError, match="two classes"):
        replay.collect([tmp_path / "three"], tmp_path / "kept.npz")
    stored(tmp_path / "apart", {"lora": (0,), "head": (1,)}, [0, 1, 1])
    with pytest.raises(UserError, match="no complete seed in common"):
        replay.collect([tmp_path / "apart"], tmp_path / "kept.npz")
    with pytest.raises(UserError, match="no complete cell of: mrpc"):
        replay.collect([tmp_path / "apart"], tmp_path / "kept.npz", ["mrpc", "sst2"])


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    """From any outcomes."""
    outcomes = replay.replayed([truth(seeds=5)], replays=1)
    replay.picture(outcomes, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert replay.table(outcomes).count("\n") == len(outcomes) + 1


@pytest.mark.slow
def test_the_table_of_the_page_is_what_the_script_makes_of_what_is_kept() -> None:
    page = (SCRIPT.parents[1] / "docs" / "results.md").read_text("utf-8")
    assert replay.table(replay.replayed(replay.read())) in page
