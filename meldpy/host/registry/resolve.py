"""Which installed modules satisfy what a module depends on, and what those depend on.

A dependency names an interface and a range of its versions; any installed module that exports the interface in that
range can satisfy it. Of one module one version is taken. Preferred is what the lock says, then the higher version of
the interface, then of the module. The search is resolvelib's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, final

import resolvelib
from resolvelib.structs import RequirementInformation

from meldpy.errors import LinkError
from meldpy.host.registry.manifest import Manifest
from meldpy.host.registry.versions import Range, Version
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Installed:
    """A version of a module that can be taken. exports: interface -> version."""

    manifest: Manifest
    exports: Mapping[str, Version | None]

    @property
    def key(self) -> str:
        return f"{self.manifest.name} {self.manifest.version}"


@final
@dataclass(frozen=True, slots=True)
class Need:
    """An interface that `by` depends on."""

    interface: str
    range: Range
    by: str


@final
@dataclass(frozen=True, slots=True)
class Exactly:
    """One version of one module: what a choice of a provider means for every other choice."""

    installed: Installed


@final
@dataclass(frozen=True, slots=True)
class Provides:
    """The choice for an interface."""

    interface: str
    installed: Installed


Requirement: TypeAlias = "Need | Exactly"
Candidate: TypeAlias = "Provides | Exactly"


@final
@dataclass(frozen=True, slots=True)
class Resolution:
    """modules: what is fused with the module, in a stable order; chosen: interface -> "module version"."""

    modules: tuple[Installed, ...]
    chosen: Mapping[str, str]


def resolve(root: Manifest, installed: Sequence[Installed], preferred: Mapping[str, str]) -> Resolution:
    """Raises LinkError that says which needs cannot be met together."""
    if not root.dependencies:
        return Resolution((), {})
    provider = _Provider([each for each in installed if each.manifest.name != root.name], preferred)
    needs = _needs(root)
    try:
        found = resolvelib.Resolver(provider, resolvelib.BaseReporter()).resolve(needs, max_rounds=10_000)
    except resolvelib.ResolutionImpossible as error:
        causes = tuple(_words(each) for each in error.causes)
        remedy = "install a module that exports it, or widen the range"
        raise LinkError(
            f"{root.name} {root.version}: dependencies cannot be met", causes=causes, remedy=remedy
        ) from None
    taken = [each.installed for each in found.mapping.values() if isinstance(each, Exactly)]
    chosen = {each.interface: each.installed.key for each in found.mapping.values() if isinstance(each, Provides)}
    return Resolution(tuple(sorted(taken, key=lambda each: each.manifest.name)), dict(sorted(chosen.items())))


def _needs(manifest: Manifest) -> list[Requirement]:
    by = f"{manifest.name} {manifest.version}"
    return [Need(interface, wanted, by) for interface, wanted in manifest.dependencies.items()]


def _words(cause: RequirementInformation[Requirement, Candidate]) -> str:
    match cause.requirement:
        case Need(interface=interface, range=wanted, by=by):
            return f"{by} wants {interface} {wanted}"
        case Exactly(installed=installed):
            return f"{installed.key} was chosen for another interface"


@final
class _Provider(resolvelib.AbstractProvider[Any, Any, str]):
    """resolvelib's view of what is installed."""

    def __init__(self, installed: Sequence[Installed], preferred: Mapping[str, str]) -> None:
        self._installed, self._preferred = installed, preferred

    def identify(self, requirement_or_candidate: Requirement | Candidate) -> str:
        match requirement_or_candidate:
            case Exactly(installed=installed):
                return f"module {installed.manifest.name}"
            case Need(interface=interface) | Provides(interface=interface):
                return interface

    def get_preference(
        self,
        identifier: str,
        resolutions: Mapping[str, Candidate],
        candidates: Mapping[str, Iterator[Candidate]],
        information: Mapping[str, Iterator[RequirementInformation[Requirement, Candidate]]],
        backtrack_causes: Sequence[RequirementInformation[Requirement, Candidate]],
    ) -> str:
        return identifier

    def find_matches(
        self,
        identifier: str,
        requirements: Mapping[str, Iterator[Requirement]],
        incompatibilities: Mapping[str, Iterator[Candidate]],
    ) -> Iterable[Candidate]:
        wanted = list(requirements[identifier])
        excluded = list(incompatibilities[identifier])
        found: list[Candidate] = []
        if isinstance(wanted[0], Exactly):
            found = [wanted[0]]
        else:
            found = [Provides(identifier, each) for each in self._installed if identifier in each.exports]
            found.sort(key=self._rank(identifier), reverse=True)
        return [
            each for each in found if each not in excluded and all(self.is_satisfied_by(one, each) for one in wanted)
        ]

    def is_satisfied_by(self, requirement: Requirement, candidate: Candidate) -> bool:
        match requirement, candidate:
            case Exactly(), Exactly():
                return requirement.installed.key == candidate.installed.key
            case Need(), Provides():
                version = candidate.installed.exports[requirement.interface]
                return version in requirement.range if version is not None else not requirement.range.intervals
            case _:
                return False

    def get_dependencies(self, candidate: Candidate) -> Iterable[Requirement]:
        match candidate:
            case Provides(installed=installed):
                return [Exactly(installed)]
            case Exactly(installed=installed):
                return _needs(installed.manifest)

    def _rank(self, interface: str) -> Callable[[Candidate], tuple[Any, ...]]:
        def rank(candidate: Candidate) -> tuple[Any, ...]:
            installed = candidate.installed
            version = installed.exports[interface]
            return (
                self._preferred.get(interface) == installed.key,
                (version is not None, version.key if version is not None else ()),
                installed.manifest.version.key,
                installed.manifest.name,
            )

        return rank
