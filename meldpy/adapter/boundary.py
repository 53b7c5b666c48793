"""The outer boundary: what the canon definitions of the output's component point at.

Lifts, lowers and built-ins at the outer edge stay canon definitions of the engine, with the guest's own functions,
memory and realloc, and only the options that their types need. A function of ours stands in between only where handles
must be translated (`shims`) or a flag is alive: a stub that checks may_leave before a host call or a built-in, and
wrappers that clear it around realloc and post-return. The host may call into an instance that is running (ADR-0045).

Spec: CanonicalABI.md `canon_lift`, `canon_lower`, `canon_resource_*`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import final

from meldpy.adapter.emitter import Emitter, Workshop
from meldpy.adapter.handles import BUILTIN_TYPES
from meldpy.adapter.places import Side
from meldpy.adapter.shims import Shims
from meldpy.adapter.symbols import Symbols
from meldpy.asm import I32, I64, FuncBuilder
from meldpy.cabi import Context, Needs, lift_context, lower_context
from meldpy.errors import Location, MeldError
from meldpy.model.canon import StringEncoding
from meldpy.model.code import (
    EmittedFunc,
    FuncSymbol,
    OuterLift,
    OuterLower,
    OuterLowerFunc,
    OuterOptions,
    OuterResource,
)
from meldpy.model.core import CoreFuncType
from meldpy.model.ids import InstanceId, ResourceId
from meldpy.model.linked import CanonicalOptions, Lift, LinkedGraph, Lower, ResourceBuiltin
from meldpy.records import replace

DTOR_TYPE = CoreFuncType((I32,), ())


@contextmanager
def located(location: Location) -> Iterator[None]:
    """Errors that know no place are about this one."""
    try:
        yield
    except MeldError as error:
        error.at(location)
        raise


@final
class OuterEdge:
    """Makes the outer definitions and the functions they need. Wrappers are shared by what they wrap."""

    def __init__(self, shop: Workshop, graph: LinkedGraph, symbols: Symbols) -> None:
        self._shop = shop
        self._graph = graph
        self._symbols = symbols
        self._wrappers: dict[object, EmittedFunc] = {}
        self.shims = Shims(shop, graph, symbols)
        self._waiting: list[tuple[EmittedFunc, Lower]] = []

    # --- what guests call -------------------------------------------------------------------------------------
    def host_call(self, lower: Lower) -> FuncSymbol:
        """The function behind a lower of an imported function: the import itself, or a stub that checks may_leave, or
        a shim (written by `finish`)."""
        target = OuterLowerFunc(lower.id)
        if self.shims.needed(lower.instance, lower.type, Context.LOWER):
            shim = self._shop.functions.reserve()
            self._waiting.append((shim, lower))
            return shim
        core_type = self._shop.abi.func(lower.type, lower_context(lower.options), lower.options.memory64).core
        return self.leaving(f"host call {lower.id}", target, core_type, lower.instance)

    def builtin_call(self, builtin: ResourceBuiltin) -> FuncSymbol:
        """The function behind a resource built-in of an instance whose table is the engine's.

        resource.rep does not leave, so nothing is checked.
        """
        target = self._shop.handles.outer_builtin(builtin.op, builtin.resource)
        if builtin.op == "rep":
            return target
        name = f"resource.{builtin.op} of {self._graph.resources[builtin.resource].name}"
        return self.leaving(name, target, BUILTIN_TYPES[builtin.op], builtin.instance)

    def finish(self) -> None:
        """Write the shims of imported functions, now that all symbols are known."""
        for shim, lower in self._waiting:
            with located(lower.location):
                self.shims.import_(shim, lower, OuterLowerFunc(lower.id))

    # --- what the outer component says ------------------------------------------------------------------------
    def outer_lift(self, lift: Lift) -> OuterLift:
        """The outer canon lift of an exported function."""
        options = lift.options
        context = lift_context(options)
        core_type = self._shop.abi.func(lift.type, context, options.memory64).core
        form = self.shims.full_lift(lift)
        core_func = self._symbols.final(lift.core_func)
        if self.shims.needed(lift.instance, lift.type, Context.LIFT):
            with located(lift.location):
                core_func = self.shims.export(lift)
        core_func = self._observed(core_func, core_type if form is None else form.core_type, lift)
        # a post-return belongs to the task of its call
        post_return = None if options.post_return is None else self._symbols.final(options.post_return)
        if post_return is not None:
            post_return = self._post_return(post_return, CoreFuncType(core_type.results, ()), lift.instance)
        if form is not None:
            framed = self.shims.post_return(lift, form, post_return) if form.frames else None
            return OuterLift(lift.id, core_func, form.core_type, replace(form.options, post_return=framed))
        outer = self._options(lift.instance, options, self._shop.abi.needs(lift.type, context), post_return)
        if options.async_:
            # a `task.return` names the same ones, whether the type needs them or not
            outer = replace(outer, string_encoding=options.string_encoding, memory=options.memory)
        if options.callback is not None:
            outer = replace(outer, callback=self._symbols.final(options.callback))
        return OuterLift(lift.id, core_func, core_type, outer)

    def realloc_of(self, lift: Lift) -> FuncSymbol | None:
        """The allocator that the outer definition of an async export names, if its type needs one."""
        if not self._shop.abi.needs(lift.type, Context.CALLBACK_LIFT).realloc:
            return None
        assert lift.options.realloc is not None, "validation: a type that needs realloc has one"
        return self.realloc(self._symbols.final(lift.options.realloc), lift.instance, lift.options.memory64)

    def outer_lower(self, lower: Lower) -> OuterLower:
        """The outer canon lower of an imported function."""
        form = self.shims.full_lower(lower)
        if form is not None:
            return OuterLower(lower.id, form.core_type, form.options)
        context = lower_context(lower.options)
        core_type = self._shop.abi.func(lower.type, context, lower.options.memory64).core
        needs = self._shop.abi.needs(lower.type, context)
        return OuterLower(lower.id, core_type, self._options(lower.instance, lower.options, needs, None))

    def guest_realloc(self, side: Side) -> FuncSymbol:
        """The allocator of a guest's side, as the outer component shall call it."""
        assert side.realloc is not None
        return self.realloc(side.realloc, side.instance, side.memory64)

    def async_lower(self, lower: Lower) -> OuterLower:
        """An async outer canon lower of an imported function, whatever the guest's is, with the guest's options."""
        core_type = self._shop.abi.func(lower.type, Context.ASYNC_LOWER, lower.options.memory64).core
        needs = self._shop.abi.needs(lower.type, Context.ASYNC_LOWER)
        options = self._options(lower.instance, lower.options, needs, None)
        return OuterLower(lower.id, core_type, replace(options, async_=True))

    def outer_resource(self, id: ResourceId) -> OuterResource:
        """The outer definition of a resource type."""
        resource = self._graph.resources[id]
        if resource.dtor is None:
            return OuterResource(id, None)
        assert resource.definer is not None
        dtor = self._symbols.final(resource.dtor)
        if self._is_observed(resource.definer):
            dtor = self._dtor_call(dtor, resource.definer)
        return OuterResource(id, self._forgetful(id, dtor) if self._shop.handles.forgets(id) else dtor)

    def _forgetful(self, id: ResourceId, dtor: FuncSymbol) -> FuncSymbol:
        """A destructor that looks away while the outer handle alone is dropped."""
        handles = self._shop.handles

        def body(em: Emitter) -> None:
            em.b.get_flag(handles.forget)
            with em.b.if_():
                em.b.return_()
            em.b.get(*em.b.params)
            em.b.call(dtor)

        return self._wrapper(("forgetful", id), f"destructor of {handles.label(id)}", DTOR_TYPE, body)

    # --- inside -----------------------------------------------------------------------------------------------
    def _is_observed(self, instance: InstanceId) -> bool:
        """Whether code of the instance can tell whose task it is."""
        tasks = self._shop.tasks
        return tasks is not None and tasks.observes(instance)

    def _observed(self, func: FuncSymbol, type: CoreFuncType, lift: Lift) -> FuncSymbol:
        """`func`, or a function around it that makes what it runs a task of its own."""
        if not self._is_observed(lift.instance):
            return func

        def body(em: Emitter) -> None:
            results = tuple(em.b.local(result) for result in type.results)
            with em.sync_call(lift.instance, async_type=lift.type.async_):
                em.b.get(*em.b.params)
                em.b.call(func)
                em.b.set(*results)
                if tasks is not None and goes_on:
                    tasks.keep_context(em, lift.instance)
            em.b.get(*results)

        tasks, goes_on = self._shop.tasks, lift.options.post_return is not None
        key = ("task", func, type, lift.instance, goes_on)
        return self._wrapper(key, f"task of {self._label(lift.instance)}", type, body)

    def _dtor_call(self, dtor: FuncSymbol, definer: InstanceId) -> FuncSymbol:
        def body(em: Emitter) -> None:
            with em.sync_call(definer, async_type=False):
                em.b.get(*em.b.params)
                em.b.call(dtor)

        return self._wrapper(("task", dtor), f"destructor in {self._label(definer)}", DTOR_TYPE, body)

    def _label(self, instance: InstanceId) -> str:
        return self._shop.labels[instance]

    def _options(
        self, instance: InstanceId, options: CanonicalOptions, needs: Needs, post_return: FuncSymbol | None
    ) -> OuterOptions:
        """What the type needs of the guest's options."""
        realloc = None
        if needs.realloc:
            assert options.realloc is not None, "validation: a type that needs realloc has one"
            realloc = self.realloc(self._symbols.final(options.realloc), instance, options.memory64)
        return OuterOptions(
            options.string_encoding if needs.encoding else StringEncoding.UTF8,
            options.memory if needs.memory else None,
            realloc,
            post_return,
            async_=options.async_,
        )

    def leaving(self, name: str, target: FuncSymbol, type: CoreFuncType, instance: InstanceId) -> FuncSymbol:
        """`target`, or a stub in front of it that checks the instance's may_leave."""
        if instance not in self._shop.leave_flags:
            return target

        def body(em: Emitter) -> None:
            em.check_may_leave(instance)
            em.b.get(*em.b.params)
            em.b.call(target)

        return self._wrapper(("leaving", target), f"{name}, checked", type, body)

    def realloc(self, realloc: FuncSymbol, instance: InstanceId, memory64: bool) -> FuncSymbol:
        """The guest's realloc, or a wrapper that clears may_leave around it."""
        if instance not in self._shop.leave_flags and not self._is_observed(instance):
            return realloc
        pointer = I64 if memory64 else I32
        name = f"realloc of {self._graph.instances[instance].label}"

        def body(em: Emitter) -> None:
            em.set_may_leave(instance, 0)
            with em.sync_call(instance, async_type=False):
                em.b.get(*em.b.params)
                em.b.call(realloc)
                # what it returns stays on the stack
            em.set_may_leave(instance, 1)

        return self._wrapper(("realloc", realloc, instance), name, CoreFuncType((pointer,) * 4, (pointer,)), body)

    def _post_return(self, post_return: FuncSymbol, type: CoreFuncType, instance: InstanceId) -> FuncSymbol:
        """The guest's post-return, or a wrapper that clears may_leave around it and gives it its call's context."""
        tasks = self._shop.tasks
        if instance not in self._shop.leave_flags and (tasks is None or instance not in tasks.slots):
            return post_return
        name = f"post-return of {self._graph.instances[instance].label}"

        def body(em: Emitter) -> None:
            em.set_may_leave(instance, 0)
            with nullcontext() if tasks is None else tasks.kept_context(em, instance):
                em.b.get(*em.b.params)
                em.b.call(post_return)
            em.set_may_leave(instance, 1)

        return self._wrapper(("post-return", post_return, type, instance), name, type, body)

    def _wrapper(self, key: object, name: str, type: CoreFuncType, body: Callable[[Emitter], None]) -> EmittedFunc:
        if key not in self._wrappers:
            symbol = self._wrappers[key] = self._shop.functions.reserve()
            b = FuncBuilder(name, type)
            body(Emitter(self._shop, b))
            self._shop.functions.define(symbol, b)
        return self._wrappers[key]
