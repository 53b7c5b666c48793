"""Sets of small components at random, and their composition by hand: does meldpy link what can be linked?

`model` says what an input is, `generate` makes inputs whose names, types, attributes and versions come close to each
other, `text` writes them, `compose` writes the composition that a person would write by hand, whose verdict is
`wasm-tools validate`'s. Nothing here uses the resolver.
"""
