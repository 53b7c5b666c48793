"""Hypothesis strategies for what the binary format can carry: core modules and components, well-formed, not valid.

Every generated model is in the form that decoding gives: recursion groups are explicit unless they have one type,
section lists are filled in, the explicit segment forms are used only where a shorter one exists.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from meldpy.binary.encode.core import present
from meldpy.binary.sections import BUILTIN_IMMEDIATES, CORE_SECTION_ORDER, Imm
from meldpy.model import canon, component, core, extern, valtype
from meldpy.model.canon import BuiltinOp
from meldpy.model.component import Sort
from meldpy.model.core import Op

T = TypeVar("T")

u32 = st.one_of(st.integers(0, 300), st.integers(0, 2**32 - 1))
u64 = st.one_of(st.integers(0, 300), st.integers(0, 2**64 - 1))
names = st.one_of(st.sampled_from(["", "a", "f", "wasi:io/streams@0.2.0"]), st.text(max_size=6))


def tuples(item: SearchStrategy[T], most: int = 3, least: int = 0) -> SearchStrategy[tuple[T, ...]]:
    return st.lists(item, min_size=least, max_size=most).map(tuple)


# --- core types -------------------------------------------------------------------------------------
heap_types = st.one_of(st.sampled_from(core.AbsHeapType), u32)
ref_types = st.builds(core.RefType, st.booleans(), heap_types)
core_val_types = st.one_of(st.sampled_from(core.NumType), ref_types)
storage_types = st.one_of(core_val_types, st.sampled_from(core.PackedType))
field_types = st.builds(core.FieldType, storage_types, st.booleans())
comp_types = st.one_of(
    st.builds(core.CoreFuncType, tuples(core_val_types), tuples(core_val_types)),
    st.builds(core.StructType, tuples(field_types)),
    st.builds(core.ArrayType, field_types),
)
sub_types = st.builds(core.SubType, comp_types, st.booleans(), tuples(u32, most=1))
rec_groups = st.one_of(
    st.builds(core.RecGroup, sub_types.map(lambda one: (one,))),
    st.builds(core.RecGroup, tuples(sub_types), st.just(True)),
)
table_limits = st.builds(core.Limits, u64, st.none() | u64, st.booleans())
memory_limits = st.builds(
    core.Limits, u64, st.none() | u64, st.booleans(), st.booleans(), st.none() | st.integers(0, 63)
)
table_types = st.builds(core.TableType, ref_types, table_limits)
memory_types = st.builds(core.MemoryType, memory_limits)
global_types = st.builds(core.GlobalType, core_val_types, st.booleans())
tag_types = st.builds(core.TagType, u32)
core_extern_types = st.one_of(st.builds(core.FuncImportType, u32), table_types, memory_types, global_types, tag_types)
core_imports = st.builds(core.CoreImport, names, names, core_extern_types)


# --- constant expressions and segments --------------------------------------------------------------
Operands = (
    SearchStrategy[core.HeapType] | SearchStrategy[bytes] | SearchStrategy[tuple[int, int]] | SearchStrategy[None]
)


def ops(opcodes: tuple[int, ...], operands: Operands) -> SearchStrategy[core.ConstOp]:
    return st.builds(core.ConstOp, st.sampled_from(opcodes), operands)


const_ops = st.one_of(
    ops((Op.I32_CONST,), st.integers(-(2**31), 2**31 - 1)),
    ops((Op.I64_CONST,), st.integers(-(2**63), 2**63 - 1)),
    ops((Op.F32_CONST,), st.binary(min_size=4, max_size=4)),
    ops((Op.F64_CONST,), st.binary(min_size=8, max_size=8)),
    ops((Op.V128_CONST,), st.binary(min_size=16, max_size=16)),
    ops((Op.GLOBAL_GET, Op.REF_FUNC), u32),
    ops((Op.REF_NULL,), heap_types),
    ops((Op.STRUCT_NEW, Op.STRUCT_NEW_DEFAULT, Op.ARRAY_NEW, Op.ARRAY_NEW_DEFAULT), u32),
    ops((Op.ARRAY_NEW_FIXED,), st.tuples(u32, u32)),
    ops((Op.I32_ADD, Op.I32_SUB, Op.I32_MUL, Op.I64_ADD, Op.I64_SUB, Op.I64_MUL), st.none()),
    ops((Op.ANY_CONVERT_EXTERN, Op.EXTERN_CONVERT_ANY, Op.REF_I31), st.none()),
)
const_exprs = tuples(const_ops)
tables = st.builds(core.Table, table_types, st.none() | const_exprs)
globals_ = st.builds(core.Global, global_types, const_exprs)


@st.composite
def element_segments(draw: st.DrawFn) -> core.ElementSegment:
    mode = draw(st.sampled_from(core.SegmentMode))
    expressions = draw(st.booleans())
    short_form = core.FUNCREF if expressions else core.RefType(False, core.AbsHeapType.FUNC)
    element = draw(st.just(short_form) | ref_types) if expressions else short_form
    items = draw(tuples(const_exprs if expressions else u32, most=5))
    if mode is not core.SegmentMode.ACTIVE:
        return core.ElementSegment(mode, element, items, expressions)
    table = draw(st.just(0) | u32)
    explicit = draw(st.booleans()) and table == 0 and element == short_form
    return core.ElementSegment(mode, element, items, expressions, table, draw(const_exprs), explicit)


@st.composite
def data_segments(draw: st.DrawFn) -> core.DataSegment:
    data = draw(st.binary(max_size=20))
    if draw(st.booleans()):
        return core.DataSegment(core.SegmentMode.PASSIVE, data)
    memory = draw(st.just(0) | u32)
    explicit = draw(st.booleans()) and memory == 0
    return core.DataSegment(core.SegmentMode.ACTIVE, data, memory, draw(const_exprs), explicit)


# --- custom sections --------------------------------------------------------------------------------
raw_customs = st.builds(
    core.RawCustom, names.filter(lambda name: name not in ("name", "producers")), st.binary(max_size=20)
)
name_maps = tuples(st.tuples(u32, names))
producers = st.builds(core.ProducersSection, tuples(st.tuples(names, tuples(st.tuples(names, names)))))


@st.composite
def name_sections(draw: st.DrawFn) -> core.NameSection:
    """Any subsections, in any order."""
    kinds = [0, *(kind.value for kind in core.NameKind), *(kind.value for kind in core.IndirectNameKind)]
    order = tuple(draw(st.lists(st.sampled_from(kinds), unique=True)))
    plain = tuple((core.NameKind(k), draw(name_maps)) for k in order if k in {n.value for n in core.NameKind})
    indirect = tuple(
        (core.IndirectNameKind(k), draw(tuples(st.tuples(u32, name_maps))))
        for k in order
        if k in {n.value for n in core.IndirectNameKind}
    )
    return core.NameSection(draw(names) if 0 in order else None, plain, indirect, order)


# --- core modules -----------------------------------------------------------------------------------
@st.composite
def core_modules(draw: st.DrawFn) -> core.CoreModule:
    bodies = draw(st.lists(st.binary(max_size=5), max_size=4))
    data = draw(tuples(data_segments()))
    module = core.CoreModule(
        types=draw(tuples(rec_groups)),
        imports=draw(tuples(core_imports)),
        funcs=tuple(draw(u32) for _ in bodies),
        tables=draw(tuples(tables)),
        memories=draw(tuples(memory_types)),
        tags=draw(tuples(tag_types)),
        globals=draw(tuples(globals_)),
        exports=draw(tuples(st.builds(core.CoreExport, names, st.sampled_from(core.CoreSort), u32))),
        start=draw(st.none() | u32),
        elements=draw(tuples(element_segments())),
        data_count=draw(st.sampled_from([None, len(data)])),
        code=core.Code(len(bodies), b"".join(bytes([len(body)]) + body for body in bodies)),
        data=data,
    )
    # Empty sections may be written too, but a start or data count section needs its number.
    optional = [each for each in CORE_SECTION_ORDER if each not in (8, 12)]
    listed = {*present(module), *draw(st.sets(st.sampled_from(optional)))}
    sections = tuple(each for each in CORE_SECTION_ORDER if each in listed)
    customs = tuple(
        core.PlacedCustom(after, section)
        for after in (0, *sections)
        for section in draw(tuples(st.one_of(raw_customs, name_sections(), producers), most=1))
    )
    return replace(module, customs=customs, sections=sections)


# --- component types --------------------------------------------------------------------------------
@st.composite
def extern_names(draw: st.DrawFn) -> extern.ExternName:
    form = draw(st.integers(0, 2))
    order = tuple(draw(st.lists(st.integers(0, 2), unique=True))) if form == 2 else ()
    texts = [draw(names) if opcode in order else None for opcode in range(3)]
    return extern.ExternName(draw(names), extern.Attributes(form, *texts, order))


val_types = st.one_of(st.sampled_from(valtype.PrimValType), u32)
optional_val_types = st.none() | val_types
labelled = st.tuples(names, val_types)
func_types = st.builds(component.FuncTypeDef, tuples(labelled), optional_val_types, st.booleans())
flat_types = st.one_of(
    st.sampled_from(valtype.PrimValType),
    st.builds(valtype.RecordType, tuples(st.builds(valtype.Field, names, val_types), least=1)),
    st.builds(valtype.VariantType, tuples(st.builds(valtype.Case, names, optional_val_types), least=1)),
    st.builds(valtype.ListType, val_types, st.none() | st.integers(1, 2**32 - 1)),
    st.builds(valtype.TupleType, tuples(val_types, least=1)),
    st.builds(valtype.FlagsType, tuples(names, least=1, most=32)),
    st.builds(valtype.EnumType, tuples(names, least=1)),
    st.builds(valtype.OptionType, val_types),
    st.builds(valtype.ResultType, optional_val_types, optional_val_types),
    st.builds(valtype.MapType, val_types, val_types),
    st.builds(valtype.OwnType, u32),
    st.builds(valtype.BorrowType, u32),
    st.builds(valtype.StreamType, optional_val_types),
    st.builds(valtype.FutureType, optional_val_types),
    st.builds(component.ResourceTypeDef, core_val_types, st.none() | u32),
    func_types,
)
extern_descs = st.one_of(
    st.builds(component.CoreModuleDesc, u32),
    st.builds(component.FuncDesc, u32),
    st.builds(component.ValueDesc, u32, st.none()),
    st.builds(component.ValueDesc, st.none(), val_types),
    st.builds(component.TypeDesc, st.none() | u32),
    st.builds(component.ComponentDesc, u32),
    st.builds(component.InstanceDesc, u32),
)
extern_sorts = st.sampled_from([Sort.CORE_MODULE, Sort.FUNC, Sort.VALUE, Sort.TYPE, Sort.COMPONENT, Sort.INSTANCE])
core_export_sorts = st.sampled_from(
    [Sort.CORE_FUNC, Sort.CORE_TABLE, Sort.CORE_MEMORY, Sort.CORE_GLOBAL, Sort.CORE_TAG]
)
outer_sorts = st.sampled_from([Sort.CORE_MODULE, Sort.CORE_TYPE, Sort.TYPE, Sort.COMPONENT])
aliases = st.one_of(
    st.builds(component.ExportAlias, extern_sorts, u32, names),
    st.builds(component.CoreExportAlias, core_export_sorts, u32, names),
    st.builds(component.OuterAlias, outer_sorts, u32, u32),
)
module_decls = st.one_of(
    core_imports,
    rec_groups,
    st.builds(component.CoreTypeAlias, u32, u32),
    st.builds(component.CoreExportDecl, names, core_extern_types),
)
core_type_defs = st.one_of(rec_groups, st.builds(component.ModuleType, tuples(module_decls)))


def _with_declarators(inner: SearchStrategy[component.TypeDef]) -> SearchStrategy[component.TypeDef]:
    instance_decls = st.one_of(
        st.builds(component.CoreTypeDecl, core_type_defs),
        st.builds(component.TypeDecl, inner),
        st.builds(component.AliasDecl, aliases),
        st.builds(component.ExportDecl, extern_names(), extern_descs),
    )
    imports = st.builds(component.ImportDecl, extern_names(), extern_descs)
    return st.one_of(
        st.builds(component.InstanceTypeDef, tuples(instance_decls)),
        st.builds(component.ComponentTypeDef, tuples(st.one_of(instance_decls, imports))),
    )


type_defs = st.recursive(flat_types, _with_declarators, max_leaves=4)

# --- canonical definitions --------------------------------------------------------------------------
canon_opts = st.one_of(
    st.builds(canon.CanonOpt, st.sampled_from([0, 1, 2, 6])),
    st.builds(canon.CanonOpt, st.sampled_from([3, 4, 5, 7]), u32),
)
option_lists = tuples(canon_opts)
IMMEDIATES: dict[Imm, SearchStrategy[canon.Immediate]] = {
    Imm.U32: u32,
    Imm.FLAG: st.booleans(),
    Imm.CORE_VAL_TYPE: core_val_types,
    Imm.RESULTS: st.builds(canon.ResultList, optional_val_types),
    Imm.OPTIONS: option_lists,
}


def builtin(op: BuiltinOp) -> SearchStrategy[canon.OtherBuiltin]:
    return st.builds(canon.OtherBuiltin, st.just(op), st.tuples(*(IMMEDIATES[kind] for kind in BUILTIN_IMMEDIATES[op])))


canons = st.one_of(
    st.builds(canon.Lift, u32, option_lists, u32),
    st.builds(canon.Lower, u32, option_lists),
    st.builds(canon.ResourceNew, u32),
    st.builds(canon.ResourceDrop, u32),
    st.builds(canon.ResourceRep, u32),
    st.sampled_from(BuiltinOp).flatmap(builtin),
)

# --- components -------------------------------------------------------------------------------------
core_sort_indices = st.builds(component.SortIndex, core_export_sorts, u32)
sort_indices = st.builds(component.SortIndex, extern_sorts, u32)
core_instances = st.one_of(
    st.builds(component.CoreInstantiate, u32, tuples(st.tuples(names, u32))),
    st.builds(component.CoreInlineExports, tuples(st.tuples(names, core_sort_indices))),
)
instances = st.one_of(
    st.builds(component.Instantiate, u32, tuples(st.tuples(names, sort_indices))),
    st.builds(component.InlineExports, tuples(st.tuples(extern_names(), sort_indices))),
)
leaf_sections: SearchStrategy[component.Section] = st.one_of(
    st.builds(component.CustomSection, st.builds(core.RawCustom, names, st.binary(max_size=20))),
    st.builds(component.CoreModuleSection, core_modules()),
    st.builds(component.CoreInstanceSection, tuples(core_instances)),
    st.builds(component.CoreTypeSection, tuples(core_type_defs)),
    st.builds(component.InstanceSection, tuples(instances)),
    st.builds(component.AliasSection, tuples(aliases)),
    st.builds(component.TypeSection, tuples(type_defs)),
    st.builds(component.CanonSection, tuples(canons)),
    st.builds(component.StartSection, st.builds(component.Start, u32, tuples(u32), st.integers(0, 1000))),
    st.builds(component.ImportSection, tuples(st.builds(component.Import, extern_names(), extern_descs))),
    st.builds(
        component.ExportSection,
        tuples(st.builds(component.Export, extern_names(), sort_indices, st.none() | extern_descs)),
    ),
    st.builds(component.ValueSection, tuples(st.builds(component.Value, val_types, st.binary(max_size=8)))),
)
components = st.recursive(
    st.builds(component.Component, tuples(leaf_sections)),
    lambda inner: st.builds(
        component.Component, tuples(st.one_of(leaf_sections, st.builds(component.ComponentSection, inner)))
    ),
    max_leaves=3,
)
