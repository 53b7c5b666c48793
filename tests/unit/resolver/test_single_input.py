"""What one input becomes: what it exports, what its parts are called, and how much of it there may be."""

from __future__ import annotations

from itertools import pairwise

import pytest

from meldpy.errors import LimitError, LinkError
from meldpy.model.extern import InstanceType, TypeExtern
from meldpy.model.linked import InstanceItem, TypeItem
from meldpy.model.valtype import ResourceType
from meldpy.resolver import ResolveOptions, ResolverInput, resolve
from meldpy.resolver.graph import to_networkx
from tests.unit.resolver.build import component, graph_of, link

THREE = """(component
  (core module $named-module (func (export "f")))
  (core module (func (export "g")))
  (core instance $i (instantiate $named-module)) (core instance (instantiate 1))
  (func $f (canon lift (core func $i "f")))
  (instance $api (export "f" (func $f)) (export "again" (func $f)))
  (export "a" (func $f)) (export "b" (func $f)) (export "api" (instance $api)))"""


def exports(**options: object) -> list[str]:
    return [export.name.name for export in graph_of(THREE, **options).exports]


def test_options_choose_among_its_exports() -> None:
    assert exports() == ["a", "b", "api"]
    assert exports(hides=("b",)) == ["a", "api"]
    assert exports(hides=("root:a", "api")) == ["b"]
    assert exports(roots=("root",)) == ["a", "b", "api"]
    assert exports(exports=("a",)) == ["a", "b", "api"]
    for wrong in ({"hides": ("c",)}, {"exports": ("c",)}, {"roots": ("other",)}):
        with pytest.raises(LinkError):
            exports(**wrong)


def test_it_is_described_by_its_name_source_and_size() -> None:
    inputs = [ResolverInput("name", "path/to.wasm", 123, component(THREE))]
    (described,) = resolve(inputs, ResolveOptions()).inputs
    assert (described.name, described.source, described.size) == ("name", "path/to.wasm", 123)


def test_modules_have_their_own_names_or_say_where_they_are() -> None:
    assert [module.label for module in graph_of(THREE).modules] == ["named-module", "core module 1"]


def test_the_graph_shows_each_exported_function_with_its_path() -> None:
    made = to_networkx(graph_of(THREE))
    paths = [data["path"] for _, _, data in made.edges(data=True) if data["kind"] == "export"]
    assert sorted(paths) == [("a",), ("api", "again"), ("api", "f"), ("b",)]


RESOURCE = """(component
  (core module $m (func (export "get") (result i32) unreachable))
  (core instance $i (instantiate $m))
  (type $R (resource (rep i32)))
  (export $r "first" (type $R))
  (export $s "second" (type $r) (type (sub resource)))
  (func $get (result (own $R)) (canon lift (core func $i "get")))
  (instance $api (export "third" (type $R)) (export "get" (func $get)))
  (export "api" (instance $api)))"""


def test_a_resource_type_is_called_what_it_is_exported_as_first() -> None:
    graph = graph_of(RESOURCE)
    resource, *stand_ins = graph.resources
    assert not any(each.aliases for each in stand_ins), "what an ascription declares stands for the real one"
    assert (resource.name, resource.aliases) == ("first", ("first", "second", "api.third"))
    items = {export.name.name: export.item for export in graph.exports}
    second = items["second"]
    assert isinstance(second, TypeItem)
    assert second.bound_resource
    assert isinstance(second.type, ResourceType)
    assert second.type.id == resource.id


# --- how much of it ---------------------------------------------------------------------------------------------------
def within(wat: str, **caps: int) -> bool:
    try:
        graph_of(wat, **caps)
    except LimitError:
        return False
    return True


def test_instances_may_reach_their_caps() -> None:
    wat = "(component (component $c) {0})"
    for number in (1, 3):
        several = wat.format("(instance (instantiate $c))" * number)
        assert within(several, max_instances=number + 1)
        assert not within(several, max_instances=number)
    modules = "(component (core module $m) {})".format("(core instance (instantiate $m))" * 3)
    assert within(modules, max_core_instances=3)
    assert not within(modules, max_core_instances=2)


def smallest_cap(wat: str) -> int:
    return next(cap for cap in range(1, 500) if within(wat, max_definitions=cap))


@pytest.mark.parametrize(
    "definition",
    [
        "(core func (canon lower (func $f)))",
        "(core func (canon resource.drop $r))",
        "(type (list u8))",
        "(alias outer 0 0 (type))",
        "(core module)",
        '(instance (export "f" (func $f)))',
        '(type (instance (export "f" (func))))',
    ],
)
def test_every_definition_counts(definition: str) -> None:
    wat = '(component (type (func)) (import "f" (func $f)) (import "r" (type $r (sub resource))) {0})'
    sizes = [smallest_cap(wat.format(definition * number)) for number in (0, 1, 2, 3)]
    assert sizes[0] < sizes[1] < sizes[2] < sizes[3]
    assert sizes[3] - sizes[2] == sizes[2] - sizes[1]


def test_an_instance_that_is_exported_again_counts_again() -> None:
    """It is written in every place, whether it is one item here or not."""
    wat = """(component (import "f" (func $f))
      (instance $i (export "f" (func $f)) (export "g" (func $f)) (export "h" (func $f))) {0})"""
    again = [f'(export "e{i}" (instance $i))' for i in range(3)]
    sizes = [smallest_cap(wat.format("".join(again[:n]))) for n in range(4)]
    steps = [after - before for before, after in pairwise(sizes)]
    assert steps[0] == steps[1] == steps[2]
    assert steps[0] >= 1 + 4, "the export itself, the instance, and what is in it"
    graph = graph_of(wat.format('(export "e" (instance $i)) (export "e2" (instance $i))'))
    first, second = (export.item for export in graph.exports)
    assert isinstance(first, InstanceItem)
    assert first is second


# --- merged imports ---------------------------------------------------------------------------------------------------
IMPORTER = """(component
  (import "a:b/c@1.{0}.0" (instance $i (export "thing" (type (sub resource))) (export "f{0}" (func))))
  (alias export $i "f{0}" (func $f)) (export "run{0}" (func $f)))"""


def test_a_resource_type_of_a_merged_import_is_called_after_it() -> None:
    graph = link({"one": IMPORTER.format(1), "two": IMPORTER.format(2)})
    (import_,) = graph.imports
    assert import_.name.name == "a:b/c@1.2.0"
    assert isinstance(import_.type, InstanceType)
    (thing,) = [export.type for export in import_.type.exports if isinstance(export.type, TypeExtern)]
    assert isinstance(thing.type, ResourceType)
    resource = graph.resources[thing.type.id]
    assert (resource.definer, resource.dtor, resource.name) == (None, None, "a:b/c@1.2.0.thing")


def test_contradicting_imports_are_shown_at_both_places() -> None:
    importer = '(component (import "x" (func $f (param "p" {0}))) (export "run-{0}" (func $f)))'
    with pytest.raises(LinkError, match="expect different types") as caught:
        link({"one": importer.format("u8"), "two": importer.format("s8")})
    assert caught.value.location is not None
    assert caught.value.location.source == "one.wasm"
    first, second, *_ = caught.value.causes
    assert first.startswith("`one` imports it at")
    assert second.startswith("`two` imports it at")
    assert caught.value.diff == ("- x: func(p: u8);", "+ x: func(p: s8);")
    assert "What `one` imports (-) and what `two` imports (+):" in caught.value.render()


def test_contradicting_views_of_an_interface_are_compared_in_what_both_declare() -> None:
    importer = """(component (import "a:b/c" (instance $i (export "f" (func)) (export "g" (func (result {0})))
      (export "only-{0}" (func)))))"""
    with pytest.raises(LinkError, match="expect different types") as caught:
        link({"one": importer.format("u8"), "two": importer.format("s8"), "three": importer.format("s8")})
    assert caught.value.diff == ("  f: func();", "- g: func() -> u8;", "+ g: func() -> s8;")
    assert caught.value.diff_title == "What `one` imports (-) and what `two` imports (+)"
