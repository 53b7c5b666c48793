"""The spec's own `definitions.py` as an oracle: it plays a component, and says whether what was seen is allowed.

`source` finds the file, which is not ours and is not committed. `machine` instantiates the core modules of a resolved
composition in the engine, each component instance in a store of its own, with every canonical definition made by
`definitions.py`. `threads` stands for the modules `threading` and `random` there: its threads can be given up, and each
of its choices is one of a plan. `search` looks for a plan under which the spec does what was seen; there are as many as
there are legal orders, and no other behaviour is accepted.

Which components: those whose guests wait on the stack of one instance at most, and only for what other instances do. A
store cannot be left by two stacks in any order.
"""

from tests.support.definitions.search import Verdict, allowed
from tests.support.definitions.source import definitions

__all__ = ["Verdict", "allowed", "definitions"]
