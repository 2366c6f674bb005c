"""Every method compiles into one graph.

In a process of its own: the shape checks that the other tests switch on are no code that
torch.compile can follow, and users run without them.
"""

import subprocess
import sys

import pytest
from tunebench.methods import names

from tests import contract
from tests.methods.options import CASES, label
from tests.tiny import CONFIGS


def cases(which):
    """What to compile, each by a name without blanks."""
    if which == "defaults":
        return [(name, name, {}) for name in names()]
    # A recurrent encoder runs outside the graph.
    return [(f"{n}:{label(s)}", n, s) for n, s in CASES if s.get("encoder") != "lstm"]


@pytest.mark.parametrize("which", ["defaults", pytest.param("options", marks=pytest.mark.slow)])
def test_every_method_compiles_into_one_graph(which):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.methods.test_one_graph", which],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == [f"{case}/{s}" for case, _, _ in cases(which) for s in CONFIGS]


if __name__ == "__main__":
    for case, name, settings in cases(sys.argv[1]):
        for shape, cfg in CONFIGS.items():
            contract.hold(contract.one_graph, name, cfg, **settings)
            print(f"{case}/{shape}")
