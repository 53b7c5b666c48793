"""Random flows of resources through compositions: what happens (`flow`) and how that is chosen (`player`, `state`), in
which instances (`topology`, `guests`), and how it is run (`run`).

All instances of a composition run one program, the tape: an instance that is called, or whose destructor runs, reads
operations from it until an end mark, and a call that it makes reads on from there. So one host call runs many
operations of many instances, and an output that once calls another instance, or none, or a destructor more, reads the
rest of the tape differently. What an instance is passed, gets back or finds in a handle goes to a common log.

A flow is made by playing it on a model of handle tables: the model's handles decide what can be done next, and the
tape names them by their indices. So the model's log is there when the tape is, with the trap that ends it, if any.
"""
