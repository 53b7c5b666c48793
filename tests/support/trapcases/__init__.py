"""Cases for the table of trap conditions (tests/differential/traps): for each, what traps and its neighbour.

    table      the conditions, read from conditions.toml and checked
    spec       the table against a copy of the spec's definitions.py
    case       what a case is, and how one that calls exports of a component is played
    precise    values with chosen core values or memory words in place of lifted ones
    values     values that may not be lifted, in params and results, at the top and nested
    shapes     the wrappers around values, and the functions that take and return them
    batch      many functions in one composition
    reallocs   what a realloc returns
    pointers   where spilled parameters and results are
    handles    bad handles, likewise; handle_guests: who exchanges them
    chained    exceptions over several instances, and calls after a trap
    hooks      what a realloc, a post-return, a destructor or the callee itself may not do
    acting     all the ways of doing it
    entering   calls of a component instance that is running; dropping: by a destructor alone
    limits     tables and memories that are full
    lengths    strings and lists at the limit of their length
    registry   all cases by condition
    refused    what is refused, and so cannot trap
    readme     the table for people

A case is made from its place and its condition: which wrappers there are, which encodings and which realloc calls, is
enumerated, not drawn, so that every place has its case in every run.
"""
