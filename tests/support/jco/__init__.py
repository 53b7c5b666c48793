"""A third oracle: jco turns a component into JavaScript and core modules, and another engine, V8, runs them.

    install    jco and a node that knows several memories, from the npm registry
    edge       the text of a composition whose host boundary is lists of bytes
    play.mjs   what node runs: transpile, instantiate, load images, call, report
    player     that process, seen from here
    linked     the two guests transpiled apart, and what arrived according to one memory
    oracle     which scenarios can be played and how, and their comparison with model, engine and fused form
    webs       the same for compositions of more guests
    flows      flows of resources, fused; flow.mjs is the host in them
    known      the disagreements that divergences.toml lists for jco, by their predicates

What jco cannot play is decided from the types beforehand, is counted, and has a test that jco refuses it indeed.
"""
