"""Generators for random differential tests: value types, values, guests, and a model that predicts what they see.

    types      WIT-level value types, and their component text
    values     values of them
    layout     sizes, alignments and flat types, from the spec
    model      lift and lower between two simulated memories: the values, realloc calls and traps to expect
    encode     values into the image of a guest's memory, with noise and corruption
    guests     the two guests, as component text
    calls      one call between them: what goes in, what must come out
    scenario   a composition of the two guests, and the check of all its calls
    web        compositions of more guests: chains, diamonds, twins, nests; web_text and web_run as above
    run        runs a composition and its fused form, and compares both with the model

Everything draws from a `random.Random`. Under hypothesis that is the one of `st.randoms`, so that counterexamples
shrink; long runs use seeded ones.
"""
