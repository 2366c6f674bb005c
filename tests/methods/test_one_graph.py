"""Every method compiles into one graph.

In a process of its own: the shape checks that the other tests switch on are no code that
torch.compile can follow, and users run without them.
"""

import subprocess
import sys

import pytest
from tunebench.methods import names
from tunebench.methods._catalogue import compared

from tests import contract
from tests.methods.options import CASES, label
from tests.methods.test_virtual import filling_slots_is_one_graph
from tests.tiny import CONFIGS


def cases(which):
    """What to compile: a name without blanks, the method, its settings and the backbone's shape."""
    if which == "defaults":
        usual, shapes = compared(), sorted(CONFIGS)
        return [(n, n, {}, s) for n in names() for s in (shapes if n in usual else ["encoder"])]
    others = [(n, n, {}, "decoder") for n in names() if n not in compared()]
    # A recurrent encoder runs outside the graph.
    listed = [(f"{n}:{label(s)}", n, s) for n, s in CASES if s.get("encoder") != "lstm"]
    return [*others, *((*case, shape) for case in listed for shape in CONFIGS)]


@pytest.mark.parametrize("which", ["defaults", pytest.param("options", marks=pytest.mark.slow)])
def test_every_method_compiles_into_one_graph(which):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.methods.test_one_graph", which],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    every = [f"{case}/{shape}" for case, _, _, shape in cases(which)]
    assert done.stdout.split() == ["soft_tokens", *every]


if __name__ == "__main__":
    filling_slots_is_one_graph()
    print("soft_tokens")
    for case, name, settings, shape in cases(sys.argv[1]):
        contract.hold(contract.one_graph, name, CONFIGS[shape], **settings)
        print(f"{case}/{shape}")
