"""What debuggers, profilers and crash reports read: custom sections that hold offsets and indices, moved with the code.

`carry` takes the fused module and gives its custom sections: DWARF of all inputs joined (`dwarf`, `strings`), code
metadata (`hints`), target features (`features`). What it does not understand it leaves out, and says so.

Not done here: the bytes of DWARF (the kernel rewrites them; the pipeline hands that function in), where code went
(the merger says, FusedModule.units), and the `name` and `producers` sections (merger).
"""
