"""`--open` and `--chain`: leaving an import to the host, and each input in front of the next."""

from __future__ import annotations

import pytest

import meldpy
from meldpy.errors import LinkError, UsageError
from meldpy.model.linked import LinkedGraph
from tests.unit.resolver.build import graph_of, link

LAYER = """(component
  (import "{imported}" (func $f (result u32)))
  (core func $f (canon lower (func $f)))
  (core module $m (import "" "f" (func $f (result i32)))
    (global $calls (mut i32) (i32.const -1))
    (func (export "f") (result i32)
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (i32.add (i32.mul (call $f) (i32.const 10)) (i32.add (i32.const {digit}) (global.get $calls)))))
  (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
  (func (export "{exported}") (result u32) (canon lift (core func $i "f"))))"""
END = """(component
  (core module $m (func (export "f") (result i32) (i32.const {digit})))
  (core instance $i (instantiate $m))
  {exports})"""


def layer(digit: int, name: str = "f", exported: str | None = None) -> str:
    """Ten times what it imports, and its digit; one more at each later call."""
    text = LAYER.replace("{imported}", name).replace("{exported}", exported or name)
    return text.replace("{digit}", str(digit))


def end(digit: int, *names: str) -> str:
    lifts = (f'(func (export "{name}") (result u32) (canon lift (core func $i "f")))' for name in names or ("f",))
    return END.replace("{digit}", str(digit)).replace("{exports}", " ".join(lifts))


def run(inputs: dict[str, str], calls: int = 1, **options: object) -> int:
    """What the exported `f` gives at the last of `calls` calls; the host's `f` gives 7."""
    import wasmtime
    from wasmtime import component

    given = [meldpy.FuseInput(name, name, text.encode()) for name, text in inputs.items()]
    fused = meldpy.fuse(given, meldpy.FuseOptions(**options))  # type: ignore[arg-type]  # each test names its options
    engine = wasmtime.Engine()
    store, linker = wasmtime.Store(engine), component.Linker(engine)
    with linker.root() as root:
        root.add_func("f", lambda _: 7)
    instance = linker.instantiate(store, component.Component(engine, fused.bytes))
    func = instance.get_func(store, "f")
    assert func is not None
    for _ in range(calls):
        value = func(store)
        func.post_return(store)
    assert isinstance(value, int)
    return value


def imports(graph: LinkedGraph) -> list[str]:
    return [import_.name.name for import_ in graph.imports]


def exports(graph: LinkedGraph) -> list[str]:
    return [export.name.name for export in graph.exports]


# --- in a chain ------------------------------------------------------------------------------------------------
def test_each_input_is_satisfied_by_the_next_to_its_right() -> None:
    layers = {"one": layer(1), "two": layer(2), "three": layer(3)}
    assert run({**layers, "app": end(9)}, chain=True) == 9321
    assert run({"two": layers["two"], "one": layers["one"], "app": end(9)}, chain=True) == 912


def test_the_tail_of_an_open_chain_is_the_host() -> None:
    assert run({"one": layer(1), "two": layer(2)}, chain=True) == 721
    graph = link({"one": layer(1), "two": layer(2)}, chain=True)
    assert (imports(graph), exports(graph)) == (["f"], ["f"])


def test_one_file_twice_in_a_chain_is_two_instances_with_two_states() -> None:
    assert run({"a": layer(1), "b": layer(1), "app": end(9)}, chain=True) == 911
    assert run({"a": layer(1), "b": layer(1), "app": end(9)}, calls=2, chain=True) == 922


def test_a_chain_passes_over_inputs_that_do_not_export_it() -> None:
    inputs = {"one": layer(1), "log": end(5, "log"), "app": end(9)}
    assert run(inputs, chain=True, hides=("log",)) == 91


def test_each_of_several_imports_has_its_own_next() -> None:
    app = """(component
      (import "f" (func $f (result u32))) (import "g" (func $g (result u32)))
      (core func $f (canon lower (func $f))) (core func $g (canon lower (func $g)))
      (core module $m (import "" "f" (func $f (result i32))) (import "" "g" (func $g (result i32)))
        (func (export "f") (result i32) (i32.add (i32.mul (call $f) (i32.const 100)) (call $g))))
      (core instance $i (instantiate $m (with "" (instance (export "f" (func $f)) (export "g" (func $g))))))
      (func (export "f") (result u32) (canon lift (core func $i "f"))))"""
    assert run({"app": app, "one": end(1, "f"), "two": end(2, "f", "g"), "three": end(3, "g")}, chain=True,
               hides=("two:f", "three:g")) == 102  # fmt: skip
    graph = link({"app": app, "only": end(1, "g")}, chain=True)
    assert imports(graph) == ["f"]


def test_a_chain_looks_for_the_track_of_a_version_and_takes_the_nearest() -> None:
    user = '(component (import "{}" (instance (export "g" (func)))))'
    provider = """(component (core module $m (func (export "g"))) (core instance $i (instantiate $m))
      (func $g (canon lift (core func $i "g"))) (instance $x (export "g" (func $g))) (export "{}" (instance $x)))"""
    inputs = {
        "app": user.format("a:b/c@1.2.0"),
        "other": provider.format("a:b/c@2.0.0"),
        "near": provider.format("a:b/c@1.1.0"),
        "exact": provider.format("a:b/c@1.2.0"),
    }
    graph = link(inputs, chain=True)
    assert imports(graph) == []
    assert exports(graph) == ["a:b/c@2.0.0", "a:b/c@1.2.0"], "`near` is the library"
    assert exports(link(inputs)) == ["a:b/c@2.0.0", "a:b/c@1.1.0"], "without a chain the exact name wins"


def test_nothing_to_the_left_satisfies_in_a_chain_but_a_link() -> None:
    inputs = {"app": end(9), "one": layer(1)}
    with pytest.raises(LinkError, match="both export `f`"):
        link(inputs, chain=True)
    assert imports(link(inputs, chain=True, hides=("app:f",))) == ["f"]
    assert run(inputs, chain=True, links=("one:f=app:f",)) == 91


def test_a_link_decides_before_the_chain_does() -> None:
    inputs = {"one": layer(1), "two": layer(2), "app": end(9)}
    assert run(inputs, chain=True, links=("one:f=app:f",), roots=("one",)) == 91
    with pytest.raises(LinkError, match="in a circle: `one` → `two` → `one`") as caught:
        link(inputs, chain=True, links=("two:f=one:f",))
    assert (
        caught.value.remedy == "leave one of these imports to the host, for example --open two:f, or link it otherwise"
    )


def test_a_chain_of_one_is_that_input() -> None:
    assert run({"one": layer(1)}, chain=True) == 71


# --- left open -------------------------------------------------------------------------------------------------
def test_an_import_is_left_to_the_host_although_another_input_could_satisfy_it() -> None:
    inputs = {"one": layer(1), "two": layer(2)}
    with pytest.raises(LinkError, match="in a circle") as caught:
        link(inputs)
    assert caught.value.remedy is not None
    assert "--open two:f" in caught.value.remedy
    assert "--chain" in caught.value.remedy
    assert run(inputs, opens=("two:f",)) == 721
    assert run(inputs, opens=("one:f",)) == 712
    assert run({**inputs, "app": end(9)}, chain=True, opens=("two:f",), roots=("one",)) == 721


def test_a_chain_by_links_ends_at_the_host() -> None:
    inputs = {"one": layer(1), "two": layer(2), "app": end(9)}
    with pytest.raises(LinkError, match="more than one input exports") as caught:
        link(inputs)
    assert caught.value.remedy is not None
    assert "--link one:f=two:f" in caught.value.remedy
    assert "--open one:f" in caught.value.remedy
    assert run(inputs, links=("one:f=two:f", "two:f=app:f")) == 921


def test_what_is_left_open_on_purpose_is_not_refused_and_not_told() -> None:
    inputs = {"one": layer(1), "two": layer(2)}
    graph = link(inputs, opens=("two:f",), strict=True)
    assert graph.open_imports == ()
    with pytest.raises(LinkError, match="--strict refuses") as caught:
        link(inputs, chain=True, strict=True)
    assert caught.value.remedy is not None
    assert "--open INPUT:IMPORT" in caught.value.remedy
    assert imports(graph_of(layer(1), opens=("root:f",), strict=True)) == ["f"]


@pytest.mark.parametrize("text", ["", "f", "one:", ":f"])
def test_every_part_of_what_is_left_open_must_be_there(text: str) -> None:
    with pytest.raises(UsageError, match="INPUT:IMPORT"):
        link({"one": layer(1), "two": layer(2)}, opens=(text,))


@pytest.mark.parametrize(
    ("text", "words"), [("three:f", "no input is called `three`"), ("one:g", "input `one` imports no `g`")]
)
def test_what_is_left_open_must_exist(text: str, words: str) -> None:
    with pytest.raises(LinkError, match=words) as caught:
        link({"one": layer(1), "two": layer(2)}, opens=(text,))
    assert "there are: " in caught.value.causes[0]


@pytest.mark.parametrize("text", ["root:g", "other:f", "f"])
def test_what_a_single_input_leaves_open_must_exist(text: str) -> None:
    with pytest.raises((LinkError, UsageError)):
        graph_of(layer(1), opens=(text,))


def test_an_import_is_not_both_linked_and_left_open() -> None:
    with pytest.raises(LinkError, match="the import `f` of input `one`, and it is to be left open"):
        link({"one": layer(1), "two": layer(2)}, links=("one:f=two:f",), opens=("one:f",))


def test_an_import_that_does_not_fit_can_be_left_to_the_host() -> None:
    odd = """(component (core module $m (func (export "f") (param i32)))
      (core instance $i (instantiate $m))
      (func (export "f") (param "x" u32) (canon lift (core func $i "f"))))"""
    inputs = {"one": layer(1), "odd": odd}
    with pytest.raises(LinkError, match="does not fit what `odd` exports") as caught:
        link(inputs)
    assert caught.value.remedy is not None
    assert caught.value.remedy.endswith("--open one:f")
    assert imports(link(inputs, opens=("one:f",), roots=("one",))) == ["f"]


def test_an_interface_left_open_leaves_its_resource_types_to_the_host_too() -> None:
    """The provider of `types` could satisfy both; each says what to leave open, and leaving it does."""
    types = '(component (type $r (resource (rep i32))) (instance $t (export "r" (type $r))) (export "t" (instance $t)))'
    user = """(component
      (import "t" (instance $t (export "r" (type (sub resource)))))
      (alias export $t "r" (type $r))
      (import "u" (instance (alias outer 1 $r (type $o)) (export "r" (type $s (eq $o)))
        (export "f" (func (param "r" (borrow $s)))))))"""
    with pytest.raises(LinkError, match="`u` is left to be imported, but uses resource types of `t`") as caught:
        link({"user": user, "types": types})
    assert caught.value.remedy is not None
    assert "--open user:t" in caught.value.remedy
    assert imports(link({"user": user, "types": types}, opens=("user:t",))) == ["t", "u"]


ROOT_TYPES = """(component
  (import "r" (type $r (sub resource)))
  (import "[constructor]r" (func (result (own $r))))
  (import "f" (func (param "r" (borrow $r)))))"""
PROVIDES = """(component
  (component $shape
    (import "r" (type $r (sub resource)))
    (import "new" (func $new (result (own $r)))) (import "f" (func $f (param "r" (borrow $r))))
    (export $s "r" (type $r))
    (export "[constructor]r" (func $new) (func (result (own $s))))
    (export "f" (func $f) (func (param "r" (borrow $s)))))
  (type $r (resource (rep i32)))
  (core module $m (func (export "new") (result i32) unreachable) (func (export "f") (param i32)))
  (core instance $i (instantiate $m))
  (func $new (result (own $r)) (canon lift (core func $i "new")))
  (func $f (param "r" (borrow $r)) (canon lift (core func $i "f")))
  (instance $x (instantiate $shape (with "r" (type $r)) (with "new" (func $new)) (with "f" (func $f))))
  (export $e "r" (type $r))
  (export "[constructor]r" (func $new) (func (result (own $e))))
  (export "f" (func $f) (func (param "r" (borrow $e)))))"""


def test_a_resource_type_at_the_root_is_left_open_with_what_uses_it() -> None:
    inputs = {"user": ROOT_TYPES, "lib": PROVIDES}
    assert imports(link(inputs)) == []
    everything = ("user:r", "user:[constructor]r", "user:f")
    assert imports(link(inputs, opens=everything, hides=("lib:r", "lib:[constructor]r", "lib:f"))) == [
        "r", "[constructor]r", "f"
    ]  # fmt: skip
    with pytest.raises(LinkError, match="uses resource types of `r`") as caught:
        link(inputs, opens=("user:f",))
    assert caught.value.remedy is not None
    assert "--open user:r" in caught.value.remedy
    with pytest.raises(LinkError, match="does not fit"):
        link(inputs, opens=("user:r",))


# --- names with colons, and with equals signs ------------------------------------------------------------------
def test_an_input_may_have_colons_in_its_name() -> None:
    inputs = {"a:b": layer(1), "c:d": layer(2)}
    assert run(inputs, links=("a:b:f=c:d:f",), opens=("c:d:f",)) == 721
    assert run({"a": layer(1), "a:b": layer(2)}, links=("a:f=a:b:f",), opens=("a:b:f",)) == 721


def test_a_text_that_can_be_read_in_two_ways_is_refused() -> None:
    inputs = {"u": layer(1, "f"), "u:f=p": layer(2, "g"), "p:g=q": end(3, "h"), "q": end(4, "h")}
    with pytest.raises(LinkError, match="can be read in 2 ways") as caught:
        link(inputs, links=("u:f=p:g=q:h",))
    assert caught.value.remedy is not None
    assert "NAME=FILE" in caught.value.remedy
    del inputs["q"]
    assert imports(link(inputs, links=("u:f=p:g=q:h",))) == ["g"], "one of the readings means something"


def test_an_import_may_have_an_equals_sign_in_its_name() -> None:
    user = '(component (import "url=<https://x.y/z?a=b>" (func $f (result u32))) (export "f" (func $f)))'
    inputs = {"user": user, "lib": end(4, "g")}
    link_ = "user:url=<https://x.y/z?a=b>=lib:g"
    assert imports(link(inputs, links=(link_,))) == []
    assert imports(link(inputs, opens=("user:url=<https://x.y/z?a=b>",))) == ["url=<https://x.y/z?a=b>"]
