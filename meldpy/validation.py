"""The two places where the pipeline asks the engine: before it trusts an input, and before anybody gets the output.

The engine checks (see `engine.validate`); here it is fed, and kept from harm: it expands nested instances without a
cap until memory ends, so an input that could multiply is evaluated by the resolver first, under our caps. A refusal of
the output is our defect, and says so, but for limits of engines that only the whole output can pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from meldpy.errors import InternalError, LimitError, LinkError, Location, UnsupportedError, ValidationError
from meldpy.model.component import (
    Component,
    ComponentSection,
    CoreModuleSection,
    ExportSection,
    InlineExports,
    InstanceSection,
    Instantiate,
    Sort,
)
from meldpy.model.core import CoreModule

_LIMIT_WORDS: Final = re.compile(r"exceeds (the )?(limit|maximum)")
"""How the engines' validator says that there is too much of something that is right otherwise."""

_HARMLESS: Final = 24
"""Copies of instances that a file may ask for, however they nest: what they multiply to is 3^8 at most, unless an
instance exports a component, which can hold others (see `_exports_components`)."""


def validate_input(source: str, data: bytes, component: Component, expand: Callable[[bool], object]) -> tuple[str, ...]:
    """Have the engine check `component`, whose bytes are `data` (text or binary); notes for `-v`.

    expand: evaluates all instantiations under caps, and (given True) compares their arguments. Raises its LimitError,
    or ValidationError.
    """
    _refuse_expansion(component, expand)
    from meldpy.engine.text import is_text
    from meldpy.engine.validate import Subject, validate

    if is_text(data):
        from meldpy.binary.encode import encode_component

        data = encode_component(component)
    modules = tuple(
        (module.offset, data[module.offset : module.offset + module.size]) for module in _modules(component)
    )
    try:
        return validate(Subject(source, data, component, modules, *_reduced(component)))
    except ValidationError as error:
        raise _explained(error, expand) from None


def _explained(error: ValidationError, expand: Callable[[bool], object]) -> ValidationError:
    """The engine's `error`, with what the resolver says of an argument that does not fit, if one does not: both types,
    and what comes near. What ends the evaluation before it finds that adds nothing."""
    try:
        expand(True)
    except LinkError as found:
        error.diff = found.diff
        error.causes = (*error.causes, found.reason, *found.causes)
        error.location = found.location or error.location
        error.remedy = found.remedy or error.remedy
    except Exception:
        return error
    return error


def validate_output(data: bytes, component: Component) -> tuple[str, ...]:
    """Check our own output. InternalError if the engine refuses it; LimitError if that is for one of its limits.

    Returns notes: what is valid may still be more than the engine can run by itself.

    Where many inputs, or a composition near a limit, become one component, sums can pass it.
    """
    from meldpy.binary.encode import encode_module
    from meldpy.engine.validate import Subject, validate

    modules = tuple((0, encode_module(module)) for module in _modules(component))
    with _our_output("component"):
        return validate(Subject("output", data, component, modules, *_reduced(component)))


def validate_core_output(data: bytes) -> None:
    """The same for a core output."""
    from meldpy.engine.validate import validate_module

    with _our_output("module"):
        validate_module("output", data)


@contextmanager
def _our_output(what: str) -> Iterator[None]:
    """A refusal is about what we made, not about what we were given."""
    try:
        yield
    except ValidationError as error:
        if any(_LIMIT_WORDS.search(cause) for cause in error.causes):
            raise LimitError(
                f"the fused {what} would pass a limit of the engines; nothing was written",
                Location("output"),
                causes=error.causes,
                remedy="fuse fewer inputs at once, or fewer instances",
            ) from error
        raise InternalError(
            f"the fused {what} is invalid; nothing was written",
            Location("output"),
            causes=error.causes,
            remedy="please report this with the inputs; this is a defect of meldpy",
        ) from error


def _refuse_expansion(component: Component, expand: Callable[[bool], object]) -> None:
    if not _can_expand(component):
        return
    from meldpy.resolver import EXPORTED_COMPONENT

    try:
        expand(False)
    except LimitError:
        raise
    except UnsupportedError as error:
        # What the root exports is looked at when all is counted. Else the evaluation ended before it could count: what
        # the engine may expand is bounded otherwise, or refused.
        if error.feature != EXPORTED_COMPONENT and (_copies(component) > _HARMLESS or _exports_components(component)):
            raise
    except Exception:
        # Invalid, for all that we know; then the engine refuses it before it expands anything, in better words.
        return


def _can_expand(component: Component) -> bool:
    """Whether anything in `component` can be more than once what it is written once."""
    return any(isinstance(section, ComponentSection) for section in component.sections) or _copies(component) > 0


def _copies(component: Component) -> int:
    """In how many places `component` and those inside it copy an instance: instantiate one, or put one into another."""
    found = 0
    for section in component.sections:
        if isinstance(section, ComponentSection):
            found += _copies(section.component)
        elif isinstance(section, InstanceSection):
            for item in section.items:
                match item:
                    case Instantiate():
                        found += 1
                    case InlineExports(exports):
                        found += sum(index.sort is Sort.INSTANCE for _, index in exports)
    return found


def _exports_components(component: Component) -> bool:
    """Whether `component` or one inside it exports a component: one place can then instantiate ever larger ones."""
    for section in component.sections:
        match section:
            case ComponentSection(component=inner) if _exports_components(inner):
                return True
            case ExportSection(items) if any(item.item.sort is Sort.COMPONENT for item in items):
                return True
            case InstanceSection(items):
                inline = (item for item in items if isinstance(item, InlineExports))
                if any(index.sort is Sort.COMPONENT for item in inline for _, index in item.exports):
                    return True
    return False


def _reduced(component: Component) -> tuple[bytes, Callable[[], bytes]]:
    """The skeleton of `component`, and what makes the component that contains it and never instantiates it."""
    from meldpy.binary.encode import encode_component
    from meldpy.engine.skeleton import skeleton

    inside = skeleton(component)
    return encode_component(inside), lambda: encode_component(Component((ComponentSection(inside),)))


def _modules(component: Component) -> Iterator[CoreModule]:
    """Every core module in `component`, at any depth (bounded by the decoder)."""
    for section in component.sections:
        if isinstance(section, CoreModuleSection):
            yield section.module
        elif isinstance(section, ComponentSection):
            yield from _modules(section.component)
