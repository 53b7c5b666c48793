"""From what is on disk to what is run: a manifest, what it depends on and what is allowed become a ModulePlan."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import final

from meldpy.engine.guests.artefacts import load
from meldpy.errors import FileError, UsageError
from meldpy.host.lifecycle.plan import ModulePlan
from meldpy.host.limits import Grants
from meldpy.host.module import ModuleInstance, Services
from meldpy.host.registry.installed import Registry
from meldpy.host.registry.link import Linked, link
from meldpy.host.registry.manifest import FILE, Manifest, of_component, read
from meldpy.host.registry.resolve import Resolution
from meldpy.host.wasm.instance import WasmInstance
from meldpy.records import dataclass, replace

NOBODY = Grants()


@final
@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with where it came from. resolution: None for a module that is not in the registry."""

    plan: ModulePlan
    manifest: Manifest
    resolution: Resolution | None


@final
class Planner:
    """registry: where modules are found by name. allow: what the operator grants to each module; "*" is for those that
    are not named. cache: a folder for what was fused and compiled. scratch: one for large payloads."""

    def __init__(
        self, registry: Registry | None, allow: Mapping[str, Grants], cache: Path | None, scratch: Path | None
    ) -> None:
        self.registry, self._allow = registry, allow
        self._cache, self._scratch = cache, scratch

    def plan(self, source: str, version: str | None = None, *, upgrade: bool = False) -> Planned:
        """source: a module's name in the registry, a folder with a module.toml, or a file with a component. upgrade:
        take the highest versions of dependencies, not those that are locked."""
        path = Path(source)
        if path.is_dir():
            return self._planned(read(path), self.registry, None)
        if path.is_file():
            return self._planned(of_component(path), None, None)
        if self.registry is None:
            raise UsageError(
                f"{source} is neither a folder with a {FILE} nor a component, and there is no registry",
                remedy="name a folder or a file that is there, or give the host a folder of installed modules",
            )
        manifest = self.registry.find(source, version)
        self.registry.check(manifest)
        return self._planned(manifest, self.registry, self.registry.resolve(manifest, upgrade=upgrade))

    def _planned(self, manifest: Manifest, registry: Registry | None, resolution: Resolution | None) -> Planned:
        if resolution is None and manifest.dependencies:
            if registry is None:
                raise UsageError(
                    f"{manifest.name} has dependencies, and there is no registry to find them in",
                    remedy="install it and them (meld host install), and give the host the folder they are in",
                )
            found = registry.resolve(manifest)
        else:
            found = Resolution((), {}) if resolution is None else resolution
        allowed = self._allow[manifest.name] if manifest.name in self._allow else self._allow.get("*", NOBODY)
        grants = manifest.grants.within(allowed)
        base = ModulePlan(
            manifest.name,
            str(manifest.version),
            _nothing,
            grants,
            manifest.limits,
            manifest.policy,
            manifest.config,
            manifest.durable,
            manifest.attempts,
            manifest.persist,
        )
        if manifest.library is not None:
            return Planned(self._native(manifest, base), manifest, resolution)
        linked = link(manifest, [each.manifest for each in found.modules], self._cache)
        return Planned(self._wasm(linked, base), manifest, resolution)

    def _wasm(self, linked: Linked, base: ModulePlan) -> ModulePlan:
        artefact = load(linked.data, fuel=base.limits.fuel is not None, cache_folder=self._cache, digest=linked.digest)
        scratch = self._scratch_of(base)

        def make(services: Services) -> ModuleInstance:
            return WasmInstance(base.name, artefact, services, base.grants, base.limits, scratch)

        return replace(base, make=make, digest=linked.digest, parts=linked.parts)

    def _native(self, manifest: Manifest, base: ModulePlan) -> ModulePlan:
        assert manifest.library is not None
        try:
            digest = sha256(manifest.library.read_bytes()).hexdigest()
        except OSError as error:
            raise FileError(f"cannot read {manifest.library}: {error.strerror or error}") from error
        part = f"{manifest.name} {manifest.version} sha256:{digest}"
        library, bounds, scratch = manifest.library, manifest.native, self._scratch_of(base)

        def make(services: Services) -> ModuleInstance:
            from meldpy.host.native import NativeInstance, NativeOptions

            options = NativeOptions(**bounds, scratch=scratch)
            return NativeInstance(library, services, base.limits, base.grants, options)

        return replace(base, make=make, digest=digest, parts=(part,))

    def _scratch_of(self, plan: ModulePlan) -> str | None:
        if not plan.grants.scratch or self._scratch is None:
            return None
        folder = self._scratch / plan.name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return str(folder)


def _nothing(services: Services) -> ModuleInstance:
    raise AssertionError("a plan is completed before it is used")
