"""What the official GLUE files hold: row counts, and digests where they are known.

Row counts are the published ones (Wang et al. 2019; for MNLI's two dev sets Williams et al.
2018). `sha256` is the digest of the archive's file, byte for byte; `rows` that of its labels and
texts (`digest.rows_digest`), which a changed line end or a conversion to Parquet leaves alone.
MRPC's are those of the files made by the official rule from Microsoft's corpus. Digests of the
large files (QQP, MNLI, QNLI's train) are not known here, so those tasks are never called official.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from .digest import rows_digest
from .tasks import Examples, Task


class OfficialFile(NamedTuple):
    """One file of the official archives."""

    rows: int
    """Rows, header not counted."""
    sha256: str | None = None
    """Digest of the file's bytes, where known."""
    rows_sha256: str | None = None
    """Digest of its labels and texts, where known."""


OFFICIAL: Mapping[tuple[str, str], OfficialFile] = {
    ("cola", "train.tsv"): OfficialFile(
        8551,
        "cb368ebeb9f27d7ad03720d27ddc95687a311bdb100781a2fe59a5f5b1bc0624",
        "fdc066a533feb322b5190e2a6e12dec4e7c34611ff6781bb7f71a1ab8c75c62f",
    ),
    ("cola", "dev.tsv"): OfficialFile(
        1043,
        "8c013e21dc39957cac37378d87bebe225b694a0d5fe13eded66c2856628833fd",
        "3f28818a9a7d5fdc43f1e31bd0bbfb2525085b508f8d44fa586a96ced1443b9b",
    ),
    ("sst2", "train.tsv"): OfficialFile(
        67349,
        "48eac26399f8456935f81dd9e3a745c1430adb6c62e233ccfe22db4a0d15d1d1",
        "4ce94a091900cb3c0cea7f2b3186dbf930d34b0eb473efb77e3648b21cf0c75c",
    ),
    ("sst2", "dev.tsv"): OfficialFile(
        872,
        "54a9c12c77e402fc14d6a66a506f24d999f596b0176eb777c972cccc2f9cc4b0",
        "f2e4e68e6d4deacdb0ee784c84e81ab50e8f79fc216f34deb157a506a49cfeb9",
    ),
    ("mrpc", "train.tsv"): OfficialFile(
        3668,
        "69abcedee3cf738c6ce58d772e43e1b7cdf5b4edee4aceda459c0d9f4e5599f3",
        "d59a52c29a920cad96c0b473138b5b0247f7b163fd564fcf280777bc2ce7d733",
    ),
    ("mrpc", "dev.tsv"): OfficialFile(
        408,
        "9e8f284788040f7c9ecde2e1b3c07237c756f926bd9ef8548ef5d34b56f69f17",
        "12401f87e8e2caacca9a2937d851d20a35436bc2a1ecdfbd9000959ab26dd767",
    ),
    ("stsb", "train.tsv"): OfficialFile(
        5749,
        "41c4d978b6162abdcada7e49a982211954cca5459c228db478af333124b257a2",
        "ff8cc3ea2be867996a477de18f9c96a040af22f34d32700a742c8e93ceb9d604",
    ),
    ("stsb", "dev.tsv"): OfficialFile(
        1500,
        "fe7dc0632a5033562f3cadff991f6e8d9b9b6311861660e78c3c82eb7db67f59",
        "5290d3c0a5810a97c14b59ba0cdf2335f37f8578b7cec165cdd62a9c9cba496e",
    ),
    ("rte", "train.tsv"): OfficialFile(
        2490,
        "41e3a9b063433392343fad9e962cf2f58b681c78d8f71592f4186f0837246c5c",
        "c47160b94a873ea09c0ce50d41f56c4ffdc2747297093b9aa102503db7a7eefb",
    ),
    ("rte", "dev.tsv"): OfficialFile(
        277,
        "80230dfa1347282e7b532b06a1004a76a710087541189bf874223ddf0e3819fb",
        "ed2b1b6c31896e457db4b5456650c2ad4247090b14da5dd43f35e32be45b4a3e",
    ),
    ("wnli", "train.tsv"): OfficialFile(
        635,
        "9a88e9d54b6861cc796a088e9acf4f5f65064a9ef65ae6fa7a688b28391e5c9a",
        "48e4b57598bb68961cf6e4253532854cdea06337f42c3105fe0bc42de435b7f7",
    ),
    ("wnli", "dev.tsv"): OfficialFile(
        71,
        "cba00490596dd14be8cf53b4f53bb744abe3a7b89f81ab210528d80225338ed5",
        "f30fd5a53b9141a9c0173feb9b3489cd70b0f5d80f933e32237b3bae22c7ffcb",
    ),
    ("qnli", "train.tsv"): OfficialFile(104743),
    ("qnli", "dev.tsv"): OfficialFile(
        5463,
        "ac19409dcb04631eaaa094bdebdcf621086bc352503dfb6a1a648b614986f4fd",
        "959b4b78d24e42973a895a0ce92fc2d3bbac313a7d45cac54482086df923069a",
    ),
    ("qqp", "train.tsv"): OfficialFile(363849),
    ("qqp", "dev.tsv"): OfficialFile(40430),
    ("mnli", "train.tsv"): OfficialFile(392702),
    ("mnli", "dev_matched.tsv"): OfficialFile(9815),
    ("mnli", "dev_mismatched.tsv"): OfficialFile(9832),
}
"""(task, file) → what the official file holds."""


def differences(
    task: Task, splits: Mapping[str, Examples], folder: Path | None = None
) -> list[str]:
    """Why these rows may not be called the official split; nothing where they may.

    Args:
        task: one of GLUE's.
        splits: the rows by the name of their official file.
        folder: where those files lie; none for rows that came otherwise.
    """
    apart = []
    for file, rows in splits.items():
        known = OFFICIAL[task.name, file]
        where = f"{task.folder}/{file}"
        if len(rows) != known.rows:
            apart.append(f"{where}: {len(rows)} rows, the official file has {known.rows}")
        elif known.rows_sha256 is None:
            apart.append(
                f"{where}: {known.rows} rows as published, but the official digest is not known "
                "here, so the split is not called official"
            )
        elif not _same_bytes(folder, file, known) and rows_digest(rows) != known.rows_sha256:
            apart.append(f"{where}: the rows are not those of the official file")
    return apart


def _same_bytes(folder: Path | None, file: str, known: OfficialFile) -> bool:
    """The quick way to be sure; where the bytes differ, the rows may still be the same."""
    if folder is None:
        return False
    return hashlib.sha256((folder / file).read_bytes()).hexdigest() == known.sha256
