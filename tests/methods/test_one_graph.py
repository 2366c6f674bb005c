"""Every method compiles into one graph.

In a process of its own: the shape checks that the other tests switch on are no code that
torch.compile can follow, and users run without them.
"""

import subprocess
import sys

from tunebench.methods import names

from tests import contract
from tests.methods.test_slots import filling_slots_is_one_graph
from tests.tiny import CONFIGS


def test_every_method_compiles_into_one_graph():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.methods.test_one_graph"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    every = [f"{n}/{shape}" for n in names() for shape in CONFIGS]
    assert done.stdout.split() == ["slots", *every]


if __name__ == "__main__":
    filling_slots_is_one_graph()
    print("slots")
    for name in names():
        for shape, cfg in CONFIGS.items():
            contract.one_graph(name, cfg)
            print(f"{name}/{shape}")
