"""Names in the registry: which are taken, which are not fit, and what a second time does."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from safetensors.numpy import save_file
from tunebench.__main__ import main
from tunebench.analysis import analyse
from tunebench.analysis.winners import winners
from tunebench.methods._metadata import FORMAT, AdapterMetadata
from tunebench.records import Comparison
from tunebench.tracking import Tracker, TrackingError
from tunebench.tracking.models import ModelWriter
from tunebench.tracking.registration import RegistrationError

from tests.records import comparison
from tests.tracking.folders import publish

# MLflow 3.17 asks SQLAlchemy 2.1 for a strategy that will go.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")


def with_adapters(out: Path, records: Comparison) -> Comparison:
    """Adapters that hold one number each, with a header as trained ones have it."""
    for row in records.results:
        about = AdapterMetadata("made-up", None, "0", row.task, ("text",), "classification")
        about = dataclasses.replace(about, labels=("bad", "good"), pooling="mean", max_length=8)
        header = about.to_header() | {"format": FORMAT, "method": row.method}
        path = out / row.adapter
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {"head.weight": numpy.zeros((2, 1), numpy.float32)}
        save_file(tensors, path, header | {"hyperparameters": "{}"})
    return records


@pytest.fixture
def out(tmp_path: Path, fresh: Path) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    (folder / "mlflow.db").write_bytes(fresh.read_bytes())
    return folder


def client_of(out: Path) -> MlflowClient:
    uri = f"sqlite:///{out}/mlflow.db"
    return MlflowClient(uri, registry_uri=uri)


def models_of(out: Path) -> dict[str, str]:
    """Cell → the id of its model."""
    client = client_of(out)
    ids = [each.experiment_id for each in client.search_experiments()]
    return {model.tags["cell"]: model.model_id for model in client.search_logged_models(ids)}


def cells(records: Comparison) -> set[str]:
    return {winner.cell.result.cell for winner in winners(analyse(records))}


def test_each_task_s_winner_is_a_version_and_a_second_time_changes_nothing(out: Path) -> None:
    records = with_adapters(out, comparison(("sst2", "rte")))
    publish(out, None, records)
    assert set(models_of(out)) == cells(records)
    first = Tracker(None, out).register(analyse(records), "mine")
    second = Tracker(None, out).register(analyse(records), "mine")
    assert first == second
    assert [one.address for one in first[0]] == [
        "models:/mine-sst2@champion",
        "models:/mine-rte@champion",
    ]
    client = client_of(out)
    for one in first[0]:
        (only,) = client.search_model_versions(f"name = '{one.name}'")
        assert one.version == str(only.version) == "1"
        version = client.get_model_version_by_alias(one.name, "champion")
        assert version.tags["tunebench.cell"] in cells(records)
        assert version.tags["tunebench.model"] in models_of(out).values()


def test_another_winner_is_the_next_version_and_only_registered_models_stay(out: Path) -> None:
    records = with_adapters(out, comparison(("sst2",), ("lora", "head"), (0,)))
    better = {
        method: dataclasses.replace(
            records,
            results=tuple(
                dataclasses.replace(row, score=0.9 if row.method == method else 0.5)
                for row in records.results
            ),
        )
        for method in records.methods
    }
    publish(out, None, better["lora"])
    Tracker(None, out).register(analyse(better["lora"]), "mine")
    publish(out, None, better["head"])
    assert set(models_of(out)) == {row.cell for row in records.results}
    ((again,), _) = Tracker(None, out).register(analyse(better["head"]), "mine", "best-so-far")
    assert (again.version, again.address) == ("2", "models:/mine@best-so-far")
    client = client_of(out)
    assert str(client.get_model_version_by_alias("mine", "champion").version) == "1"
    # Nobody registered this one: it goes when it wins no more.
    publish(out, None, dataclasses.replace(better["lora"], id="another"))
    publish(out, None, dataclasses.replace(better["head"], id="another"))
    ids = [each.experiment_id for each in client.search_experiments()]
    tags = [model.tags for model in client.search_logged_models(ids)]
    kept = [each["method"] for each in tags if each["tunebench.comparison"] == "another"]
    assert kept == ["head"]


def test_marks_move_with_the_first_place_and_a_person_s_words_stay(out: Path) -> None:
    records = with_adapters(out, comparison(("sst2",), ("lora", "head"), (0,)))
    client, note = client_of(out), "mlflow.note.content"

    def marked() -> dict[str, str]:
        ids = [each.experiment_id for each in client.search_experiments()]
        runs = client.search_runs(ids, "tags.kind = 'cell'")
        return {r.data.tags["method"]: r.data.tags.get(note, "") for r in runs}

    def leading(method: str) -> Comparison:
        rows = (
            dataclasses.replace(row, score=0.9 if row.method == method else 0.5)
            for row in records.results
        )
        return dataclasses.replace(records, results=tuple(rows))

    publish(out, None, leading("lora"))
    assert marked()["lora"].startswith("**Best of sst2**: lora with accuracy 0.900")
    assert marked()["head"] == ""
    ids = [each.experiment_id for each in client.search_experiments()]
    (head,) = client.search_runs(ids, "tags.kind = 'cell' and tags.method = 'head'")
    client.set_tag(head.info.run_id, note, "my own words")
    publish(out, None, leading("head"))
    assert marked() == {"lora": "", "head": "my own words"}
    (winner,) = client.search_runs(ids, "tags.kind = 'cell' and tags.winner = 'sst2'")
    assert winner.info.run_id == head.info.run_id


def test_a_model_that_broke_off_is_made_again(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = with_adapters(out, comparison(("sst2",)))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ModelWriter, "_figures", killed)
        with pytest.raises(KeyboardInterrupt):
            publish(out, None, records)
    publish(out, None, records)
    client = client_of(out)
    ids = [each.experiment_id for each in client.search_experiments()]
    assert [str(model.status) for model in client.search_logged_models(ids)] == ["READY"]


def taken_by_another(client: MlflowClient) -> None:
    client.create_registered_model("mine")


def taken_by_another_task(client: MlflowClient) -> None:
    client.create_registered_model("mine", {"tunebench.task": "rte"})


def nothing(client: MlflowClient) -> None: ...


@pytest.mark.parametrize(
    ("prepare", "name", "alias", "reason"),
    [
        (taken_by_another, "mine", "champion", "a model 'mine' that tunebench did not register"),
        (taken_by_another_task, "mine", "champion", "the registry's model for 'rte', not for"),
        (nothing, "a/b", "champion", "without / : or quotes, but got 'a/b'"),
        (nothing, "", "champion", "must be a name of at most 200 characters"),
        (nothing, "..", "champion", "must be a name of at most 200 characters"),
        (nothing, "mine", "v1", "--alias: must be letters, digits, - and _"),
        (nothing, "mine", "latest", "--alias: must be letters, digits, - and _"),
        (nothing, "mine", "a b", "--alias: must be letters, digits, - and _"),
    ],
)
def test_a_name_that_cannot_be_had_is_refused_before_and_after(
    prepare: Callable[[MlflowClient], None], name: str, alias: str, reason: str, out: Path
) -> None:
    records = with_adapters(out, comparison(("sst2",)))
    publish(out, None, records)
    prepare(client_of(out))
    with pytest.raises(RegistrationError, match=reason):
        Tracker(None, out).check_registration(("sst2",), name, alias)
    with pytest.raises(RegistrationError, match=reason):
        Tracker(None, out).register(analyse(records), name, alias)
    assert client_of(out).search_model_versions() == []


def test_a_folder_without_a_database_has_no_name_taken(tmp_path: Path) -> None:
    Tracker(None, tmp_path).check_registration(("sst2",), "mine")
    assert list(tmp_path.iterdir()) == []


def test_a_registry_that_refuses_says_why_in_one_line(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = with_adapters(out, comparison(("sst2",)))
    publish(out, None, records)

    def refuse(*_: object, **__: object) -> None:
        raise MlflowException("this registry is\nread-only")

    monkeypatch.setattr(MlflowClient, "create_registered_model", refuse)
    with pytest.raises(TrackingError, match="MlflowException: this registry is read-only") as error:
        Tracker(None, out).register(analyse(records), "mine")
    assert "\n" not in str(error.value)


def test_without_an_adapter_there_is_nothing_to_register(out: Path) -> None:
    records = comparison(("sst2",), out=out)
    publish(out, None, records)
    assert models_of(out) == {}
    with pytest.raises(RegistrationError, match="with an adapter to register"):
        Tracker(None, out).register(analyse(records), "mine")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (["compare", "sst2", "--alias=first"], "--alias goes with --register"),
        (["compare", "sst2", "--register=a:b"], "without / : or quotes, but got 'a:b'"),
        (["report", "--register=a:b"], "without / : or quotes, but got 'a:b'"),
    ],
)
def test_what_was_typed_is_refused_in_one_line(
    line: list[str], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "runs"
    publish_records(out)
    assert main([*line, "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


def publish_records(out: Path) -> None:
    """A folder that `report` reads."""
    from tests.tracking.folders import put

    put(out, comparison(("sst2",), out=out))
