"""What the bodies of modules refer to, found once for each, also where nothing can be found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias, final

from meldpy.errors import UnsupportedError
from meldpy.model.core import CoreModule
from meldpy.model.facts import CodeFacts

Scan: TypeAlias = "Callable[[CoreModule], CodeFacts]"


@final
class Scans:
    """What bodies refer to, each module scanned once. Nothing is known of those with instructions that the kernel does
    not know, nor of those that come from outside (`imported`)."""

    def __init__(self, scan: Scan, imported: Iterable[CoreModule]) -> None:
        self._scan = scan
        self._unread: dict[int, UnsupportedError | None] = {id(module): None for module in imported}
        self._found: dict[int, CodeFacts] = {id(module): _nothing(module) for module in imported}

    def __call__(self, module: CoreModule) -> CodeFacts:
        key = id(module)
        if key not in self._found:
            try:
                self._found[key] = self._scan(module)
            except UnsupportedError as error:
                self._unread[key] = error
                self._found[key] = _nothing(module)
        return self._found[key]

    def unread(self, module: CoreModule) -> UnsupportedError | None:
        """Why the bodies of `module` could not be read; None if they could, or if there are none."""
        return self._unread.get(id(module))

    def is_unread(self, module: CoreModule) -> bool:
        return id(module) in self._unread


def _nothing(module: CoreModule) -> CodeFacts:
    """As if no function did anything."""
    spans = (0,) * (len(module.funcs) + 1)
    return CodeFacts(spans, spans, (), ())
