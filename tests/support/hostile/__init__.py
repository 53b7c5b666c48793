"""Hostile inputs for the tool: made, run in a pool of workers, and judged.

    names      strings that a terminal, a parser or a validator may not like
    tree       the sections of a binary, found without meldpy's decoder, and what can be done to them
    models     decoded models with one thing changed, in the hope that they still decode
    cores      changes to core modules that a change at random would not find: bodies, locals, segments, names
    wraps      compositions around components: nested, instantiated often, reached through chains of aliases
    bytecode   a few bytes-level helpers to write components that no tool would write
    bombs      small inputs that stand for much: types, instantiations, exports and names that multiply
    typebombs  types that cross from one component to another and are large for their description
    texts      broken and oversized text format
    corpus     what mutations start from: fixtures and generated compositions
    cases      one random case: files, command line, and which mutator made it
    stages     how far the pipeline came with an input
    judge      what one run must not do
    known      what is not ours to mend
    worker     a process that runs cases, one after the other
    pool       the processes, their watchdog, and what they found
    search     many cases, in shards that are not run twice
    tally      the numbers of a search, and the table of them

Everything draws from one `random.Random` per case, which is made from (seed, number of the case): a case can be
made again from those two and the shard's corpus, which depends on the seed alone.
"""
