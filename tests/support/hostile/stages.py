"""How far the pipeline came with an input: its stages are wrapped where it looks them up, in this process only."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

STAGES = (
    "read", "decode", "validate", "resolve", "analyse", "adapt", "merge", "wrap", "encode", "validate output",
    "written",
)  # fmt: skip
"""In order; the deepest that an input reached is the last that was entered."""


class Recorder:
    """`reached`: the deepest stage since it was last reset."""

    def __init__(self) -> None:
        self.reached = STAGES[0]

    def enter(self, stage: str) -> None:
        if STAGES.index(stage) > STAGES.index(self.reached):
            self.reached = stage

    def _watch(self, module: ModuleType, name: str, stage: str, behind: str = STAGES[0]) -> None:
        """Calls of `module.name` enter `stage`, but not before `behind` was reached."""
        original: Callable[..., Any] = getattr(module, name)

        def watched(*args: Any, **options: Any) -> Any:
            if STAGES.index(self.reached) >= STAGES.index(behind):
                self.enter(stage)
            return original(*args, **options)

        setattr(module, name, watched)

    def _ignore(self, module: ModuleType, name: str) -> None:
        """What `module.name` calls does not count: it looks ahead."""
        original: Callable[..., Any] = getattr(module, name)

        def ahead(*args: Any, **options: Any) -> Any:
            reached = self.reached
            try:
                return original(*args, **options)
            finally:
                self.reached = reached

        setattr(module, name, ahead)

    def install(self) -> None:
        """Must come before the command line's modules are imported: they take functions of the pipeline by name."""
        import meldpy.adapter
        import meldpy.analysis
        import meldpy.binary.encode
        import meldpy.core_output
        import meldpy.merger
        import meldpy.wrapper
        from meldpy import pipeline, validation

        self._watch(pipeline, "decode", "decode")
        self._watch(pipeline, "_validate_all", "validate")
        self._watch(pipeline, "link", "resolve", "decode")
        self._ignore(validation, "_refuse_expansion")
        self._watch(meldpy.analysis, "analyse", "analyse")
        self._watch(meldpy.adapter, "adapt", "adapt")
        self._watch(meldpy.merger, "merge", "merge")
        self._watch(meldpy.wrapper, "wrap", "wrap")
        self._watch(meldpy.core_output, "present", "wrap")
        self._watch(meldpy.binary.encode, "encode_component", "encode", "wrap")
        self._watch(pipeline, "encode", "encode", "wrap")
        self._watch(validation, "validate_output", "validate output")
        self._watch(validation, "validate_core_output", "validate output")
