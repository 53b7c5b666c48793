"""What is installed, what depends on what, and what runs in the end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from meldpy.errors import FileError, LinkError, MeldError, UsageError
from meldpy.host.host import Host
from meldpy.host.registry.installed import Registry
from meldpy.host.registry.manifest import read
from meldpy.host.registry.versions import Range, Version

HELLO = Path(__file__).parents[2] / "fixtures" / "hello"
PROBE = Path(__file__).parents[1] / "support" / "hosted" / "probe.wasm"
GREETER = "demo:hello/greeting"


def module(folder: Path, name: str, version: str, component: Path, more: str = "") -> Path:
    """A folder that can be installed."""
    made = folder / f"{name}-{version}"
    made.mkdir(parents=True)
    shutil.copy(component, made / "it.wasm")
    (made / "module.toml").write_text(
        f'[module]\nname = "{name}"\nversion = "{version}"\ncomponent = "it.wasm"\n{more}'
    )
    return made


@pytest.mark.parametrize(
    ("range_", "inside", "outside"),
    [
        ("^1.2.3", ["1.2.3", "1.9.0"], ["1.2.2", "2.0.0", "1.3.0-rc.1", "2.0.0-rc.1"]),
        ("1.2", ["1.2.0", "1.9.9"], ["1.1.9", "2.0.0"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.3.0", "0.2.2"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4", "0.0.2"]),
        ("~1.2", ["1.2.0", "1.2.9"], ["1.3.0"]),
        ("~1", ["1.0.0", "1.9.0"], ["2.0.0"]),
        ("=1.2.3", ["1.2.3"], ["1.2.4"]),
        (">1.2.3", ["1.2.4"], ["1.2.3"]),
        ("<=1.2.3", ["1.2.3", "0.1.0"], ["1.2.4"]),
        (">=1.0, <1.5", ["1.0.0", "1.4.9"], ["1.5.0", "0.9.0"]),
        ("^1.0.0-rc.2", ["1.0.0-rc.2", "1.0.0-rc.10", "1.0.0", "1.4.0"], ["1.0.0-rc.1", "1.1.0-rc.3"]),
        ("*", ["0.0.1", "9.9.9"], ["1.0.0-a"]),
    ],
)
def test_a_range_has_the_versions_that_semver_says(range_: str, inside: list[str], outside: list[str]) -> None:
    range_of = Range.parse(range_)
    assert [text for text in inside if Version.parse(text) not in range_of] == []
    assert [text for text in outside if Version.parse(text) in range_of] == []


def test_versions_are_ordered_as_semver_says() -> None:
    ordered = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.1",
        "1.10.0",
    ]
    assert sorted(map(Version.parse, reversed(ordered)), key=lambda each: each.key) == list(map(Version.parse, ordered))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[module]\nname = "A b"\nversion = "1.0.0"\ncomponent = "a"', "no name for a module"),
        ('[module]\nname = "a"\nversion = "1.0"\ncomponent = "a"', "no version"),
        (
            '[module]\nname = "a"\nversion = "1.0.0"\ncomponent = "a.wasm"\n[native]\nfiles = 9',
            r"\[native\] is for modules with a library",
        ),
        (
            '[module]\nname = "a"\nversion = "1.0.0"\nlibrary = "a.so"\n[native]\nfile-size = 0',
            "file-size must be more than 0",
        ),
        ('[module]\nname = "a"\nversion = "1.0.0"\nlibrary = "a.so"\n[native]\nconfined = false', "confined"),
        ('[module]\nname = "a"\nversion = "1.0.0"\nlibrary = "a.so"\n[limits]\nfuel = 9', "fuel bounds components"),
        ('[module]\nname = "a"\nversion = "1.0.0"\ncomponent = "a"\n[limits]\nmailbox = 0', "mailbox must be more"),
        ('[module]\nname = "a"\nversion = "1.0.0"', "either a component or a library"),
        ('[module]\nname = "a"\nversion = "1.0.0"\ncomponent = "../a"', "outside of the module's folder"),
        ('[module]\nname = "a"\nversion = "1.0.0"\ncomponent = "a"\n[grants]\nlgo = true', "unknown field `lgo`"),
        ('[module]\nname = "a"\nversion = "1.0.0"\ncomponent = "a"\n[limits]\nmemory = "1"', "limits.memory"),
        ('[module]\nname = "a"\nversion = "1.0.0"\ncomponent = "a"\n[dependencies]\nx = "one"', "no range"),
        ('[module]\nname = "a"\nversion = "1.0.0"\ncomponent = "a"\n[messages]\nattempts = 0', "at least once"),
        ("[module", "Expected"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "module.toml").write_text(text)
    with pytest.raises(UsageError, match=message) as refused:
        read(tmp_path)
    assert "module.toml" in str(refused.value)


def test_versions_are_installed_listed_and_uninstalled(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "modules")
    for version in ("1.10.0", "1.9.0"):
        registry.install(str(module(tmp_path, "probe", version, PROBE)))
    assert [(each.version, each.active) for each in registry.listed()] == [("1.9.0", False), ("1.10.0", True)]
    assert str(registry.find("probe").version) == "1.10.0"
    with pytest.raises(UsageError, match="is active"):
        registry.uninstall("probe", "1.10.0")
    registry.uninstall("probe", "1.9.0")
    registry.uninstall("probe")
    assert registry.listed() == []
    assert not list((tmp_path / "modules").glob("probe/*"))


def test_a_version_is_what_it_was_when_it_was_installed(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "modules")
    folder = module(tmp_path, "probe", "1.0.0", PROBE)
    registry.install(str(folder))
    registry.install(str(folder))
    (folder / "it.wasm").write_bytes((HELLO / "app.wasm").read_bytes())
    with pytest.raises(UsageError, match="other contents"):
        registry.install(str(folder))
    (tmp_path / "modules" / "probe" / "1.0.0" / "it.wasm").write_bytes(b"\0asm")
    with Host(modules=tmp_path / "modules") as host, pytest.raises(FileError, match="changed since"):
        host.load("probe")


@pytest.mark.parametrize("bad", ["nothing", "not a component"])
def test_what_cannot_be_installed_leaves_nothing(tmp_path: Path, bad: str) -> None:
    folder = module(tmp_path, "probe", "1.0.0", PROBE)
    if bad == "nothing":
        (folder / "it.wasm").unlink()
    else:
        (folder / "it.wasm").write_bytes(b"\0asmgarbage")
    registry = Registry(tmp_path / "modules")
    with pytest.raises(MeldError):
        registry.install(str(folder))
    assert registry.listed() == []
    assert not [path for path in (tmp_path / "modules").iterdir() if path.name.startswith(".meld-") and path.is_dir()]


def hello(tmp_path: Path, greeters: dict[str, str], wanted: str) -> Registry:
    """A registry with the app of the fixture `hello`, and greeters by version, which are the same file."""
    registry = Registry(tmp_path / "modules")
    for version in greeters:
        registry.install(str(module(tmp_path, "greeter", version, HELLO / "greeter.wasm")))
    registry.install(
        str(module(tmp_path, "app", "1.0.0", HELLO / "app.wasm", f'[dependencies]\n"{GREETER}" = "{wanted}"\n'))
    )
    return registry


def test_a_dependency_is_linked_and_fused_when_the_module_is_loaded(tmp_path: Path) -> None:
    registry = hello(tmp_path, {"1.0.0": "", "1.1.0": ""}, "*")
    with Host(tmp_path / "host", modules=registry.folder) as host:
        app = host.load("app")
        assert app.call_text('greet("world")') == '"Hello, world! (from two components)"'
        assert app.call("greet", "you") == "Hello, you! (from two components)"
        info = host.inspect("app")
        assert [part.rpartition(" ")[0] for part in info.parts] == ["app 1.0.0", "greeter 1.1.0"]
        with pytest.raises(UsageError, match="exports no function"):
            app.call("what")
        with pytest.raises(UsageError, match="do not fit"):
            app.call("greet", 1)
    lock = json.loads((registry.folder / "meld.lock").read_text())
    assert lock["modules"]["app"]["dependencies"] == {GREETER: "greeter 1.1.0"}
    with pytest.raises(UsageError, match="is needed by app"):
        registry.uninstall("greeter", "1.1.0")


def test_what_was_locked_is_taken_again(tmp_path: Path) -> None:
    registry = hello(tmp_path, {"1.0.0": ""}, "*")
    with Host(modules=registry.folder) as host:
        host.load("app")
    registry.install(str(module(tmp_path, "greeter", "1.1.0", HELLO / "greeter.wasm")))
    assert registry.resolve(registry.find("app")).chosen == {GREETER: "greeter 1.0.0"}


def test_a_dependency_is_swapped_under_a_module_that_runs(tmp_path: Path) -> None:
    registry = hello(tmp_path, {"1.0.0": ""}, "*")
    with Host(modules=registry.folder) as host:
        app = host.load("app")
        registry.install(str(module(tmp_path, "greeter", "1.1.0", HELLO / "greeter.wasm")))

        def greeter() -> str:
            return host.inspect("app").parts[1].rpartition(" ")[0]

        host.reload("app")
        assert greeter() == "greeter 1.0.0"
        host.reload("app", upgrade=True)
        assert greeter() == "greeter 1.1.0"
        assert app.call("greet", "you") == "Hello, you! (from two components)"


def test_needs_that_cannot_be_met_are_told(tmp_path: Path) -> None:
    registry = hello(tmp_path, {"1.0.0": ""}, "^7")
    with Host(modules=registry.folder) as host, pytest.raises(LinkError) as refused:
        host.load("app")
    assert f"app 1.0.0 wants {GREETER} ^7" in refused.value.causes


def test_a_module_goes_to_another_version_and_back(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "modules")
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        registry.install(
            str(
                module(
                    tmp_path,
                    "probe",
                    version,
                    PROBE,
                    "[grants]\nlog=true\nkv=true\nclock=true\njobs=true\npublish=['*']\n",
                )
            )
        )
    from meldpy.host.limits import Grants

    allow = {"probe": Grants(True, True, True, True, ("*",))}
    with Host(tmp_path / "host", modules=registry.folder, allow=allow) as host:
        probe = host.load("probe")
        for version in ("2.0.0", "3.0.0"):
            host.reload("probe", version)
        assert registry.history("probe") == ("1.0.0", "2.0.0", "3.0.0")
        assert host.rollback("probe") == probe.version == "2.0.0"
        assert host.inspect("probe").generation == 3
    with Host(tmp_path / "host", modules=registry.folder, allow=allow) as host:
        assert host.load("probe").version == "2.0.0"
        assert host.rollback("probe") == "1.0.0"
        with pytest.raises(UsageError, match="no version before"):
            host.rollback("probe")


def test_a_module_whose_lock_cannot_be_written_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(tmp_path / "modules")
    registry.install(str(module(tmp_path, "greeter", "1.0.0", HELLO / "greeter.wasm")))

    def full(*_: object) -> None:
        raise FileError("the disk is full")

    with Host(modules=registry.folder) as host:
        with monkeypatch.context() as without:
            without.setattr(host.registry, "activate", full)
            with pytest.raises(FileError, match="disk is full"):
                host.load("greeter")
        assert host.modules() == []
        assert host.load("greeter").version == "1.0.0"


def test_a_library_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "module.toml").write_text('[module]\nname = "a"\nversion = "1.0.0"\nlibrary = "gone.so"\n')
    with Host() as host, pytest.raises(FileError, match=r"cannot read .*gone\.so: No such file"):
        host.load(tmp_path)
