"""Write the ADR of a path from its verdict.

    python -m scripts.explore.emit verdict.yaml --title "…" --description "…" --generalization "…" --coverage "…"
    python -m scripts.explore.emit verdict.yaml --replace --accept    # a path that has an ADR already

The question that lists the path and the sibling ADRs are changed with it, so that all links hold. The whole is checked
by the schema and the rules first, and nothing is written if anything is wrong, as a second accepted ADR would be.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import click
import yaml

from scripts.explore.adrs import ADR_FOLDER, ROOT, Record, RecordError, load, parse, question, text_of, violations
from scripts.explore.gates import DEFAULTS, defaults

_EVIDENCE = "\n## Evidence\n"


@final
@dataclass(frozen=True, slots=True)
class Words:
    """What a verdict cannot know. With an ADR to replace, what is None is left as it was."""

    title: str | None = None
    description: str | None = None
    generalization: str | None = None
    coverage: str | None = None
    upstream: str | None = None
    maintenance: str | None = None
    viability: int | None = None


def emit(
    root: Path,
    verdict: Mapping[str, Any],
    words: Words,
    settings: Mapping[str, Any],
    *,
    accept: bool = False,
    replace: bool = False,
) -> Path:
    """Write the ADR, its question and its siblings; the ADR's file."""
    records = load(root)
    asked = question(records, verdict["question"])
    path = asked.design_path(verdict["path"])
    if ("adr" in path) != replace:
        raise RecordError(f"path {path['path']} has {path.get('adr', 'no ADR')}: --replace is for paths that have one")
    adr = _replaced(records[path["adr"]], words) if replace else _fresh(records, asked, path, verdict, words, root)
    _judge(adr[1], verdict, words, settings, accept)
    file, data, body = adr
    changed = _relink(records, asked, path["path"], data)
    changed[file] = text_of(data, body.partition(_EVIDENCE)[0].rstrip() + "\n" + _evidence(verdict))
    after = {record.id: record for record in records.values() if record.path not in changed}
    after |= {record.id: record for record in (parse(at, text) for at, text in changed.items())}
    if faults := list(violations(after, root)):
        raise RecordError("; ".join(faults))
    for at, text in changed.items():
        at.write_text(text, encoding="utf-8")
    return file


def _fresh(
    records: Mapping[str, Record],
    asked: Record,
    path: Mapping[str, Any],
    verdict: Mapping[str, Any],
    words: Words,
    root: Path,
) -> tuple[Path, dict[str, Any], str]:
    title = words.title or path["title"]
    missing = [name for name in ("description", "generalization", "coverage") if getattr(words, name) is None]
    if missing:
        raise RecordError(f"a new ADR needs {', '.join('--' + name for name in missing)}")
    id = f"ADR-{max(int(record.id[4:]) for record in records.values()) + 1:04d}"
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    data = {
        "id": id,
        "parent": asked.id,
        "type": "design-adr",
        "title": title,
        "status": "draft",
        "verdict": verdict["result"],
        "description": words.description,
        "fields": {
            "locus-of-fix": path["locus-of-fix"],
            "viability": 3,
            "generalization": words.generalization,
            "maintenance-cost": words.maintenance or "medium",
            "fixture-coverage": words.coverage,
            "upstream-dependency": words.upstream or "none",
        },
        "links": {"parent": asked.id, "alternative-to": [], "prototype-branch": None, "oracle": None, "references": []},
    }
    return root / ADR_FOLDER / f"{id.lower()}-{slug}.md", data, f"# {title}\n\n{words.description}\n"


def _replaced(record: Record, words: Words) -> tuple[Path, dict[str, Any], str]:
    data = deepcopy(dict(record.data))
    data["title"], data["description"] = words.title or data["title"], words.description or data["description"]
    given = {
        "generalization": words.generalization,
        "fixture-coverage": words.coverage,
        "upstream-dependency": words.upstream,
        "maintenance-cost": words.maintenance,
    }
    data["fields"] |= {name: value for name, value in given.items() if value is not None}
    return record.path, data, record.body


def _judge(
    data: dict[str, Any], verdict: Mapping[str, Any], words: Words, settings: Mapping[str, Any], accept: bool
) -> None:
    """Put what the verdict says into the ADR."""
    confirmed = verdict["result"].startswith("confirmed")
    data["verdict"] = verdict["result"]
    data["status"] = "accepted" if accept else "draft" if confirmed else "rejected"
    data["fields"]["viability"] = words.viability or settings["viability"][verdict["result"]]
    data["links"]["prototype-branch"] = verdict["branch"]
    flipped = [gate["gate"] for gate in verdict["gates"] if (gate["before"], gate["after"]) == ("failed", "passed")]
    if data["links"]["oracle"] is None and flipped:
        data["links"]["oracle"] = flipped[0]


def _evidence(verdict: Mapping[str, Any]) -> str:
    """What was run, as a section of the ADR."""
    against = f"`{verdict['base'][:12]}`" if not verdict["disabled-by"] else f"itself under `{verdict['disabled-by']}`"
    rows = "".join(
        f"| `{gate['gate']}` | {gate['before']} | {gate['after']} | {gate['because'].replace('|', '/')} |\n"
        for gate in verdict["gates"]
    )
    table = f"\n| gate | before | after | said before |\n|---|---|---|---|\n{rows}" if rows else ""
    tests = f"\n{verdict['regression-tests']} regression tests passed on both sides.\n" if rows else ""
    judged = f"`{verdict['branch']}` at `{verdict['commit'][:12]}`"
    summary = f"{judged} against {against}: **{verdict['result']}**. {verdict['reason']}"
    return f"{_EVIDENCE}\n{summary}\n{table}{tests}"


def _relink(records: Mapping[str, Record], asked: Record, path: str, adr: dict[str, Any]) -> dict[Path, str]:
    """The question and the siblings, as they must be beside the ADR. Fills the ADR's own alternatives."""
    data = deepcopy(dict(asked.data))
    next(entry for entry in data["design-paths"] if entry["path"] == path).update({"adr": adr["id"]})
    next(entry for entry in data["design-paths"] if entry["path"] == path).pop("ruled-out", None)
    siblings = [
        record for record in records.values() if record.data.get("parent") == asked.id and record.id != adr["id"]
    ]
    statuses = [adr["status"], *(record.data["status"] for record in siblings)]
    data["status"] = "answered" if "accepted" in statuses else "open"
    adr["links"]["alternative-to"] = [record.id for record in siblings]
    changed = {asked.path: text_of(data, asked.body)}
    for record in siblings:
        links = record.data["links"] | {"alternative-to": sorted({*record.data["links"]["alternative-to"], adr["id"]})}
        changed[record.path] = text_of(dict(record.data) | {"links": links}, record.body)
    return changed


@click.command()
@click.argument("verdict", type=click.File(encoding="utf-8"))
@click.option("--title")
@click.option("--description")
@click.option("--generalization")
@click.option("--coverage", help="fixture-coverage")
@click.option("--upstream", help="upstream-dependency")
@click.option("--maintenance", type=click.Choice(["low", "medium", "high"]), help="maintenance-cost")
@click.option("--viability", type=click.IntRange(1, 5))
@click.option("--accept", is_flag=True, help="The path is taken: at most one of a question.")
@click.option("--replace", is_flag=True, help="Renew the verdict of a path that has an ADR.")
@click.option("--root", type=click.Path(path_type=Path), default=ROOT, help="Checkout to write to.")
@click.option("--defaults", "settings", type=click.Path(path_type=Path), default=DEFAULTS, help="Viabilities.")
def main(verdict: Any, accept: bool, replace: bool, root: Path, settings: Path, **words: Any) -> None:
    """Write the ADR of VERDICT, a file that `validate` wrote."""
    try:
        said = yaml.safe_load(verdict)
        file = emit(root, said, Words(**words), defaults(settings), accept=accept, replace=replace)
    except RecordError as error:
        sys.exit(f"error: {error}")
    click.echo(file.relative_to(root))


if __name__ == "__main__":
    main()
