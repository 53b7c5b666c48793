"""Random compositions of instances that share a memory and a table: initialisation is seen by the host alike."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.core_graph import CoreGraph, Handle, assert_same

DEFINER = """(module
  (memory (export "m") 1 2) (table (export "t") 6 12 externref)
  (table (export "f") 6 funcref)
  {segments} {start}
  (func (export "peek") (param i32) (result i32) (i32.load8_u (local.get 0))))"""

USER = """(module
  (import "a" "m" (memory 1)) (import "a" "t" (table $t 6 externref)) (import "a" "f" (table $f 6 funcref))
  (import "h" "log" (func $log (param i32)))
  (func $value (result i32) (i32.const {value}))
  {segments} {start}
  (func (export "call") (param i32) (result i32)
    (if (result i32) (ref.is_null (table.get $f (local.get 0)))
      (then (i32.const -1))
      (else (call_indirect $f (result i32) (local.get 0))))))"""

# A start function of a user logs what it sees, and changes some of it.
START = """(func $start
    (call $log (i32.load (i32.const 0)))
    (call $log (i32.load8_u (i32.const 65535)))
    (call $log (ref.is_null (table.get $f (i32.const 1))))
    {action})
  (start $start)"""

ACTIONS = [
    "",
    "(i32.store8 (i32.const 1) (i32.const 200))",
    "(drop (memory.grow (i32.const 1)))",
    "(table.set $f (i32.const 1) (ref.null func))",
    "(memory.init $d (i32.const 2) (i32.const 0) (i32.const 1))",
    "(unreachable)",
]

bytes_ = st.text("abcdef", max_size=3)
data = st.tuples(st.sampled_from([0, 1, 2, 3, 65533, 65534, 65535, 65536, 65537]), bytes_)
elems = st.tuples(st.sampled_from([0, 1, 2, 4, 5, 6, 7]), st.integers(0, 2))


@st.composite
def user(draw: st.DrawFn) -> tuple[int, str, str]:
    """(which definer it uses, segments, start function)."""
    segments = [
        f'(data {"$d" if i == 0 else ""} (i32.const {at}) "{text}")'
        for i, (at, text) in enumerate(draw(st.lists(data, min_size=1, max_size=3)))
    ]
    segments += [
        f"(elem (table $f) (i32.const {at}) func {'$value ' * count})"
        for at, count in draw(st.lists(elems, max_size=2))
    ]
    start = START.format(action=draw(st.sampled_from(ACTIONS))) if draw(st.booleans()) else ""
    return draw(st.integers(0, 3)), " ".join(segments), start


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.lists(data, max_size=2), st.booleans()), min_size=1, max_size=3),
    st.lists(st.one_of(st.none(), user()), max_size=6),
)
def test_host_and_exports_see_the_same(
    definers: list[tuple[list[tuple[int, str]], bool]], users: list[tuple[int, str, str] | None]
) -> None:
    graph = CoreGraph()
    log = graph.host("log", 1)
    calls: list[tuple[str, tuple[int, ...]]] = []
    ready: list[Handle] = []
    pending = list(definers)

    def define() -> None:
        segments, starts = pending.pop(0)
        start = "(func $s (i32.store8 (i32.const 2) (i32.const 99))) (start $s)" if starts else ""
        text = " ".join(f'(data (i32.const {at}) "{content}")' for at, content in segments)
        handle = graph.instance(DEFINER.format(segments=text, start=start))
        graph.export(f"peek{handle.id}", handle["peek"])
        calls.extend((f"peek{handle.id}", (at,)) for at in (0, 1, 2, 3, 65533, 65534, 65535))
        ready.append(handle)

    define()
    for each in users:
        if each is None:
            if pending:
                define()
            continue
        which, segments, start = each
        target = ready[which % len(ready)]
        wat = USER.format(segments=segments, start=start, value=len(graph.handles))
        handle = graph.instance(wat, target["m"], target["t"], target["f"], log)
        graph.export(f"call{handle.id}", handle["call"])
        calls.extend((f"call{handle.id}", (slot,)) for slot in range(6))
    assert_same(graph, *calls)
