"""The core level at work: carriers come first, and what the main module imports is what it gets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from wasmtime import Engine, Store, wat2wasm
from wasmtime import component as wc

from meldpy.binary.decode import decode_module
from meldpy.binary.encode import encode_component
from meldpy.model.canon import (
    OPT_LATIN1_UTF16,
    OPT_MEMORY,
    OPT_POST_RETURN,
    OPT_REALLOC,
    OPT_UTF16,
    CanonOpt,
    Lift,
    Lower,
    StringEncoding,
)
from meldpy.model.component import CanonSection, CoreInlineExports, CoreInstanceSection, CoreInstantiate
from meldpy.model.core import CoreModule, CoreSort
from meldpy.model.extern import ExternName, FuncType
from meldpy.model.fused import (
    Boundary,
    BoundBuiltin,
    BoundLift,
    BoundLower,
    BoundOptions,
    BoundResource,
    CoreExportRef,
    FusedModule,
)
from meldpy.model.ids import ImportFuncId, LiftId, ResourceId
from meldpy.model.linked import FuncItem, LiftFunc, LinkedGraph, TypeItem
from meldpy.model.valtype import DefinedType, OwnType, PrimValType, ResourceType
from meldpy.wrapper import wrap
from tests.support.hand_graph import hand_graph, renamed

STRING = FuncType((("text", PrimValType.STRING),), PrimValType.STRING)

CARRIER = """(module
  (memory (export "m") 1)
  (table (export "t") 2 funcref)
  (type $realloc (func (param i32 i32 i32 i32) (result i32)))
  (type $post (func (param i32)))
  (func (export "realloc") (param i32 i32 i32 i32) (result i32)
    (call_indirect (type $realloc) (local.get 0) (local.get 1) (local.get 2) (local.get 3) (i32.const 0)))
  (func (export "post-return") (param i32) (call_indirect (type $post) (local.get 0) (i32.const 1))))"""

MAIN = """(module
  (import "carrier" "m" (memory 1))
  (import "host" "echo" (func $echo (param i32 i32 i32)))
  (import "carrier" "t" (table 2 funcref))
  (global $next (mut i32) (i32.const 1024))
  (func $realloc (param i32 i32 i32 i32) (result i32)
    global.get $next
    (global.set $next (i32.add (global.get $next) (local.get 3))))
  (func $post (param i32) (global.set $next (i32.const 1024)))
  (elem (i32.const 0) $realloc $post)
  (func (export "run") (param i32 i32) (result i32)
    (call $echo (local.get 0) (local.get 1) (i32.const 8))
    i32.const 8))"""


def module(text: str) -> CoreModule:
    return decode_module(bytes(wat2wasm(text)), "test")


def ref(name: str, sort: CoreSort = CoreSort.FUNC) -> CoreExportRef:
    return CoreExportRef(0, name, sort)


def echo() -> tuple[LinkedGraph, FusedModule]:
    """`run` passes its string on to the imported `echo` and returns what that returns."""
    graph = hand_graph(
        imports=((ExternName("echo"), STRING),),
        import_funcs=((0, (), STRING),),
        lifts=(STRING,),
        exports=((ExternName("run"), FuncItem(LiftFunc(LiftId(0)), STRING)),),
    )
    memory, realloc = ref("m", CoreSort.MEMORY), ref("realloc")
    lower = BoundOptions(StringEncoding.UTF8, memory, realloc, None)
    lift = BoundOptions(StringEncoding.UTF8, memory, realloc, ref("post-return"))
    boundary = Boundary(
        main_imports=(memory, BoundLower(ImportFuncId(0), lower), ref("t", CoreSort.TABLE)),
        lifts=(BoundLift(LiftId(0), CoreExportRef(None, "run", CoreSort.FUNC), lift),),
        resources=(),
    )
    return graph, FusedModule((module(CARRIER),), module(MAIN), boundary)


def test_memory_realloc_and_post_return_of_the_main_module_are_reached_through_the_carrier() -> None:
    engine = Engine()
    component = wc.Component(engine, bytes(encode_component(wrap(*echo()))))
    store = Store(engine)
    linker = wc.Linker(engine)
    with linker.root() as root:
        root.add_func("echo", lambda _store, text: f"<{text}>")
    run = linker.instantiate(store, component).get_func(store, "run")
    assert run is not None
    assert run(store, "héllo") == "<héllo>"
    run.post_return(store)
    assert run(store, "again") == "<again>"


def test_main_imports_are_grouped_by_module_name() -> None:
    component = wrap(*echo())
    (instances,) = [s.items for s in component.sections if isinstance(s, CoreInstanceSection) and len(s.items) > 1]
    groups = [[name for name, _ in i.exports] for i in instances if isinstance(i, CoreInlineExports)]
    (main,) = [i for i in instances if isinstance(i, CoreInstantiate)]
    assert groups == [["m", "t"], ["echo"]]
    assert [name for name, _ in main.args] == ["carrier", "host"]


def test_options_are_written_with_their_places() -> None:
    component = wrap(*echo())
    canons = [c for s in component.sections if isinstance(s, CanonSection) for c in s.items]
    (lower,) = [c for c in canons if isinstance(c, Lower)]
    (lift,) = [c for c in canons if isinstance(c, Lift)]
    assert [option.opcode for option in lower.options] == [OPT_MEMORY, OPT_REALLOC]
    assert [option.opcode for option in lift.options] == [OPT_MEMORY, OPT_REALLOC, OPT_POST_RETURN]
    assert lower.options[0] == lift.options[0] == CanonOpt(OPT_MEMORY, 0)


def test_the_destructor_of_a_resource_is_the_carriers_forwarder() -> None:
    """The host drops what it was given, and the main module's counter moves."""
    carrier = module("""(module
      (table (export "t") 1 funcref)
      (type $dtor (func (param i32)))
      (func (export "dtor") (param i32) (call_indirect (type $dtor) (local.get 0) (i32.const 0))))""")
    main = module("""(module
      (import "r" "new" (func $new (param i32) (result i32)))
      (import "c" "t" (table 1 funcref))
      (global $dropped (mut i32) (i32.const 0))
      (func $dtor (param i32) (global.set $dropped (local.get 0)))
      (elem (i32.const 0) $dtor)
      (func (export "make") (result i32) (call $new (i32.const 77)))
      (func (export "dropped") (result i32) (global.get $dropped)))""")
    defined = ResourceType(ResourceId(0))
    make = FuncType((), DefinedType(OwnType(named := renamed(defined))))
    dropped = FuncType((), PrimValType.U32)
    graph = hand_graph(
        lifts=(make, dropped),
        exports=(
            (ExternName("r"), TypeItem(named)),
            (ExternName("make"), FuncItem(LiftFunc(LiftId(0)), make)),
            (ExternName("dropped"), FuncItem(LiftFunc(LiftId(1)), dropped)),
        ),
        defined=(True,),
    )
    options = BoundOptions(StringEncoding.UTF8, None, None, None)
    boundary = Boundary(
        main_imports=(BoundBuiltin("new", ResourceId(0)), ref("t", CoreSort.TABLE)),
        lifts=tuple(
            BoundLift(LiftId(i), CoreExportRef(None, name, CoreSort.FUNC), options)
            for i, name in enumerate(("make", "dropped"))
        ),
        resources=(BoundResource(ResourceId(0), ref("dtor")),),
    )
    engine = Engine()
    component = wrap(graph, FusedModule((carrier,), main, boundary))
    store = Store(engine)
    instance = wc.Linker(engine).instantiate(store, wc.Component(engine, bytes(encode_component(component))))
    makes, asks = instance.get_func(store, "make"), instance.get_func(store, "dropped")
    assert makes is not None
    assert asks is not None
    handle = makes(store)
    makes.post_return(store)
    assert asks(store) == 0
    asks.post_return(store)
    handle.drop(store)
    assert asks(store) == 77


@pytest.mark.parametrize(
    ("encoding", "opcodes"),
    [
        (StringEncoding.UTF8, [OPT_MEMORY, OPT_REALLOC]),
        (StringEncoding.UTF16, [OPT_UTF16, OPT_MEMORY, OPT_REALLOC]),
        (StringEncoding.LATIN1_UTF16, [OPT_LATIN1_UTF16, OPT_MEMORY, OPT_REALLOC]),
    ],
)
def test_string_encoding_is_written_unless_it_is_the_default(encoding: StringEncoding, opcodes: list[int]) -> None:
    graph, fused = echo()
    lower = BoundOptions(encoding, ref("m", CoreSort.MEMORY), ref("realloc"), None)
    imports = tuple(BoundLower(b.func, lower) if isinstance(b, BoundLower) else b for b in fused.boundary.main_imports)
    component = wrap(graph, replace(fused, boundary=replace(fused.boundary, main_imports=imports)))
    canons = [c for s in component.sections if isinstance(s, CanonSection) for c in s.items]
    (written,) = [c for c in canons if isinstance(c, Lower)]
    assert [option.opcode for option in written.options] == opcodes
