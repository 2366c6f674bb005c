"""GLUE from the Hugging Face hub: one bounded probe, then Parquet files, then the same rows.

The client library retries for half a minute where nothing answers, and for minutes where a
server stays silent, so it is asked only after a probe has been answered, and each file has a
limit of its own. The revision is pinned; a server that knows no such revision, as a mirror may,
is asked for its main branch instead, and that is noted.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import UserError
from ..reachability import TooLate, call_with_timeout, endpoint
from .digest import digest
from .glue import OFFICIAL_SOURCE, SCORE_DECIMALS, TOP_SCORE, remarks
from .official import differences
from .tasks import Examples, Task, TaskData

REPOSITORY = "nyu-mll/glue"
REVISION = "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"
NOT_FOUND = 404
FILE_SECONDS = 120.0
"""A file that is not there after so long is given up; the next attempt resumes it."""

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "cola": ("sentence",),
    "sst2": ("sentence",),
    "mrpc": ("sentence1", "sentence2"),
    "qqp": ("question1", "question2"),
    "stsb": ("sentence1", "sentence2"),
    "mnli": ("premise", "hypothesis"),
    "qnli": ("question", "sentence"),
    "rte": ("sentence1", "sentence2"),
    "wnli": ("sentence1", "sentence2"),
}
_SPLITS: Mapping[str, str] = {"train": "train.tsv", "validation": "dev.tsv"}
_MNLI_SPLITS: Mapping[str, str] = {
    "train": "train.tsv",
    "validation_matched": "dev_matched.tsv",
    "validation_mismatched": "dev_mismatched.tsv",
}


class HubError(UserError):
    """The hub did not give what was asked for; the text says why."""


def read_hub(task: Task) -> TaskData:
    """The task's rows from the hub's Parquet files, fetched now or cached by an earlier fetch.

    Call it only where `unreachable` found nothing.

    Raises:
        HubError: a file that cannot be fetched in time, or does not hold the columns it should.
    """
    splits: dict[str, Examples] = {}
    notes: list[str] = []
    for split, file in (_MNLI_SPLITS if task.name == "mnli" else _SPLITS).items():
        path, revision = _fetch(f"{task.name}/{split}-00000-of-00001.parquet")
        named = {"validation": "test", "validation_matched": "test"}.get(split, split)
        splits[file] = read_parquet(path, task, named.removeprefix("validation_"))
        if revision != REVISION:
            notes.append(
                f"{task.name}/{split}: from the branch {revision}, not the pinned revision"
            )
    train, test, *rest = splits.values()
    extra = dict(zip(("mismatched",), rest, strict=False))
    apart = differences(task, splits)
    source = f"GLUE from the hub, {len(train)} rows, not verified" if apart else OFFICIAL_SOURCE
    notes = [f"from {endpoint()}/datasets/{REPOSITORY}", *apart, *notes, *remarks(train, test)]
    return TaskData(
        task, train, test, source, digest(task, train, test, extra), extra, tuple(notes)
    )


def read_parquet(path: Path, task: Task, split: str) -> Examples:
    """One split's rows; label numbers and ids are those that the official files give.

    Raises:
        HubError: not Parquet, a missing column, a missing text, or a label out of range.
    """
    import pyarrow  # here, for the command line lists tasks without it
    import pyarrow.parquet

    names = [*_COLUMNS[task.name], "label"]
    try:
        table = pyarrow.parquet.read_table(path, columns=names)
        columns = [table.column(name).to_pylist() for name in names]
    except (pyarrow.ArrowException, OSError, KeyError) as error:
        raise HubError(f"{path}: not the Parquet file it should be: {_short(error)}") from None
    if not columns[-1] or any(not isinstance(v, str) for one in columns[:-1] for v in one):
        raise HubError(f"{path}: every row must hold its texts, but some do not")
    kind, top = (
        (float, TOP_SCORE) if task.objective == "regression" else (int, len(task.labels) - 1)
    )
    for row, label in enumerate(columns[-1]):
        if not isinstance(label, kind) or not 0 <= label <= top:
            raise HubError(f"{path}: row {row}: a label must lie in 0..{top:g}, but got {label!r}")
    labels = tuple(round(float(label), SCORE_DECIMALS) for label in columns[-1])
    ids = tuple(f"{task.name}-{split}-{row}" for row in range(len(labels)))
    return Examples(ids, tuple(zip(*columns[:-1], strict=True)), labels)


def _fetch(name: str) -> tuple[Path, str]:
    """The local copy of a file of the repository, and the revision it came from."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    for revision in (REVISION, "main"):

        def download(revision: str = revision) -> str:
            # A token is for the public hub's private repositories, never for a mirror's eyes.
            return hf_hub_download(
                REPOSITORY,
                name,
                repo_type="dataset",
                revision=revision,
                endpoint=endpoint(),
                token=False,
            )

        try:
            return Path(call_with_timeout(FILE_SECONDS, download)), revision
        except TooLate:
            late = f"not fetched within {FILE_SECONDS:.0f} seconds"
            raise HubError(f"{REPOSITORY}/{name}: {late}") from None
        except Exception as error:  # the client lets its transport's own errors through
            if isinstance(error, HfHubHTTPError) and error.response.status_code == NOT_FOUND:
                continue
            raise HubError(f"{REPOSITORY}/{name}: cannot be fetched: {_short(error)}") from None
    raise HubError(f"{endpoint()} has no {name} in {REPOSITORY}")


def _short(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
