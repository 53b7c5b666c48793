"""Broken inputs end in an error or in valid output: never in a traceback, an internal error or a partial file.

Here are systematic changes, and inputs that are no components at all; random ones are in `test_search`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import pytest
import wasmtime

from meldpy.cli.main import run
from meldpy.engine.config import full_engine
from tests.support.mutations import bit_flips, splices, truncations

HERE = Path(__file__).resolve().parent
FIXTURES = [p for p in sorted((HERE.parents[1] / "fixtures").glob("*/*.wasm")) if p.stat().st_size <= 3_000]
SMALL = sorted((HERE / "components").glob("*.wat"))


def small(path: Path) -> bytes:
    return bytes(wasmtime.wat2wasm(path.read_text()))


def check(
    variants: Iterable[tuple[str, bytes]], directory: Path, capsys: pytest.CaptureFixture[str]
) -> tuple[int, int]:
    """Fuse each variant; returns how many were accepted and how many refused."""
    broken, output = directory / "broken.wasm", directory / "output.wasm"
    counts = [0, 0]
    for what, data in variants:
        broken.write_bytes(data)
        code = run(["-q", "fuse", str(broken), "-o", str(output)])
        stderr = capsys.readouterr().err
        counts[code != 0] += 1
        if code == 0:
            # The fuse has validated it already; compile it all the same, the check may not be the thing to trust.
            compile_again(output.read_bytes())
            output.unlink()
        else:
            assert code == 1, f"{what}: exit code {code}\n{stderr}"
            assert stderr.startswith("error: "), f"{what}: {stderr}"
            assert "Traceback" not in stderr, what
        assert [p.name for p in directory.iterdir()] == ["broken.wasm"], f"{what}: files were left behind"
    return counts[0], counts[1]


def compile_again(data: bytes) -> None:
    try:
        wasmtime.component.Component(full_engine().engine, data)
    except wasmtime.WasmtimeError as error:
        # What only the engine cannot do is no fault of the output: see tests/cli/test_engine_limits.py.
        if "is a reexport of an imported function which is not implemented" not in str(error):
            raise


@pytest.fixture(autouse=True)
def without_second_opinion(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wasm-tools process per refusal would take most of the time; its message is tested elsewhere."""
    monkeypatch.setattr("meldpy.engine.tools.available", lambda: False)


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_every_truncation_of_a_small_component_is_refused(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = small(path)
    assert run(["-q", "fuse", str(path), "-o", str(tmp_path / "whole.wasm")]) == 0
    (tmp_path / "whole.wasm").unlink()
    accepted, refused = check(truncations(data, len(data)), tmp_path, capsys)
    # A cut behind a whole section can leave a component; most cuts cannot.
    assert refused > 9 * accepted


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_flipped_bits_and_spliced_bytes_in_a_small_component(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = small(path)
    accepted, refused = check(chain(bit_flips(data, 120, 1), splices(data, 120, 2)), tmp_path, capsys)
    assert accepted > 0
    assert refused > 0


@pytest.mark.deep
@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_truncation_of_a_small_fixture(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = path.read_bytes()
    accepted, refused = check(truncations(data, len(data)), tmp_path, capsys)
    assert accepted + refused == len(data)
    assert refused > 9 * accepted


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_invalid_inputs_are_not_an_internal_error_without_validation(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--no-validate` trusts, but a failure that an invalid input caused is still blamed on the input."""
    data = small(path)
    broken, output = tmp_path / "broken.wasm", tmp_path / "output.wasm"
    for what, variant in bit_flips(data, 150, 9):
        broken.write_bytes(variant)
        code = run(["-q", "fuse", "--no-validate", str(broken), "-o", str(output)])
        assert code in (0, 1), f"{what}: {capsys.readouterr().err}"
        assert output.exists() == (code == 0), what
        output.unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"\0asm", "error"),
        (b"\0asm\x01\0\0\0", "core module"),
        (b"\0asm\x0d\0\x01\0", None),
        (b"(component", "neither a WebAssembly binary nor valid text"),
        (b"(module)", "core module"),
        (b"\xff\xfe\x00garbage", "neither a WebAssembly binary nor valid text"),
        (b"PK\x03\x04", "neither a WebAssembly binary nor valid text"),
        (b"\0" * 100, "error"),
    ],
)
def test_things_that_are_no_component(
    data: bytes, words: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`words`: what the message says; None: it is a component, if an empty one."""
    (tmp_path / "in.wasm").write_bytes(data)
    code = run(["fuse", str(tmp_path / "in.wasm"), "-o", str(tmp_path / "out.wasm")])
    if words is None:
        assert code == 0
    else:
        assert code == 1
        assert words in capsys.readouterr().err
        assert not (tmp_path / "out.wasm").exists()


def test_deep_nesting_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Components inside components, a thousand levels: an error, and no exhausted stack."""
    data = b"\0asm\x0d\0\x01\0"
    for _ in range(1000):
        size, content = len(data), bytearray()
        while True:
            content.append(size & 0x7F | (0x80 if size > 0x7F else 0))
            size >>= 7
            if not size:
                break
        data = b"\0asm\x0d\0\x01\0" + b"\x04" + bytes(content) + data
    (tmp_path / "in.wasm").write_bytes(data)
    assert run(["fuse", str(tmp_path / "in.wasm"), "-o", str(tmp_path / "out.wasm")]) == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_exponential_instantiation_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each level instantiates the one before four times: 4^12 instances, if nothing capped them."""
    levels = "(component $c0)" + "".join(
        f"(component $c{i} (alias outer $root $c{i - 1} (component $d)) {'(instance (instantiate $d))' * 4})"
        for i in range(1, 13)
    )
    (tmp_path / "in.wat").write_text(f"(component $root {levels} (instance (instantiate $c12)))")
    assert run(["fuse", "--no-validate", str(tmp_path / "in.wat"), "-o", str(tmp_path / "out.wasm")]) == 1
    assert "--max-instances" in capsys.readouterr().err
