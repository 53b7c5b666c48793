"""Builds the guests of these tests: `python -m tests.debug.guests.build [FOLDER]`, by default what is committed.

Needs clang-19, wasm-ld-19, rustc with wasm32-unknown-unknown, and wasm-tools. Each guest is a component named after its
source, the version of DWARF and the level of optimisation. `mixed` has units of both versions in one module, and names
and address ranges; `types` has units of types; `old` and `older` are versions 2 and 3. `wide` is `lib` with
a memory of 64 bits; `starts` calls `tasks`, async.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
BUILT = HERE / "built"
C_LEVELS = ("0", "1", "2", "s")
VERSIONS = ("4", "5")
C_FLAGS = (
    "-ffreestanding",
    "-fno-builtin",
    "-Wall",
    "-fdebug-compilation-dir=guests",
)
CXX_FLAGS = ("-std=c++17", "-fno-exceptions", "-fno-rtti")
EXTRA = ("-gpubnames", "-gdwarf-aranges")
RUST_FLAGS = (
    *("--edition", "2021", "--target", "wasm32-unknown-unknown", "--crate-type", "cdylib", "-g"),
    *("-C", "panic=abort", "-C", "codegen-units=1", "--remap-path-prefix", f"{HERE}=guests"),
)


def run(*command: str | Path) -> None:
    subprocess.run([str(word) for word in command], check=True, cwd=HERE)


def component(core: Path, world: str, out: Path) -> None:
    embedded = core.with_suffix(".embedded.wasm")
    run("wasm-tools", "component", "embed", HERE / "wit", "-w", world, core, "-o", embedded)
    run("wasm-tools", "component", "new", embedded, "-o", out)


def compiled(source: str, version: str, level: str, work: Path, *flags: str, target: str = "wasm32") -> Path:
    out = work / f"{Path(source).stem}-{version}-{level}.o"
    options = CXX_FLAGS if source.endswith(".cpp") else ()
    flags = (f"--target={target}-unknown-unknown", *C_FLAGS, *options, *flags)
    run("clang-19", *flags, f"-gdwarf-{version}", f"-O{level}", "-c", source, "-o", out)
    return out


def linked(name: str, world: str, objects: list[Path], work: Path, out: Path, *flags: str) -> None:
    core = work / f"{name}.core.wasm"
    run("wasm-ld-19", "--no-entry", *flags, *objects, "-o", core)
    component(core, world, out / f"{name}.wasm")


def build_c(out: Path, work: Path) -> None:
    for version in VERSIONS:
        for level in C_LEVELS:
            objects = {
                source: compiled(source, version, level, work)
                for source in ("app.c", "lib.c", "weak.c", "other.c", "shapes.cpp")
            }
            suffix = f"{version}-{level}"
            linked(f"app-{suffix}", "app", [objects["app.c"]], work, out)
            linked(f"lib-{suffix}", "lib", [objects["lib.c"], objects["weak.c"], objects["other.c"]], work, out)
            linked(f"shapes-{suffix}", "lib", [objects["shapes.cpp"]], work, out)
    mixed = [
        compiled("lib.c", "5", "2", work, *EXTRA),
        compiled("weak.c", "4", "1", work, *EXTRA),
        compiled("other.c", "5", "0", work, *EXTRA),
    ]
    linked("mixed", "lib", mixed, work, out)
    linked("types", "lib", [compiled("shapes.cpp", "4", "2", work, "-fdebug-types-section", *EXTRA)], work, out)
    linked("old", "lib", [compiled(f"{each}.c", "2", "1", work) for each in ("lib", "weak", "other")], work, out)
    linked("older", "lib", [compiled(f"{each}.c", "3", "2", work) for each in ("lib", "weak", "other")], work, out)


def build_wide(out: Path, work: Path) -> None:
    for version in VERSIONS:
        for level in ("0", "2"):
            sources = ("lib.c", "weak.c", "other.c")
            objects = [compiled(source, version, level, work, target="wasm64") for source in sources]
            linked(f"wide-{version}-{level}", "lib", objects, work, out, "-mwasm64")


def build_async(out: Path, work: Path) -> None:
    for version in VERSIONS:
        for level in ("0", "2"):
            for name in ("tasks", "starts"):
                linked(f"{name}-{version}-{level}", name, [compiled(f"{name}.c", version, level, work)], work, out)


def build_rust(out: Path, work: Path) -> None:
    for version, level in (("4", "2"), ("5", "1")):
        rust("core.rs", f"core-{version}-{level}", version, level, out, work, "-C", "lto=fat")


def rust(source: str, name: str, version: str, level: str, out: Path, work: Path, *flags: str) -> None:
    core = work / f"{name}.core.wasm"
    options = ("-C", f"dwarf-version={version}", "-C", f"opt-level={level}", *flags)
    run("rustc", *RUST_FLAGS, *options, HERE / source, "-o", core)
    component(core, "lib", out / f"{name}.wasm")


def main() -> None:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else BUILT
    with TemporaryDirectory() as work:
        build_c(out, Path(work))
        build_async(out, Path(work))
        build_wide(out, Path(work))
        build_rust(out, Path(work))


if __name__ == "__main__":
    main()
