"""What several inputs export: roots do, libraries do not, and types come along."""

from __future__ import annotations

import pytest

from meldpy.errors import LinkError
from meldpy.model.linked import LinkedGraph
from tests.unit.resolver.build import graph_of, link


def guest(imports: tuple[str, ...], exports: tuple[str, ...]) -> str:
    """A component of functions: whatever it imports, and exports that return nothing."""
    lines = [f'(import "{name}" (func))' for name in imports]
    lines += ['(core module $m (func (export "f"))) (core instance $i (instantiate $m))']
    lines += [f'(func (export "{name}") (canon lift (core func $i "f")))' for name in exports]
    return f"(component {' '.join(lines)})"


def export_names(graph: LinkedGraph) -> list[str]:
    return [export.name.name for export in graph.exports]


def test_an_input_that_satisfies_an_import_is_a_library_and_exports_nothing() -> None:
    """Two guests of one toolchain: both export `init` and `exports`, as their runtime has them."""
    app, lib = guest(("api",), ("init", "exports", "run")), guest((), ("api", "init", "exports"))
    for inputs in ({"app": app, "lib": lib}, {"lib": lib, "app": app}):
        graph = link(inputs)
        assert export_names(graph) == ["init", "exports", "run"]
        assert graph.kept_inside == ("lib:init", "lib:exports"), "`api` is where it is wanted"


def test_every_root_exports_and_libraries_may_import_from_libraries() -> None:
    graph = link(
        {
            "one": guest(("mid",), ("one",)),
            "mid": guest(("low",), ("mid", "mid-extra")),
            "low": guest((), ("low", "low-extra")),
            "alone": guest((), ("alone",)),
            "two": guest(("low",), ("two",)),
        }
    )
    assert export_names(graph) == ["one", "alone", "two"]
    assert graph.kept_inside == ("mid:mid-extra", "low:low-extra")


def test_what_stays_inside_can_be_exported_or_hidden_by_name() -> None:
    inputs = {"app": guest(("api",), ("run",)), "lib": guest((), ("api", "init", "exports"))}
    graph = link(inputs, exports=("init",))
    assert export_names(graph) == ["run", "init"]
    assert graph.kept_inside == ("lib:exports",)
    graph = link(inputs, hides=("lib:init",))
    assert export_names(graph) == ["run"]
    assert graph.kept_inside == ("lib:exports",), "who hides it knows of it"


def test_roots_can_be_named_or_be_all() -> None:
    inputs = {"app": guest(("api",), ("run",)), "lib": guest((), ("api", "extra")), "other": guest((), ("more",))}
    assert export_names(link(inputs, roots=("lib",))) == ["api", "extra"]
    assert link(inputs, roots=("app",)).kept_inside == (), "who names the roots knows what they leave out"
    assert export_names(link(inputs, roots=("all",))) == ["run", "api", "extra", "more"]
    assert export_names(link(inputs, roots=("all",), hides=("extra",))) == ["run", "api", "more"]
    assert export_names(link(inputs, roots=("all", "app"))) == ["run", "api", "extra", "more"]
    assert export_names(graph_of(guest((), ("x", "y")), roots=("all",))) == ["x", "y"]


def test_an_input_called_all_and_root_all_are_not_taken_for_each_other() -> None:
    inputs = {"all": guest((), ("x",)), "b": guest((), ("y",))}
    with pytest.raises(LinkError, match="one of the inputs is called `all`"):
        link(inputs, roots=("all",))
    assert export_names(link(inputs, roots=("b",))) == ["y"]


def test_one_name_from_two_roots_is_an_error_that_proposes_a_root() -> None:
    inputs = {"one": guest((), ("run", "x")), "two": guest((), ("run", "y"))}
    with pytest.raises(LinkError, match="inputs `one` and `two` both export `run`") as caught:
        link(inputs)
    remedy = caught.value.remedy
    assert remedy is not None
    assert 0 < remedy.index("--root one") < remedy.index("--hide two:run")
    assert export_names(link(inputs, roots=("one",))) == ["run", "x"]
    with pytest.raises(LinkError) as caught:
        link(inputs, roots=("one",), exports=("two:run",))
    assert caught.value.remedy == "leave one out, for example with --hide two:run", "the root was chosen already"


TYPES = """(component
  (component $make
    (type $t (record (field "x" u32)))
    (import "rec" (type $rec (eq $t)))
    (export "rec" (type $rec)))
  (type $r (record (field "x" u32)))
  (instance $types (instantiate $make (with "rec" (type $r))))
  (export "a:b/types" (instance $types))
  (export "a:b/more" (instance $types)))"""
USER = """(component
  (type $r (record (field "x" u32)))
  (import "a:b/types" (instance $types (export "rec" (type (eq $r)))))
  (alias export $types "rec" (type $rec))
  (export "mine" (type $rec)))"""


def test_a_librarys_interface_is_exported_if_the_roots_exports_mention_its_types() -> None:
    graph = link({"user": USER, "maker": TYPES})
    assert export_names(graph) == ["a:b/types", "mine"]
    assert graph.exported_for_types == ("maker:a:b/types",)
    assert graph.kept_inside == ("maker:a:b/more",)
    graph = link({"user": USER, "maker": TYPES}, roots=("user",))
    assert export_names(graph) == ["a:b/types", "mine"], "--root cannot leave out what its types need"
    assert graph.exported_for_types == ("maker:a:b/types",)
    assert link({"user": USER, "maker": TYPES}, roots=("all",)).exported_for_types == (), "asked for"


VIRTUAL = """(component
  (component $make
    (import "f" (func $f)) (import "in" (type $in (sub resource))) (export "input" (type $in)) (export "f" (func $f)))
  (core module $m (func (export "f"))) (core instance $i (instantiate $m))
  (func $f (canon lift (core func $i "f")))
  (type $stream (resource (rep i32)))
  (instance $api (instantiate $make (with "f" (func $f)) (with "in" (type $stream))))
  (export "wasi:io/streams@0.2.3" (instance $api))
  (export "wasi:cli/stdin@0.2.3" (instance $api))
  (export "wasi:cli/environment@0.2.3" (instance $api))
  (export "wasi:filesystem/types@0.2.3" (instance $api)))"""
COMMAND = """(component
  (import "wasi:cli/environment@0.2.1" (instance $e (export "f" (func))))
  (import "wasi:io/streams@0.2.1" (instance $s (export "input" (type (sub resource)))))
  (core module $m (func (export "run") (result i32) i32.const 0)) (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $r (export "run" (func $run)))
  (export "wasi:cli/run@0.2.1" (instance $r)))"""


def test_a_virtualising_component_leaks_nothing_into_a_commands_world() -> None:
    graph = link({"virtual": VIRTUAL, "command": COMMAND})
    assert export_names(graph) == ["wasi:cli/run@0.2.1"]
    assert graph.imports == ()
    assert graph.kept_inside == ("virtual:wasi:cli/stdin@0.2.3", "virtual:wasi:filesystem/types@0.2.3")


STORES = """(component
  (import "primary" (implements "a:b/store") (instance $p (export "get" (func (result u32)))))
  (import "backup" (implements "a:b/store") (instance $b (export "get" (func (result u32)))))
  (core func $p (canon lower (func $p "get"))) (core func $b (canon lower (func $b "get")))
  (core module $m (import "" "p" (func $p (result i32))) (import "" "b" (func $b (result i32)))
    (func (export "r") (result i32) (i32.sub (call $p) (call $b))))
  (core instance $i (instantiate $m (with "" (instance (export "p" (func $p)) (export "b" (func $b))))))
  (func (export "run") (result u32) (canon lift (core func $i "r"))))"""
STORE = """(component
  (core module $m (func (export "get") (result i32) (i32.const {})))
  (core instance $i (instantiate $m))
  (func $get (result u32) (canon lift (core func $i "get")))
  (instance $s (export "get" (func $get)))
  (export "a:b/store" (instance $s)))"""


def test_two_providers_of_what_open_imports_implement_are_told_apart_by_links() -> None:
    inputs = {"app": STORES, "fast": STORE.format(7), "safe": STORE.format(5)}
    with pytest.raises(LinkError, match="inputs `fast` and `safe` both export `a:b/store`") as caught:
        link(inputs)
    remedy = caught.value.remedy
    assert remedy is not None
    links = ("app:primary=fast:a:b/store", "app:backup=safe:a:b/store")
    assert f"--link {links[0]} --link {links[1]}" in remedy
    assert remedy.index("--link") < remedy.index("--root") < remedy.index("--hide")
    graph = link(inputs, links=links)
    assert (export_names(graph), graph.imports) == (["run"], ())


def test_independent_inputs_are_instantiated_in_the_order_of_the_command_line() -> None:
    inputs = {name: guest((), (name,)) for name in ("c", "a", "b")}
    inputs["app"] = guest(("a",), ("run",))
    for order in (("c", "a", "b", "app"), ("app", "b", "a", "c"), ("b", "app", "c", "a")):
        graph = link({name: inputs[name] for name in order})
        instantiated = [instance.label for instance in graph.instances[1:]]
        assert instantiated.index("a") < instantiated.index("app"), "providers come first"
        independent = [name for name in order if name in ("a", "b", "c")]
        assert [name for name in instantiated if name != "app"] == independent
        assert [graph.instances[core.instance].label for core in graph.core_instances] == instantiated
