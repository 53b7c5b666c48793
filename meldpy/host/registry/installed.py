"""A folder of modules: `NAME/VERSION/module.toml` with its files, and `meld.lock`.

A version is there entirely or not at all: it is copied beside, compared, and renamed. What another module's active
version was resolved to cannot go. Which version is active is the lock's to say; `history` has the ones before it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import final

from meldpy.errors import FileError, UsageError
from meldpy.host.registry.lock import Entry, Lock, Locked, LockFile
from meldpy.host.registry.manifest import FILE, Manifest, read
from meldpy.host.registry.oci import Pulled, is_reference, pull
from meldpy.host.registry.resolve import Installed, Resolution, resolve
from meldpy.host.registry.versions import Version
from meldpy.host.registry.world import interfaces_of
from meldpy.records import dataclass
from meldpy.toml import basic_string


@final
@dataclass(frozen=True, slots=True)
class Listed:
    """One version, for people."""

    name: str
    version: str
    active: bool
    source: str
    description: str


_INSTALLED = "`meld host installed` shows what there is, `meld host install` adds to it"


@final
class Registry:
    """See the module. Any process may work with the folder; they take turns."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._lock_file = LockFile(self.folder)

    # --- what is there -----------------------------------------------------------------------------------------------
    def find(self, name: str, version: str | None = None) -> Manifest:
        """The manifest of a version; of the active one without. UsageError if it is not installed."""
        locked = self._locked(self._lock_file.read(), name)
        wanted = version or locked.active
        if wanted is None or wanted not in locked.versions:
            there = ", ".join(sorted(locked.versions)) or "none"
            raise UsageError(f"{name} {wanted or ''} is not installed; installed are {there}", remedy=_INSTALLED)
        manifest = read(self.folder / name / wanted)
        if (manifest.name, str(manifest.version)) != (name, wanted):
            raise FileError(
                f"{manifest.folder} says that it is {manifest.name} {manifest.version}",
                remedy="uninstall it, and install it again",
            )
        return manifest

    def listed(self) -> list[Listed]:
        """Everything that is installed, by name and version."""
        found: list[Listed] = []
        for name, locked in self._lock_file.read().modules.items():
            for version in sorted(locked.versions, key=lambda text: Version.parse(text).key):
                manifest = read(self.folder / name / version)
                entry = locked.versions[version]
                found.append(Listed(name, version, version == locked.active, entry.source, manifest.description))
        return found

    def history(self, name: str) -> tuple[str, ...]:
        """Versions that were active, oldest first."""
        return tuple(self._locked(self._lock_file.read(), name).history)

    def previous(self, name: str) -> str:
        """The version before the active one. UsageError if there is none."""
        locked = self._locked(self._lock_file.read(), name)
        if len(locked.history) < 2:
            raise UsageError(f"{name} has no version before the active one", remedy=_INSTALLED)
        return locked.history[-2]

    def resolve(self, manifest: Manifest, *, upgrade: bool = False) -> Resolution:
        """What the module's dependencies are satisfied by: what the lock says, where that fits; with `upgrade` the
        highest versions. LinkError."""
        lock = self._lock_file.read()
        locked = lock.modules.get(manifest.name)
        preferred = {} if upgrade or locked is None else locked.dependencies
        return resolve(manifest, list(self._installed(lock)), preferred)

    def check(self, manifest: Manifest) -> None:
        """FileError if the files are not those that were installed."""
        entry = self._locked(self._lock_file.read(), manifest.name).versions[str(manifest.version)]
        if _sum(manifest.folder) != entry.sum:
            raise FileError(f"{manifest.folder} was changed since it was installed", remedy="install it again")

    # --- changes -----------------------------------------------------------------------------------------------------
    def install(self, source: str) -> Manifest:
        """Install a folder with a module.toml, or what an OCI reference names; it becomes the active version if the
        module had none. UsageError if another content is installed as that version."""
        self.folder.mkdir(parents=True, exist_ok=True)
        staged = Path(mkdtemp(dir=self.folder, prefix=".meld-"))
        try:
            digest: str | None = None
            if is_reference(source):
                digest = _stage_image(pull(source), staged / "it")
            else:
                _stage(source, staged / "it")
            manifest = read(staged / "it")
            _check_files(manifest)
            name, version = manifest.name, str(manifest.version)
            entry = Entry(_sum(manifest.folder), source if digest else str(Path(source).resolve()), digest)
            with self._changing() as lock:
                locked = lock.modules.setdefault(name, Locked())
                before = locked.versions.get(version)
                if before is not None and before.sum != entry.sum:
                    raise UsageError(
                        f"{name} {version} is installed with other contents", remedy="give it another version"
                    )
                if before is None:
                    target = self.folder / name / version
                    target.parent.mkdir(exist_ok=True)
                    if target.exists():
                        shutil.rmtree(target)  # what an install left that did not end
                    manifest.folder.rename(target)
                    locked.versions[version] = entry
                    locked.history = locked.history or [version]
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        return self.find(name, version)

    def uninstall(self, name: str, version: str | None = None) -> None:
        """One version, or all. UsageError if the active version of another module was resolved to it."""
        with self._changing() as lock:
            locked = self._locked(lock, name)
            going = list(locked.versions) if version is None else [version]
            for each in going:
                if each not in locked.versions:
                    raise UsageError(f"{name} {each} is not installed", remedy=_INSTALLED)
                needed = [
                    other
                    for other, its in lock.modules.items()
                    if other != name and f"{name} {each}" in its.dependencies.values()
                ]
                if needed:
                    raise UsageError(f"{name} {each} is needed by {', '.join(needed)}", remedy="uninstall that first")
                if each == locked.active and len(going) < len(locked.versions):
                    raise UsageError(f"{name} {each} is active", remedy="activate another version first")
            for each in going:
                del locked.versions[each]
            locked.history = [each for each in locked.history if each in locked.versions]
            if not locked.versions:
                del lock.modules[name]
        for each in going:
            shutil.rmtree(self.folder / name / each, ignore_errors=True)

    def activate(self, manifest: Manifest, resolution: Resolution) -> None:
        """Note which version is active now, and what its dependencies are."""
        with self._changing() as lock:
            locked = self._locked(lock, manifest.name)
            version = str(manifest.version)
            if locked.active != version:
                if len(locked.history) > 1 and locked.history[-2] == version:
                    locked.history.pop()  # back to where it was
                else:
                    locked.history.append(version)
            locked.dependencies = dict(resolution.chosen)

    # --- inside ------------------------------------------------------------------------------------------------------
    def _installed(self, lock: Lock) -> Iterator[Installed]:
        for name, locked in lock.modules.items():
            for version in locked.versions:
                manifest = read(self.folder / name / version)
                if manifest.component is not None:
                    yield Installed(manifest, interfaces_of(manifest.component).exports)

    def _locked(self, lock: Lock, name: str) -> Locked:
        if name not in lock.modules:
            there = ", ".join(lock.modules) or "nothing"
            raise UsageError(f"{name} is not installed; installed is {there}", remedy=_INSTALLED)
        return lock.modules[name]

    @contextmanager
    def _changing(self) -> Iterator[Lock]:
        """The lock, written at the end; processes take turns."""
        descriptor = os.open(self.folder / ".meld-turn", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            lock = self._lock_file.read()
            yield lock
            self._lock_file.write(lock)
        finally:
            os.close(descriptor)


def _stage(source: str, target: Path) -> None:
    manifest = read(Path(source))
    target.mkdir()
    for path in (manifest.folder / FILE, manifest.component, manifest.library):
        if path is not None:
            inside = target / path.relative_to(manifest.folder)
            inside.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(path, inside)
            except OSError as error:
                raise FileError(f"cannot copy {path}: {error.strerror or error}") from error


def _stage_image(pulled: Pulled, target: Path) -> str:
    target.mkdir()
    if pulled.toml is not None:
        (target / FILE).write_bytes(pulled.toml)
        component = read(target).component
        if component is None:
            raise UsageError(
                "the image's module.toml names no component",
                remedy="name it there under [module], and push the image again",
            )
        component.parent.mkdir(parents=True, exist_ok=True)
        component.write_bytes(pulled.component)
    else:
        if pulled.version is None:
            raise UsageError(
                "the image says no version, and has no module.toml",
                remedy="push it with the annotation org.opencontainers.image.version",
            )
        (target / FILE).write_text(
            # what an image says of itself may be anything
            f"[module]\nname = {basic_string(pulled.name)}\nversion = {basic_string(pulled.version)}\n"
            'component = "component.wasm"\n',
            encoding="utf-8",
        )
        (target / "component.wasm").write_bytes(pulled.component)
    return pulled.digest


def _check_files(manifest: Manifest) -> None:
    if manifest.component is not None:
        interfaces_of(manifest.component)  # it can be read


def _sum(folder: Path) -> str:
    """Of all files, with their names."""
    total = sha256()
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        total.update(f"{path.relative_to(folder)}\0{sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()
