"""The linked graph as a networkx graph."""

from __future__ import annotations

import subprocess
import sys

from meldpy.resolver.graph import OUTSIDE, to_networkx
from tests.unit.resolver.build import link
from tests.unit.resolver.test_link import consumer, provider


def test_call_sites_host_calls_and_exports_are_edges() -> None:
    made = to_networkx(link({"user": consumer("a:b/c"), "maker": provider("a:b/c"), "open": consumer("h:o/st")},
                            hides=("open:run",)))  # fmt: skip
    edges = sorted((str(u), str(v), data["kind"]) for u, v, data in made.edges(data=True))
    assert edges == [("2", "1", "call"), ("3", OUTSIDE, "host call"), (OUTSIDE, "2", "export")]
    assert made.nodes[1]["label"] == "maker"


def test_resolving_does_not_import_networkx() -> None:
    script = "import sys, meldpy.resolver; sys.exit('networkx' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
