"""The host as a program sees it.

    with Host("state", modules="modules", allow={"formatter": Grants(log=True)}) as host:
        formatter = host.load("formatter")
        text = formatter.execute("format", source)

Everything may be called from any thread; nothing here runs a guest on the thread that calls it, so that Ctrl-C is
answered at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import final

from meldpy.errors import UsageError
from meldpy.host.core import Core
from meldpy.host.handles import BusHandle, Job, Module
from meldpy.host.jobs.store import JobRow
from meldpy.host.lifecycle.hosted import Hosted
from meldpy.host.limits import Grants
from meldpy.host.planning import Planned, Planner
from meldpy.host.registry.installed import Registry
from meldpy.host.store.messages import DeadLetter
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class ModuleInfo:
    """One module, for people. used: seconds of processor time, without those of its jobs; parts: what its artefact was
    fused from; source: what it was loaded from."""

    name: str
    version: str
    status: str
    generation: int
    handled: int
    used: float
    deaths: int
    waiting: int
    digest: str
    parts: tuple[str, ...]
    source: str


@final
class Host:
    """folder: for state, messages and jobs; without one they end with the host. modules: a folder of installed modules.

    allow: what each module may be granted of what it asks for, by name; "*" is for those that are not named; without it
    nothing is granted. durability: "normal" or "full" (`meldpy.host.store.database`). cores: how many guests may run at
    once. observe: told each step of a reload.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        modules: str | Path | None = None,
        allow: Mapping[str, Grants] | None = None,
        durability: str = "normal",
        cores: int | None = None,
        observe: Callable[[str, str], None] = lambda module, step: None,
    ) -> None:
        base = None if folder is None else Path(folder)
        self.registry = None if modules is None else Registry(Path(modules))
        self.core = Core(base, durability=durability, cores=cores, observe=observe)
        cache = None if base is None else base / "cache"
        scratch = None if base is None else base / "scratch"
        self._planner = Planner(self.registry, {} if allow is None else allow, cache, scratch)
        self._sources: dict[str, tuple[str, Planned]] = {}
        self.bus = BusHandle(self.core)

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Unload everything; jobs are left to the next host with this folder."""
        self.core.close()

    # --- modules -----------------------------------------------------------------------------------------------------
    def load(self, source: str | Path, version: str | None = None) -> Module:
        """source: a module's name in the registry, a folder with a module.toml, or a file with a component.

        Without `version`, of a module in the registry: the one that its kept state belongs to, else the active one.
        """
        text = str(source)
        if version is None:
            version = self._living(text)
        planned = self._planner.plan(text, version)
        self.core.load(planned.plan)
        try:
            self._loaded(text, planned)
        except BaseException:  # the lock file cannot be written, say: then it is not loaded
            self.unload(planned.plan.name)
            raise
        return Module(self.core, planned.plan.name)

    def reload(self, name: str, version: str | None = None, *, upgrade: bool = False) -> float:
        """Swap a module, with its state, to `version`; without one to what its source is now. The seconds without
        messages. What keeps the old one is raised, and the old one goes on.

        Dependencies are linked and fused anew; with `upgrade` in their highest versions, else as they are locked.
        """
        if name not in self._sources:
            raise UsageError(
                f"there is no module {name}", remedy="load it first; `meld host list` shows what is loaded"
            )
        source, before = self._sources[name]
        if version is None and before.resolution is not None:
            version = before.plan.version
        planned = self._planner.plan(source, version, upgrade=upgrade)
        pause = self.core.reload(planned.plan)
        self._loaded(source, planned)
        return pause

    def rollback(self, name: str) -> str:
        """Swap to the version that was active before; which one that is."""
        if self.registry is None:
            raise UsageError("a host without a registry has no history", remedy="give it a folder of installed modules")
        version = self.registry.previous(name)
        self.reload(name, version)
        return version

    def unload(self, name: str) -> None:
        try:
            self.core.unload(name)
        finally:
            self._sources.pop(name, None)  # it is gone, also if its last state could not be kept

    def module(self, name: str) -> Module:
        """A module that is loaded. StateError."""
        return Module(self.core, self.core.find(name).name)

    def inspect(self, name: str) -> ModuleInfo:
        return self._info(self.core.find(name))

    def modules(self) -> list[ModuleInfo]:
        return [self._info(hosted) for hosted in self.core.all()]

    def _info(self, hosted: Hosted) -> ModuleInfo:
        name = hosted.name
        kept, source = self.core.modules.find(name), self._sources.get(name)
        return ModuleInfo(
            name,
            hosted.plan.version,
            hosted.status.value,
            kept.generation if kept is not None else 0,
            hosted.handled,
            hosted.used,
            hosted.deaths,
            hosted.waiting,
            hosted.plan.digest,
            hosted.plan.parts,
            "" if source is None else source[0],
        )

    def folders(self) -> dict[str, Path]:
        """Where modules that were loaded from a path lie, by name: what `watch` watches."""
        sources = list(self._sources.items())  # others may load meanwhile
        return {name: planned.manifest.folder for name, (_, planned) in sources if planned.resolution is None}

    def _living(self, name: str) -> str | None:
        kept = self.core.modules.find(name)
        if kept is None or self.registry is None:
            return None
        installed = [each.version for each in self.registry.listed() if each.name == name]
        return kept.version if kept.version in installed else None

    def _loaded(self, source: str, planned: Planned) -> None:
        self._sources[planned.plan.name] = (source, planned)
        if planned.resolution is not None and self.registry is not None:
            self.registry.activate(planned.manifest, planned.resolution)

    # --- jobs and letters --------------------------------------------------------------------------------------------
    def job(self, id_: int) -> Job:
        return Job(self.core, self.core.jobs.store.find(id_).id)

    def jobs(self) -> list[JobRow]:
        """All there are, oldest first."""
        return self.core.jobs.store.all()

    def dead_letters(self, module: str | None = None) -> list[DeadLetter]:
        return self.core.messages.dead(module)
