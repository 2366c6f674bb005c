"""An adapter file that cannot be written: the system's own reason, and nothing half written."""

import contextlib
import errno
import resource

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from tunebench.errors import UserError
from tunebench.files import replacing, write_whole
from tunebench.methods import _file
from tunebench.study.attempt import failure_class

BYTES = 64 * 1024


@contextlib.contextmanager
def quota(most):
    """No file may grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def adapter(path):
    with replacing(path) as beside:
        _file.write(beside, {"a": torch.randn(BYTES)}, {})


def predictions(path):
    with replacing(path) as beside:
        pq.write_table(pa.table({"a": torch.randn(BYTES).numpy()}), beside)


def record(path):
    write_whole(path, bytes(2 * BYTES))


@pytest.mark.parametrize("write", [adapter, predictions, record], ids=lambda one: one.__name__)
def test_a_full_disk_is_told_by_the_file_and_the_system_s_reason(write, tmp_path):
    path = tmp_path / "out" / "cell"
    with (
        quota(BYTES),
        pytest.raises(UserError, match=f"^cannot write {path}: File too large$") as e,
    ):
        write(path)
    assert failure_class(e.value) == "transient"
    assert list(path.parent.iterdir()) == []
    write(path)
    assert path.stat().st_size > BYTES


def test_a_fault_that_is_not_the_disk_s_stays_what_it_is(tmp_path):
    with pytest.raises(OSError, match="Is a directory") as error:
        _file.write(tmp_path, {"a": torch.ones(1)}, {})
    assert error.value.errno == errno.EISDIR
