"""A whole world: what a component imports and exports, with the interfaces that it names, by package."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

from meldpy.model.extern import FuncType, InstanceType, NamedExtern
from meldpy.wit.interfaces import INDENT, interface_lines
from meldpy.wit.names import Names, all_interfaces, label
from meldpy.wit.values import function


def world_text(imports: Sequence[NamedExtern], exports: Sequence[NamedExtern]) -> str:
    """The world as one WIT document, called `root:component/root` as wasm-tools calls it."""
    return "\n".join(_World(imports, exports).lines()) + "\n"


@final
class _World:
    def __init__(self, imports: Sequence[NamedExtern], exports: Sequence[NamedExtern]) -> None:
        self.imports = imports
        self.exports = exports
        self.names = Names()
        for externs in (imports, exports):
            for name, type_ in all_interfaces(externs):
                self.names.own(name, type_.exports)

    def lines(self) -> Iterator[str]:
        scope = self.names.scope()
        imported = [line for extern in self.imports for line in self._item(scope, "import", extern)]
        exported = [line for extern in self.exports for line in self._item(scope, "export", extern)]
        yield "package root:component;"
        yield ""
        yield "world root {"
        yield from (INDENT + line for line in imported)
        if imported and exported:
            yield ""
        yield from (INDENT + line for line in exported)
        yield "}"
        for package, interfaces in self._packages().items():
            yield f"package {package} {{"
            for number, (name, lines) in enumerate(interfaces.items()):
                if number:
                    yield ""
                yield f"{INDENT}interface {label(name)} {{"
                yield from (INDENT * 2 + line for line in lines)
                yield f"{INDENT}}}"
            yield "}"

    def _item(self, scope: Names, word: str, extern: NamedExtern) -> Iterator[str]:
        name = extern.name.name
        match extern.type:
            case InstanceType() if ":" in name:
                yield f"{word} {name};"
            case InstanceType(exports=inner):
                yield f"{word} {label(name)}: interface {{"
                yield from (INDENT + line for line in interface_lines(self.names.scope(), name, inner))
                yield "}"
            case FuncType() as type_:
                yield f"{word} {label(name)}: {function(scope, type_)};"
            case _:
                yield from (
                    line if line.startswith("use ") else f"{word} {line}"
                    for line in interface_lines(scope, None, [extern])
                )

    def _packages(self) -> dict[str, dict[str, list[str]]]:
        """Interfaces by package and name; what is imported and exported is written once, with what either side has."""
        views: dict[str, list[NamedExtern]] = {}
        for name, type_ in (*all_interfaces(self.imports), *all_interfaces(self.exports)):
            if ":" in name:
                views.setdefault(name, []).extend(type_.exports)
        found: dict[str, dict[str, list[str]]] = {}
        for name, exports in views.items():
            first = {export.name.name: export for export in reversed(exports)}
            once = [export for export in exports if first[export.name.name] is export]
            path, at, version = name.partition("@")
            package, _, interface = path.partition("/")
            lines = interface_lines(self.names.scope(), name, once, exports)
            found.setdefault(package + at + version, {})[interface] = list(lines)
        return found
