"""What a topic leads to is kept, and never longer than it is true."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from meldpy.host.bus import routes as module
from meldpy.host.bus.routes import Routes
from meldpy.host.core import Core
from meldpy.host.limits import Grants
from meldpy.host.module import Envelope
from meldpy.records import replace
from tests.support.hosted import Scripted, probe, scripted


@pytest.fixture
def core() -> Iterator[Core]:
    core = Core(None)
    yield core
    core.close()


def receivers(core: Core, topic: str) -> list[str]:
    return [each.name for each in core.bus._routes.subscribed(topic)]


def ignore(_services: object, _message: Envelope, _state: list[bytes]) -> None: ...


def test_who_comes_goes_and_is_stopped(core: Core) -> None:
    assert receivers(core, "seq/x") == []
    core.load(probe("one"))
    core.load(scripted("other", ignore))
    assert receivers(core, "seq/x") == ["one"]
    core.find("one").stop().result(60)
    assert receivers(core, "seq/x") == ["one"]  # it still gets what is durable
    core.unload("one")
    assert receivers(core, "seq/x") == []


def test_a_swap_changes_what_a_module_asks_for_and_is_granted(core: Core) -> None:
    core.load(scripted("one", ignore, ("a",)))
    assert (receivers(core, "a"), receivers(core, "b")) == (["one"], [])
    core.reload(scripted("one", ignore, ("a", "b"), version="2.0.0"))
    assert (receivers(core, "a"), receivers(core, "b")) == (["one"], ["one"])
    core.reload(scripted("one", ignore, ("a", "b"), version="3.0.0", grants=Grants(subscribe=("b",))))
    assert (receivers(core, "a"), receivers(core, "b")) == ([], ["one"])
    one = core.find("one")
    one.stop().result(60)
    core.reload(scripted("one", ignore, ("a", "b"), version="4.0.0", grants=Grants(subscribe=("a",))))
    assert (receivers(core, "a"), receivers(core, "b")) == (["one"], [])


def test_a_module_that_says_something_else_when_it_is_born_again_is_heard(core: Core) -> None:
    plan = scripted("one", ignore, ("a",))
    makes = [plan.make, scripted("one", ignore, ("b",)).make]
    born: list[Scripted] = []

    def make(services: object) -> Scripted:
        born.append(makes.pop(0)(services))
        return born[-1]

    core.load(replace(plan, make=make))
    assert (receivers(core, "a"), receivers(core, "b")) == (["one"], [])
    born[0].alive = False
    core.bus.request("", "one", "x", b"", 60)
    assert (receivers(core, "a"), receivers(core, "b")) == ([], ["one"])


def test_topics_that_somebody_invents_are_not_kept_without_end(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT", 10)
    core.load(probe("one"))
    for n in range(100):
        assert receivers(core, f"seq/{n}") == ["one"]
    assert receivers(core, "seq/" + "x" * 1000) == ["one"]
    assert len(core.bus._routes._by_topic) <= 10
    assert max(map(len, core.bus._routes._by_topic)) < 1000


def test_what_changes_while_it_is_looked_for_is_not_kept() -> None:
    routes = Routes()

    class Late:
        name = "late"

        @property
        def subscriptions(self) -> tuple[str, ...]:
            said, self._said = getattr(self, "_said", ("a",)), ()
            routes.subscriptions_changed()
            return said

    routes.join(Late())  # type: ignore[arg-type]  # what is asked of it
    assert len(routes.subscribed("a")) == 1
    assert routes.subscribed("a") == ()
