"""The small assembler for every function that meldpy emits: scoped locals, labels, symbolic references.

It knows how instructions are encoded and nothing of what they are for; `adapter` and `merger` bring the meaning.
"""

from meldpy.asm.builder import FuncBuilder, Label, Local
from meldpy.asm.opcodes import I32, I64, V128, Load, Op, Store

__all__ = ["I32", "I64", "V128", "FuncBuilder", "Label", "Load", "Local", "Op", "Store"]
