"""One composed input: what its definitions evaluate to."""

from __future__ import annotations

import pytest

from meldpy.errors import LimitError
from meldpy.model.canon import BuiltinOp, StringEncoding
from meldpy.model.extern import InstanceType, TypeExtern
from meldpy.model.ids import FuncId, MemoryId
from meldpy.model.linked import (
    AsyncBuiltin,
    BuiltinFunc,
    ImportFunc,
    InstanceItem,
    LiftFunc,
    LowerFunc,
    ResourceBuiltin,
    TypeItem,
)
from meldpy.model.valtype import DefinedType, OwnType, ResourceType
from tests.unit.resolver.build import export, exported_func, graph_of, names

LEAF = """
  (component $leaf
    (type $r (resource (rep i32)))
    (core module $m (memory (export "mem") 1) (func (export "f") (result i32) i32.const 7))
    (core instance $i (instantiate $m))
    (func $f (result u32) (canon lift (core func $i "f")))
    (export "r" (type $r))
    (export "f" (func $f)))
"""


def test_lift_is_bound_to_the_defining_core_instance() -> None:
    graph = graph_of("""(component
      (core module $m (memory (export "mem") 1) (func) (func (export "f") (result i32) i32.const 7))
      (core instance $i (instantiate $m))
      (alias core export $i "mem" (core memory $mem))
      (func (export "f") (result u32) (canon lift (core func $i "f") (memory $mem) string-encoding=utf16)))""")
    (lift,) = graph.lifts
    assert lift.core_func == FuncId(graph.core_instances[0].id, 1)
    assert lift.options.memory == MemoryId(graph.core_instances[0].id, 0)
    assert lift.options.string_encoding is StringEncoding.UTF16
    assert not lift.options.memory64
    assert exported_func(graph, "f").func == LiftFunc(lift.id)


def test_a_component_instantiated_twice_has_two_states_and_two_resource_types() -> None:
    graph = graph_of(f"""(component {LEAF}
      (instance $a (instantiate $leaf)) (instance $b (instantiate $leaf))
      (export "a" (instance $a)) (export "b" (instance $b)))""")
    assert len(graph.modules) == 1
    assert [c.module for c in graph.core_instances] == [0, 0]
    assert [i.parent for i in graph.instances] == [None, 0, 0]
    first, second = export(graph, "a", "r"), export(graph, "b", "r")
    assert isinstance(first, TypeItem)
    assert isinstance(second, TypeItem)
    assert isinstance(first.type, ResourceType)
    assert isinstance(second.type, ResourceType)
    assert first.type.id != second.type.id
    assert [r.definer for r in graph.resources] == [1, 2]
    assert [r.name for r in graph.resources] == ["r", "r"]


def test_an_exported_import_is_the_definers() -> None:
    graph = graph_of("""(component
      (core module $def (memory (export "m") i64 1) (func (export "f") (result i32) i32.const 1))
      (core module $pass
        (import "d" "m" (memory i64 1)) (import "d" "f" (func (result i32)))
        (export "m2" (memory 0)) (export "f2" (func 0)))
      (core instance $d (instantiate $def))
      (core instance $p (instantiate $pass (with "d" (instance $d))))
      (alias core export $p "m2" (core memory $mem))
      (func (export "f") (result u32) (canon lift (core func $p "f2") (memory $mem))))""")
    (lift,) = graph.lifts
    assert lift.core_func == FuncId(graph.core_instances[0].id, 0)
    assert lift.options.memory == MemoryId(graph.core_instances[0].id, 0)
    assert lift.options.memory64


def test_core_inline_exports_mix_items_of_several_instances() -> None:
    graph = graph_of("""(component
      (core module $a (func (export "f")))
      (core module $b (global (export "g") i32 (i32.const 1)) (table (export "t") 1 funcref) (tag (export "e")))
      (core module $c (import "x" "g" (global i32)) (import "x" "f" (func)) (import "x" "t" (table 1 funcref))
        (import "x" "e" (tag)))
      (core instance $ia (instantiate $a)) (core instance $ib (instantiate $b))
      (core instance $mix (export "f" (func $ia "f")) (export "g" (global $ib "g")) (export "t" (table $ib "t"))
        (export "e" (tag $ib "e")))
      (core instance (instantiate $c (with "x" (instance $mix)))))""")
    args = graph.core_instances[2].args
    assert [type(a).__name__ for a in args] == ["GlobalId", "FuncId", "TableId", "TagId"]
    assert [a.instance for a in args if not isinstance(a, LowerFunc | BuiltinFunc)] == [1, 0, 1, 1]


def test_outer_aliases_reach_across_levels() -> None:
    graph = graph_of("""(component $root
      (type $rec (record (field "x" u32)))
      (core module $m (func (export "f")))
      (component $twice (alias outer $root $m (core module $mm)) (core instance (instantiate $mm)))
      (component $outer
        (component $inner
          (alias outer $root $m (core module $mm))
          (alias outer $root $twice (component $cc))
          (alias outer $root $rec (type $t))
          (core instance (instantiate $mm))
          (instance (instantiate $cc))
          (export "t" (type $t)))
        (instance $i (instantiate $inner))
        (export "i" (instance $i)))
      (instance $o (instantiate $outer))
      (alias export $o "i" (instance $oi))
      (export "i" (instance $oi)))""")
    assert len(graph.modules) == 1
    assert len(graph.core_instances) == 2
    assert [i.parent for i in graph.instances] == [None, 0, 1, 2]
    assert names(export(graph, "i")) == ["t"]


def test_components_modules_and_functions_are_arguments() -> None:
    graph = graph_of("""(component
      (core module $m (func (export "run") (result i32) i32.const 3))
      (component $leaf (import "m" (core module $m (export "run" (func (result i32)))))
        (core instance $i (instantiate $m))
        (func (export "run") (result u32) (canon lift (core func $i "run")))
        (func (export "secret") (result u32) (canon lift (core func $i "run"))))
      (component $user
        (import "m" (core module $m (export "run" (func (result i32)))))
        (import "c" (component $c (import "m" (core module (export "run" (func (result i32)))))
          (export "run" (func (result u32)))))
        (instance $i (instantiate $c (with "m" (core module $m))))
        (export "i" (instance $i)))
      (instance $u (instantiate $user (with "m" (core module $m)) (with "c" (component $leaf))))
      (alias export $u "i" (instance $ui))
      (export "i" (instance $ui)))""")
    # The component's declared type hides what it does not mention.
    assert names(export(graph, "i")) == ["run"]
    assert len(graph.core_instances) == 1
    assert len(graph.lifts) == 2


def test_a_declared_import_hides_other_exports() -> None:
    graph = graph_of(f"""(component {LEAF}
      (instance $a (instantiate $leaf))
      (component $pass (import "i" (instance $i (export "f" (func (result u32))))) (export "j" (instance $i)))
      (instance $p (instantiate $pass (with "i" (instance $a))))
      (alias export $p "j" (instance $j))
      (export "j" (instance $j)))""")
    assert names(export(graph, "j")) == ["f"]


def test_a_lower_of_a_lift_is_a_call_site_and_resources_are_bound_by_identity() -> None:
    graph = graph_of("""(component
      (component $def
        (type $r (resource (rep i32)))
        (core func $new (canon resource.new $r))
        (core module $m (import "" "new" (func $new (param i32) (result i32)))
          (func (export "make") (result i32) (call $new (i32.const 5))))
        (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
        (export $r2 "r" (type $r))
        (func (export "make") (result (own $r2)) (canon lift (core func $i "make"))))
      (component $use
        (import "d" (instance $d (export "r" (type $r (sub resource))) (export "make" (func (result (own $r))))))
        (alias export $d "r" (type $r))
        (core func $drop (canon resource.drop $r))
        (core func $make (canon lower (func $d "make")))
        (core module $m (import "" "make" (func (result i32))) (import "" "drop" (func (param i32))))
        (core instance (instantiate $m (with "" (instance
          (export "make" (func $make)) (export "drop" (func $drop)))))))
      (instance $d (instantiate $def))
      (instance $u (instantiate $use (with "d" (instance $d)))))""")
    (lower,) = graph.lowers
    assert lower.callee == LiftFunc(graph.lifts[0].id)
    assert lower.type is graph.lifts[0].type
    assert (lower.instance, graph.lifts[0].instance) == (2, 1)
    new, drop = graph.builtins
    assert isinstance(new, ResourceBuiltin)
    assert isinstance(drop, ResourceBuiltin)
    assert (new.op, new.instance) == ("new", 1)
    assert (drop.op, drop.instance) == ("drop", 2)
    assert new.resource == drop.resource
    assert graph.resources[new.resource].definer == 1
    assert isinstance(lower.type.result, DefinedType)
    assert isinstance(lower.type.result.definition, OwnType)
    assert lower.type.result.definition.resource.id == new.resource


def test_a_destructor_is_a_core_function() -> None:
    graph = graph_of("""(component
      (core module $m (func (export "dtor") (param i32)))
      (core instance $i (instantiate $m))
      (alias core export $i "dtor" (core func $dtor))
      (type $r (resource (rep i32) (dtor (core func $dtor))))
      (export "r" (type $r)))""")
    (resource,) = graph.resources
    assert resource.dtor == FuncId(graph.core_instances[0].id, 0)
    assert resource.name == "r"


def test_exports_are_new_names_of_types_and_functions_use_them() -> None:
    graph = graph_of("""(component
      (core module $m (func (export "f") (result i32) i32.const 0))
      (core instance $i (instantiate $m))
      (type $rec (record (field "x" u8)))
      (func $f (result $rec) (canon lift (core func $i "f")))
      (component $shim
        (type $local (record (field "x" u8)))
        (import "import-type-rec" (type $rec (eq $local)))
        (import "import-func-f" (func $f (result $rec)))
        (export $rec2 "rec" (type $rec))
        (export "f" (func $f) (func (result $rec2))))
      (instance $s (instantiate $shim
        (with "import-type-rec" (type $rec)) (with "import-func-f" (func $f))))
      (export "api" (instance $s)))""")
    rec = export(graph, "api", "rec")
    assert isinstance(rec, TypeItem)
    assert isinstance(rec.type, DefinedType)
    func = exported_func(graph, "api", "f")
    assert func.type.result is rec.type
    assert rec.type.alias_of is graph.lifts[0].type.result


IMPORTS = """(component
  (import "a" (instance $a
    (type $r' (record (field "x" u8)))
    (export "rec" (type $rec (eq $r')))
    (export "res" (type $res (sub resource)))
    (export "f" (func (param "r" (own $res)) (result $rec)))))
  (alias export $a "rec" (type $rec))
  (alias export $a "res" (type $res))
  (import "b" (instance $b
    (alias outer 1 $rec (type $outer-rec))
    (export "rec" (type $rec2 (eq $outer-rec)))
    (export "deep" (instance (export "g" (func (param "r" $rec2)))))))
  (core func $f (canon lower (func $a "f")))
  (alias export $b "deep" (instance $deep))
  (export "again" (instance $b))
  (core func $g (canon lower (func $deep "g")))
  (core func $drop (canon resource.drop $res)))
"""


def test_imported_functions_have_a_number_and_a_path() -> None:
    graph = graph_of(IMPORTS)
    assert [(f.import_, f.path) for f in graph.import_funcs] == [(0, ("f",)), (1, ("deep", "g"))]
    assert [lower.callee for lower in graph.lowers] == [ImportFunc(f.id) for f in graph.import_funcs]


def test_types_of_imports_keep_their_identity() -> None:
    graph = graph_of(IMPORTS)
    first, second = graph.imports[0].type, graph.imports[1].type
    assert isinstance(first, InstanceType)
    assert isinstance(second, InstanceType)
    rec, res, rec2 = first.exports[0].type, first.exports[1].type, second.exports[0].type
    assert isinstance(rec, TypeExtern)
    assert isinstance(res, TypeExtern)
    assert isinstance(rec2, TypeExtern)
    assert isinstance(rec2.type, DefinedType)
    assert rec2.type.alias_of is rec.type
    assert res.bound_resource
    assert isinstance(res.type, ResourceType)
    assert graph.resources[res.type.id].definer is None
    (drop,) = graph.builtins
    assert isinstance(drop, ResourceBuiltin)
    assert drop.resource == res.type.id


def test_a_reexported_import_is_known_as_such() -> None:
    item = export(graph_of(IMPORTS), "again")
    assert isinstance(item, InstanceItem)
    assert item.imported == (1, ())


def test_two_imports_of_one_instance_type_have_resource_types_of_their_own() -> None:
    graph = graph_of("""(component
      (type $t (instance (export "r" (type (sub resource)))))
      (import "a" (instance (type $t))) (import "b" (instance (type $t))))""")
    ids = []
    for import_ in graph.imports:
        assert isinstance(import_.type, InstanceType)
        extern = import_.type.exports[0].type
        assert isinstance(extern, TypeExtern)
        assert isinstance(extern.type, ResourceType)
        ids.append(extern.type.id)
    assert len(set(ids)) == 2


def test_async_builtins_are_kept_by_name() -> None:
    graph = graph_of("""(component (core func (canon waitable-set.new)))""")
    (builtin,) = graph.builtins
    assert isinstance(builtin, AsyncBuiltin)
    assert builtin.op is BuiltinOp.WAITABLE_SET_NEW


def test_long_chains_of_instantiations_do_not_exhaust_the_stack() -> None:
    links = "".join(
        f"(component $c{i} (alias outer $root $c{i - 1} (component $p)) (instance (instantiate $p)))"
        for i in range(1, 900)
    )
    graph = graph_of(f"(component $root (component $c0) {links} (instance (instantiate $c899)))")
    assert len(graph.instances) == 901


def _doubling(levels: int, leaf: str) -> str:
    parts = [f"(component $c0 {leaf})"]
    for i in range(1, levels):
        alias = f"(alias outer $root $c{i - 1} (component $p))"
        parts.append(f"(component $c{i} {alias} (instance (instantiate $p)) (instance (instantiate $p)))")
    return f"(component $root {' '.join(parts)} (instance (instantiate $c{levels - 1})))"


@pytest.mark.parametrize(
    ("wat", "flag"),
    [
        (_doubling(40, ""), "--max-instances"),
        (_doubling(12, "(core module $m) " + "(core instance (instantiate $m))" * 8), "--max-core-instances"),
    ],
)
def test_exponential_instantiation_is_capped(wat: str, flag: str) -> None:
    with pytest.raises(LimitError) as caught:
        graph_of(wat)
    assert caught.value.remedy is not None
    assert flag in caught.value.remedy
    assert caught.value.location is not None


def test_the_cap_on_definitions_counts_types() -> None:
    types = "(type (list u8))" * 200
    with pytest.raises(LimitError, match="100 evaluated definitions"):
        graph_of(f"(component {types})", max_definitions=100)


def test_a_core_module_type_holds_the_types_it_uses() -> None:
    # Module types matter only inside component types: at the root they are refused.
    graph = graph_of("""(component
      (core type $f (func (param i32)))
      (core type $m (module (alias outer 1 $f (type $g)) (type $h (func)) (import "a" "b" (func (type $g)))
        (export "c" (func (type $h)))))
      (type (component (import "m" (core module (type $m))))))""")
    assert graph.imports == ()
