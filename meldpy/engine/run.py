"""Run a component under the embedded wasmtime, with WASI 0.2 and wasi:http: a command, or one exported function.

The guest's exit code is the caller's to pass on; a trap is reported as such. Failures that are not the guest's
(the component needs an import that nothing provides, say) are EngineErrors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, final

import wasmtime
from wasmtime import component

from meldpy.engine.calls import StillRunning, call
from meldpy.engine.config import base_config, full_engine
from meldpy.engine.values import to_text, to_value
from meldpy.engine.wave import Name, parse_call
from meldpy.engine.words import causes_of
from meldpy.errors import EngineError, UsageError
from meldpy.records import dataclass, field

TRAP_CODE = 134
"""The exit code for a guest that trapped, as a shell gives it for an abort."""


_Finish: TypeAlias = "Callable[[Any], Outcome]"


@final
@dataclass(frozen=True, slots=True)
class Environment:
    """What the guest sees: arguments (the program's name first), variables, and directories (host path, guest path)."""

    arguments: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    directories: tuple[tuple[str, str], ...] = ()
    inherit_variables: bool = False


@final
@dataclass(frozen=True, slots=True)
class Outcome:
    """exit_code: the guest's, or TRAP_CODE; result: WAVE text of what an invoked function returned; trap: its words."""

    exit_code: int
    result: str | None = None
    trap: str | None = None


def run_command(data: bytes, name: str, environment: Environment) -> Outcome:
    """Run the component's `run` function of the interface `name` (`wasi:cli/run@…`)."""
    running = _instantiate(data, environment)
    if isinstance(running, Outcome):
        return running
    store, instance = running
    func = _lookup(store, instance, (name, "run"))
    return _call(store, func, (), lambda value: Outcome(0 if _succeeded(value) else 1))


def invoke(data: bytes, path: Sequence[str], call: str, environment: Environment) -> Outcome:
    """Call the exported function at `path` (export names from the root inwards) with the arguments of `call`."""
    running = _instantiate(data, environment)
    if isinstance(running, Outcome):
        return running
    store, instance = running
    func = _lookup(store, instance, path)
    params, result = _type(store, func, path[-1])
    _, trees = parse_call(call)
    trees = () if trees is None else trees
    left_out = [of for _, of in params[len(trees) :]]
    if all(isinstance(of, component.OptionType) for of in left_out):
        trees += tuple(Name("none") for _ in left_out)  # WAVE lets them be left out at the end
    if len(trees) != len(params):
        raise UsageError(
            f"{path[-1]} takes {len(params)} arguments, {len(trees)} were given",
            remedy='`meld inspect` shows its parameters; with --invoke they stand in parentheses: f(1, "x")',
        )
    arguments = [to_value(tree, of) for tree, (_, of) in zip(trees, params, strict=True)]
    return _call(store, func, arguments, lambda v: Outcome(0, None if result is None else to_text(v, result)))


def _instantiate(data: bytes, environment: Environment) -> tuple[wasmtime.Store, component.Instance] | Outcome:
    engine, compiled = _compile(data)
    linker = component.Linker(engine)
    linker.allow_shadowing = True
    linker.add_wasip2()
    store = wasmtime.Store(engine)
    store.set_wasi(_wasi(environment))
    if any(name.startswith("wasi:http/") for name in compiled.type.imports(engine)):
        linker.add_wasi_http()
        store.set_wasi_http()
    try:
        return store, linker.instantiate(store, compiled)
    except wasmtime.ExitTrap as done:
        return Outcome(done.code)
    except wasmtime.WasmtimeError as error:
        if _is_trap(error):
            return Outcome(TRAP_CODE, trap=str(error))
        raise _not_instantiated(engine, compiled, causes_of(error)) from error


_PROVIDED = "meld run gives WASI 0.2, wasi:http included"


def _not_instantiated(engine: wasmtime.Engine, compiled: component.Component, causes: tuple[str, ...]) -> EngineError:
    """What is imported that nothing provides, and who could; the engine names only the first of them."""
    imports = compiled.type.imports(engine)
    wanted = [name for name, item in imports.items() if not name.startswith("wasi:") and _is_wanted(engine, item.ty)]
    if wanted:
        listed = ", ".join(f"`{name}`" for name in wanted)
        it = "it" if len(wanted) == 1 else "them"
        return EngineError(
            f"the component imports {listed}, and nothing provides {it}",
            causes=causes,
            remedy=f"fuse it with a component that exports {it} (meld fuse FILE PROVIDER -o OUT), or run it in a host"
            f" that has {it}; {_PROVIDED}",
        )
    other = next((name for name in imports if any(f"`{name}`" in cause for cause in causes)), None)
    if other is None:
        return EngineError(
            "the component cannot be instantiated",
            causes=causes,
            remedy="`meld inspect` shows what it imports and exports",
        )
    return EngineError(
        f"the component imports `{other}`, which the embedded engine does not have",
        causes=causes,
        remedy=f"{_PROVIDED}; the wasmtime command has more, or another component may provide it",
    )


def _is_wanted(engine: wasmtime.Engine, item: object) -> bool:
    """Whether a host must provide something for the import: value types follow from the component itself."""
    if isinstance(item, component.ComponentInstanceType):
        return any(_is_wanted(engine, inner.ty) for inner in item.exports(engine).values())
    return isinstance(item, component.FuncType | component.ResourceType)


def _compile(data: bytes) -> tuple[wasmtime.Engine, component.Component]:
    """Compile with the common features first; a component that wants gated ones gets an engine that has them."""
    engine = wasmtime.Engine(base_config(optimise=True))
    try:
        return engine, component.Component(engine, data)
    except wasmtime.WasmtimeError:
        engine = full_engine(optimise=True).engine
    try:
        return engine, component.Component(engine, data)
    except wasmtime.WasmtimeError as error:
        raise EngineError("the component cannot be compiled", causes=causes_of(error)) from error


def _wasi(environment: Environment) -> wasmtime.WasiConfig:
    wasi = wasmtime.WasiConfig()
    wasi.argv = list(environment.arguments)
    if environment.inherit_variables:
        wasi.inherit_env()
    else:
        wasi.env = list(environment.variables.items())
    wasi.inherit_stdin()
    wasi.inherit_stdout()
    wasi.inherit_stderr()
    for host, guest in environment.directories:
        try:
            wasi.preopen_dir(host, guest)
        except wasmtime.WasmtimeError as error:
            raise UsageError(
                f"cannot give the guest the directory {host}", remedy="check that it is a directory that you may read"
            ) from error
    return wasi


def _lookup(store: wasmtime.Store, instance: component.Instance, path: Sequence[str]) -> component.Func:
    index: component.ExportIndex | None = None
    for name in path:
        index = instance.get_export_index(store, name, index)
        if index is None:
            raise UsageError(
                f"the component has no export {name!r}", remedy="`meld inspect` shows what it imports and exports"
            )
    func = None if index is None else instance.get_func(store, index)
    if func is None:
        raise UsageError(
            f"{'.'.join(path)} is not a function", remedy="`meld inspect` shows what it imports and exports"
        )
    return func


def _type(
    store: wasmtime.Store, func: component.Func, name: str
) -> tuple[list[tuple[str, component.ValType]], component.ValType | None]:
    """The parameters and the result, as the binding has them."""
    try:
        type_ = func.type(store)
        return type_.params, type_.result
    except TypeError as error:
        # The binding lags behind the engine: it has no values for, say, fixed-length lists and maps.
        reason = f"the embedded engine's binding cannot pass the parameters or results of {name}"
        raise EngineError(
            reason, causes=(str(error),), remedy="run it in another host; fused it does the same"
        ) from error


def _call(store: wasmtime.Store, func: component.Func, arguments: Sequence[object], finish: _Finish) -> Outcome:
    try:
        value = call(func, store, arguments)
        outcome = finish(value)
        func.post_return(store)
    except wasmtime.ExitTrap as done:
        return Outcome(done.code)
    except wasmtime.WasmtimeError as error:
        return Outcome(TRAP_CODE, trap=str(error))
    except StillRunning as error:
        raise EngineError(
            str(error), remedy="see what its tasks wait for: they end as little when they are not fused"
        ) from error
    return outcome


def _succeeded(value: object) -> bool:
    """Whether the `result` that a command's `run` returned is `ok`: the binding gives a tagged variant, or None."""
    return getattr(value, "tag", "ok") == "ok"


def _is_trap(error: wasmtime.WasmtimeError) -> bool:
    return "wasm trap" in str(error) or "wasm backtrace" in str(error)
