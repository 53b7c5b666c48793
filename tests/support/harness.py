"""The differential harness: runs a composition and its fused form side by side and compares all that can be seen.

`observe` runs one component through a list of calls and records, per step, the result or the kind of trap, the host
calls with arguments in order, and what was written to stdout and stderr. Instantiation is a step of its own. A trap
poisons a Store, so the calls after it run on a fresh instance, on both sides alike.

`compare` lists the differences of two such records and of the two components' types; `assert_like` lets one pass only
if the table of known divergences has an entry for it. `check` is what most tests call: it also asserts the shape of
the fused output (tests.support.shape).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from wasmtime import Config, Engine, ExitTrap, Store, StoreContext, WasmtimeError, _ffi
from wasmtime import component as wc

from tests.differential.divergences import Divergences
from tests.differential.trap_kinds import same_trap, trap_kind
from tests.support.shape import assert_fused_shape
from tests.support.values import Plain, from_host, same, tagged_variants, to_host, world
from tests.support.wasi import WasiInput, WasiOutput, set_wasi


@dataclass(frozen=True, slots=True)
class Call:
    """One call from the host. func: "interface#function" or a root function's name.

    wasi: if given, the call starts a fresh instance with this input, as a command wants it.
    """

    func: str
    args: Sequence[Plain] = ()
    wasi: WasiInput | None = None


class Guest:
    """The running instance as a host function sees it: it may call back in."""

    def __init__(self, store: Store | StoreContext, instance: wc.Instance) -> None:
        self._store = store
        self._instance = instance

    def call(self, func: str, args: Sequence[Plain]) -> Plain | None:
        """Calls an export; the plain result. Raises WasmtimeError for a trap."""
        target = self._find(func)
        ty = target.type(self._store)
        if len(args) != len(ty.params):
            raise TypeError(f"{func} takes {len(ty.params)} arguments, not {len(args)}")
        given = [to_host(param, arg) for (_, param), arg in zip(ty.params, args, strict=True)]
        result = target(self._store, *given)
        return None if ty.result is None else from_host(ty.result, result)

    def _find(self, func: str) -> wc.Func:
        interface, _, name = func.rpartition("#")
        parent = self._instance.get_export_index(self._store, interface) if interface else None
        index = self._instance.get_export_index(self._store, name, parent) if parent or not interface else None
        target = None if index is None else self._instance.get_func(self._store, index)
        if target is None:
            raise LookupError(f"no exported function {func}")
        return target


HostFunction = Callable[[Guest | None, list[Plain]], "Plain | None"]
"""A host function: the guest to call back (None during instantiation), plain arguments; a plain result."""

Host = Mapping[str, HostFunction]
"""By name: "interface#function", or a root import's name."""


@dataclass(frozen=True, slots=True)
class Trap:
    """A guest's failure. kind: see tests/differential/trap_kinds.py; message: as the engine gave it."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Exit:
    """The guest ended its process."""

    code: int


@dataclass(frozen=True, slots=True)
class Returned:
    value: Plain | None


@dataclass(frozen=True, slots=True)
class Step:
    """What one call, or "(instantiate)", did."""

    label: str
    outcome: Returned | Trap | Exit
    host_calls: list[tuple[str, list[Plain]]]
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class Observed:
    """All that a component was seen doing, and its type."""

    steps: list[Step]
    world: dict[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which the fused form is not like the composition. where: a step's label, or "(world)"."""

    where: str
    aspect: str
    composed: object
    fused: object

    def __str__(self) -> str:
        return f"{self.where}: {self.aspect} differs\n    composed: {self.composed}\n    fused:    {self.fused}"


@dataclass(slots=True)
class _Run:
    """One component under observation, and the instance that is alive now."""

    engine: Engine
    component: wc.Component
    host: Host
    directory: Path
    host_calls: list[tuple[str, list[Plain]]] = field(default_factory=list)
    store: Store | None = None
    instance: wc.Instance | None = None
    output: WasiOutput | None = None

    def step(self, label: str, action: Callable[[], Plain | None]) -> Step:
        outcome: Returned | Trap | Exit
        try:
            outcome = Returned(action())
        except ExitTrap as exit:
            outcome = Exit(exit.code)
        except WasmtimeError as error:
            outcome = Trap(trap_kind(str(error)), str(error))
        if not isinstance(outcome, Returned):
            self.instance = self.store = None  # ends the store, and with it what it has not written yet
        assert self.output is not None, "the first step starts the instance"
        stdout, stderr = self.output.take()
        calls = list(self.host_calls)
        self.host_calls.clear()
        return Step(label, outcome, calls, stdout, stderr)

    def start(self, wasi: WasiInput) -> Plain | None:
        """Replaces the live instance by a fresh one."""
        self.store = Store(self.engine)
        self.output = set_wasi(self.store, wasi, self.directory)
        self.instance = None
        self.instance = self._linker().instantiate(self.store, self.component)
        return None

    def call(self, call: Call) -> Plain | None:
        assert self.store is not None
        assert self.instance is not None
        return Guest(self.store, self.instance).call(call.func, call.args)

    def _linker(self) -> wc.Linker:
        linker = wc.Linker(self.engine)
        imports = self.component.type.imports(self.engine)
        if any(name.startswith("wasi:") for name in imports):
            linker.add_wasip2()
        with linker.root() as root:
            for name, extern in imports.items():
                item = extern.ty
                if isinstance(item, wc.FuncType):
                    root.add_func(name, self._host_function(name, item))
                elif isinstance(item, wc.ComponentInstanceType) and not name.startswith("wasi:"):
                    with root.add_instance(name) as instance:
                        for inner, inner_extern in item.exports(self.engine).items():
                            inner_item = inner_extern.ty
                            if isinstance(inner_item, wc.FuncType):
                                instance.add_func(inner, self._host_function(f"{name}#{inner}", inner_item))
        return linker

    def _host_function(self, name: str, ty: wc.FuncType) -> Callable[..., object]:
        function = self.host[name]
        params = [param for _, param in ty.params]
        result_type = ty.result

        def called(store: StoreContext, *given: object) -> object:
            args = [from_host(param, arg) for param, arg in zip(params, given, strict=True)]
            self.host_calls.append((name, args))
            guest = None if self.instance is None else Guest(store, self.instance)
            result = function(guest, args)
            return None if result_type is None or result is None else to_host(result_type, result)

        return called


def observe(
    binary: bytes, calls: Sequence[Call], *, host: Host | None = None, config: Config | None = None
) -> Observed:
    """Runs `binary` through `calls`. An instantiation that traps ends the run: the rest could not start either."""
    engine = Engine(config if config is not None else Config())
    component = wc.Component(engine, binary)
    with TemporaryDirectory(prefix="guest-") as directory, tagged_variants():
        run = _Run(engine, component, host if host is not None else {}, Path(directory))
        return Observed(list(_steps(run, calls)), world(engine, component))


def _steps(run: _Run, calls: Sequence[Call]) -> Iterator[Step]:
    for number, call in enumerate(calls):
        if run.instance is None or call.wasi is not None:
            yield run.step("(instantiate)", partial(run.start, call.wasi if call.wasi is not None else WasiInput()))
            if run.instance is None:
                return
        yield run.step(f"call {number}, {call.func}", partial(run.call, call))


def compare(composed: Observed, fused: Observed) -> list[Difference]:
    """Every difference, in order of appearance."""
    found = []
    if composed.world != fused.world:
        left, right = composed.world.items(), fused.world.items()
        found.append(Difference("(world)", "type", sorted(left - right), sorted(right - left)))
    for left_step, right_step in zip(composed.steps, fused.steps, strict=False):
        found += _compare_steps(left_step, right_step)
    if len(composed.steps) != len(fused.steps):
        found.append(Difference("(run)", "number of steps", len(composed.steps), len(fused.steps)))
    return found


def _compare_steps(composed: Step, fused: Step) -> list[Difference]:
    found = []
    for aspect in ("label", "stdout", "stderr"):
        if getattr(composed, aspect) != getattr(fused, aspect):
            found.append(Difference(composed.label, aspect, getattr(composed, aspect), getattr(fused, aspect)))
    if not _same_outcome(composed.outcome, fused.outcome):
        found.append(Difference(composed.label, "outcome", composed.outcome, fused.outcome))
    if not _same_host_calls(composed.host_calls, fused.host_calls):
        found.append(Difference(composed.label, "host calls", composed.host_calls, fused.host_calls))
    return found


def _same_outcome(composed: Returned | Trap | Exit, fused: Returned | Trap | Exit) -> bool:
    match composed, fused:
        case Returned(value=None), Returned(value=None):
            return True
        case Returned(value=left), Returned(value=right) if left is not None and right is not None:
            return same(left, right)
        case Trap(kind=left_kind), Trap(kind=right_kind):
            return same_trap(left_kind, right_kind)
        case Exit(), Exit():
            return composed == fused
    return False


def _same_host_calls(composed: list[tuple[str, list[Plain]]], fused: list[tuple[str, list[Plain]]]) -> bool:
    return len(composed) == len(fused) and all(
        left[0] == right[0] and same(left[1], right[1]) for left, right in zip(composed, fused, strict=True)
    )


def check(
    composed: bytes,
    fused: bytes,
    calls: Sequence[Call],
    *,
    divergences: Divergences,
    host: Host | None = None,
    config: Callable[[], Config] = Config,
) -> Observed:
    """Fails unless `fused` has its shape and behaves as `composed` does; what the composition was seen doing."""
    assert_fused_shape(fused)
    observed = observe(composed, calls, host=host, config=config())
    assert_like(observed, observe(fused, calls, host=host, config=config()), divergences)
    return observed


def assert_like(composed: Observed, fused: Observed, divergences: Divergences) -> None:
    """Fails for any difference that the table does not explain."""
    differences = compare(composed, fused)
    unexplained = [str(difference) for difference in differences if not divergences.explains(difference)]
    assert not unexplained, "the fused form behaves differently:\n  " + "\n  ".join(unexplained)


def default() -> Config:
    return Config()


def pooling() -> Config:
    """wasmtime's pooling allocator with its defaults: at most one memory and one table per core module."""
    config = Config()
    pool = _ffi.wasmtime_pooling_allocation_config_new()
    _ffi.wasmtime_pooling_allocation_strategy_set(config.ptr(), pool)
    _ffi.wasmtime_pooling_allocation_config_delete(pool)
    return config


def concurrency_off() -> Config:
    """Without the engine's support for concurrent tasks, whose bookkeeping changes how it enters and leaves."""
    config = Config()
    _ffi.wasmtime_config_concurrency_support_set(config.ptr(), False)
    return config
