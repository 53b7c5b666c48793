"""The page of `meld graph` in a real browser: it draws, zooms, searches and tells, by pointer and by keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

import meldpy
from meldpy.cli.main import run
from meldpy.pipeline import FuseOptions
from tests.support.crowd import crowd

pytestmark = pytest.mark.toolchain


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    assert program is not None, "a test needs chromium on the PATH; .ci/run installs it"
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module", params=[3, 80])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / f"{request.param}.html"
    path.write_text(meldpy.graph(crowd(request.param), FuseOptions(keeps=("part-2",)), format="html"))
    return path


@pytest.fixture
def page(browser: Browser, file: Path) -> Iterator[Page]:
    yield from opened(browser, file, "light")


@pytest.fixture
def dark_page(browser: Browser, file: Path) -> Iterator[Page]:
    yield from opened(browser, file, "dark")


def opened(browser: Browser, file: Path, scheme: Literal["light", "dark"]) -> Iterator[Page]:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1500, "height": 860}, offline=True)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda asked: said.append(asked.url) if not asked.url.startswith("file:") else None)
    page.goto(file.as_uri())
    yield page
    assert said == [], "no error, and nothing is fetched"
    context.close()


def count(file: Path) -> int:
    return int(file.stem)


def colours(page: Page, selector: str) -> list[float]:
    """Brightness of text and of what is behind it, from 0 to 1."""
    return page.evaluate(
        """(selector) => ['text', 'rect'].map((name) => {
            const style = getComputedStyle(document.querySelector(`${selector} ${name}`));
            const [r, g, b] = style.fill.match(/[\\d.]+/g).map(Number);
            return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
        })""",
        selector,
    )


def test_both_pictures_are_drawn_inside_the_window(page: Page, file: Path) -> None:
    for pane in ("#before", "#after"):
        shapes = page.locator(f"{pane} .shape")
        assert shapes.count() == count(file) + 1
        box = page.locator(pane).bounding_box()
        assert box is not None
        for number in (0, 1, count(file)):
            at = shapes.nth(number).bounding_box()
            assert at is not None
            assert box["x"] <= at["x"]
            assert at["x"] + at["width"] <= box["x"] + box["width"]
            assert box["y"] <= at["y"]
            assert at["y"] + at["height"] <= box["y"] + box["height"]


def test_text_can_be_told_from_what_is_behind_it(page: Page, dark_page: Page) -> None:
    for selector in ("#after .shape.fused", "#after .shape.kept", "#after .shape.caller", "#before .shape.component"):
        text, back = colours(page, selector)
        assert back - text > 0.5, selector
        text, back = colours(dark_page, selector)
        assert text - back > 0.5, selector


def test_shapes_do_not_lie_on_each_other(page: Page) -> None:
    boxes = page.evaluate(
        "() => Array.from(document.querySelectorAll('#after .shape rect'), (e) => e.getBoundingClientRect().toJSON())"
    )
    for number, one in enumerate(boxes):
        for other in boxes[number + 1 :]:
            apart = one["right"] <= other["left"] or other["right"] <= one["left"]
            assert apart or one["bottom"] <= other["top"] or other["bottom"] <= one["top"]


def test_searching_marks_and_dims(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("part-2\n")
    hits = page.locator("#after .shape.hit")
    assert hits.count() >= 1
    assert page.locator("#after .shape.dim").count() == page.locator("#after .shape").count() - hits.count()
    assert page.locator("#found").inner_text().endswith("found")
    page.keyboard.press("Escape")
    assert page.locator(".dim").count() == 0


def test_keys_zoom_move_and_show_all(page: Page) -> None:
    def box() -> list[float]:
        return [float(each) for each in (page.locator("#after svg").get_attribute("viewBox") or "").split()]

    home = box()
    page.keyboard.press("+")
    assert box()[2] < home[2]
    page.keyboard.press("ArrowRight")
    assert box()[0] > home[0]
    page.keyboard.press("0")
    assert box() == home
    page.mouse.move(1100, 400)
    page.mouse.wheel(0, -300)
    page.wait_for_function(f"document.querySelector('#after svg').viewBox.baseVal.width < {home[2]}")
    page.mouse.down()
    page.mouse.move(1000, 300)
    page.mouse.up()
    moved = box()
    page.click("#fit")
    assert box() == home != moved


def test_details_are_told_by_keyboard_and_by_pointer(page: Page) -> None:
    kept = page.locator("#after .shape.kept")
    kept.focus()
    page.keyboard.press("Enter")
    told = page.locator("#details").inner_text()
    assert "part-2" in told
    assert "kept: isolation: --keep part-2" in told
    assert "is called through" in told
    page.keyboard.press("0")
    page.locator("#after .shape.caller").hover()
    assert page.locator("#tip").is_visible()
    assert "whoever calls" in page.locator("#tip").inner_text()


def test_bytes_are_a_treemap_with_every_component(page: Page, file: Path) -> None:
    page.click("button[data-view=bytes]")
    assert not page.locator("#before").is_visible()
    told = page.locator("#bytes-after .tile.d1").evaluate_all("(all) => all.map((each) => each.ariaLabel)")
    assert len(told) == count(file) + 1
    page.locator("#bytes-before .tile.d0").focus()
    assert "inputs: " in page.locator("#details").inner_text()


def test_the_button_changes_light_and_dark(page: Page) -> None:
    before = colours(page, "#after .shape.fused")
    page.click("#theme")
    after = colours(page, "#after .shape.fused")
    assert (before[0] > before[1]) != (after[0] > after[1])


def test_the_command_takes_the_format_from_the_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hello = Path(__file__).resolve().parents[2] / "fixtures" / "hello"
    inputs = [str(hello / name) for name in ("greeter.wasm", "app.wasm")]
    for name, beginning in (("a.html", "<!doctype html>"), ("a.svg", "<svg "), ("a.mmd", "---\n"), ("a.gv", "digraph")):
        assert run(["graph", *inputs, "-o", str(tmp_path / name)]) == 0
        assert (tmp_path / name).read_text().startswith(beginning)
    assert run(["graph", *inputs]) == 0
    assert capsys.readouterr().out.startswith("digraph")
    assert run(["graph", *inputs, "-o", inputs[0]]) == 2
    assert "the name" in capsys.readouterr().err
    assert run(["graph", *inputs, "-o", inputs[0], "--format", "svg"]) == 2
    assert "is also an input" in capsys.readouterr().err
    assert run(["graph", *inputs, "-o", str(tmp_path / "a.png")]) == 2
    assert "a.png does not say what to draw" in capsys.readouterr().err
    assert not (tmp_path / "a.png").exists()
