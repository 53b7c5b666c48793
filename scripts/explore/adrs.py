"""Design records: loading them, checking them against safety/adr/schema.yaml, and the rules that no schema can say.

Everything the explore programs share is here. A record is its YAML front matter as plain data, which the schema has
checked before anyone looks inside, and its Markdown body, which nobody interprets.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, final

import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]
ADR_FOLDER = Path("safety/adr")
PROVEN = ("confirmed", "confirmed-with-caveats", "built")
"""The verdicts that an accepted ADR may rest on."""

_FRONT_MATTER = re.compile(r"\A---\n(.*?\n)---\n(.*)\Z", re.DOTALL)
_OURS = re.compile(r"(meldpy|tests|fixtures|safety|scripts|benchmarks)/")


class RecordError(Exception):
    """A record, or what is asked of it, is wrong."""


@final
@dataclass(frozen=True, slots=True)
class Record:
    """One file of safety/adr."""

    path: Path
    data: Mapping[str, Any]
    body: str

    @property
    def id(self) -> str:
        return str(self.data["id"])

    @property
    def is_question(self) -> bool:
        return bool(self.data["type"] == "design-question")

    def design_path(self, name: str) -> Mapping[str, Any]:
        """One of a question's design-paths."""
        for path in self.data["design-paths"]:
            if path["path"] == name:
                return dict(path)
        known = ", ".join(path["path"] for path in self.data["design-paths"])
        raise RecordError(f"{self.id} has no path {name}; it has {known}")


def parse(path: Path, text: str) -> Record:
    """A record from its file's text. RecordError names the field that the schema refuses."""
    match = _FRONT_MATTER.match(text)
    if match is None:
        raise RecordError(f"{path.name}: no front matter between two lines of ---")
    data = yaml.safe_load(match[1])
    errors = sorted(_validator().iter_errors(data), key=lambda error: [str(part) for part in error.absolute_path])
    if errors:
        where = "; ".join(f"{'.'.join(map(str, error.absolute_path)) or 'record'}: {error.message}" for error in errors)
        raise RecordError(f"{path.name}: {where}")
    return Record(path, data, match[2])


def load(root: Path = ROOT) -> dict[str, Record]:
    """All records by id."""
    records: dict[str, Record] = {}
    for path in sorted((root / ADR_FOLDER).glob("*.md")):
        record = parse(path, path.read_text(encoding="utf-8"))
        if record.id in records:
            raise RecordError(f"{path.name}: {record.id} is {records[record.id].path.name} already")
        records[record.id] = record
    return records


def question(records: Mapping[str, Record], id: str) -> Record:
    """The question of this id."""
    if id not in records or not records[id].is_question:
        known = ", ".join(record.id for record in records.values() if record.is_question)
        raise RecordError(f"{id} is no design-question; these are: {known}")
    return records[id]


def dump(data: Any) -> str:
    """YAML as all records have it, so that rewriting one changes nothing but what was meant."""
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=118))


def text_of(data: Mapping[str, Any], body: str) -> str:
    """A record's file."""
    return f"---\n{dump(dict(data))}---\n{body}"


# --- rules ------------------------------------------------------------------------------------------------------
def violations(records: Mapping[str, Record], root: Path = ROOT) -> Iterator[str]:
    """What is wrong with records that the schema accepts, one sentence each."""
    for record in records.values():
        if not re.fullmatch(rf"{record.id.lower()}-[a-z0-9-]+\.md", record.path.name):
            yield f"{record.path.name}: the name does not start with {record.id.lower()}-"
        of_kind = _of_question(record, records, root) if record.is_question else _of_adr(record, records, root)
        yield from (f"{record.id}: {text}" for text in of_kind)


def _of_question(record: Record, records: Mapping[str, Record], root: Path) -> Iterator[str]:
    paths = record.data["design-paths"]
    yield from (f"path {name} is listed twice" for name in _twice(path["path"] for path in paths))
    children = [other for other in records.values() if other.data.get("parent") == record.id]
    listed = [path["adr"] for path in paths if "adr" in path]
    yield from (f"{id} judges two paths" for id in _twice(listed))
    yield from (
        f"{id} is listed, but is no ADR of this question" for id in listed if id not in {c.id for c in children}
    )
    yield from (f"no path lists {child.id}" for child in children if child.id not in listed)
    for path in paths:
        verdict = records.get(path.get("adr", ""))
        if verdict and verdict.data.get("fields", {}).get("locus-of-fix") != path["locus-of-fix"]:
            yield f"path {path['path']} and {verdict.id} differ in locus-of-fix"
    accepted = sorted(child.id for child in children if child.data["status"] == "accepted")
    if len(accepted) > 1:
        yield f"more than one accepted ADR: {', '.join(accepted)}"
    if (record.data["status"] == "answered") != bool(accepted):
        yield f"the status is {record.data['status']}, and {len(accepted)} of its ADRs are accepted"
    yield from (f"gate {gate} does not exist" for gate in record.data["gating-fixtures"] if not exists(gate, root))


def _of_adr(record: Record, records: Mapping[str, Record], root: Path) -> Iterator[str]:
    data, links = record.data, record.data["links"]
    if links["parent"] != data["parent"]:
        yield "links.parent is not parent"
    if data["parent"] not in records or not records[data["parent"]].is_question:
        yield f"the parent {data['parent']} is no design-question"
    siblings = {other.id for other in records.values() if other.data.get("parent") == data["parent"]} - {record.id}
    if set(links["alternative-to"]) != siblings:
        yield f"alternative-to is not the other ADRs of the question: {', '.join(sorted(siblings)) or 'none'}"
    if data["verdict"] != "reasoned" and links["prototype-branch"] is None:
        yield f"the verdict {data['verdict']} needs a prototype-branch"
    if links["oracle"] is not None and not exists(links["oracle"], root):
        yield f"oracle {links['oracle']} does not exist"
    if data["status"] == "accepted" and links["oracle"] is None:
        yield "accepted without an oracle"
    if data["status"] == "accepted" and data["verdict"] not in PROVEN:
        yield f"accepted on the verdict {data['verdict']}"
    missing = [ref for ref in links["references"] if _OURS.match(ref) and not (root / ref).exists()]
    yield from (f"reference {ref} does not exist" for ref in missing)


def exists(gate: str, root: Path) -> bool:
    """Whether a fixture's folder has its fixture.toml, or a test file its function."""
    if gate.startswith("fixtures/"):
        return (root / gate / "fixture.toml").is_file()
    file, _, test = gate.partition("::")
    return (root / file).is_file() and (not test or test.partition("[")[0] in _functions(root / file))


def proof(records: Mapping[str, Record]) -> Sequence[str]:
    """All that must pass for the accepted ADRs: their oracles, and the gates of the questions they answer."""
    gates: dict[str, None] = {}
    for record in records.values():
        if not record.is_question and record.data["status"] == "accepted":
            gates |= dict.fromkeys(
                [*records[record.data["parent"]].data["gating-fixtures"], record.data["links"]["oracle"]]
            )
    return tuple(gates)


@cache
def _functions(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@cache
def _validator() -> Draft202012Validator:
    schema = yaml.safe_load((ROOT / ADR_FOLDER / "schema.yaml").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def _twice(items: Iterable[str]) -> list[str]:
    return [item for item, count in Counter(items).items() if count > 1]
