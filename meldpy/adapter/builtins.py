"""Resource built-ins of instances that have a table of ours: one small function per instance, operation and type.

`resource.drop` of an own handle runs the destructor: a call from the dropping instance into the defining one, with the
checks of any such call. If the outer component imports the resource type, the rep is a handle in the engine's table,
and dropping that is the engine's part.

Spec: CanonicalABI.md `canon_resource_new`, `canon_resource_rep`, `canon_resource_drop`.
"""

from __future__ import annotations

from typing import final

from meldpy.adapter.emitter import Emitter, Workshop
from meldpy.adapter.handles import BUILTIN_TYPES
from meldpy.adapter.symbols import Symbols
from meldpy.asm import I32, FuncBuilder, Local
from meldpy.model.code import EmittedFunc
from meldpy.model.ids import InstanceId, ResourceId
from meldpy.model.linked import LinkedGraph, ResourceBuiltin, ResourceOp


@final
class TableBuiltins:
    """Symbols are handed out first (`symbol`) and written when all symbols are known (`finish`)."""

    def __init__(self, shop: Workshop, graph: LinkedGraph, symbols: Symbols) -> None:
        self._shop = shop
        self._graph = graph
        self._symbols = symbols
        self._functions: dict[tuple[InstanceId, ResourceOp, ResourceId], EmittedFunc] = {}

    def symbol(self, builtin: ResourceBuiltin) -> EmittedFunc:
        key = builtin.instance, builtin.op, builtin.resource
        if key not in self._functions:
            self._functions[key] = self._shop.functions.reserve()
        return self._functions[key]

    def finish(self) -> None:
        for (instance, op, resource), symbol in self._functions.items():
            name = f"resource.{op} of {self._shop.handles.label(resource)} in {self._shop.labels[instance]}"
            em = Emitter(self._shop, FuncBuilder(name, BUILTIN_TYPES[op]))
            if op != "rep":
                em.check_may_leave(instance)
            if op == "drop":
                self._drop(em, instance, resource)
            else:
                self._plain(em, "new-own" if op == "new" else "rep", instance, resource)
            self._shop.functions.define(symbol, em.b)

    # --- inside -----------------------------------------------------------------------------------------------
    def _plain(self, em: Emitter, export: str, instance: InstanceId, resource: ResourceId) -> None:
        """resource.new and resource.rep."""
        handles, (value,) = self._shop.handles, em.b.params
        if handles.is_opaque(resource):
            em.b.get(value)
            return
        em.b.i32(handles.table(instance))
        em.b.i32(handles.tag(resource))
        em.b.get(value)
        em.b.call(handles.func(export))

    def _drop(self, em: Emitter, instance: InstanceId, resource: ResourceId) -> None:
        b, handles, (index,) = em.b, self._shop.handles, em.b.params
        if handles.is_opaque(resource):
            # every handle is an own handle: borrows arrive at the definer only
            self._destroy(em, resource, index)
            return
        rep = b.local(I32)
        b.i32(handles.table(instance))
        b.i32(handles.tag(resource))
        b.get(index)
        b.call(handles.func("drop"))
        b.set(rep)
        with b.if_():
            self._destroy(em, resource, rep)

    def _destroy(self, em: Emitter, resource: ResourceId, rep: Local) -> None:
        """The destructor, if there is one; the host's is behind the engine's built-in."""
        definer, dtor = self._graph.resources[resource].definer, self._graph.resources[resource].dtor
        if definer is None:
            em.b.get(rep)
            em.b.call(self._shop.handles.outer_builtin("drop", resource))
            return
        if dtor is not None:
            with em.sync_call(definer, async_type=False):
                em.call_guarded(self._symbols.final(dtor), (rep,), ())
