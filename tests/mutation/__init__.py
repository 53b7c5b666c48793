"""Tests of the tests: small changes of meldpy's own code (mutants), each of which some test should notice.

    pip install -e '.[test]'
    python -m tests.mutation --package adapter --sample 300 --seed 1 -o report.json   # without --package: all
    python -m tests.mutation --package adapter --again report.json                    # only the survivors of that run

What it does: `operators` and `wat` list every mutant of a package; a seeded sample is drawn; `tests_of` finds out, in
one pass with coverage.py's contexts, which test executes which line and how long it takes; `server` runs each mutant
in a fork of one warm process, on the tests that execute the changed lines only, those first that killed a neighbour
and then the fastest, up to a budget of processor time. A failed test, a dead process and a test that takes ten times
as long as usual all kill. What survives is a gap in the tests, dead code, a defect, or a program that does the same;
`survivors.toml` lists those of the last kind, each with its reason. The rate is reported raw, and without them.

What it does not do: it does not prove a kill to be for the right reason; the sample is drawn from the operators' list,
so a rate compares with other runs of this driver and not with other tools. Tests that build guests with a toolchain,
and the long searches, take no part. For WAT there is no coverage: every test that reads the runtime library, or runs a
kernel that has the text, may run.

Why not a tool that exists. cosmic-ray changes the file in place and starts the test command anew for each mutant:
collecting alone takes two seconds here, a hundred times what the tests that matter take, and one cannot work in the
tree meanwhile. mutmut (3.8) comes close: it forks, keeps statistics of which tests reach which function, and runs
those. But it calls pytest anew in each fork, which collects again; it selects by function where the line says more; it
leaves out decorated functions (our properties, caches and context managers) and whatever is outside of functions; it
rewrites the sources into trampolines in a copy of the tree, where our tests compare modules by path; it has no seeded
sample and no budget; and like cosmic-ray it knows nothing of WAT, in which the riskiest part of meldpy is written.
A driver of our own that does all this is shorter than a configuration that works around it would be.
"""
