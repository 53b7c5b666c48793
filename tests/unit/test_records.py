"""Records behave as the standard library's dataclasses do, in everything that the program and its tests use."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from meldpy import records

T = TypeVar("T")
LIBRARIES = [dataclasses, records]
either = pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)


def classes(library: Any) -> dict[str, Any]:
    """The same classes by either library."""
    record, field = library.dataclass, library.field

    @record(frozen=True, slots=True)
    class Point:
        """Two numbers."""

        kind: ClassVar[str] = "point"
        x: int
        y: int = 5

        def sum(self) -> int:
            return self.x + self.y

    @record(slots=True)
    class Box:
        name: str = field(repr=False)
        items: list[int] = field(default_factory=list)
        seen: int = field(default=0, compare=False)
        total: int = field(init=False)

        def __post_init__(self) -> None:
            self.total = sum(self.items)

    @record(frozen=True, slots=True, eq=False)
    class Node:
        label: str

    @record(frozen=True, slots=True, order=True)
    class Version:
        major: int
        minor: int

    @record(frozen=True, slots=True)
    class Empty:
        pass

    @record(frozen=True, slots=True)
    class One(Generic[T]):
        value: T

        def __repr__(self) -> str:
            return f"<{self.value}>"

    return {cls.__name__: cls for cls in (Point, Box, Node, Version, Empty, One)}


def outcome(action: Callable[[], Any]) -> Any:
    try:
        return action()
    except (TypeError, AttributeError, ValueError) as error:
        return type(error)


def seen(library: Any) -> list[Any]:
    """Everything that can be seen of the classes and their instances."""
    c = classes(library)
    point, box, node, version, empty, one = (c[name] for name in ("Point", "Box", "Node", "Version", "Empty", "One"))
    p, b = point(1), box("b", [1, 2])

    def set_(record: Any, name: str) -> None:
        setattr(record, name, 9)

    def matched(value: Any) -> Any:
        match value:
            case point(x, y):
                return x, y
            case version(major=major):
                return major
        return None

    return [
        (p.x, p.y, p.sum(), p.kind, repr(p), point.__doc__, point.__match_args__, point.__slots__),
        (point(1, 5) == p, point(2) == p, hash(point(1)) == hash(p), p == version(1, 5), point(x=1, y=2).y, p != 1),
        (repr(b), b.total, b.seen, box("b", [1, 2], seen=7) == b, box("c", [1, 2]) == b),
        (box("x").items is box("x").items, box("x").items),
        (box.__hash__ is None, node("a") == node("a"), repr(node("a")), node("a") in {node("a")}),
        (sorted([version(1, 2), version(0, 9)]), version(1, 2) <= version(1, 2), version(1, 2) > version(1, 1)),
        (repr(empty()), empty() == empty(), hash(empty()) == hash(empty()), repr(one(3)), one(3) == one(3)),
        list(map(outcome, (point, lambda: point(1, 2, 3), lambda: point(z=1), box, lambda: p.z))),
        (outcome(lambda: set_(p, "x")), outcome(lambda: set_(b, "z"))),
        [outcome(lambda: delattr(p, "x")), outcome(lambda: version(1, 2) < point(1)), outcome(lambda: set_(b, "seen"))],
        (library.replace(p, y=8), library.replace(p), outcome(lambda: library.replace(p, z=1))),
        outcome(lambda: library.replace(b, total=1)),
        [f.name for f in library.fields(p)] + [f.name for f in library.fields(box)],
        [f.name for f in dataclasses.fields(box)] + [dataclasses.is_dataclass(point), library.is_dataclass(3)],
        (dataclasses.replace(p, x=3), dataclasses.astuple(p), library.astuple(p), copy.copy(p), copy.deepcopy(b)),
        (matched(p), matched(version(4, 5)), point.__qualname__.rsplit(".", 1)[1], hasattr(p, "__dict__")),
    ]  # fmt: skip


def test_everything_that_can_be_seen_is_the_same() -> None:
    expected, actual = seen(dataclasses), seen(records)
    assert [repr(row) for row in actual] == [repr(row) for row in expected]


@records.dataclass(frozen=True, slots=True)
class Kept:
    """At module level, so that it can be pickled."""

    a: int
    b: tuple[int, ...] = ()


def test_records_survive_pickling() -> None:
    assert pickle.loads(pickle.dumps(Kept(1, (2, 3)))) == Kept(1, (2, 3))


def test_a_frozen_record_says_what_it_is() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'a'"):
        Kept(1).a = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'a'"):
        del Kept(1).a  # type: ignore[misc]


def test_an_equal_record_may_be_inside_itself_in_a_repr() -> None:
    @records.dataclass(slots=True)
    class Loop:
        inside: list[Any] = records.field(default_factory=list)

    loop = Loop()
    loop.inside.append(loop)
    assert repr(loop).endswith("Loop(inside=[...])")


def test_no_command_needs_the_standard_librarys_dataclasses_to_start() -> None:
    code = "import sys, meldpy.pipeline, meldpy.model.component; print('dataclasses' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
