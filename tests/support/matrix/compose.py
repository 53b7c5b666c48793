"""The composition that a person would write by hand: what is linked by name and version, and what stays open.

It is written once for each way of treating imports of one version track, merged or apart; what can be composed is what
`wasm-tools validate` accepts in one of these ways. Names of its own (`zz-…`) are given to types of no matter where.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TypeAlias, final

from tests.support.matrix.model import Func, Input, Interface, Kind, Member, Name, Sig
from tests.support.matrix.text import component, declared, record, sig

Ref: TypeAlias = "tuple[str, int, int]"
"""An import of an input: ("interface", "function", "root" or "member"; input number; position)."""
Link: TypeAlias = "tuple[int, str, int]"
"""An export of an input: input number, "interface" or "function", position."""


class Impossible(Exception):
    """Nobody could write this composition: a circle, two that could be meant, a type of the inside in an import."""


def compositions(inputs: Sequence[Input]) -> Iterator[str]:
    """Every way to compose `inputs`; none where no person could."""
    try:
        links = _links(inputs)
        order = _order(inputs, links)
    except Impossible:
        return
    tracks = sorted({track for i in inputs for f in i.interfaces if (track := _track(f.name)) is not None})
    for apart in product((False, True), repeat=len(tracks)):
        try:
            yield _Composer(inputs, links, order, {t for t, a in zip(tracks, apart, strict=True) if a}).text()
        except Impossible:
            continue


# --- linking -----------------------------------------------------------------------------------------------------
def _links(inputs: Sequence[Input]) -> dict[Ref, Link]:
    links: dict[Ref, Link] = {}
    for i, of in enumerate(inputs):
        for kind, imports in (("interface", of.interfaces), ("function", of.functions)):
            for n, import_ in enumerate(imports):
                if (found := _provider(inputs, i, import_.name)) is not None:
                    links[kind, i, n] = found
    return links


def _provider(inputs: Sequence[Input], importer: int, name: Name) -> Link | None:
    exports = [
        ((i, kind, n), export.name)
        for i, of in enumerate(inputs)
        if i != importer
        for kind, exports in (("interface", of.exported), ("function", of.exports))
        for n, export in enumerate(exports)
        if not _differ(name, export.name)
    ]
    found = [link for link, export in exports if export.text == name.text]
    if not found and _track(name) is not None:
        on_track = [(_version(export), link) for link, export in exports if _track(export) == _track(name)]
        found = [link for version, link in on_track if version == max(v for v, _ in on_track)]
    if len(found) > 1:
        raise Impossible
    return found[0] if found else None


def _differ(a: Name, b: Name) -> bool:
    if a.external_id is not None and b.external_id is not None and a.external_id != b.external_id:
        return True
    if a.implements is None or b.implements is None:
        return False
    one, two = Name(a.implements), Name(b.implements)
    return one != two and (_track(one) is None or _track(one) != _track(two))


def _track(name: Name) -> str | None:
    base, at, version = name.text.partition("@")
    return f"{base}@{version.partition('.')[0]}" if at else None


def _version(name: Name) -> tuple[int, ...]:
    return tuple(map(int, name.text.partition("@")[2].split(".")))


def _order(inputs: Sequence[Input], links: dict[Ref, Link]) -> list[int]:
    needs = {i: {link[0] for ref, link in links.items() if ref[1] == i} for i in range(len(inputs))}
    order: list[int] = []
    while needs:
        ready = [i for i, wanted in needs.items() if wanted <= set(order)]
        if not ready:
            raise Impossible
        order.append(ready[0])
        del needs[ready[0]]
    return order


# --- writing -----------------------------------------------------------------------------------------------------
@final
@dataclass
class _Composer:
    inputs: Sequence[Input]
    links: dict[Ref, Link]
    order: list[int]
    apart: set[str]
    parts: list[str] = field(default_factory=list)
    outer: dict[tuple[str, str], str] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    exported: dict[tuple[int, int], str] = field(default_factory=dict)
    instances: dict[tuple[int, int], str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    alone: set[object] = field(default_factory=set)
    fresh: int = 0

    def text(self) -> str:
        for i, of in enumerate(self.inputs):
            for n in range(len(of.interfaces)):
                self.outer_interface(i, n)
        for i, of in enumerate(self.inputs):
            self.outer_root(i, of)
            for n, func in enumerate(of.functions):
                self.outer_function(i, n, func)
        for i in self.order:
            self.instance(i)
        self.export()
        return "(component\n" + "\n".join(self.parts) + ")"

    def new(self, what: str) -> str:
        self.fresh += 1
        return f"$z{self.fresh}-{what}"

    # --- where types are -------------------------------------------------------------------------------------
    def home(self, i: int, n: int) -> tuple[int, int] | tuple[str, str]:
        """Where interface import `n` of input `i` has its own types: (input, export), or an outer import's key."""
        interface = self.inputs[i].interfaces[n]
        if interface.uses is not None:
            return self.home(i, interface.uses)
        link = self.links.get(("interface", i, n))
        return self.group(interface.name) if link is None else self.export_home(link)

    def export_home(self, link: Link) -> tuple[int, int] | tuple[str, str]:
        j, _, e = link
        exported = self.inputs[j].exported[e]
        return (j, e) if exported.uses is None else self.home(j, exported.uses)

    def resource(self, home: tuple[int, int] | tuple[str, str]) -> str:
        """An identifier for the resource type at `home`; Impossible while that is not instantiated."""
        if isinstance(home[0], str):
            key = home[0], str(home[1])
            return self.alias(self.outer[key], "r")
        if home not in self.instances:
            raise Impossible
        return self.alias(self.instances[home[0], int(home[1])], "r")

    def alias(self, instance: str, name: str) -> str:
        found = self.new(name)
        self.parts.append(f'(alias export {instance} "{name}" (type {found}))')
        return found

    def record(self, field_: str) -> str:
        """A record with a name of the outer component's own."""
        if field_ not in self.named:
            self.named[field_] = self.new("record")
            self.parts.append(
                f"(type {self.named[field_]}' {record(field_)})"
                f' (import "zz-{len(self.named)}" (type {self.named[field_]} (eq {self.named[field_]}\')))'
            )
        return self.named[field_]

    def root_types(self, i: int, sigs: Sequence[Sig]) -> dict[str, str]:
        """Identifiers for what signatures at the root of input `i` mention."""
        of = self.inputs[i]
        kinds = {kind for s in sigs for kind in (*(k for _, k in s.params), s.result)}
        types: dict[str, str] = {}
        if "leg" in kinds:
            assert of.leg is not None
            types["leg"] = self.record(of.leg[1])
        if "pt" in kinds:
            source = of.source()
            assert source is not None
            assert source.pt is not None
            types["pt"] = self.record(source.pt)
        if kinds & {"own r", "borrow r"}:
            assert of.used is not None
            types["r"] = self.resource(self.home(i, of.used))
        if kinds & {"own q", "borrow q"}:
            types["q"] = self.root(i)
        return types

    def root(self, i: int) -> str:
        """The resource type at the root of input `i`: what provides a function over it decides, else it is imported."""
        of = self.inputs[i]
        assert of.root is not None
        for n, func in enumerate(of.functions):
            link = self.links.get(("function", i, n))
            if link is None:
                continue
            theirs = self.inputs[link[0]].exports[link[2]].sig
            pairs = zip(_kinds(func.sig), _kinds(theirs), strict=False)
            for mine, its in pairs:
                if mine in ("own q", "borrow q"):
                    used = self.inputs[link[0]].used
                    if its not in ("own r", "borrow r") or used is None:
                        raise Impossible
                    return self.resource(self.home(link[0], used))
        if ("root", of.root.name) not in self.outer:
            raise Impossible
        return self.outer["root", of.root.name]

    # --- imports of the whole --------------------------------------------------------------------------------
    def group(self, name: Name) -> tuple[str, str]:
        track = _track(name)
        return "interface", name.text if track is None or track in self.apart else track

    def outer_interface(self, i: int, n: int) -> None:
        """The import for all views of one group, the first time that one of them is met."""
        first = self.inputs[i].interfaces[n]
        key = self.group(first.name)
        if ("interface", i, n) in self.links or key in self.outer:
            return
        views = [
            (j, view)
            for j, of in enumerate(self.inputs)
            for k, view in enumerate(of.interfaces)
            if ("interface", j, k) not in self.links and self.group(view.name) == key
        ]
        if any(_differ(a.name, b.name) for _, a in views for _, b in views):
            raise Impossible
        used: dict[str, str] = {}
        for j, view in views:
            if view.uses is not None:
                self.outer_interface(j, view.uses)
                source = self.inputs[j].interfaces[view.uses]
                if view.pt is not None and source.pt is not None:
                    used["pt"] = self.record(view.pt)
                if view.r and source.r:
                    used["r"] = self.resource(self.home(j, view.uses))
        union = self.union([view for _, view in views])
        self.outer[key] = self.new("outer")
        self.parts.append(f"(import {union.name} (instance {self.outer[key]} {declared(union, used)}))")

    def union(self, views: Sequence[Interface]) -> Interface:
        """What all of `views` want, the first of those that disagree; the validator finds that out."""
        members: dict[str, Member] = {}
        for view in views:
            for member in view.members:
                members.setdefault(member.name, member)
        highest = max(views, key=lambda v: _version(v.name) if _track(v.name) is not None else (0,))
        pts = [view.pt for view in views if view.pt is not None]
        return Interface(highest.name, pts[0] if pts else None, any(v.r for v in views), tuple(members.values()))

    def outer_root(self, i: int, of: Input) -> None:
        if of.root is None or self.follows(i):
            if of.root is not None and of.root.members:
                self.members_of_what_follows(i)
            return
        key = "root", of.root.name
        if key not in self.outer:
            self.outer[key] = self.new("root")
            self.parts.append(f'(import "{of.root.name}" (type {self.outer[key]} (sub resource)))')
        for member in of.root.members:
            if ("member", member.name) not in self.outer:
                self.outer["member", member.name] = self.new("member")
                text = sig(member.sig, {"q": self.outer[key]})
                self.parts.append(f'(import "{member.name}" (func {self.outer["member", member.name]} {text}))')

    def follows(self, i: int) -> bool:
        return any(
            ("function", i, n) in self.links and {"own q", "borrow q"} & set(_kinds(func.sig))
            for n, func in enumerate(self.inputs[i].functions)
        )

    def members_of_what_follows(self, i: int) -> None:
        """They are beside the resource type in an interface on the way from where it is defined, or nowhere."""
        of = self.inputs[i]
        assert of.root is not None
        if any(self.member_home(i, member) is None for member in of.root.members):
            raise Impossible

    def member_home(self, i: int, member: Member) -> tuple[int, int] | None:
        name = member.name.replace("]q", "]r")
        for j, e in self.root_homes(i):
            if any(m.name == name for m in self.inputs[j].exported[e].members):
                return j, e
        return None

    def root_homes(self, i: int) -> list[tuple[int, int]]:
        """The interfaces that export what the resource type at the root of input `i` is, its origin's first."""
        for n, func in enumerate(self.inputs[i].functions):
            link = self.links.get(("function", i, n))
            if link is None or not {"own q", "borrow q"} & set(_kinds(func.sig)):
                continue
            j, used = link[0], self.inputs[link[0]].used
            if used is None:
                return []
            home, passed = self.home(j, used), [j]
            while (further := self.links.get(("interface", j, used))) is not None:
                j = further[0]
                passed.append(j)
                used = self.inputs[j].exported[further[2]].uses
                if used is None:
                    break
            return [
                (p, e)
                for p in reversed(passed)
                for e, exported in enumerate(self.inputs[p].exported)
                if exported.r and self.export_home((p, "interface", e)) == home
            ]
        return []

    def outer_function(self, i: int, n: int, func: Func) -> None:
        if ("function", i, n) in self.links:
            return
        views = [
            other.name
            for j, of in enumerate(self.inputs)
            for k, other in enumerate(of.functions)
            if ("function", j, k) not in self.links and other.name.text == func.name.text
        ]
        if any(_differ(a, b) for a in views for b in views):
            raise Impossible
        key = "function", func.name.text
        if key not in self.outer:
            types = self.root_types(i, [func.sig])
            self.outer[key] = self.new("function")
            self.parts.append(f"(import {func.name} (func {self.outer[key]} {sig(func.sig, types)}))")

    # --- instances -------------------------------------------------------------------------------------------
    def instance(self, i: int) -> None:
        of = self.inputs[i]
        args = []
        for n, interface in enumerate(of.interfaces):
            link = self.links.get(("interface", i, n))
            if link is None:
                args.append((interface.name.text, f"(instance {self.outer[self.group(interface.name)]})"))
            else:
                args.append((interface.name.text, self.provided(link)))
        source = of.source()
        if source is not None and source.pt is not None:
            args.append(("pt", f"(type {self.record(source.pt)})"))
        if source is not None and source.r:
            assert of.used is not None
            args.append(("r", f"(type {self.resource(self.home(i, of.used))})"))
        if of.leg is not None:
            args.append((of.leg[0], f"(type {self.record(of.leg[1])})"))
        if of.root is not None:
            args.append((of.root.name, f"(type {self.root(i)})"))
            args += [(member.name, self.root_member(i, member)) for member in of.root.members]
        for n, func in enumerate(of.functions):
            link = self.links.get(("function", i, n))
            outer = self.outer.get(("function", func.name.text))
            args.append((func.name.text, f"(func {outer})" if link is None else self.provided(link)))
        withs = " ".join(f'(with "{name}" {arg})' for name, arg in args)
        self.parts.append(f"{component(of).replace('(component', f'(component $c{i}', 1)}")
        self.parts.append(f"(instance $n{i} (instantiate $c{i} {withs}))")
        for e, exported in enumerate(of.exported):
            found = self.instances[i, e] = self.new("instance")
            self.parts.append(f'(alias export $n{i} "{exported.name.text}" (instance {found}))')

    def provided(self, link: Link) -> str:
        j, kind, e = link
        if kind == "interface":
            return f"(instance {self.instances[j, e]})"
        found = self.new("func")
        self.parts.append(f'(alias export $n{j} "{self.inputs[j].exports[e].name.text}" (func {found}))')
        return f"(func {found})"

    def root_member(self, i: int, member: Member) -> str:
        if not self.follows(i):
            return f"(func {self.outer['member', member.name]})"
        home = self.member_home(i, member)
        assert home is not None
        found = self.new("func")
        name = member.name.replace("]q", "]r")
        self.parts.append(f'(alias export {self.instances[home]} "{name}" (func {found}))')
        return f"(func {found})"

    # --- exports -----------------------------------------------------------------------------------------------
    def export(self) -> None:
        """What the inputs export that satisfy nothing, after the interfaces whose types it mentions."""
        libraries = {link[0] for link in self.links.values()}
        roots = [of for i, of in enumerate(self.inputs) if i not in libraries]
        self.taken = {_canonical(export.name.text) for of in roots for export in (*of.exported, *of.exports)}
        for i, of in enumerate(self.inputs):
            if i in libraries:
                continue
            for e in range(len(of.exported)):
                self.export_interface(i, e)
            for func in of.exports:
                if {"own r", "borrow r"} & set(_kinds(func.sig)):
                    assert of.used is not None
                    self.export_home_of(self.home(i, of.used))
                found = self.new("func")
                self.parts.append(f'(alias export $n{i} "{func.name.text}" (func {found}))')
                self.parts.append(f"(export {func.name} (func {found}))")

    def export_home_of(self, home: tuple[int, int] | tuple[str, str]) -> None:
        """The interface, or if its name is taken the resource type alone."""
        if isinstance(home[0], str) or (home[0], int(home[1])) in self.exported:
            return
        name = self.inputs[home[0]].exported[int(home[1])].name.text
        if _canonical(name) not in self.taken:
            self.taken.add(_canonical(name))
            self.export_interface(home[0], int(home[1]))
        elif home not in self.alone:
            self.alone.add(home)
            self.parts.append(f'(export "zz-r-{len(self.alone)}" (type {self.resource(home)}))')

    def export_interface(self, i: int, e: int) -> None:
        if (i, e) in self.exported:
            return
        exported = self.inputs[i].exported[e]
        self.exported[i, e] = exported.name.text
        if exported.uses is not None and exported.r and self.inputs[i].interfaces[exported.uses].r:
            self.export_home_of(self.home(i, exported.uses))
        self.parts.append(f"(export {exported.name} (instance {self.instances[i, e]}))")


def _canonical(name: str) -> str:
    return name.replace("-", "").lower()


def _kinds(of: Sig) -> list[Kind | None]:
    return [*(kind for _, kind in of.params), of.result]
