"""Every failure meldpy reports, as data that a caller can act on.

An error says what is wrong, where (input, byte offset, path through the component) and what to do about it.
It never carries a preformatted page: `render` makes the text, and escapes whatever came from an input, because
names in a component are chosen by whoever made it and end up on terminals.

`trap` and `assert` have no place here: a trap is a guest's failure in *fused output*, an assertion is ours.
Exit codes are in design section 10: every kind below ends in 1 except InternalError (70) and UsageError (2).
"""

from __future__ import annotations

from typing import ClassVar, final

from meldpy.records import dataclass


def escape(text: str) -> str:
    """`text` with control and other non-printable characters as `\\u{…}`, safe for a terminal line."""
    return "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in text)


_LONGEST = 1_000
"""Characters of one sentence of a message: names may have 100,000 bytes, and nobody reads that on a terminal."""
_MOST_CAUSES = 50


def shorten(text: str) -> str:
    """`text`, its middle left out if it is longer than a message should be."""
    if len(text) <= _LONGEST:
        return text
    head, tail = text[: _LONGEST * 3 // 4], text[-(_LONGEST // 4) :]
    return f"{head} … ({len(text) - len(head) - len(tail)} characters left out) … {tail}"


@final
@dataclass(frozen=True, slots=True)
class Location:
    """Where in which input something was found.

    source: the input's display name; offset: bytes from the start of that file, if known;
    path: component path from the root outwards, e.g. ("component 1", "core module 0");
    line, column: of a text (a manifest, a scenario, a .wac file), from 1.
    """

    source: str
    offset: int | None = None
    path: tuple[str, ...] = ()
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        text = ":".join([escape(self.source), *(str(each) for each in (self.line, self.column) if each is not None)])
        if self.path:
            text += " › " + " › ".join(escape(step) for step in self.path)
        if self.offset is not None:
            text += f" (at offset {self.offset:#x})"
        return text


class MeldError(Exception):
    """Base of every error meant for users. `reason` states the fact, `remedy` what to do, `causes` the chain.

    diff: of a mismatch, the two types as lines of WIT: `-` one side, `+` the other, a blank what both have.
    diff_title: which sides these are.
    """

    exit_code: int = 1
    usual_remedy: ClassVar[str] = "`meld docs` has more about it"
    diff: tuple[str, ...] = ()
    diff_title: str = "What is imported (-) and what is provided (+)"

    def __init__(
        self,
        reason: str,
        location: Location | None = None,
        *,
        remedy: str | None = None,
        causes: tuple[str, ...] = (),
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.location = location
        self.remedy = remedy
        self.causes = causes

    def __reduce__(self) -> tuple[object, ...]:
        """What it knows travels with it to another process, whatever its class is made of."""
        return _revived, (type(self), self.args, self.__dict__)

    def at(self, location: Location) -> MeldError:
        """The same error, placed at `location` unless it knows a place already (the layer that knows, adds it)."""
        if self.location is None:
            self.location = location
        return self

    @property
    def advice(self) -> str:
        """What to do: as whoever raised it says, else what helps with errors of this kind."""
        return self.usual_remedy if self.remedy is None else self.remedy

    def render(self) -> str:
        """The message for a terminal: reason, place, numbered causes, remedy; no trailing newline."""
        lines = [escape(shorten(self.reason))]
        if self.location is not None:
            lines.append(f"  at {self.location}")
        if self.causes:
            lines += ["", "Caused by:"]
            lines += [f"  {i}: {escape(shorten(cause))}" for i, cause in enumerate(self.causes[:_MOST_CAUSES])]
            if len(self.causes) > _MOST_CAUSES:
                lines.append(f"  … and {len(self.causes) - _MOST_CAUSES} more")
        lines += self._details()
        lines.append(f"  help: {escape(shorten(self.advice))}")
        return "\n".join(lines)

    def _details(self) -> list[str]:
        """Lines between the causes and the remedy."""
        if not self.diff:
            return []
        lines = [f"    {escape(shorten(line))}" for line in self.diff[:_MOST_CAUSES]]
        if len(self.diff) > _MOST_CAUSES:
            lines.append(f"    … and {len(self.diff) - _MOST_CAUSES} more lines")
        return ["", f"{escape(shorten(self.diff_title))}:", *lines]

    def __str__(self) -> str:
        return self.render()


@final
class DecodeError(MeldError):
    """The input is not a well-formed component; the location carries the whole-file byte offset."""

    usual_remedy: ClassVar[str] = "the file is damaged, or no component: build it again, and ask `meld validate`"


@final
class ValidationError(MeldError):
    """The input is well-formed but invalid; the engine's words are in `causes`."""

    usual_remedy: ClassVar[str] = "engines refuse this file too: mend what made it"


@final
class UnsupportedError(MeldError):
    """Valid input that cannot be fused faithfully (design section 1, a closed list). `feature` names the kind."""

    usual_remedy: ClassVar[str] = "leave out --flat, --core or --strict: then what has it stays as it is, nested"

    def __init__(
        self, feature: str, reason: str, location: Location | None = None, *, remedy: str | None = None
    ) -> None:
        super().__init__(f"unsupported {feature}: {reason}", location, remedy=remedy)
        self.feature = feature


@final
class LinkError(MeldError):
    """Inputs that do not fit together: mismatch, ambiguity, cycle, or (strict) an open import."""

    usual_remedy: ClassVar[str] = "`meld inspect` shows what an input imports and exports; --link and --open decide"


@final
class LimitError(MeldError):
    """The output would pass a limit of the engines (field.md section 6), or evaluation passed a cap."""

    usual_remedy: ClassVar[str] = "fuse fewer inputs at once, or keep some apart with --keep"


@final
class EngineError(MeldError):
    """The engine or wasm-tools failed on something that is not the user's input."""

    usual_remedy: ClassVar[str] = "`meld validate` says what the engine accepts; -v shows the version to report"


@final
class FileError(MeldError):
    """A file that cannot be read or written: missing, forbidden, no space left."""

    usual_remedy: ClassVar[str] = "check the path, its permissions and the space that is left"


@final
class UsageError(MeldError):
    """A command line that cannot be carried out as given."""

    exit_code = 2
    usual_remedy: ClassVar[str] = "`meld COMMAND --help` says what can be given"


@final
class InternalError(MeldError):
    """A defect of meldpy: please report it with the inputs."""

    exit_code = 70
    usual_remedy: ClassVar[str] = "please report this with the inputs; this is a defect of meldpy"


def _revived(kind: type[MeldError], args: tuple[object, ...], known: dict[str, object]) -> MeldError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(known)
    return error


def as_meld_error(error: Exception) -> MeldError:
    """What users are told of any exception: itself if it is for them; a LimitError if memory or stack ran out; of all
    others, that meldpy has a defect, and where."""
    match error:
        case MeldError():
            return error
        case MemoryError() | RecursionError():
            found: MeldError = LimitError(
                "the input is too large or too deep for this machine",
                causes=(type(error).__name__,),
                remedy="give it more memory, or take the input apart; if it is small, please report it as a defect",
            )
        case _:
            found = InternalError(
                "meldpy failed",
                causes=(f"{type(error).__name__}: {error}", *_place(error)),
                remedy="please report this with the inputs; -v shows where it happened",
            )
    found.__cause__ = error
    return found


def _place(error: Exception) -> tuple[str, ...]:
    """The innermost line of ours that the exception went through; it outlives the traceback, which does not travel."""
    import os
    import traceback

    root = os.path.dirname(__file__)
    here = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(root + os.sep)]
    if not here:
        return ()
    file = os.path.relpath(here[-1].filename, os.path.dirname(root))
    return (f"in {here[-1].name}, {file}:{here[-1].lineno}",)
