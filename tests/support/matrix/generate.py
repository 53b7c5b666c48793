"""Inputs at random: up to three, about one interface with types, one that uses it, and functions at the root.

Most of the time they agree; now and then a name, a label, a version, an attribute or a type is a neighbour of what it
should be, or something is missing.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import final

from tests.support.matrix.model import Func, Input, Interface, Kind, Member, Name, Root, Sig

TYPES = ("a:b/x@1.0.0", "a:b/x@1.2.0", "a:b/x@1.0.0", "a:b/x@1.3.1", "a:b/X@1.0.0", "a:b/x@2.0.0", "a:b/x-x@1.0.0")
USING = ("a:b/y", "a:b/y", "a:b/y", "a:b/Y", "a:b/z")
PLAIN = ("primary", "primary", "primary", "pri-mary", "Primary".upper())
IMPLEMENTS = ("a:b/cache@1.0.0", "a:b/cache@1.0.0", "a:b/cache@1.2.0", "a:b/cache@2.0.0", "a:b/secrets", None)
IDS = (None, None, None, None, "one", "two")
FUNCTIONS = ("far", "far", "draw-it", "drawit", "keep", "FAR")
LEGS = ("leg", "leg", "leg", "LEG", "l-eg", "far")


@final
class Generator:
    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.with_pt, self.with_r = self.chance(0.7), self.chance(0.7)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def inputs(self) -> tuple[Input, ...]:
        library = self.library("l")
        found = [library, self.user("u", library)]
        if self.chance(0.6):
            found.insert(0, Input("t", exported=(self.types(all_=True),)))
        if self.chance(0.25):
            found.append(self.user("v", library))
        self.rng.shuffle(found)
        return tuple(found)

    # --- interfaces ----------------------------------------------------------------------------------------------
    def types(self, all_: bool = False) -> Interface:
        field = "x" if self.chance(0.95) else "X"
        return self.interface(Name(self.rng.choice(TYPES[:3] if self.chance(0.8) else TYPES)), field, None, all_)

    def using(self, source: Interface, all_: bool = False) -> Interface:
        return self.interface(Name(self.rng.choice(USING)), source.pt, 0, all_)

    def plain(self, all_: bool = False) -> Interface:
        name = Name(self.rng.choice(PLAIN), self.rng.choice(IMPLEMENTS), self.rng.choice(IDS))
        made = self.interface(name, None, None, all_)
        return replace(made, r=False, members=tuple(m for m in made.members if not _mentions_r(m)))

    def interface(self, name: Name, field: str | None, uses: int | None, all_: bool) -> Interface:
        pt = field if self.with_pt and (all_ or self.chance(0.7)) else None
        r = self.with_r and (all_ or self.chance(0.7))
        members = [m for m in self.members(pt is not None, r) if all_ or self.chance(0.5)]
        seen: dict[str, Member] = {}
        for member in members:
            seen.setdefault(_canonical(member.name), member)
        return Interface(name, pt, r, tuple(seen.values()), uses)

    def members(self, pt: bool, r: bool) -> list[Member]:
        label, kind = ("a", "u32") if self.chance(0.93) else self.rng.choice([("A", "u32"), ("a", "u8"), ("b", "u32")])
        gh = "g-h" if self.chance(0.93) else self.rng.choice(["gh", "G-H"])
        found = [Member("f", Sig(((label, _kind(kind)),), "u32")), Member(gh, Sig())]
        if pt:
            found.append(Member("fp", Sig((("p", "pt"),), "u32")))
        if r:
            found += [
                Member("mk", Sig((), "own r")),
                Member("tk", Sig((("x", "own r"),))),
                Member("[constructor]r", Sig((), "own r")),
                Member("[method]r.m", Sig((("self", "borrow r"),), "u32")),
            ]
            found.append(Member(self.rng.choice(["[static]r.s", "[static]r.s", "[static]r.M"]), Sig()))
        return found

    # --- functions at the root -----------------------------------------------------------------------------------
    def functions(self, kinds: list[Kind], count: int) -> tuple[Func, ...]:
        """Functions over `kinds`; the signature follows from the name, but for the neighbours."""
        found: dict[str, Func] = {}
        for _ in range(count):
            text = self.rng.choice(FUNCTIONS)
            kind = kinds[len(text) % len(kinds)] if self.chance(0.9) else self.rng.choice(kinds)
            label = "p" if self.chance(0.95) else "P"
            returns = text == "keep" and not kind.startswith("borrow")
            sig = Sig(((label, kind),), kind if returns else "u32")
            found.setdefault(_canonical(text), Func(Name(text, None, self.rng.choice(IDS)), sig))
        return tuple(found.values())

    def kinds(self, source: Interface | None, leg: tuple[str, str] | None) -> list[Kind]:
        kinds: list[Kind] = ["u32"]
        if leg is not None:
            kinds.append("leg")
        if source is not None and source.pt is not None:
            kinds.append("pt")
        if source is not None and source.r:
            kinds += ["own r", "borrow r"]
        return kinds

    def leg(self) -> tuple[str, str] | None:
        if self.chance(0.4):
            return None
        return self.rng.choice(LEGS), "a" if self.chance(0.6) else self.rng.choice(["A", "b", "b"])

    # --- inputs --------------------------------------------------------------------------------------------------
    def library(self, name: str) -> Input:
        types = self.types()
        uses = self.chance(0.7)
        leg = self.leg()
        exported = [self.using(types, all_=True)] if uses and self.chance(0.5) else []
        if self.chance(0.4):
            exported.append(self.plain(all_=True))
        kinds = self.kinds(types if uses else None, leg)
        made = Input(
            name,
            interfaces=(types,) if uses else (),
            used=0 if uses else None,
            leg=leg,
            exported=tuple(exported),
            exports=self.functions(kinds, self.rng.randrange(4)),
        )
        return _without_clashes(made)

    def user(self, name: str, library: Input) -> Input:
        types = library.interfaces[0] if library.interfaces and self.chance(0.4) else self.types()
        interfaces = [types]
        if self.chance(0.5):
            interfaces.append(self.using(types))
        if self.chance(0.4):
            interfaces.append(self.plain())
        leg, root = self.leg(), self.root()
        kinds = self.kinds(types, leg)
        if root is not None:
            # What the library calls `r` is `q` here: only what it provides can say so.
            kinds = [kind if not kind.endswith(" r") else _kind(kind.replace(" r", " q")) for kind in kinds]
        functions = self.functions(kinds, self.rng.randrange(3))
        if self.chance(0.4):
            leg = library.leg
            functions = tuple(_over_root(func) if root is not None else func for func in library.exports)
        exports = self.functions(self.kinds(types, leg), 1) if self.chance(0.5) else ()
        run = (Func(Name(f"run-{name}"), Sig((), "u32")),)
        made = Input(name, tuple(interfaces), 0, leg, root, functions, (), exports + run)
        return _without_clashes(made)

    def root(self) -> Root | None:
        if not self.with_r or self.chance(0.4):
            return None
        members = [
            Member("[constructor]q", Sig((), "own q")),
            Member("[method]q.m", Sig((("self", "borrow q"),), "u32")),
            Member("[static]q.s", Sig()),
        ]
        return Root("q", tuple(m for m in members if self.chance(0.3)))


def _over_root(func: Func) -> Func:
    """The same function where `r` is imported at the root, as `q`."""
    params = tuple((label, _kind(kind.replace(" r", " q"))) for label, kind in func.sig.params)
    result = None if func.sig.result is None else _kind(func.sig.result.replace(" r", " q"))
    return replace(func, sig=Sig(params, result))


def _mentions_r(member: Member) -> bool:
    kinds = [kind for _, kind in member.sig.params]
    return "]r" in member.name or any(kind is not None and kind.endswith(" r") for kind in (*kinds, member.sig.result))


def _kind(text: str) -> Kind:
    kinds: tuple[Kind, ...] = ("u32", "u8", "leg", "pt", "own r", "borrow r", "own q", "borrow q")
    return next(kind for kind in kinds if kind == text)


def _canonical(name: str) -> str:
    """Of names that one input has, so that it is valid by itself."""
    label = name.rpartition("]")[2] if not name.startswith("[constructor]") else name
    return label.replace("-", "").lower()


def _without_clashes(made: Input) -> Input:
    """Drops what would make the input invalid by itself; that is the engine's business, not the link's."""
    seen = {"pt", "r", "q"}
    interfaces = []
    for interface in made.interfaces:
        interfaces.append(interface)
        seen.add(_canonical(interface.name.text))
    leg = made.leg if made.leg is not None and _canonical(made.leg[0]) not in seen else None
    if leg is not None:
        seen.add(_canonical(leg[0]))
    source = made.source()
    known = {"u32", "u8"} | ({"leg"} if leg is not None else set())
    known |= {"pt"} if source is not None and source.pt is not None else set()
    known |= {"own r", "borrow r"} if source is not None and source.r else set()
    known |= {"own q", "borrow q"} if made.root is not None else set()
    functions = tuple(f for f in made.functions if _canonical(f.name.text) not in seen and _has(f, known))
    exports = tuple(f for f in made.exports if _has(f, known))
    return replace(made, leg=leg, functions=functions, exports=exports)


def _has(func: Func, known: set[str]) -> bool:
    """Whether the input has every type that the function mentions."""
    return {*(kind for _, kind in func.sig.params), func.sig.result or "u32"} <= known
