"""Random flows of resources through compositions: composition, fused form and a model of handle tables must agree.

Compared are all handle indices and reps that an instance or the host sees, the order of destructor and host calls
among everything else, and the trap that a breach ends in; see tests.support.flows.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from wasmtime import Engine, Store, WasmtimeError, wat2wasm
from wasmtime import component as wc

from meldpy.pipeline import fuse
from tests.differential.trap_kinds import trap_kind
from tests.support.flows.guests import wat
from tests.support.flows.player import make
from tests.support.flows.run import Runner, check, fused_of
from tests.support.flows.soak import SOAK
from tests.support.flows.tally import Tally
from tests.support.flows.topology import TOPOLOGIES, Node, Topology
from tests.support.shape import assert_fused_shape
from tests.support.shards import in_shards

QUICK_FLOWS = 800
DEEP_FLOWS = int(os.environ.get("FLOWS", "20000"))
CYCLES = 10_000_000
PAGE = 65_536
BY_NAME = {topology.name: topology for topology in TOPOLOGIES}


def check_many(seeds: range, *, core: bool = False) -> Tally:
    """Plays a flow for each seed. core: as core outputs, each topology with its memories apart and in one, and with
    async beside it or not."""
    tally = Tally()
    for seed in seeds:
        flow = make(Random(seed), TOPOLOGIES[seed % len(TOPOLOGIES)])
        turn = seed // len(TOPOLOGIES)
        kind = ("separate", "single")[turn % 2], turn // 2 % 2 == 1
        found = check(flow, core=kind) if core else check(flow, some_kept(seed, flow.topology))
        assert not found, f"seed {seed}, {flow.topology.name}: " + "\n".join(found)
        tally.add(flow)
    return tally


def broad(tally: Tally) -> Tally:
    """The tally of a run that tests much of everything."""
    shares = tally.shares()
    assert tally.long * 2 >= tally.flows, tally
    assert all(share >= 3 for title in shares for share in shares[title].values()), tally
    return tally


def some_kept(seed: int, topology: Topology) -> frozenset[int]:
    """Instances that the third form keeps: at least one, at most all but one; the root is the last."""
    rng, count = Random(seed), len(topology.nodes) + 1
    return frozenset(rng.sample(range(count), rng.randint(1, count - 1)))


def test_flows_go_as_the_model_says() -> None:
    broad(check_many(range(QUICK_FLOWS)))


@pytest.mark.toolchain
def test_flows_go_the_same_way_in_core_outputs() -> None:
    check_many(range(160), core=True)


@pytest.mark.deep
def test_flows_go_as_the_model_says_in_a_long_run() -> None:
    """Seeds from FLOWS_SEED on; the tally goes to stdout (pytest -s). See tests.support.shards."""
    start = int(os.environ.get("FLOWS_SEED", "1000000"))
    print(broad(in_shards("flows", range(start, start + DEEP_FLOWS), check_many)))


@pytest.mark.deep
@pytest.mark.toolchain
def test_flows_go_the_same_way_in_core_outputs_in_a_long_run() -> None:
    """The same seeds, as core outputs."""
    start = int(os.environ.get("FLOWS_SEED", "1000000"))
    print(broad(in_shards("core-flows", range(start, start + DEEP_FLOWS), partial(check_many, core=True))))


@settings(max_examples=60)
@given(st.randoms(use_true_random=False), st.sampled_from(TOPOLOGIES))
def test_a_counterexample_would_be_small(rng: Random, topology: Topology) -> None:
    """As above, but flows are made from decisions that hypothesis shrinks."""
    flow = make(rng, topology)
    note(f"{topology.name}: {flow.tape.hex(' ')}; {flow.steps}; {flow.functions}")
    found = check(flow)
    assert not found, "\n".join(found)


# --- the comparison itself --------------------------------------------------------------------------------------------
def differs(flows_of: Topology, run_on: Topology, count: int = 40) -> int:
    """How many flows of one topology go otherwise on another."""
    runner = Runner(Engine(), fused_of(run_on), run_on)
    flows = [make(Random(seed), flows_of) for seed in range(count)]
    return sum(runner.run(flow) != flow.events for flow in flows)


def test_a_topology_differs_from_itself_in_nothing() -> None:
    assert differs(BY_NAME["twins"], BY_NAME["twins"]) == 0


def test_instances_of_one_definition_are_told_apart() -> None:
    text = wat(BY_NAME["twins"])
    assert text.count("(component $K") == 2
    swapped = Topology("swapped", (Node("d1"), Node("d2"), Node("c", ("d2", "d1"), own=False)))
    assert differs(BY_NAME["twins"], swapped) > 20


def test_a_lost_destructor_is_seen() -> None:
    without = tuple(replace(node, dtor=node.name != "d") for node in BY_NAME["pair"].nodes)
    assert differs(BY_NAME["pair"], Topology("without", without)) > 20


def test_a_wrong_handle_index_or_trap_is_seen() -> None:
    flow = next(flow for seed in range(100) if (flow := make(Random(seed), BY_NAME["pair"])).trap is not None)
    assert not check(flow)
    assert flow.events[-1] == ("trap", flow.trap)
    flow.events[-1] = ("trap", "some other trap")
    assert len(check(flow)) == 2
    flow.events.pop()
    assert len(check(flow)) == 2
    flow.events.append(("trap", flow.trap))
    kind, log = flow.events[0]
    assert isinstance(log, bytes)
    flow.events[0] = kind, bytes([*log[:-1], log[-1] ^ 1])
    assert len(check(flow)) == 2


# --- endurance --------------------------------------------------------------------------------------------------------
def test_ten_million_cycles_need_no_memory() -> None:
    """No memory may grow at all: the handle tables stay in the pages that they begin with."""
    fused = fuse([bytes(wat2wasm(SOAK))]).bytes
    assert_fused_shape(fused)
    call = limited(fused)
    assert call("run", CYCLES) == 1
    assert call("count") == CYCLES
    assert call("sum") == CYCLES * (CYCLES + 1) // 2


def test_a_leak_would_need_memory() -> None:
    leaking = SOAK.replace("(call $drop (local.get $h))", "", 1)
    with pytest.raises(WasmtimeError) as error:
        limited(fuse([bytes(wat2wasm(leaking))]).bytes)("run", 100_000)
    assert trap_kind(str(error.value)) == "handle table full"


def limited(fused: bytes) -> Callable[..., int]:
    """Calls exports of an instance whose memories may have four pages, as many as that of the handle tables has."""
    engine = Engine()
    store = Store(engine)
    store.set_limits(memory_size=4 * PAGE)
    instance = wc.Linker(engine).instantiate(store, wc.Component(engine, fused))

    def call(name: str, *args: int) -> int:
        func = instance.get_func(store, name)
        assert func is not None
        result = func(store, *args)
        assert isinstance(result, int)
        return result

    return call
