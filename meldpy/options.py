"""What `fuse` is given: inputs, and options with the rules that hold between them.

What an option means for a stage is said where the stage is; here is only what a caller may ask for, and which wishes
exclude each other.
"""

from __future__ import annotations

from typing import final

from meldpy.errors import UsageError
from meldpy.records import dataclass, fields


@final
@dataclass(frozen=True, slots=True)
class FuseInput:
    """One input. `name`: how the command line and messages call it; `source`: where it came from.

    given: somebody gave it that name, which the output's name section then has; a name that is only that of its file
    is not written, because where a file lies and what it is called must not change the output.
    """

    name: str
    source: str
    data: bytes
    given: bool = True


@final
@dataclass(frozen=True, slots=True)
class FuseOptions:
    """How to fuse; the defaults are right unless inputs are ambiguous.

    links: "IMPORTER:IMPORT=PROVIDER:EXPORT" decisions.
    opens: "INPUT:IMPORT", imports that are left to the host although another input could satisfy them.
    chain: each input's imports are satisfied by the next input to its right that exports them, and by none to its left;
    what the last of them imports stays open.
    strict: open imports are errors, but for `wasi:*`, `opens` and the `allow_imports` patterns.
    roots: inputs by name ("all": every one) whose exports the output has; without any, inputs that satisfy no import of
    another. exports, hides: names (NAME or INPUT:NAME) to export besides, or not. renames: "NAME=NEW", what exports are
    called in the output.
    validate: check the inputs and the output with the engine.
    names: "full", "short" or "none", what the name section says. dwarf: "keep", "drop" or "split"; source_map:
    "inline", "file" or "drop"; origins: say where each byte of code came from (see `debugging`). file: the name of the
    output, for what lies beside it.
    trap_values: have traps of adapters tell the values that broke their rule, in the backtrace.
    provenance: say which inputs, options and version the output was made of, and where each function came from.
    optimise: have binaryen's wasm-opt optimise the fused module (see `optimising`).
    opaque_reps: "INTERFACE.RESOURCE" names of resource types whose reps are opaque numbers (design section 6).
    core: write a core module, for engines that know no components. memory: "separate", or with `core` "single", for
    engines that know one memory; memory_max: "NAME=PAGES", what single memories may grow to; features: what the engine
    has, as a target and features added and taken away ("wazero", "wasm2,-simd").
    flat: refuse what cannot be fused, instead of keeping it as it is. keeps: inputs by name that are kept as they are.
    max_*: caps on link-time expansion.
    record: keep what the stages found in the result, for `report.explain`; it holds on to the inputs.
    """

    links: tuple[str, ...] = ()
    opens: tuple[str, ...] = ()
    chain: bool = False
    strict: bool = False
    allow_imports: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()
    hides: tuple[str, ...] = ()
    renames: tuple[str, ...] = ()
    validate: bool = True
    names: str = "full"
    dwarf: str = "keep"
    source_map: str = "inline"
    origins: bool = False
    trap_values: bool = False
    provenance: bool = False
    file: str | None = None
    optimise: bool = False
    opaque_reps: tuple[str, ...] = ()
    core: bool = False
    memory: str = "separate"
    memory_max: tuple[str, ...] = ()
    features: str = ""
    flat: bool = False
    keeps: tuple[str, ...] = ()
    max_instances: int = 10_000
    max_core_instances: int = 10_000
    max_definitions: int = 200_000
    record: bool = False

    def check(self) -> None:
        """Raises UsageError for options that contradict each other."""
        if self.memory not in ("separate", "single"):
            raise UsageError(f"memories can be separate or single, not {self.memory!r}")
        if self.memory == "single" and not self.core:
            raise UsageError("a single memory is for core outputs", remedy="use --core with --memory single")
        if self.features and not self.core:
            raise UsageError("a target is for core outputs", remedy="use --core with --features")
        if self.memory_max and self.memory != "single":
            raise UsageError("--memory-max is for a single memory", remedy="use --core --memory single with it")
        if self.keeps and (self.flat or self.core):
            raise UsageError(
                "--keep asks for what --flat refuses, and a core module cannot have", remedy="leave one out"
            )
        places = self.origins or self.provenance or self.dwarf == "split" or self.source_map == "file"
        if self.optimise and (places or self.trap_values):
            raise UsageError(
                "-O moves code where nothing follows it, so nothing can be said of places or values in it",
                remedy="leave out -O, or --origins, --provenance, --trap-values, --dwarf split and --source-map file",
            )

    def moves_code_again(self) -> bool:
        """Whether code moves after it was merged: into a single memory, or where a target's lack is said otherwise."""
        if self.memory == "single" or not self.features:
            return self.memory == "single"
        from meldpy.core_output import LOWERABLE, parse_features

        return not parse_features(self.features) >= LOWERABLE

    def memory_limits(self) -> dict[str, int]:
        """`memory_max`, pages by name. Raises UsageError."""
        limits: dict[str, int] = {}
        for each in self.memory_max:
            name, _, pages = each.rpartition("=")
            if not name or not (pages.isascii() and pages.isdigit()) or len(pages) > 5 or int(pages) > 65_536:
                raise UsageError(f"--memory-max wants NAME=PAGES, not {each!r}")
            limits[name] = int(pages)
        return limits

    def shaping(self) -> dict[str, object]:
        """The options that shape the output and are not the default, in the order of the fields. What the output is
        called, whether it was checked and what is noted beside it, shape nothing."""
        defaults = FuseOptions()
        return {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if each.name not in _SHAPELESS and getattr(self, each.name) != getattr(defaults, each.name)
        }


_SHAPELESS = ("file", "validate", "record", "provenance")
