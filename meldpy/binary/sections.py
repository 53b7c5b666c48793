"""Named constants of both binary formats: preambles, section ids, opcodes, and the limits decoding enforces.

Opcodes that an enum of the model carries as its value (primitive types, sorts, built-ins) are not repeated here.
Spec: Binary.md; core binary format, "Modules" and "Types". Limits are those of the engines (field.md section 6).
"""

from __future__ import annotations

from enum import Enum, auto, unique
from typing import Final

from meldpy.model.canon import BuiltinOp

MAGIC: Final = b"\0asm"
MODULE_VERSION: Final = b"\x01\x00\x00\x00"
COMPONENT_VERSION: Final = b"\x0d\x00\x01\x00"
COMPONENT_LAYER: Final = b"\x01\x00"
PREAMBLE_SIZE: Final = 8


class CoreSectionId:
    """Sections of a core module."""

    CUSTOM: Final = 0
    TYPE: Final = 1
    IMPORT: Final = 2
    FUNCTION: Final = 3
    TABLE: Final = 4
    MEMORY: Final = 5
    GLOBAL: Final = 6
    EXPORT: Final = 7
    START: Final = 8
    ELEMENT: Final = 9
    CODE: Final = 10
    DATA: Final = 11
    DATA_COUNT: Final = 12
    TAG: Final = 13


CORE_SECTION_ORDER: Final = (
    CoreSectionId.TYPE,
    CoreSectionId.IMPORT,
    CoreSectionId.FUNCTION,
    CoreSectionId.TABLE,
    CoreSectionId.MEMORY,
    CoreSectionId.TAG,
    CoreSectionId.GLOBAL,
    CoreSectionId.EXPORT,
    CoreSectionId.START,
    CoreSectionId.ELEMENT,
    CoreSectionId.DATA_COUNT,
    CoreSectionId.CODE,
    CoreSectionId.DATA,
)
"""The order in which the sections of a core module appear; their ids are not in it, for historical reasons."""


class SectionId:
    """Sections of a component."""

    CUSTOM: Final = 0
    CORE_MODULE: Final = 1
    CORE_INSTANCE: Final = 2
    CORE_TYPE: Final = 3
    COMPONENT: Final = 4
    INSTANCE: Final = 5
    ALIAS: Final = 6
    TYPE: Final = 7
    CANON: Final = 8
    START: Final = 9
    IMPORT: Final = 10
    EXPORT: Final = 11
    VALUE: Final = 12


class CoreTypeOp:
    """Type constructors of the core type section, and of module types in components."""

    REC: Final = 0x4E
    SUB_FINAL: Final = 0x4F
    SUB: Final = 0x50
    FUNC: Final = 0x60
    STRUCT: Final = 0x5F
    ARRAY: Final = 0x5E
    REF: Final = 0x64
    REF_NULL: Final = 0x63
    MODULE: Final = 0x50
    """A core module type, where a component defines a core type."""
    SUB_PREFIX: Final = 0x00
    """Stands before a non-final subtype in that place, to tell it from a module type."""


class LimitsFlag:
    """Bits of the byte that opens limits."""

    MAX: Final = 0b0001
    SHARED: Final = 0b0010
    IS64: Final = 0b0100
    PAGE_SIZE: Final = 0b1000


TABLE_WITH_INIT: Final = 0x40
"""Opens a table definition that has an initialiser; a zero byte follows."""
TAG_EXCEPTION: Final = 0x00
ELEM_KIND_FUNC: Final = 0x00
END: Final = 0x0B


class ModuleDeclOp:
    """Declarators of a core module type."""

    IMPORT: Final = 0x00
    TYPE: Final = 0x01
    ALIAS: Final = 0x02
    EXPORT: Final = 0x03


class DeclOp:
    """Declarators of component and instance types."""

    CORE_TYPE: Final = 0x00
    TYPE: Final = 0x01
    ALIAS: Final = 0x02
    IMPORT: Final = 0x03
    EXPORT: Final = 0x04


class TypeOp:
    """Constructors of the component type section (primitives: `PrimValType`)."""

    RECORD: Final = 0x72
    VARIANT: Final = 0x71
    LIST: Final = 0x70
    TUPLE: Final = 0x6F
    FLAGS: Final = 0x6E
    ENUM: Final = 0x6D
    OPTION: Final = 0x6B
    RESULT: Final = 0x6A
    OWN: Final = 0x69
    BORROW: Final = 0x68
    FIXED_LIST: Final = 0x67
    STREAM: Final = 0x66
    FUTURE: Final = 0x65
    MAP: Final = 0x63
    ASYNC_FUNC: Final = 0x43
    INSTANCE: Final = 0x42
    COMPONENT: Final = 0x41
    FUNC: Final = 0x40
    RESOURCE: Final = 0x3F


class ExprOp:
    """What an instance or core instance is made of."""

    INSTANTIATE: Final = 0x00
    INLINE_EXPORTS: Final = 0x01


class AliasOp:
    """Targets of an alias."""

    EXPORT: Final = 0x00
    CORE_EXPORT: Final = 0x01
    OUTER: Final = 0x02
    CORE_OUTER: Final = 0x01
    """`outer`, as the declarators of a core module type write it."""


class BoundOp:
    """`typebound` and `valuebound`: equal to an index, or the other thing (`sub resource`; a value type)."""

    EQ: Final = 0x00
    OTHER: Final = 0x01


class AttributeOp:
    """`attribute`: what may follow a name in form `NAME_WITH_ATTRIBUTES`."""

    IMPLEMENTS: Final = 0x00
    VERSION_SUFFIX: Final = 0x01
    EXTERNAL_ID: Final = 0x02


NAME_FORMS: Final = (0x00, 0x01, 0x02)
NAME_WITH_ATTRIBUTES: Final = 0x02


NAME_SECTION: Final = "name"
PRODUCERS_SECTION: Final = "producers"
MODULE_NAME_SUBSECTION: Final = 0
"""The subsection of a `name` section that names the module (others: `NameKind`, `IndirectNameKind`)."""


class CanonOp:
    """Canonical definitions that have a class of their own in the model (others: `BuiltinOp`)."""

    LIFT: Final = 0x00
    LOWER: Final = 0x01
    RESOURCE_NEW: Final = 0x02
    RESOURCE_DROP: Final = 0x03
    RESOURCE_REP: Final = 0x04
    FUNC_SORT: Final = 0x00
    """Follows `LIFT` and `LOWER`."""


@unique
class Imm(Enum):
    """Kinds of immediates that canonical built-ins have."""

    U32 = auto()
    FLAG = auto()
    CORE_VAL_TYPE = auto()
    RESULTS = auto()
    OPTIONS = auto()


BUILTIN_IMMEDIATES: Final[dict[BuiltinOp, tuple[Imm, ...]]] = {
    BuiltinOp.TASK_CANCEL: (),
    BuiltinOp.SUBTASK_CANCEL: (Imm.FLAG,),
    BuiltinOp.TASK_RETURN: (Imm.RESULTS, Imm.OPTIONS),
    BuiltinOp.CONTEXT_GET: (Imm.CORE_VAL_TYPE, Imm.U32),
    BuiltinOp.CONTEXT_SET: (Imm.CORE_VAL_TYPE, Imm.U32),
    BuiltinOp.THREAD_YIELD: (Imm.FLAG,),
    BuiltinOp.SUBTASK_DROP: (),
    BuiltinOp.STREAM_NEW: (Imm.U32,),
    BuiltinOp.STREAM_READ: (Imm.U32, Imm.OPTIONS),
    BuiltinOp.STREAM_WRITE: (Imm.U32, Imm.OPTIONS),
    BuiltinOp.STREAM_CANCEL_READ: (Imm.U32, Imm.FLAG),
    BuiltinOp.STREAM_CANCEL_WRITE: (Imm.U32, Imm.FLAG),
    BuiltinOp.STREAM_DROP_READABLE: (Imm.U32,),
    BuiltinOp.STREAM_DROP_WRITABLE: (Imm.U32,),
    BuiltinOp.FUTURE_NEW: (Imm.U32,),
    BuiltinOp.FUTURE_READ: (Imm.U32, Imm.OPTIONS),
    BuiltinOp.FUTURE_WRITE: (Imm.U32, Imm.OPTIONS),
    BuiltinOp.FUTURE_CANCEL_READ: (Imm.U32, Imm.FLAG),
    BuiltinOp.FUTURE_CANCEL_WRITE: (Imm.U32, Imm.FLAG),
    BuiltinOp.FUTURE_DROP_READABLE: (Imm.U32,),
    BuiltinOp.FUTURE_DROP_WRITABLE: (Imm.U32,),
    BuiltinOp.ERROR_CONTEXT_NEW: (Imm.OPTIONS,),
    BuiltinOp.ERROR_CONTEXT_DEBUG_MESSAGE: (Imm.OPTIONS,),
    BuiltinOp.ERROR_CONTEXT_DROP: (),
    BuiltinOp.WAITABLE_SET_NEW: (),
    BuiltinOp.WAITABLE_SET_WAIT: (Imm.FLAG, Imm.U32),
    BuiltinOp.WAITABLE_SET_POLL: (Imm.FLAG, Imm.U32),
    BuiltinOp.WAITABLE_SET_DROP: (),
    BuiltinOp.WAITABLE_JOIN: (),
    BuiltinOp.BACKPRESSURE_INC: (),
    BuiltinOp.BACKPRESSURE_DEC: (),
    BuiltinOp.THREAD_INDEX: (),
    BuiltinOp.THREAD_NEW_INDIRECT: (Imm.U32, Imm.U32),
    BuiltinOp.THREAD_RESUME_LATER: (),
    BuiltinOp.THREAD_SUSPEND: (Imm.FLAG,),
    BuiltinOp.THREAD_SUSPEND_THEN_RESUME: (Imm.FLAG,),
    BuiltinOp.THREAD_YIELD_THEN_RESUME: (Imm.FLAG,),
    BuiltinOp.THREAD_SUSPEND_THEN_PROMOTE: (Imm.FLAG,),
    BuiltinOp.THREAD_YIELD_THEN_PROMOTE: (Imm.FLAG,),
    BuiltinOp.THREAD_SPAWN_REF: (Imm.FLAG, Imm.U32),
    BuiltinOp.THREAD_SPAWN_INDIRECT: (Imm.FLAG, Imm.U32, Imm.U32),
    BuiltinOp.THREAD_AVAILABLE_PARALLELISM: (Imm.FLAG,),
}
"""The immediates of each built-in behind its opcode, in binary order."""


class Limit:
    """What engines accept at most; more is a DecodeError, so that hostile counts end early."""

    TYPES: Final = 1_000_000
    FUNCTIONS: Final = 1_000_000
    IMPORTS: Final = 1_000_000
    EXPORTS: Final = 1_000_000
    GLOBALS: Final = 1_000_000
    TAGS: Final = 1_000_000
    TABLES: Final = 100
    MEMORIES: Final = 100
    ELEMENT_SEGMENTS: Final = 100_000
    DATA_SEGMENTS: Final = 100_000
    ELEMENT_ITEMS: Final = 10_000_000
    NAME_BYTES: Final = 100_000
    BODY_BYTES: Final = 7_654_321
    PARAMS: Final = 1_000
    RESULTS: Final = 1_000
    SUPERTYPES: Final = 1
    STRUCT_FIELDS: Final = 10_000
    DEPTH: Final = 100
    PER_SCOPE: Final = 1_000
    """Core modules, components: each, that one component defines."""
    INSTANCES: Final = 4_096
    """Instances that one component defines, core and component-level together. Engines before wasmparser 0.261 have
    1,000 here; their validation says so."""
    MODULE_DECLS: Final = 100_000
    DECLS: Final = 1_000_000
    FIELDS: Final = 10_000
    FLAGS: Final = 32
    INSTANTIATE_ARGS: Final = 100_000
    INLINE_EXPORTS: Final = 100_000
    CANON_OPTIONS: Final = 10
    START_ARGS: Final = 1_000
    VALUES: Final = 1_000
    DEFINITIONS: Final = 1_000_000
    """Items of a component's section that have no limit of their own (canonical definitions, aliases)."""
