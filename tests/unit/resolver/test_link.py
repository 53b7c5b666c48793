"""Several inputs: matching, type checks, merged imports, and what is exported."""

from __future__ import annotations

import pytest

from meldpy.errors import LinkError, UsageError
from meldpy.model.extern import InstanceType, TypeExtern
from meldpy.model.linked import ImportFunc, InstanceItem, LiftFunc, LinkedGraph, TypeItem
from meldpy.model.valtype import DefinedType, ResourceType
from tests.unit.resolver.build import export, exported_func, graph_of, link, names


def provider(name: str, type_: str = '(param "x" u32) (result u32)', body: str = "(param i32) (result i32)") -> str:
    """Exports an instance `name` with one function `f`."""
    return f"""(component
      (core module $m (func (export "f") {body} unreachable))
      (core instance $i (instantiate $m))
      (func $f {type_} (canon lift (core func $i "f")))
      (instance $api (export "f" (func $f)))
      (export "{name}" (instance $api)))"""


def consumer(name: str, type_: str = '(param "x" u32) (result u32)', core: str = "(param i32) (result i32)") -> str:
    """Imports an instance `name` with one function `f`, lowers it, and exports `run`."""
    return f"""(component
      (import "{name}" (instance $a (export "f" (func {type_}))))
      (core func $f (canon lower (func $a "f")))
      (core module $m (import "" "f" (func {core})) (func (export "run")))
      (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
      (func (export "run") (canon lift (core func $i "run"))))"""


def export_names(graph: LinkedGraph) -> list[str]:
    return [e.name.name for e in graph.exports]


def import_names(graph: LinkedGraph) -> list[str]:
    return [i.name.name for i in graph.imports]


# --- matching --------------------------------------------------------------------------------------------------
def test_providers_are_instantiated_first_whatever_the_order() -> None:
    graph = link({"user": consumer("a:b/c"), "maker": provider("a:b/c")})
    assert [(i.label, i.parent, i.input) for i in graph.instances] == [
        ("composition", None, None), ("maker", 0, 1), ("user", 0, 0),
    ]  # fmt: skip
    (lower,) = graph.lowers
    assert lower.callee == LiftFunc(graph.lifts[0].id)
    assert export_names(graph) == ["run"]
    assert graph.imports == ()


@pytest.mark.parametrize(
    ("imported", "exported"),
    [
        ("a:b/c@1.0.0", "a:b/c@1.3.0"),
        ("a:b/c@1.3.0", "a:b/c@1.0.0"),
        ("a:b/c@0.2.6", "a:b/c@0.2.1"),
        ("plain", "plain"),
    ],
)
def test_names_on_one_track_match_in_either_direction(imported: str, exported: str) -> None:
    graph = link({"user": consumer(imported), "maker": provider(exported)})
    assert graph.imports == ()


@pytest.mark.parametrize(
    ("imported", "exported"),
    [("a:b/c@1.0.0", "a:b/c@2.0.0"), ("a:b/c@0.1.0", "a:b/c@0.2.0"), ("a:b/c@0.0.1", "a:b/c@0.0.2"),
     ("a:b/c@1.0.0-rc.1", "a:b/c@1.0.0"), ("a:b/c", "a:b/c@1.0.0"), ("one", "two")],
)  # fmt: skip
def test_names_on_other_tracks_do_not_match(imported: str, exported: str) -> None:
    graph = link({"user": consumer(imported), "maker": provider(exported)})
    assert import_names(graph) == [imported]
    assert export_names(graph) == ["run", exported]
    assert isinstance(graph.lowers[0].callee, ImportFunc)


def test_the_exact_name_wins_then_the_highest_version() -> None:
    inputs = {"user": consumer("a:b/c@1.1.0"), "new": provider("a:b/c@1.3.0"), "old": provider("a:b/c@1.2.0")}
    assert export_names(link(inputs)) == ["run", "a:b/c@1.2.0"]
    assert export_names(link({**inputs, "same": provider("a:b/c@1.1.0")})) == ["run", "a:b/c@1.3.0", "a:b/c@1.2.0"]


AMBIGUOUS = {"user": consumer("a:b/c@1.1.0"), "one": provider("a:b/c@1.1.0"), "two": provider("a:b/c@1.1.0")}


def test_ambiguity_is_an_error_that_lists_the_candidates() -> None:
    with pytest.raises(LinkError) as caught:
        link(AMBIGUOUS)
    assert caught.value.causes == ("`a:b/c@1.1.0` of input `one`", "`a:b/c@1.1.0` of input `two`")
    assert caught.value.remedy is not None
    assert "--link user:a:b/c@1.1.0=one:a:b/c@1.1.0" in caught.value.remedy


def test_a_link_decides() -> None:
    graph = link(AMBIGUOUS, links=("user:a:b/c@1.1.0=two:a:b/c@1.1.0",))
    (lower,) = graph.lowers
    assert isinstance(lower.callee, LiftFunc)
    assert graph.instances[graph.lifts[lower.callee.lift].instance].label == "two"


def test_a_link_may_join_different_names() -> None:
    graph = link({"user": consumer("x:y/z"), "maker": provider("a:b/c")}, links=("user:x:y/z=maker:a:b/c",))
    assert graph.imports == ()


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("nobody:a=one:b", "`user`, `one`, `two`"),
        ("user:a=one:b", "`a:b/c@1.1.0`"),
        ("user:a:b/c@1.1.0=one:b", "`a:b/c@1.1.0`"),
    ],
)
def test_unknown_names_in_a_link_list_what_there_is(text: str, listed: str) -> None:
    with pytest.raises(LinkError) as caught:
        link(AMBIGUOUS, links=(text,))
    assert listed in caught.value.causes[0]


def test_a_malformed_link_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        link(AMBIGUOUS, links=("user=one",))


def test_a_cycle_is_printed() -> None:
    def both(imports: str, exports: str) -> str:
        return f"""(component
          (import "{imports}" (func $f)) (core func (canon lower (func $f)))
          (core module $m (func (export "f"))) (core instance $i (instantiate $m))
          (func (export "{exports}") (canon lift (core func $i "f"))))"""

    with pytest.raises(LinkError) as caught:
        link({"a": both("y", "x"), "b": both("z", "y"), "c": both("x", "z")})
    assert "`a` → `b` → `c` → `a`" in caught.value.reason
    assert caught.value.causes[0] == "`a` imports `y` from `b`"


def test_one_name_for_two_inputs_is_an_error() -> None:
    from meldpy.resolver import ResolveOptions, ResolverInput, resolve
    from tests.unit.resolver.build import component

    made = component(provider("a:b/c"))
    with pytest.raises(LinkError, match="given twice") as caught:
        resolve([ResolverInput("a", "x.wasm", 0, made), ResolverInput("a", "./x.wasm", 0, made)], ResolveOptions())
    assert caught.value.remedy == "for two instances of it, name them: NAME=./x.wasm OTHER=./x.wasm"
    with pytest.raises(LinkError, match="both called `a`"):
        resolve([ResolverInput("a", "x.wasm", 0, made), ResolverInput("a", "y.wasm", 0, made)], ResolveOptions())


# --- type checks -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ('(param "x" u64) (result u32)', "u64 is not u32"),
        ('(param "y" u32) (result u32)', "the parameters are (y) on one side, (x) on the other"),
        ('(param "x" u32)', "no type is not u32"),
        ('(param "x" u32) (result (tuple u32))', "tuple<u32> is not u32"),
        ('async (param "x" u32) (result u32)', "one of the functions is async"),
    ],
)
def test_a_mismatch_shows_both_types_both_places_and_the_reasons(wanted: str, reason: str) -> None:
    importer = f'(component (import "a:b/c" (instance (export "f" (func {wanted})))))'
    with pytest.raises(LinkError) as caught:
        link({"user": importer, "maker": provider("a:b/c")})
    error = caught.value
    assert "`a:b/c`, imported by `user`, does not fit what `maker` exports" in error.reason
    assert error.location is not None
    assert error.location.source == "user.wasm"
    assert any("maker.wasm" in cause for cause in error.causes)
    assert any("the provider has func(x: u32) -> u32" in cause for cause in error.causes)
    assert error.causes[-1] == reason


def test_a_missing_export_is_a_mismatch_and_a_surplus_one_is_not() -> None:
    importer = '(component (import "a:b/c" (instance (export "g" (func)))))'
    with pytest.raises(LinkError) as caught:
        link({"user": importer, "maker": provider("a:b/c")})
    assert caught.value.causes[-1] == "`g` is not among what is provided: f"
    link({"user": '(component (import "a:b/c" (instance)))', "maker": provider("a:b/c")})


def test_sorts_must_agree() -> None:
    with pytest.raises(LinkError) as caught:
        link({"user": '(component (import "a:b/c" (func)))', "maker": provider("a:b/c")})
    assert caught.value.causes[-1] == "the importer declares a func, the provider has a instance"


RECORDS = """(component
  (core module $m (func (export "f") (param i32)))
  (core instance $i (instantiate $m))
  (type $rec (record (field "x" u32)))
  (component $shim
    (type $local (record (field "x" u32)))
    (import "t" (type $t (eq $local)))
    (import "f" (func $f (param "r" $t)))
    (export $t2 "rec" (type $t))
    (export "f" (func $f) (func (param "r" $t2))))
  (func $f (param "r" $rec) (canon lift (core func $i "f")))
  (instance $s (instantiate $shim (with "t" (type $rec)) (with "f" (func $f))))
  (export "a:b/types" (instance $s)))"""


def record_user(field: str, export_it: str = "") -> str:
    return f"""(component
      (import "a:b/types" (instance $a (type $r (record (field "{field}" u32)))
        (export "rec" (type $rec (eq $r))) (export "f" (func (param "r" $rec)))))
      (alias export $a "rec" (type $rec)) {export_it})"""


USES_RECORD = """
  (core module $m (func (export "g") (param i32)))
  (core instance $i (instantiate $m))
  (func $g (param "r" $rec) (canon lift (core func $i "g")))
  (component $shim
    (type $local (record (field "x" u32)))
    (import "t" (type $t (eq $local)))
    (import "g" (func $g (param "r" $t)))
    (export $t2 "rec" (type $t))
    (export "g" (func $g) (func (param "r" $t2))))
  (instance $s (instantiate $shim (with "t" (type $rec)) (with "g" (func $g))))
  (export "a:b/api" (instance $s))"""


def test_records_are_compared_by_structure() -> None:
    link({"user": record_user("x"), "maker": RECORDS})
    with pytest.raises(LinkError) as caught:
        link({"user": record_user("y"), "maker": RECORDS})
    assert "the fields are y on one side, x on the other" in caught.value.causes[-1]


RESOURCES = """(component
  (type $r (resource (rep i32)))
  (core module $m (func (export "f") (param i32)))
  (core instance $i (instantiate $m))
  (func $f (param "r" (own $r)) (canon lift (core func $i "f")))
  (component $shim
    (import "t" (type $t (sub resource)))
    (import "f" (func $f (param "r" (own $t))))
    (export $t2 "res" (type $t))
    (export "f" (func $f) (func (param "r" (own $t2)))))
  (instance $s (instantiate $shim (with "t" (type $r)) (with "f" (func $f))))
  (export "{name}" (instance $s)))"""

RESOURCE_USER = """(component
  (import "{name}" (instance $a (export "res" (type $r (sub resource))) (export "f" (func (param "r" (own $r))))))
  (alias export $a "res" (type $r))
  (import "x:y/uses" (instance $u (export "res" (type $s (eq $r))) (export "g" (func (param "r" (own $s))))))
  (core func (canon resource.drop $r)))"""


def test_the_importers_resource_type_is_the_providers() -> None:
    user = '(component (import "a:b/r" (instance $a (export "res" (type $r (sub resource))))) ' \
           '(alias export $a "res" (type $r)) (core func (canon resource.drop $r)))'  # fmt: skip
    graph = link({"user": user, "maker": RESOURCES.replace("{name}", "a:b/r")})
    (drop,) = graph.builtins
    assert drop.instance == 3
    resource = graph.resources[0]
    assert resource.definer == 1
    assert drop.resource == resource.id  # type: ignore[union-attr]  # the only builtin is resource.drop


def test_an_open_import_cannot_use_resource_types_of_a_satisfied_one() -> None:
    with pytest.raises(LinkError, match="uses resource types of `a:b/r`, which input `maker` provides"):
        link({"user": RESOURCE_USER.replace("{name}", "a:b/r"), "maker": RESOURCES.replace("{name}", "a:b/r")})


def test_resource_types_of_two_providers_stay_apart() -> None:
    # `user` wants x:y/uses over the resource type of a:b/r, but x:y/uses has one of its own.
    with pytest.raises(LinkError) as caught:
        link({
            "user": RESOURCE_USER.replace("{name}", "a:b/r"),
            "maker": RESOURCES.replace("{name}", "a:b/r"),
            "other": RESOURCES.replace("{name}", "x:y/uses").replace('"f"', '"g"'),
        })  # fmt: skip
    assert "each instance that defines one has its own" in caught.value.causes[-1]


# --- merged imports --------------------------------------------------------------------------------------------
def host(version: str, funcs: str, *, use: bool = True) -> str:
    """Imports `h:o/st` at a version: a resource and functions over it; `use` drops it."""
    return f"""(component
      (import "h:o/st@{version}" (instance $h (export "res" (type $r (sub resource))) {funcs}))
      (alias export $h "res" (type $r)) {"(core func (canon resource.drop $r))" if use else ""})"""


GET = '(export "get" (func (result (own $r))))'
PUT = '(export "put" (func (param "r" (borrow $r))))'


def test_imports_on_one_track_merge_under_the_highest_version() -> None:
    graph = link({"a": host("0.2.1", GET), "b": host("0.2.6", PUT)})
    assert import_names(graph) == ["h:o/st@0.2.6"]
    type_ = graph.imports[0].type
    assert isinstance(type_, InstanceType)
    assert [e.name.name for e in type_.exports] == ["res", "put", "get"]
    assert len({b.resource for b in graph.builtins}) == 1  # type: ignore[union-attr]  # all are resource.drop


def test_imports_on_other_tracks_stay_apart() -> None:
    graph = link({"a": host("0.2.1", GET), "b": host("0.3.0", GET)})
    assert import_names(graph) == ["h:o/st@0.2.1", "h:o/st@0.3.0"]
    assert len({b.resource for b in graph.builtins}) == 2  # type: ignore[union-attr]  # all are resource.drop


def test_versions_that_contradict_each_other_stay_apart() -> None:
    graph = link({"a": host("0.2.1", GET), "b": host("0.2.6", '(export "get" (func (result u32)))')})
    assert import_names(graph) == ["h:o/st@0.2.1", "h:o/st@0.2.6"]


def test_one_name_with_contradicting_types_is_an_error() -> None:
    with pytest.raises(LinkError, match="expect different types") as caught:
        link({"a": host("0.2.1", GET), "b": host("0.2.1", '(export "get" (func (result u32)))')})
    assert any("a.wasm" in cause for cause in caught.value.causes)
    assert any("b.wasm" in cause for cause in caught.value.causes)


def test_merged_imports_follow_those_whose_types_they_use() -> None:
    uses = """(component
      (import "h:o/st@0.2.1" (instance $h (export "res" (type (sub resource)))))
      (alias export $h "res" (type $r))
      (import "h:o/user@0.2.1" (instance (alias outer 1 $r (type $o)) (export "res" (type $s (eq $o)))
        (export "f" (func (param "r" (borrow $s)))))))"""
    graph = link({"a": uses, "b": host("0.2.6", GET)})
    assert import_names(graph) == ["h:o/st@0.2.6", "h:o/user@0.2.1"]
    first, second = graph.imports[0].type, graph.imports[1].type
    assert isinstance(first, InstanceType)
    assert isinstance(second, InstanceType)
    defined, used = first.exports[0].type, second.exports[0].type
    assert isinstance(defined, TypeExtern)
    assert isinstance(used, TypeExtern)
    assert isinstance(used.type, ResourceType)
    assert used.type.alias_of is defined.type


def test_each_input_sees_only_what_it_declares_of_a_merged_import() -> None:
    reexport = '(component (import "h:o/st" (instance $h (export "f" (func)))) (export "again" (instance $h)))'
    more = '(component (import "h:o/st" (instance $h (export "f" (func)) (export "g" (func)))))'
    item = export(link({"a": reexport, "b": more}), "again")
    assert names(item) == ["f"]
    assert isinstance(item, InstanceItem)
    assert item.imported is None


# --- strict ----------------------------------------------------------------------------------------------------
def test_strict_refuses_open_imports_but_wasi_and_those_allowed() -> None:
    inputs = {"a": consumer("x:y/z@1.0.0"), "b": host("0.2.1", GET), "c": consumer("wasi:q/r@0.2.0")}
    with pytest.raises(LinkError) as caught:
        link(inputs, strict=True, allow_imports=("h:*",), hides=("c:run",))
    assert caught.value.causes == ("`x:y/z@1.0.0`, imported by `a`",)
    graph = link(inputs, strict=True, allow_imports=("h:*", "x:y/*"), hides=("c:run",))
    assert len(graph.imports) == 3
    with pytest.raises(LinkError):
        graph_of(consumer("x:y/z"), strict=True)


# --- exports ---------------------------------------------------------------------------------------------------
def test_a_consumed_interface_is_exported_if_an_export_uses_its_types() -> None:
    quiet = link({"user": record_user("x"), "maker": RECORDS})
    assert export_names(quiet) == []
    graph = link({"user": record_user("x", USES_RECORD), "maker": RECORDS})
    assert export_names(graph) == ["a:b/types", "a:b/api"]
    origin, used = export(graph, "a:b/types", "rec"), export(graph, "a:b/api", "rec")
    assert isinstance(origin, TypeItem)
    assert isinstance(used, TypeItem)
    assert isinstance(used.type, DefinedType)
    assert used.type.alias_of is origin.type
    assert exported_func(graph, "a:b/api", "g").type.params[0][1] is used.type


def test_options_choose_exports() -> None:
    inputs = {"user": consumer("a:b/c"), "maker": provider("a:b/c"), "third": provider("d:e/f")}
    assert export_names(link(inputs)) == ["run", "d:e/f"]
    assert export_names(link(inputs, roots=("maker",))) == ["a:b/c"]
    assert export_names(link(inputs, exports=("a:b/c",))) == ["run", "a:b/c", "d:e/f"]
    assert export_names(link(inputs, hides=("run",))) == ["d:e/f"]
    assert export_names(link(inputs, roots=("user",), exports=("third:d:e/f",))) == ["run", "d:e/f"]
    for options in ({"roots": ("x",)}, {"exports": ("x",)}, {"hides": ("x",)}):
        with pytest.raises(LinkError) as caught:
            link(inputs, **options)
        assert "there are: " in caught.value.causes[0]


def test_two_exports_of_one_name_are_an_error_unless_one_is_hidden() -> None:
    inputs = {"one": consumer("a:b/c"), "two": consumer("a:b/d")}
    with pytest.raises(LinkError, match="inputs `one` and `two` both export `run`"):
        link(inputs)
    assert export_names(link(inputs, hides=("two:run",))) == ["run"]


def test_hidden_interfaces_whose_resource_types_are_needed_are_an_error() -> None:
    user = """(component
      (import "a:b/r" (instance $a (export "res" (type $r (sub resource)))))
      (alias export $a "res" (type $r))
      (export "mine" (type $r)))"""
    inputs = {"user": user, "maker": RESOURCES.replace("{name}", "a:b/r")}
    assert export_names(link(inputs)) == ["a:b/r", "mine"]
    with pytest.raises(LinkError, match="--hide leaves out"):
        link(inputs, hides=("a:b/r",))
