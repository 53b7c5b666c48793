"""Runs a component whose exports make, lend and take resources, as a host that holds handles; logs what can be seen.

A scenario is a Python function that gets a `Session`, calls exports and keeps the handles that it receives. Its log
(results, host calls, destructors of the host's own resources, the kind of the trap that ends it) is the same for a
composition and its fused form, or they are not alike. Values are wasmtime-py's; a handle is logged as what it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from wasmtime import Config, Engine, Store, StoreContext, WasmtimeError
from wasmtime import component as wc

from tests.differential.trap_kinds import trap_kind
from tests.support.values import tagged_variants

TYPE = 7
"""Identifies the host's resource type to the engine."""


@dataclass
class Session:
    """One running instance. log: everything seen so far, in plain values."""

    store: Store | StoreContext
    instance: wc.Instance | None = None
    log: list[object] = field(default_factory=list)
    on_host_call: Callable[[Session, str], None] = lambda session, name: None

    def call(self, interface: str, name: str, *args: Any) -> Any:
        """Calls an export and logs the result."""
        assert self.instance is not None
        parent = self.instance.get_export_index(self.store, interface)
        assert parent is not None, interface
        index = self.instance.get_export_index(self.store, name, parent)
        assert index is not None, name
        func = self.instance.get_func(self.store, index)
        assert func is not None, name
        result = func(self.store, *args)
        self.log.append((interface, name, plain(result)))
        return result

    def drop(self, handle: object) -> None:
        """The host drops a handle; its destructor may be a guest's."""
        assert isinstance(handle, wc.ResourceAny)
        handle.drop(self.store)
        self.log.append("dropped")

    def own(self, rep: int) -> wc.ResourceAny:
        """A new resource of the host's own."""
        return wc.ResourceHost.own(rep, TYPE).to_any(self.store)


def plain(value: object) -> object:
    """A value without the identities of handles."""
    match value:
        case wc.ResourceAny():
            return "own" if value.owned else "borrow"
        case wc.Variant():
            return value.tag, plain(value.payload)
        case wc.Record():
            return {name: plain(field) for name, field in vars(value).items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return value


Scenario = Callable[[Session], None]


def run(binary: bytes, scenario: Scenario, config: Config | None = None) -> list[object]:
    """The log of a scenario; a trap ends it."""
    engine = Engine(Config() if config is None else config)
    component = wc.Component(engine, binary)
    session = Session(Store(engine))
    linker = wc.Linker(engine)
    if "d" in component.type.imports(engine):
        with linker.root() as root, root.add_instance("d") as instance:
            _add_host(instance, session)
    with tagged_variants():
        try:
            session.instance = linker.instantiate(session.store, component)
            scenario(session)
        except WasmtimeError as error:
            session.log.append(("trap", trap_kind(str(error))))
    return session.log


def _add_host(linker: wc.LinkerInstance, session: Session) -> None:
    """The interface of the definer, on resources of the host."""
    dropped: list[int] = []

    def dtor(store: StoreContext, rep: int) -> None:
        dropped.append(rep)
        session.log.append(("dtor", rep))

    def define(name: str) -> Callable[[Callable[..., object]], None]:
        def add(function: Callable[..., object]) -> None:
            def called(store: StoreContext, *args: object) -> object:
                session.log.append((name, plain(list(args))))
                outer, session.store = session.store, store
                session.on_host_call(session, name)
                result = function(store, *args)
                session.store = outer
                return result

            linker.add_func(name, called)

        return add

    def take_rep(store: StoreContext, handle: object) -> int:
        """The engine forgets the handle: an own one is the host's again, whose destructor does not run."""
        assert isinstance(handle, wc.ResourceAny)
        return handle.to_host(store).rep

    def new(store: StoreContext, value: int) -> wc.ResourceAny:
        return wc.ResourceHost.own(value, TYPE).to_any(store)

    linker.add_resource("r", wc.ResourceType.host(TYPE), dtor)
    define("make")(lambda store, n: new(store, n))
    define("peek")(lambda store, r: take_rep(store, r))
    define("take")(lambda store, r: take_rep(store, r))
    define("both")(lambda store, b, o: take_rep(store, b) * 10 + take_rep(store, o))
    define("sum")(lambda store, rs: sum(take_rep(store, r) for r in rs))
    define("reverse")(lambda store, rs: rs[::-1])
    define("maybe")(lambda store, r: 99 if r is None or r.payload is None else take_rep(store, r.payload))
    define("many")(lambda store, *p: p[14] * 100 + take_rep(store, p[15]) * 10 + take_rep(store, p[16]))
    define("drops")(lambda store: sum(d * 10**i for i, d in enumerate(reversed(dropped))))

    @define("mixed")
    def _mixed(store: StoreContext, m: wc.Record) -> object:
        fields = vars(m)
        value = take_rep(store, fields["a"]) + take_rep(store, fields["b"]) + fields["n"]
        return new(store, value), fields["name"]

    @define("choose")
    def _choose(store: StoreContext, e: wc.Variant) -> object:
        match e.tag:
            case "one":
                return 100 + take_rep(store, e.payload)
            case "lent":
                return 200 + take_rep(store, e.payload)
            case "number":
                return 300 + e.payload
            case _:
                return int(e.payload)

    @define("try-make")
    def _try_make(store: StoreContext, n: int) -> object:
        return wc.Variant("ok", new(store, n)) if n else wc.Variant("err", "no such thing")
