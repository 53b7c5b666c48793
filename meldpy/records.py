"""`dataclass`, `field` and `replace` as the standard library has them, made when they are needed.

The standard library's decorator writes, compiles and runs the text of six methods for every class, and needs `inspect`:
with some 300 classes that was a third of what a cold `meld fuse` took. Here a class costs a few microseconds. Its
`__init__` is made when the first instance is, which for most classes in most runs is never, and classes with as many
fields share its code; comparison, hash and repr read the fields through one getter. To a type checker these *are* the
standard library's, and `dataclasses.fields`, `replace` and `is_dataclass` take the classes for what they look like.

What nobody uses is not here: keyword-only fields, InitVar, classes without slots.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["astuple", "dataclass", "field", "fields", "is_dataclass", "replace"]

if TYPE_CHECKING:
    from dataclasses import astuple, dataclass, field, fields, is_dataclass, replace
else:
    from operator import attrgetter

    _NOTHING = object()
    _set = object.__setattr__
    _codes = {}
    _Function, _Code = type(lambda: None), type((lambda: None).__code__)

    class _Field:
        """What `field` says of one field."""

        __slots__ = ("compare", "default", "default_factory", "init", "name", "repr")

        def __init__(self, default, default_factory, repr, compare, init):
            self.default, self.default_factory = default, default_factory
            self.repr, self.compare, self.init = repr, compare, init

    def field(*, default=_NOTHING, default_factory=_NOTHING, repr=True, compare=True, init=True):
        return _Field(default, default_factory, repr, compare, init)

    def fields(record):
        return tuple(record.__record__.values())

    def is_dataclass(record):
        return hasattr(record, "__record__")

    def astuple(record):
        """Of a record that holds no other records."""
        return tuple(getattr(record, name) for name in record.__record__)

    def replace(record, /, **changes):
        cls = record.__class__
        for name, each in cls.__record__.items():
            if each.init:
                changes.setdefault(name, getattr(record, name))
            elif name in changes:
                raise ValueError(f"{name} is no parameter of {cls.__name__}")
        return cls(**changes)

    def dataclass(*, frozen=False, slots=False, eq=True, order=False):
        assert slots, "every record has slots"

        def decorate(cls):
            return _made(cls, frozen, eq, order)

        return decorate

    def _made(cls, frozen, eq, order):
        known = {}
        for base in reversed(cls.__mro__[1:]):
            known.update(base.__dict__.get("__record__", {}))
        inherited = set(known)
        own = cls.__dict__.get("__annotations__", {})  # noqa: RUF063
        for name, annotation in own.items():
            # annotations are text everywhere (`from __future__ import annotations`)
            if annotation.startswith(("ClassVar", "typing.ClassVar")):
                continue
            default = cls.__dict__.get(name, _NOTHING)
            known[name] = default if isinstance(default, _Field) else _Field(default, _NOTHING, True, True, True)
            known[name].name = name

        space = {k: v for k, v in cls.__dict__.items() if k not in known and k not in ("__dict__", "__weakref__")}
        space["__slots__"] = tuple(name for name in known if name not in inherited)
        space["__record__"] = known
        space["__dataclass_fields__"] = _StandardFields()
        space["__match_args__"] = tuple(name for name, each in known.items() if each.init)
        made = type(cls)(cls.__name__, cls.__bases__, space)
        made.__qualname__ = cls.__qualname__

        if "__init__" not in space:
            made.__init__ = _first_init(made, known, frozen)
        if "__repr__" not in space:
            made.__repr__ = _repr(tuple(name for name, each in known.items() if each.repr))
        if eq:
            _compare(made, space, tuple(name for name, each in known.items() if each.compare), frozen, order)
        if frozen:
            made.__setattr__ = _frozen_set
            made.__delattr__ = _frozen_delete
            made.__getstate__ = _get_state
            made.__setstate__ = _set_state
        return made

    # --- making instances ------------------------------------------------------------------------------------------
    def _first_init(cls, fields, frozen):
        """Compiles the real `__init__`, puts it in its place and goes on with it."""

        def __init__(self, *args, **kwargs):
            cls.__init__ = real = _init(cls, fields, frozen)
            real(self, *args, **kwargs)

        return __init__

    def _init(cls, fields, frozen):
        """Classes of one shape share one code; each gives it names, and what they stand for."""
        names, defaults, body, space = [], [], [], {"_NOTHING": _NOTHING}
        for at, (name, each) in enumerate(fields.items()):
            made = each.default_factory is not _NOTHING
            value = f"p{len(names)}"
            if each.init:
                names.append(name)
                if made or each.default is not _NOTHING:
                    defaults.append(_NOTHING if made else each.default)
                elif defaults:
                    raise TypeError(f"non-default argument {name!r} follows default argument")
            elif not made:
                if each.default is _NOTHING:
                    continue
                space[f"_d{at}"] = each.default
                value = f"_d{at}"
            if made:
                space[f"_f{at}"] = each.default_factory
                value = f"_f{at}() if {value} is _NOTHING else {value}" if each.init else f"_f{at}()"
            if frozen:
                # the slot itself, past the class's __setattr__
                space[f"_s{at}"] = getattr(cls, name).__set__
                body.append(f"_s{at}(self, {value})")
            else:
                body.append(f"self.{name} = {value}")
        if hasattr(cls, "__post_init__"):
            body.append("self.__post_init__()")
        lines = "\n  ".join(body) or "pass"
        parameters = "".join(f", p{at}" for at in range(len(names)))
        code = _code(f"def __init__(self{parameters}):\n  {lines}").replace(co_varnames=("self", *names))
        init = _Function(code, space, "__init__", tuple(defaults))
        init.__qualname__ = f"{cls.__qualname__}.__init__"
        return init

    def _code(text):
        """The code of the one function in a text."""
        if text not in _codes:
            (_codes[text],) = (each for each in compile(text, "<string>", "exec").co_consts if type(each) is _Code)
        return _codes[text]

    # --- comparing ---------------------------------------------------------------------------------------------------
    def _compare(cls, space, names, frozen, order):
        if not names:

            def key(self):
                return ()

        elif len(names) == 1:
            only = attrgetter(names[0])

            def key(self):
                return (only(self),)

        else:
            key = attrgetter(*names)

        def __eq__(self, other):
            if other.__class__ is self.__class__:
                return key(self) == key(other)
            return NotImplemented

        def __hash__(self):
            return hash(key(self))

        if "__eq__" not in space:
            cls.__eq__ = __eq__
        if "__hash__" not in space or space["__hash__"] is None:
            cls.__hash__ = __hash__ if frozen else None
        if order:

            def __lt__(self, other):
                return key(self) < key(other) if other.__class__ is self.__class__ else NotImplemented

            def __le__(self, other):
                return key(self) <= key(other) if other.__class__ is self.__class__ else NotImplemented

            def __gt__(self, other):
                return key(self) > key(other) if other.__class__ is self.__class__ else NotImplemented

            def __ge__(self, other):
                return key(self) >= key(other) if other.__class__ is self.__class__ else NotImplemented

            cls.__lt__, cls.__le__, cls.__gt__, cls.__ge__ = __lt__, __le__, __gt__, __ge__

    def _repr(names):
        open_ = set()

        def __repr__(self):
            if id(self) in open_:
                return "..."
            open_.add(id(self))
            try:
                inner = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
            finally:
                open_.discard(id(self))
            return f"{self.__class__.__qualname__}({inner})"

        return __repr__

    # --- frozen ------------------------------------------------------------------------------------------------------
    def _frozen_set(self, name, value):
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def _frozen_delete(self, name):
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def _get_state(self):
        return [getattr(self, name) for name in self.__record__]

    def _set_state(self, state):
        for name, value in zip(self.__record__, state, strict=True):
            _set(self, name, value)

    # --- for whoever asks the standard library -----------------------------------------------------------------------
    class _StandardFields:
        """`__dataclass_fields__`, made when somebody looks at it."""

        def __get__(self, instance, owner):
            import dataclasses

            made = {}
            for name, each in owner.__record__.items():
                given = {"repr": each.repr, "compare": each.compare, "init": each.init}
                if each.default is not _NOTHING:
                    given["default"] = each.default
                if each.default_factory is not _NOTHING:
                    given["default_factory"] = each.default_factory
                made[name] = dataclasses.field(**given)
                made[name].name = name
                made[name].type = owner.__annotations__.get(name)
                made[name]._field_type = dataclasses._FIELD
            owner.__dataclass_fields__ = made
            return made
