"""Judge a prototype, in fresh clones: do its gating fixtures run because of it, and did nothing get worse?

    python -m scripts.explore.validate ADR-0000 G            # the branch that `prototype` made, against its base
    python -m scripts.explore.validate ADR-0000 tables --branch main --base c0cccc3        # replay: before the fix
    python -m scripts.explore.validate ADR-0000 tables --branch main --disable off.patch   # replay: fix taken out
    python -m scripts.explore.validate ADR-0000 tables --branch main --replay reexport-floats-c  # by replays.toml

Two clones, before and after. The gates are the ones of "after" on both sides (their folders are copied over), so that
a gate which is younger than the base can fail there; nothing else is. A gate must *fail* before and pass after: one
that passes before proves nothing, and one that is broken before (an import that is missing, say) does not either.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO, final

import click
import yaml

from scripts.explore.adrs import ROOT, Record, RecordError, dump, load, question
from scripts.explore.gates import DEFAULTS, Outcome, defaults, run_gate, run_suite
from scripts.explore.prototype import branch_name, git, notes_path
from scripts.explore.replay import REPLAYS, Replay, load_replay


@final
@dataclass(frozen=True, slots=True)
class Gate:
    """One gate on both sides; `because` is what it said before."""

    gate: str
    before: str
    after: str
    because: str

    @property
    def flipped(self) -> bool:
        return (self.before, self.after) == (Outcome.FAILED.value, Outcome.PASSED.value)


@final
@dataclass(frozen=True, slots=True)
class Suite:
    """What the regression tests did: how many passed on both sides, which passed before only, which are gone."""

    passed: int
    worse: Sequence[str]
    gone: Sequence[str]


def judge(gates: Sequence[Gate], suite: Suite, caveats: Sequence[str], blocked: str | None) -> tuple[str, str]:
    """The verdict and its reason."""
    if blocked:
        return "not-viable-today", blocked
    unmoved = [f"{gate.gate}: {gate.before} before, {gate.after} after" for gate in gates if not gate.flipped]
    if len(unmoved) == len(gates):
        return "not-confirmed", "; ".join(unmoved)
    if suite.worse:
        return "not-confirmed", f"passed before and not after: {', '.join(suite.worse)}"
    if not suite.passed:
        return "not-confirmed", "the regression tests passed nowhere, so nobody knows what got worse"
    gone = (
        [f"{len(suite.gone)} tests passed before, are not there after, and do not pass as they were"]
        if suite.gone
        else []
    )
    if doubts := [*unmoved, *gone, *caveats]:
        return "confirmed-with-caveats", "; ".join(doubts)
    return "confirmed", f"{len(gates)} gate(s) flipped, {suite.passed} regression tests pass on both sides"


def compare(before: Mapping[str, bool], after: Mapping[str, bool]) -> Suite:
    """Two runs of the regression tests."""
    good = [name for name, passed in before.items() if passed]
    return Suite(
        passed=sum(after.get(name) is True for name in good),
        worse=[name for name in good if after.get(name) is False],
        gone=[name for name in good if name not in after],
    )


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """What to compare: with `base`, a commit; or with the branch after `disable`, a patch that takes the path out, or
    after the patches of `replay`."""

    repo: Path
    asked: Record
    path: str
    branch: str
    base: str | None = None
    disable: Path | None = None
    replay: Replay | None = None

    @property
    def disabled_by(self) -> str | None:
        if self.replay is not None:
            return f"{REPLAYS}, {self.replay.fixture}"
        return self.disable.name if self.disable else None


def validate(plan: Plan, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict, as `emit` reads it."""
    plan.asked.design_path(plan.path)
    commit = git(plan.repo, "rev-parse", plan.branch)
    base = commit if plan.disabled_by else plan.base or git(plan.repo, "merge-base", "HEAD", commit)
    base = git(plan.repo, "rev-parse", f"{base}^{{commit}}")
    with TemporaryDirectory(prefix="explore-") as folder:
        before, after = Path(folder, "before"), Path(folder, "after")
        for where, at in ((before, base), (after, commit)):
            git(plan.repo, "clone", "--quiet", "--no-checkout", str(plan.repo.resolve()), str(where))
            git(where, "checkout", "--quiet", "--detach", at)
        if plan.disable:
            git(before, "apply", str(plan.disable.resolve()))
        for patch in plan.replay.patches if plan.replay else ():
            patch.apply(before)
        notes = _notes(after / notes_path(plan.asked, plan.path))
        gates: list[Gate] = []
        suite = Suite(0, (), ())
        if not notes["blocked"]:
            gates = [_run_both(gate, before, after, settings) for gate in plan.asked.data["gating-fixtures"]]
            suite = _regressions(before, after, base, settings)
    result, reason = judge(gates, suite, notes["caveats"], notes["blocked"])
    return {
        "question": plan.asked.id,
        "path": plan.path,
        "result": result,
        "reason": reason,
        "branch": plan.branch,
        "commit": commit,
        "base": base,
        "disabled-by": plan.disabled_by,
        "gates": [asdict(gate) for gate in gates],
        "regression-tests": suite.passed,
    }


def _regressions(before: Path, after: Path, base: str, settings: Mapping[str, Any]) -> Suite:
    """Each side's own tests; those that are gone are judged as the base has them, over the code of "after"."""
    reports = after.parent
    then, now = (run_suite(side, settings, reports / f"{side.name}.xml") for side in (before, after))
    if compare(then, now).gone:
        git(after, "checkout", "--quiet", "--no-overlay", base, "--", "tests", "fixtures")
        old = run_suite(after, settings, reports / "old.xml")
        # Only a pass counts: an old test may fail because what it stands on was renamed.
        now = {name: True for name, passed in old.items() if passed} | now
    return compare(then, now)


def _notes(file: Path) -> dict[str, Any]:
    """The prototype's checklist; a replay has none."""
    if not file.exists():
        return {"caveats": [], "blocked": None}
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")))


def _run_both(gate: str, before: Path, after: Path, settings: Mapping[str, Any]) -> Gate:
    source = Path(gate.partition("::")[0])
    folder = source if gate.startswith("fixtures/") else source.parent
    if (after / folder).is_dir():
        shutil.copytree(after / folder, before / folder, dirs_exist_ok=True)
    first, second = run_gate(gate, before, settings), run_gate(gate, after, settings)
    return Gate(gate, first.outcome.value, second.outcome.value, first.says)


@click.command()
@click.argument("question_id", metavar="QUESTION")
@click.argument("path")
@click.option("--branch", help="The prototype. Default: the branch that `prototype` made.")
@click.option("--base", help="The commit to compare with. Default: where the branch left the current one.")
@click.option(
    "--disable", type=click.Path(path_type=Path, exists=True), help="Compare with the branch under this patch."
)
@click.option("--replay", help="Compare with the branch under the patches of this fixture's replay.")
@click.option("--repo", type=click.Path(path_type=Path), default=ROOT, help="Repository to clone.")
@click.option("--defaults", "settings", type=click.Path(path_type=Path), default=DEFAULTS, help="Commands.")
@click.option("-o", "--output", type=click.File("w", encoding="utf-8"), default="-", help="Where the verdict goes.")
def main(
    question_id: str,
    path: str,
    branch: str | None,
    base: str | None,
    disable: Path | None,
    replay: str | None,
    repo: Path,
    settings: Path,
    output: TextIO,
) -> None:
    """Judge the prototype of PATH of QUESTION; exit with 1 unless it is confirmed."""
    if sum(option is not None for option in (base, disable, replay)) > 1:
        raise click.UsageError("--base, --disable and --replay exclude each other")
    try:
        asked = question(load(repo), question_id)
        replayed = None if replay is None else load_replay(replay, repo)
        plan = Plan(repo, asked, path, branch or branch_name(asked, path), base, disable, replayed)
        verdict = validate(plan, defaults(settings))
    except RecordError as error:
        sys.exit(f"error: {error}")
    output.write(dump(verdict))
    word = verdict["result"].replace("-", " ").upper() if verdict["result"] == "not-viable-today" else verdict["result"]
    click.echo(f"{word}: {verdict['reason']}", err=True)
    sys.exit(0 if verdict["result"].startswith("confirmed") else 1)


if __name__ == "__main__":
    main()
