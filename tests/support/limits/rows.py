"""The table: one row per limit, with an input on each side of it.

NAMES is derived from the list of the engines' limits and of the Canonical ABI's; a row more or a row less is a failure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from meldpy.pipeline import FuseOptions
from tests.support.limits.inputs import (
    added_text,
    arguments_text,
    br_table,
    core_arguments,
    core_names,
    data_text,
    elements_text,
    exported_instances,
    flat_text,
    growing_text,
    imported_instances,
    inline_text,
    instances_text,
    labels_text,
    large_type,
    lists_text,
    long_text,
    many_params,
    many_results,
    named_text,
    names_text,
    nops_text,
    options_text,
    result_text,
    second_text,
    subtypes,
    used_data,
    used_globals,
    wrapped_text,
)
from tests.support.limits.texts import (
    component_count,
    core_count,
    guest,
    imported,
    repeat,
    twice,
)

MANY: Final = 1_000_000
SEGMENTS: Final = 100_000
BODY: Final = 7_654_321
VALUE: Final = 1 << 28

NAMES: Final = (
    # sums of one core module, in an input and of several instances
    "core types", "core functions", "core imports", "core exports", "core globals", "core tags",
    "element segments", "data segments", "memories", "tables",
    "merged globals", "merged element segments", "merged data segments", "merged memories", "merged tables",
    # of one function
    "body bytes", "merged body bytes", "locals", "core params", "core results", "br_table targets", "catches",
    # of core types
    "struct fields", "subtyping depth",
    # names
    "core name bytes", "interface name bytes", "function name bytes", "label bytes", "joined name bytes",
    # of a component
    "core modules", "components", "core instances", "instances", "instances of both kinds", "component nesting",
    "exported instances", "imported instances",
    "core instantiate arguments", "instantiate arguments", "core inline exports", "canonical options",
    "component types", "component imports", "component exports", "aliases",
    # of types
    "type nesting", "instance type nesting", "effective type size", "effective type size of two inputs",
    "record fields", "tuple types", "variant cases", "enum cases", "flags", "function params", "value size",
    # of the Canonical ABI
    "flat params", "flat results", "list bytes", "string bytes", "utf16 string bytes",
    # of meldpy: expansion
    "expanded instances", "expanded core instances", "expanded definitions",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One side of a limit.

    inputs: text or bytes; refused: (the error's class, words of it), or nothing: it fuses and `f` returns 42;
    trap: then it fuses, and `f` ends with this trap.
    """

    inputs: tuple[str | bytes, ...]
    refused: tuple[str, str] | None = None
    trap: str | None = None
    options: FuseOptions = field(default_factory=FuseOptions)


@dataclass(frozen=True, slots=True)
class Row:
    """deep: whether the inside takes too long for every day; deep_outside: whether the outside does."""

    name: str
    inside: Callable[[], Case]
    outside: Callable[[], Case]
    deep: bool = False
    deep_outside: bool = False


def around(name: str, make: Callable[[int], str | bytes], most: int, refused: tuple[str, str]) -> Row:
    """The same input in two sizes: `most`, and one more."""
    return Row(name, lambda: Case((make(most),)), lambda: Case((make(most + 1),), refused))


def claimed(name: str, make: Callable[[], str | bytes], claim: bytes, words: str) -> Row:
    """A great number: the inside is for long runs, and the outside only claims to have so many."""
    options = FuseOptions(max_definitions=10 * MANY)
    return Row(
        name, lambda: Case((make(),), options=options), lambda: Case((claim,), ("DecodeError", words)), deep=True
    )


def bad(words: str) -> tuple[str, str]:
    return "DecodeError", words


def invalid(words: str) -> tuple[str, str]:
    return "ValidationError", words


def sum_(words: str) -> tuple[str, str]:
    return "LimitError", words


# --- kinds of rows with a shape of their own --------------------------------------------------------------------------
def longest(name: str, type: str, encoding: str, unit: int, trap: str) -> Row:
    most = ((1 << 28) - 1) // unit
    return Row(
        name,
        lambda: Case((long_text(type, encoding, most),)),
        lambda: Case((long_text(type, encoding, most + 1),), trap=trap),
    )


def expansion(name: str, option: str, text: str, needed: int, flag: str) -> Row:
    """`text` expands to `needed` of something: a cap of just that, and of one less."""
    return Row(
        name,
        lambda: Case((text,), options=FuseOptions(**{option: needed})),  # type: ignore[arg-type]
        lambda: Case((text,), sum_(flag), options=FuseOptions(**{option: needed - 1})),  # type: ignore[arg-type]
    )


# --- the rows ---------------------------------------------------------------------------------------------------------

CALLED = "(call_indirect (type $t) (i32.const 1))"
LAST = "(func $x (result i32) (i32.const 42))"

ROWS: Final = (
    claimed(
        "core types", lambda: guest("(type (func))" * (MANY - 1)), core_count(1, MANY + 1), "1000001 types, more than"
    ),
    claimed(
        "core functions",
        lambda: guest("(func)" * (MANY - 2) + LAST, "(call $x)"),
        core_count(3, MANY + 1),
        "1000001 functions, more than",
    ),
    # The effective type size counts imports and exports too (an exported function as two), so that engines accept
    # fewer of both than of the others: what is inside is then next to that limit.
    Row(
        "core imports",
        lambda: Case((core_arguments(SEGMENTS),)),
        lambda: Case((core_count(2, MANY + 1),), bad("1000001 imports, more than")),
    ),
    claimed(
        "core exports",
        lambda: guest(
            "(func $x)" + repeat(MANY // 2 - 10, lambda i: f'(export "{i}" (func $x))'), "(call $x) (i32.const 42)"
        ),
        core_count(7, MANY + 1),
        "1000001 exports, more than",
    ),
    claimed(
        "core globals",
        lambda: guest("(global i32 (i32.const 1))" * (MANY - 1) + "(global $x i32 (i32.const 42))", "(global.get $x)"),
        core_count(6, MANY + 1),
        "1000001 globals, more than",
    ),
    claimed("core tags", lambda: guest("(tag)" * MANY), core_count(13, MANY + 1), "1000001 tags, more than"),
    claimed(
        "element segments",
        lambda: guest(elements_text(SEGMENTS - 1) + LAST.replace("$x", "$y") + "(elem (i32.const 1) func $y)", CALLED),
        core_count(9, SEGMENTS + 1),
        "100001 element segments, more than 100000",
    ),
    claimed(
        "data segments",
        lambda: guest(data_text(SEGMENTS), "(i32.load8_u (i32.const 59_999))"),
        core_count(11, SEGMENTS + 1),
        "100001 data segments, more than 100000",
    ),
    around(
        "memories", lambda n: guest("(memory 1)" * n, added_text(n, "memory.size")), 100, bad("101 memories, more than")
    ),
    around(
        "tables",
        lambda n: guest("(table 1 funcref)" * n, added_text(n, "table.size")),
        100,
        bad("101 tables, more than"),
    ),
    Row(
        "merged globals",  # and a flag for each of the two instances
        lambda: Case((used_globals(MANY // 2 - 1),)),
        lambda: Case((used_globals(MANY // 2),), sum_("1000002 globals, and engines accept 1000000")),
        deep=True,
        deep_outside=True,
    ),
    Row(
        "merged element segments",
        lambda: Case((twice(elements_text(SEGMENTS // 2), CALLED),)),
        lambda: Case((twice(elements_text(SEGMENTS // 2 + 1), CALLED),), sum_("100002 element segments")),
        deep=True,
        deep_outside=True,
    ),
    Row(
        "merged data segments",
        lambda: Case((used_data(SEGMENTS // 2),)),
        lambda: Case((used_data(SEGMENTS // 2 + 1),), sum_("100002 data segments")),
        deep=True,
    ),
    Row(
        "merged memories",
        lambda: Case(
            (twice("(memory 1)", "(memory.size)", 100).replace("(i32.const 0) (i32", "(i32.const -58) (i32"),)
        ),
        lambda: Case((twice("(memory 1)", "(memory.size)", 101),), sum_("101 memories")),
    ),
    Row(
        "merged tables",
        lambda: Case(
            (twice("(table 1 funcref)", "(table.size)", 100).replace("(i32.const 0) (i32", "(i32.const -58) (i32"),)
        ),
        lambda: Case((twice("(table 1 funcref)", "(table.size)", 101),), sum_("101 tables")),
    ),
    around("body bytes", nops_text, BODY, bad("7654322 bytes, more than 7654321")),
    Row(
        "merged body bytes",
        lambda: Case((growing_text(2_500_000),)),
        lambda: Case((growing_text(3_700_000),), sum_("function body of .* would have")),
        deep=True,
        deep_outside=True,
    ),
    around("locals", lambda n: guest("", f"(local {'i32 ' * n}) (i32.const 42)"), 50_000, invalid("too many locals")),
    around("core params", many_params, 1_000, bad("1001 parameters, more than 1000")),
    around("core results", many_results, 1_000, bad("1001 results, more than 1000")),
    Row(
        "br_table targets",
        lambda: Case((br_table(65_520),)),  # more is valid, but not for the engine that runs it here
        lambda: Case((br_table(BODY - 13),), bad("7654322 bytes, more than 7654321")),
    ),
    around(
        "catches",
        lambda n: guest("(tag $t)", f"(block $b (try_table {'(catch $t $b)' * n})) (i32.const 42)"),
        10_000,
        invalid("catches size is out of bounds"),
    ),
    around(
        "struct fields",
        lambda n: guest(
            f"(type $s (struct {'(field i32)' * n})) (func $g (param (ref null $s)))",
            "(call $g (ref.null $s)) (i32.const 42)",
        ),
        10_000,
        bad("10001 struct fields, more than 10000"),
    ),
    around("subtyping depth", subtypes, 63, invalid("sub type hierarchy too deep")),
    around("core name bytes", core_names, 100_000, bad("100001 bytes, more than 100000")),
    around("interface name bytes", lambda n: names_text(n, 1), 100_000, bad("100001 bytes, more than 100000")),
    around("function name bytes", lambda n: names_text(5, n), 100_000, bad("100001 bytes, more than 100000")),
    around("label bytes", labels_text, 100_000, bad("100001 bytes, more than 100000")),
    Row(
        "joined name bytes",
        lambda: Case((names_text(100_000, 100_000),)),
        lambda: Case((names_text(100_001, 100_000),), bad("100001 bytes, more than 100000")),
    ),
    around(
        "core modules",
        lambda n: guest("", around="(core module)" * (n - 1)),
        999,
        invalid("modules and components count exceeds limit of 1000"),
    ),
    around(
        "components",
        lambda n: guest("", around="(component)" * n),
        998,
        invalid("modules and components count exceeds limit of 1000"),
    ),
    around(
        "core instances",
        lambda n: guest("", around="(core module $c)" + "(core instance (instantiate $c))" * (n - 1)),
        4_096,
        bad("4097 instances in one component, more than 4096"),
    ),
    around(
        "instances",
        lambda n: guest("", around="(component $c)" + "(instance (instantiate $c))" * (n - 1)),
        4_096,
        bad("4097 instances in one component, more than 4096"),
    ),
    around(
        "instances of both kinds",
        lambda n: guest(
            "",
            around="(core module $m2) (component $c) (core instance (instantiate $m2))"
            + "(instance (instantiate $c)) (core instance (instantiate $m2))" * ((n - 2) // 2)
            + "(instance (instantiate $c))" * (n % 2),
        ),
        4_096,
        bad("4097 instances in one component, more than 4096"),
    ),
    around("component nesting", wrapped_text, 98, bad("nested more than 100 levels deep")),
    Row(
        "exported instances",
        lambda: Case((exported_instances(2_000),)),
        lambda: Case((exported_instances(4_096),), bad("4097 instances in one component, more than 4096")),
    ),
    Row(
        "imported instances",
        lambda: Case((imported_instances(4_095),)),
        lambda: Case((imported_instances(4_096),), invalid("instances count exceeds limit of 4096")),
    ),
    around("core instantiate arguments", core_arguments, SEGMENTS, bad("100001 arguments, more than 100000")),
    around("instantiate arguments", arguments_text, SEGMENTS, bad("100001 arguments, more than 100000")),
    around("core inline exports", inline_text, SEGMENTS, bad("100001 exports, more than 100000")),
    Row(
        "canonical options",
        lambda: Case((options_text(1),)),
        lambda: Case((options_text(8),), bad("11 canonical options, more than 10")),
    ),
    claimed(
        "component types",
        lambda: guest("", around="(type u8)" * (MANY - 1)),
        component_count(7, MANY + 1),
        "1000001 types, more than",
    ),
    claimed(
        "component imports",
        lambda: guest("", around=repeat(SEGMENTS, lambda i: f'(import "x{i}" (func))')),
        component_count(10, MANY + 1),
        "1000001 imports, more than",
    ),
    claimed(
        "component exports",
        lambda: guest("", around=repeat(SEGMENTS, lambda i: f'(export "x{i}" (func $f))')),
        component_count(11, MANY + 1),
        "1000001 exports, more than",
    ),
    claimed(
        "aliases",
        lambda: guest("", around='(alias core export $i "f" (core func))' * (MANY - 3)),
        component_count(6, MANY + 1),
        "1000001 aliases, more than",
    ),
    around("type nesting", lists_text, 96, invalid("type nesting is too deep")),
    around("instance type nesting", instances_text, 98, invalid("type nesting is too deep")),
    around("effective type size", large_type, 1_000, invalid("effective type size exceeds the limit of 1000000")),
    Row(
        "effective type size of two inputs",
        lambda: Case((large_type(499), second_text(large_type(499, "y")))),
        lambda: Case((large_type(501), second_text(large_type(501, "y"))), sum_("would pass a limit of the engines")),
    ),
    around(
        "record fields",
        lambda n: named_text("record", lambda i: f'(field "f{i}" u8)', n),
        10_000,
        bad("10001 record fields, more than 10000"),
    ),
    around(
        "tuple types", lambda n: imported("", f"(tuple {'u8 ' * n})"), 10_000, bad("10001 tuple types, more than 10000")
    ),
    around(
        "variant cases",
        lambda n: named_text("variant", lambda i: f'(case "c{i}" u8)', n),
        10_000,
        bad("10001 variant cases, more than 10000"),
    ),
    around(
        "enum cases",
        lambda n: named_text("enum", lambda i: f'"c{i}"', n),
        10_000,
        bad("10001 enum cases, more than 10000"),
    ),
    around("flags", lambda n: named_text("flags", lambda i: f'"b{i}"', n), 32, bad("33 flags, more than 32")),
    around(
        "function params",
        lambda n: guest("", around=f"""(import "x" (func {repeat(n, lambda i: f'(param "p{i}" u8)')}))"""),
        1_000,
        bad("1001 parameters, more than 1000"),
    ),
    around(
        "value size",
        lambda n: imported(f"(type $l (list u8 {n}))", "$l"),
        VALUE - 1,
        invalid("maximum in-memory size exceeds maximum byte size"),
    ),
    Row("flat params", lambda: Case((flat_text(16),)), lambda: Case((flat_text(17),))),
    Row("flat results", lambda: Case((result_text(1),)), lambda: Case((result_text(2),))),
    longest("list bytes", "(list u8)", "", 1, "list too long"),
    longest("string bytes", "string", "utf8", 1, "string too long"),
    longest("utf16 string bytes", "string", "utf16", 2, "string too long"),
    expansion("expanded instances", "max_instances", twice("", "(i32.const 21)"), 3, "--max-instances"),
    expansion("expanded core instances", "max_core_instances", twice("", "(i32.const 21)"), 3, "--max-core-instances"),
    expansion("expanded definitions", "max_definitions", twice("", "(i32.const 21)"), 25, "--max-definitions"),
)
