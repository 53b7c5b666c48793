"""The modules of docs/examples/host do what docs/host.md says: a parser fused into a formatter, a monitor in C, and a
strategy that is swapped from language to language, with what it knows, while prices come in."""

from __future__ import annotations

import re
import shutil
import threading
import time
from pathlib import Path

import pytest

from meldpy.errors import LinkError, Location
from meldpy.fixture.guests import build_guest
from meldpy.fixture.model import Wasm
from meldpy.host.faults import ModuleFailure, ModuleTrapped
from meldpy.host.host import Host
from meldpy.host.limits import Grants
from meldpy.host.registry.installed import Registry
from tests.support.hosted import probe

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples" / "host"
ALLOW = {
    "formatter": Grants(log=True),
    "monitor": Grants(subscribe=("meld/died",)),
    "strategy": Grants(publish=("orders/*",), subscribe=("prices/*",)),
}


def test_a_parser_is_fused_into_the_formatter_that_depends_on_it(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "modules")
    registry.install(str(EXAMPLES / "formatter"))
    with Host(modules=registry.folder, allow=ALLOW) as host, pytest.raises(LinkError):
        host.load("formatter")
    registry.install(str(EXAMPLES / "parser"))
    with Host(tmp_path / "host", modules=registry.folder, allow=ALLOW) as host:
        formatter = host.load("formatter")
        assert formatter.execute("format", b"(add 1 (mul 2 x))") == b"(add 1\n  (mul 2 x))\n"
        with pytest.raises(ModuleFailure, match="1 open at the end"):
            formatter.execute("format", b"(add 1")
        assert [part.split()[0] for part in host.inspect("formatter").parts] == ["formatter", "parser"]


def test_a_monitor_says_which_module_died_of_what() -> None:
    with Host(allow=ALLOW) as host:
        monitor = host.load(EXAMPLES / "monitor")
        with pytest.raises(ModuleFailure, match="there is one command"):
            monitor.execute("what")
        victim = host.core.load(probe("victim"))
        with pytest.raises(ModuleTrapped):
            victim.ask(lambda instance: instance.execute("trap", b"")).result()
        assert monitor.execute("report").startswith(b"victim: victim: the guest trapped")
        host.reload("monitor")
        assert monitor.execute("report").startswith(b"victim: ")


def prices(host: Host, count: int) -> None:
    for number in range(count):
        host.bus.publish("prices/x", str(90 + number % 20).encode())
        time.sleep(0.001)


def built(version: str, build: str, file: str) -> bytes:
    """The component of a strategy that is too large to be kept here."""
    folder, wit = EXAMPLES / version, "../../../../meldpy/host/wit"
    options = {"source": file, "wit": wit, "world": "module-on-bus"}
    sources = {file: "", f"{wit}/host.wit": ""}
    wasm = Wasm("strategy", None, None, build, options, (), sources, False, False, Location(str(folder)))
    return build_guest(folder, wasm)


@pytest.fixture
def strategies(tmp_path: Path) -> Registry:
    """All three installed: in Rust, in Python, in JavaScript."""
    registry = Registry(tmp_path / "modules")
    for version in ("strategy-1", "strategy-2", "strategy-3"):
        shutil.copytree(EXAMPLES / version, tmp_path / version)
    (tmp_path / "strategy-2" / "strategy.wasm").write_bytes(built("strategy-2", "python", "strategy.py"))
    (tmp_path / "strategy-3" / "strategy.wasm").write_bytes(built("strategy-3", "js", "strategy.js"))
    for version in ("strategy-1", "strategy-2", "strategy-3"):
        registry.install(str(tmp_path / version))
    return registry


@pytest.mark.toolchain
def test_a_strategy_in_rust_is_swapped_for_others_while_prices_come_in(strategies: Registry, tmp_path: Path) -> None:
    with Host(tmp_path / "host", modules=strategies.folder, allow=ALLOW) as host:
        strategy = host.load("strategy", "1.0.0")
        with host.bus.subscribe("orders/*") as orders:
            coming = threading.Thread(target=prices, args=(host, 400))
            coming.start()
            host.reload("strategy", "2.0.0")
            host.reload("strategy", "3.0.0")
            host.rollback("strategy")
            coming.join()
            said = [orders.get(60).payload.split()[0] for _ in range(400)]
        assert strategy.version == "2.0.0"
        assert strategy.execute("seen") == b"400 %d" % sum(90 + number % 20 for number in range(400))
        assert set(said) <= {b"average", b"limit", b"fallen"}


@pytest.mark.toolchain
def test_each_language_goes_on_with_what_the_one_before_it_counted(strategies: Registry, tmp_path: Path) -> None:
    with Host(tmp_path / "host", modules=strategies.folder, allow=ALLOW) as host:
        strategy, heard = host.load("strategy", "1.0.0"), []
        with host.bus.subscribe("orders/*") as orders:
            for version in ("1.0.0", "2.0.0", "3.0.0", "1.0.0"):
                host.reload("strategy", version)
                for price in (b"96", b"94"):
                    host.bus.publish("prices/x", price)
                    heard.append(orders.get(60).payload.decode())
                with pytest.raises(ModuleFailure, match="there is one command: seen"):
                    strategy.execute("what")
        assert heard[0::2] == ["average wait 96", "limit buy 96", "fallen wait 96", "average wait 96"]
        assert heard[1::2] == ["average buy 94", "limit buy 94", "fallen buy 94", "average buy 94"]
        assert strategy.execute("seen") == b"8 760"


def test_the_tutorials_program_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs" / "host.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", text, re.DOTALL)
    assert len(blocks) >= 3
    monkeypatch.chdir(tmp_path)
    shutil.copytree(EXAMPLES, tmp_path / "docs" / "examples" / "host", ignore=shutil.ignore_patterns("guests"))
    space: dict[str, object] = {}
    for program, output in blocks:
        exec(compile(program, "docs/host.md", "exec"), space)
        assert capsys.readouterr().out == output
