"""Small files in GLUE's layout, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

HEADERS = {
    "SST-2": "sentence\tlabel",
    "MRPC": "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String",
    "QQP": "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate",
    "STS-B": "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2"
    "\tsentence1\tsentence2\tscore",
    "MNLI": "index\tpromptID\tpairID\tgenre\tsentence1\tsentence2\tlabel1\tgold_label",
    "QNLI": "index\tquestion\tsentence\tlabel",
    "RTE": "index\tsentence1\tsentence2\tlabel",
    "WNLI": "index\tsentence1\tsentence2\tlabel",
}
ROWS = {
    "CoLA": ["x01\t1\t\tBirds sing.", "x01\t0\t*\tBirds sings."],
    "SST-2": ["so good \t1", "so bad \t0"],
    "MRPC": ['1\t7\t8\tHe said " yes .\tHe agreed .', "0\t9\t10\tIt rose .\tIt fell ."],
    "QQP": ["0\t\t\tHow?\tHow so?\t1", "1\t\t\tWhy?\tWhen?\t0"],
    "STS-B": [
        "0\tg\tf\ty\t1\tn\tn\tA man runs.\tA man is running.\t4.750",
        "1\tg\tf\ty\t2\tn\tn\tA dog.\tA plane.\t0.000",
    ],
    "MNLI": [
        "0\t\t\t\tIt rains.\tIt is wet.\tentailment\tentailment",
        "1\t\t\t\tIt rains.\tIt is late.\tneutral\tneutral",
        "2\t\t\t\tIt rains.\tIt is dry.\tcontradiction\tcontradiction",
    ],
    "QNLI": ["0\tWho?\tAnn did.\tentailment", "1\tWho?\tIt rained.\tnot_entailment"],
    "RTE": ["0\tAnn ran.\tAnn moved.\tentailment", "1\tAnn ran.\tAnn sat.\tnot_entailment"],
    "WNLI": ["0\tAnn ran as she was late.\tAnn was late.\t1", "1\tA b.\tB a.\t0"],
}


@pytest.fixture
def write_glue() -> Callable[..., Path]:
    """Writes one task's train and dev files, two or three rows each, and gives their folder."""
    return _write


def _write(root: Path, folder: str, *, end: str = "\n", mark: bool = False) -> Path:
    place = root / folder
    place.mkdir(parents=True, exist_ok=True)
    head = [HEADERS[folder]] if folder in HEADERS else []
    text = end.join([*head, *ROWS[folder]]) + end
    names = ["train.tsv", "dev_matched.tsv" if folder == "MNLI" else "dev.tsv"]
    for name in names:
        (place / name).write_bytes((b"\xef\xbb\xbf" if mark else b"") + text.encode())
    return place
