"""What the project offers to others' CI: the action's script and the hooks' entries, run as they stand in the files."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from meldpy import __version__

ROOT = Path(__file__).resolve().parents[2]
HELLO = [str(ROOT / "fixtures" / "hello" / name) for name in ("greeter.wasm", "app.wasm")]


@pytest.fixture
def path_with_meld(tmp_path: Path) -> str:
    """A PATH on which `meld` is this project's."""
    directory = tmp_path / "bin"
    directory.mkdir()
    (directory / "meld").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m meldpy "$@"\n')
    (directory / "meld").chmod(0o755)
    return f"{directory}{os.pathsep}{os.environ['PATH']}"


def run_action(path: str, **inputs: str) -> subprocess.CompletedProcess[str]:
    """The action's last step, with its inputs as the runner would hand them over."""
    text = (ROOT / "action.yml").read_text()
    script = textwrap.dedent(text.rpartition("run: |\n")[2])
    defaults = {"MELD_OPTIONS": "", "MELD_CHECK": "false", "MELD_INPUTS": "", "MELD_OUTPUT": "", "MELD_MANIFEST": ""}
    names = set(re.findall(r"^ +(MELD_\w+): \$\{\{ inputs\.\w+ \}\}$", text, re.M))
    given = defaults | {f"MELD_{name.upper()}": value for name, value in inputs.items()}
    assert set(given) == names
    environment = os.environ | given | {"PATH": path, "PYTHONPATH": str(ROOT)}
    return subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=False)


def run_hook(path: str, hook: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A hook's entry with what pre-commit appends to it."""
    text = (ROOT / ".pre-commit-hooks.yaml").read_text()
    found = re.search(rf"^- id: {re.escape(hook)}$(?:\n  .*)*?\n  entry: (.*)$", text, re.M)
    assert found is not None
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*shlex.split(found[1]), *arguments], env=environment, capture_output=True, text=True, check=False
    )


def test_the_action_fuses_and_checks(path_with_meld: str, tmp_path: Path) -> None:
    output = str(tmp_path / "out.wasm")
    assert run_action(path_with_meld, inputs=" ".join(HELLO), output=output).returncode == 0
    written = Path(output).read_bytes()
    checked = run_action(path_with_meld, inputs="\n".join(HELLO), output=output, check="true")
    assert checked.returncode == 0, checked.stderr
    assert Path(output).read_bytes() == written


def test_the_action_fails_for_a_stale_output(path_with_meld: str, tmp_path: Path) -> None:
    output = tmp_path / "out.wasm"
    output.write_bytes(b"\0asm")
    checked = run_action(path_with_meld, inputs=" ".join(HELLO), output=str(output), check="true")
    assert checked.returncode == 1
    assert "is not what the inputs give" in checked.stderr
    assert output.read_bytes() == b"\0asm"


def test_the_action_builds_a_manifest(path_with_meld: str, tmp_path: Path) -> None:
    manifest = tmp_path / "meld.toml"
    manifest.write_text(f'inputs = ["{HELLO[0]}", "{HELLO[1]}"]\noutput = "out.wasm"\n')
    done = run_action(path_with_meld, manifest=str(manifest))
    assert done.returncode == 0, done.stderr
    assert run_action(path_with_meld, manifest=str(manifest), check="true").returncode == 0
    (tmp_path / "out.wasm").write_bytes(b"stale")
    assert run_action(path_with_meld, manifest=str(manifest), check="true").returncode == 1


def test_the_action_pins_what_it_runs_and_caches_what_it_downloads() -> None:
    text = (ROOT / "action.yml").read_text()
    used = re.findall(r"uses: (actions/\S+)", text)
    assert used
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", each) for each in used)
    assert any(each.startswith("actions/cache@") for each in used)
    assert '-c "$GITHUB_ACTION_PATH/constraints.txt"' in text
    pinned = re.findall(r"^([a-z-]+)==", (ROOT / "constraints.txt").read_text(), re.M)
    needed = re.search(r"^dependencies = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.M | re.S)
    assert needed is not None
    assert sorted(pinned) == sorted(re.findall(r'"([a-z-]+)', needed[1]))


def test_the_version_is_written_once_and_the_changelog_has_it() -> None:
    assert f"\n## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert 'dynamic = ["version"]' in (ROOT / "pyproject.toml").read_text()


def test_the_action_passes_options_on(path_with_meld: str, tmp_path: Path) -> None:
    output = tmp_path / "out.wasm"
    done = run_action(path_with_meld, inputs=" ".join(HELLO), output=str(output), options="--no-names  --strict")
    assert done.returncode == 0, done.stderr
    plain = tmp_path / "plain.wasm"
    assert run_action(path_with_meld, inputs=" ".join(HELLO), output=str(plain)).returncode == 0
    assert output.stat().st_size < plain.stat().st_size


def test_the_hook_compares_the_committed_output(path_with_meld: str, tmp_path: Path) -> None:
    output = str(tmp_path / "out.wasm")
    missing = run_hook(path_with_meld, "meld-fuse-check", *HELLO, "-o", output)
    assert missing.returncode == 1
    assert run_action(path_with_meld, inputs=" ".join(HELLO), output=output).returncode == 0
    assert run_hook(path_with_meld, "meld-fuse-check", *HELLO, "-o", output).returncode == 0
    assert run_hook(path_with_meld, "meld-fuse-check", *HELLO, "-o", output, "--no-names").returncode == 1


def test_the_hook_validates(path_with_meld: str, tmp_path: Path) -> None:
    assert run_hook(path_with_meld, "meld-validate", *HELLO).returncode == 0
    broken = tmp_path / "broken.wasm"
    broken.write_bytes(Path(HELLO[0]).read_bytes()[:-20])
    assert run_hook(path_with_meld, "meld-validate", HELLO[1], str(broken)).returncode == 1


def test_check_wants_a_file(path_with_meld: str) -> None:
    done = run_hook(path_with_meld, "meld-fuse-check", *HELLO)
    assert done.returncode == 2
    assert "--check compares with a file" in done.stderr


@pytest.mark.parametrize(
    "step",
    [
        "mypy",
        "lint-imports",
        "meld fixture check",
        ".ci/release",
        "python -m scripts.explore.check --run",
        "python -m scripts.explore.replay --all",
    ],
)
def test_ci_takes_the_step(step: str) -> None:
    assert step in (ROOT / ".ci/run").read_text().splitlines()
