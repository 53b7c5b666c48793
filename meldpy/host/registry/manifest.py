"""`module.toml`: what a module is, what it needs, what it asks for.

[module]
name = "formatter"
version = "1.2.0"
component = "formatter.wasm"

[dependencies]                      # interface -> range of versions; satisfied by an installed module that exports it
"demo:lang/parse" = "^1.0"

[grants]                            # asked for; the host's operator allows
log = true
publish = ["format/*"]
directories = [{ host = "/srv/sources", guest = "/sources" }]

[limits]
memory = 67108864
deadline = 2.0

[native]                            # of a module with a `library`: bounds of its process
cpu = 60                            # seconds in its whole life
files = 64
file-size = 67108864
start = 10.0

[messages]
durable = ["orders/*"]
attempts = 3
state = "message"                   # never, stop (the default), message

[restart]
deaths = 5

[config]                            # handed to `initialize` as JSON
width = 80
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any, final

import msgspec

from meldpy.errors import FileError, Location, UsageError
from meldpy.host.lifecycle.plan import Persist, RestartPolicy
from meldpy.host.limits import Directory, Grants, Limits
from meldpy.host.registry.versions import Range, Version

FILE = "module.toml"
_WHAT = "`meld docs host` says what may stand there"
_OF_COMPONENTS = ("table_elements", "instances", "memories", "fuel")
"""Limits of what only WebAssembly has: native code cannot be held to them."""
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?")


class _Table(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A table of the file: what is not known in it is an error."""


class _Module(_Table, frozen=True):
    name: str
    version: str
    component: str | None = None
    library: str | None = None
    description: str = ""


class _Directory(_Table, frozen=True):
    host: str
    guest: str
    write: bool = False


class _Grants(_Table, frozen=True):
    log: bool = False
    kv: bool = False
    clock: bool = False
    jobs: bool = False
    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()
    send: tuple[str, ...] = ()
    directories: tuple[_Directory, ...] = ()
    environment: tuple[str, ...] = ()
    network: bool = False
    scratch: bool = False


class _Limits(_Table, frozen=True, rename="kebab"):
    memory: int | None = None
    table_elements: int | None = None
    instances: int | None = None
    memories: int | None = None
    deadline: float | None = None
    request: float | None = None
    fuel: int | None = None
    mailbox: int | None = None
    payload: int | None = None


class _Native(_Table, frozen=True, rename="kebab"):
    """What a module may say of its process. Whether it is confined is its user's to say."""

    cpu: int | None = None
    files: int | None = None
    file_size: int | None = None
    start: float | None = None


class _Messages(_Table, frozen=True):
    durable: tuple[str, ...] = ()
    attempts: int = 3
    state: Persist = Persist.STOP


class _Restart(_Table, frozen=True):
    restart: bool = True
    delay: float | None = None
    longest: float | None = None
    deaths: int | None = None
    window: float | None = None
    rest: float | None = None


class _File(_Table, frozen=True):
    module: _Module
    dependencies: dict[str, str] = {}
    grants: _Grants = _Grants()
    limits: _Limits = _Limits()
    native: _Native | None = None
    messages: _Messages = _Messages()
    restart: _Restart = _Restart()
    config: dict[str, Any] = {}


@final
class Manifest:
    """What a `module.toml` says. component: path of its component; None for a native module, which has a library.
    native: fields of `NativeOptions`."""

    def __init__(self, said: _File, folder: Path) -> None:
        self.name, self.description = said.module.name, said.module.description
        self.version = Version.parse(said.module.version)
        self.folder = folder
        self.component = None if said.module.component is None else folder / said.module.component
        self.library = None if said.module.library is None else folder / said.module.library
        self.dependencies = {interface: Range.parse(text) for interface, text in said.dependencies.items()}
        self.grants = grants_from(said.grants)
        self.limits = Limits(**_given(said.limits))
        self.native = {} if said.native is None else _given(said.native)
        self.policy = RestartPolicy(**_given(said.restart))
        self.durable, self.attempts, self.persist = said.messages.durable, said.messages.attempts, said.messages.state
        self.config = json.dumps(said.config)


def of_component(path: Path) -> Manifest:
    """For a component that nobody wrote a module.toml for: it is named as its file, and asks for nothing."""
    name = re.sub(r"[^a-z0-9._-]", "-", path.stem.lower()).strip("._-") or "component"
    return Manifest(_File(_Module(name, "0.0.0", component=path.name)), path.parent)


def read(folder: Path) -> Manifest:
    """The manifest in `folder`. FileError if there is none, UsageError for what it should not say."""
    path = folder / FILE
    try:
        text = path.read_text()
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        said = msgspec.convert(tomllib.loads(text), _File)
        manifest = Manifest(said, folder)
        _check(said, folder)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, ValueError) as error:
        raise UsageError(str(error), Location(str(path)), remedy=_WHAT) from None
    return manifest


def allowed_from(tables: dict[str, Any], source: str) -> dict[str, Grants]:
    """What a host's operator allows: module name -> table as under [grants]. "*" is for modules that are not named."""
    try:
        return {name: grants_from(msgspec.convert(table, _Grants)) for name, table in tables.items()}
    except msgspec.ValidationError as error:
        raise UsageError(str(error), Location(source), remedy=_WHAT) from None


def grants_from(said: _Grants) -> Grants:
    directories = tuple(Directory(each.host, each.guest, each.write) for each in said.directories)
    fields = {name: getattr(said, name) for name in _Grants.__struct_fields__ if name != "directories"}
    return Grants(directories=directories, **fields)


def _given(table: msgspec.Struct) -> dict[str, Any]:
    """The fields that were written; the others keep their defaults."""
    values = {name: getattr(table, name) for name in table.__struct_fields__}
    return {name: value for name, value in values.items() if value is not None}


def _check(said: _File, folder: Path) -> None:
    if not _NAME.fullmatch(said.module.name):
        raise ValueError(f"{said.module.name!r} is no name for a module: a-z, 0-9, and . _ - inside")
    if (said.module.component is None) == (said.module.library is None):
        raise ValueError("a module has either a component or a library")
    for path in (said.module.component, said.module.library):
        if path is not None and not (folder / path).resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"{path} lies outside of the module's folder")
    if said.native is not None and said.module.library is None:
        raise ValueError("[native] is for modules with a library")
    limits = _given(said.limits)
    for name, value in (limits | _given(said.native or _Native())).items():
        if value <= 0:
            raise ValueError(f"{name.replace('_', '-')} must be more than 0")
    for name in _OF_COMPONENTS:
        if name in limits and said.module.library is not None:
            raise ValueError(f"{name.replace('_', '-')} bounds components; a library's process has [native]")
    if said.messages.attempts < 1:
        raise ValueError("a message is delivered at least once: attempts must be 1 or more")
