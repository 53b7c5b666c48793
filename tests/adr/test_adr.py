"""The design records fit their schema, their links hold, and the rules are kept. Running the gates is `check --run`."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.explore.adrs import ADR_FOLDER, ROOT, load, parse, text_of, violations
from scripts.explore.gates import defaults

FILES = sorted((ROOT / ADR_FOLDER).glob("*.md"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_record_fits_the_schema(path: Path) -> None:
    record = parse(path, path.read_text(encoding="utf-8"))
    assert f"\n# {record.data['title']}\n" in record.body, "the heading is the title"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_rewriting_a_record_changes_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    record = parse(path, text)
    assert text_of(record.data, record.body) == text


def test_links_and_rules_hold() -> None:
    records = load()
    assert len(records) == len(FILES)
    assert list(violations(records)) == []


def test_the_question_of_re_exporters_has_its_paths() -> None:
    paths = load()["ADR-0000"].data["design-paths"]
    assert [path["path"] for path in paths] == ["tables", *"DEFGHIJ"]
    assert all("adr" in path for path in paths)


def test_every_locus_has_a_weight_and_every_verdict_a_viability() -> None:
    settings = defaults()
    assert set(settings["weights"]) == {"meld", "wit-bindgen", "spec", "wasm-tools", "hybrid"}
    assert set(settings["viability"]) == {"confirmed", "confirmed-with-caveats", "not-confirmed", "not-viable-today"}
