"""The explore programs, on small repositories of their own whose "fixtures" are files and whose gates are `test`."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from scripts.explore import check, emit, prototype, rank, validate
from scripts.explore.adrs import ADR_FOLDER, ROOT, Record, RecordError, load, text_of, violations
from scripts.explore.gates import Outcome, Ran, defaults, run_gate
from scripts.explore.patches import Patch
from scripts.explore.replay import Replay

QUESTION: dict[str, Any] = {
    "id": "ADR-0000",
    "type": "design-question",
    "title": "How?",
    "status": "open",
    "context": "It must run.",
    "gating-fixtures": ["fixtures/one"],
    "design-paths": [
        {"path": "A", "title": "Here", "locus-of-fix": "meld"},
        {"path": "B", "title": "There", "locus-of-fix": "spec", "adr": "ADR-0001"},
        {"path": "C", "title": "Nowhere", "locus-of-fix": "meld", "ruled-out": "no"},
    ],
}
ADR: dict[str, Any] = {
    "id": "ADR-0001",
    "parent": "ADR-0000",
    "type": "design-adr",
    "title": "There",
    "status": "rejected",
    "verdict": "reasoned",
    "description": "By somebody else.",
    "fields": {
        "locus-of-fix": "spec",
        "viability": 5,
        "generalization": "all",
        "maintenance-cost": "low",
        "fixture-coverage": "none",
        "upstream-dependency": "a standard",
    },
    "links": {
        "parent": "ADR-0000",
        "alternative-to": [],
        "prototype-branch": None,
        "oracle": None,
        "references": [],
    },
}
SUITE = "import pathlib\n\ndef test_base():\n    assert pathlib.Path('base').exists()\n"
SETTINGS: dict[str, Any] = {
    # A gate passes if the file "works" is there; without "base" it is broken (exit code 2).
    "gates": {"fixture": ["sh", "-c", "test -e base || exit 2; test -e fixtures/{name}/fixture.toml && test -e works"]},
    "regressions": ["{python}", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml={report}", "tests"],
}


def git(root: Path, *args: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    return subprocess.run(
        ["git", "-C", str(root), *identity, *args], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def settings() -> dict[str, Any]:
    return defaults() | SETTINGS


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one question, one ADR and one gate, which fails."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "t")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "t@example.org")
    root = tmp_path / "repo"
    files = {
        "safety/adr/adr-0000-how.md": text_of(QUESTION, "\n# How?\n"),
        "safety/adr/adr-0001-there.md": text_of(ADR, "\n# There\n"),
        "fixtures/one/fixture.toml": "",
        "tests/differential/test_fixtures.py": SUITE,
        "base": "",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git(root, "init", "-q", "-b", "main")
    commit(root, "base")
    return root


def commit(root: Path, message: str) -> str:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", message)
    return git(root, "rev-parse", "HEAD")


def plan(repo: Path, branch: str, base: str | None = None, disable: Path | None = None) -> validate.Plan:
    return validate.Plan(repo, load(repo)["ADR-0000"], "A", branch, base, disable)


def working_branch(repo: Path, *, without: str | None = None) -> str:
    git(repo, "checkout", "-q", "-b", "proto")
    (repo / "works").write_text("yes\n")
    if without:
        (repo / without).unlink()
    commit(repo, "works")
    git(repo, "checkout", "-q", "main")
    return "proto"


def words() -> emit.Words:
    return emit.Words(title="Here it is", description="By us.", generalization="all", coverage="one")


# --- rules ------------------------------------------------------------------------------------------------------
def faults(repo: Path, **changes: Any) -> list[str]:
    """The violations after changing ADR-0001; keys with `__` reach into fields and links."""
    records = load(repo)
    data = yaml.safe_load(yaml.safe_dump(dict(records["ADR-0001"].data)))
    for key, value in changes.items():
        *outer, last = key.split("__")
        target = data
        for part in outer:
            target = target[part]
        target[last.replace("_", "-")] = value
    records["ADR-0001"] = Record(records["ADR-0001"].path, data, "")
    return list(violations(records, repo))


def test_a_sound_set_has_no_faults(repo: Path) -> None:
    assert faults(repo) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": "accepted"}, "accepted without an oracle"),
        ({"status": "accepted", "links__oracle": "fixtures/one"}, "accepted on the verdict reasoned"),
        ({"status": "accepted"}, "the status is open, and 1 of its ADRs are accepted"),
        ({"links__oracle": "fixtures/two"}, "oracle fixtures/two does not exist"),
        ({"links__oracle": "tests/differential/test_fixtures.py::test_gone"}, "test_gone does not exist"),
        ({"verdict": "confirmed"}, "needs a prototype-branch"),
        ({"links__parent": "ADR-0002"}, "links.parent is not parent"),
        ({"parent": "ADR-0001"}, "the parent ADR-0001 is no design-question"),
        ({"links__alternative_to": ["ADR-0003"]}, "alternative-to is not the other ADRs"),
        ({"links__references": ["meldpy/nowhere.py"]}, "reference meldpy/nowhere.py does not exist"),
        ({"fields__locus_of_fix": "meld"}, "differ in locus-of-fix"),
        ({"id": "ADR-0007"}, "the name does not start with adr-0007-"),
    ],
)
def test_each_rule_is_kept(repo: Path, changes: dict[str, Any], said: str) -> None:
    assert [fault for fault in faults(repo, **changes) if said in fault]


def test_a_gate_that_is_gone_is_a_fault(repo: Path) -> None:
    (repo / "fixtures/one/fixture.toml").unlink()
    assert faults(repo) == ["ADR-0000: gate fixtures/one does not exist"]


def test_the_schema_names_the_field(repo: Path) -> None:
    bad = ADR | {"fields": ADR["fields"] | {"viability": 6}}
    (repo / "safety/adr/adr-0001-there.md").write_text(text_of(bad, "\n# There\n"))
    with pytest.raises(RecordError, match=r"adr-0001-there.md: fields.viability: 6 is greater"):
        load(repo)


def test_check_runs_what_accepted_records_rest_on(repo: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    settings_file = tmp_path / "settings.yaml"
    settings_file.write_text(yaml.safe_dump(settings))
    verdict = verdict_of("confirmed")
    emit.emit(repo, verdict, words(), settings, accept=True)
    args = ["--root", str(repo), "--defaults", str(settings_file)]
    assert CliRunner().invoke(check.main, args).exit_code == 0
    failed = CliRunner().invoke(check.main, [*args, "--run"])
    assert failed.exit_code == 1
    assert "error: fixtures/one failed" in failed.output
    (repo / "works").write_text("")
    assert CliRunner().invoke(check.main, [*args, "--run"]).exit_code == 0


# --- rank -------------------------------------------------------------------------------------------------------
def test_rank_weighs_viability_by_who_must_change(repo: Path, settings: dict[str, Any]) -> None:
    records = load(repo)
    ranked = rank.rank(records["ADR-0000"], records, settings)
    assert [(path.path, path.score, path.viability) for path in ranked] == [
        ("A", 3.0, 3),  # not judged: 3, here: 1.0
        ("B", 1.5, 5),  # its ADR says 5, the spec weighs 0.3
        ("C", 0.0, None),  # ruled out
    ]


def test_rank_of_an_adr_is_refused(repo: Path) -> None:
    result = CliRunner().invoke(rank.main, ["ADR-0001", "--root", str(repo)])
    assert result.exit_code == 1
    assert "ADR-0001 is no design-question; these are: ADR-0000" in result.output


# --- prototype and validate -------------------------------------------------------------------------------------
def test_a_prototype_is_a_branch_with_a_checklist(repo: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    base = git(repo, "rev-parse", "HEAD")
    file = prototype.set_up(repo, load(repo)["ADR-0000"], "A", tmp_path / "a", settings)
    notes = yaml.safe_load(file.read_text())
    assert (notes["base"], notes["gating-fixtures"], notes["blocked"]) == (base, ["fixtures/one"], None)
    assert not any(item["done"] for item in notes["checklist"])
    assert git(repo, "log", "-1", "--format=%s", "explore/adr-0000-a") == "Begin the prototype of path A of ADR-0000"
    (tmp_path / "a/works").write_text("")
    notes["caveats"] = ["only here"]
    file.write_text(yaml.safe_dump(notes))
    commit(tmp_path / "a", "works")
    verdict = validate.validate(plan(repo, "explore/adr-0000-a"), settings)
    assert (verdict["result"], verdict["reason"]) == ("confirmed-with-caveats", "only here")


def test_what_is_blocked_is_not_viable_today(repo: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    file = prototype.set_up(repo, load(repo)["ADR-0000"], "A", tmp_path / "a", settings)
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"blocked": "no engine has it"}))
    commit(tmp_path / "a", "blocked")
    result = CliRunner().invoke(validate.main, ["ADR-0000", "A", "--repo", str(repo)])
    assert result.exit_code == 1
    assert "NOT VIABLE TODAY: no engine has it" in result.output


def test_a_flip_without_a_regression_is_confirmed(repo: Path, settings: dict[str, Any]) -> None:
    verdict = validate.validate(plan(repo, working_branch(repo)), settings)
    assert verdict["result"] == "confirmed"
    assert [(gate["before"], gate["after"]) for gate in verdict["gates"]] == [("failed", "passed")]


def test_a_regression_is_not_confirmed(repo: Path, settings: dict[str, Any]) -> None:
    settings["gates"] = {"fixture": ["sh", "-c", "test -e works"]}
    verdict = validate.validate(plan(repo, working_branch(repo, without="base")), settings)
    assert verdict["result"] == "not-confirmed"
    assert verdict["reason"].startswith("passed before and not after: tests.differential.test_fixtures::test_base")


def renaming_branch(repo: Path, *, also_without: str | None = None) -> str:
    """A branch in which the gate works and the regression test has another name."""
    git(repo, "checkout", "-q", "-b", "proto")
    (repo / "works").write_text("yes\n")
    (repo / "tests/differential/test_fixtures.py").write_text("def test_of_another_name():\n    pass\n")
    if also_without:
        (repo / also_without).unlink()
    commit(repo, "works, renamed")
    git(repo, "checkout", "-q", "main")
    return "proto"


def test_a_renamed_test_is_judged_as_it_was(repo: Path, settings: dict[str, Any]) -> None:
    verdict = validate.validate(plan(repo, renaming_branch(repo)), settings)
    assert (verdict["result"], verdict["regression-tests"]) == ("confirmed", 1)


def test_a_test_that_is_gone_and_would_fail_is_no_pass(repo: Path, settings: dict[str, Any]) -> None:
    settings["gates"] = {"fixture": ["sh", "-c", "test -e works"]}
    verdict = validate.validate(plan(repo, renaming_branch(repo, also_without="base")), settings)
    assert (verdict["result"], verdict["regression-tests"]) == ("not-confirmed", 0)


def test_a_replay_compares_with_the_patched_branch(repo: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    branch = working_branch(repo)
    off = tmp_path / "off.patch"
    off.write_text(git(repo, "diff", branch, "main") + "\n")
    verdict = validate.validate(plan(repo, branch, disable=off), settings)
    assert (verdict["result"], verdict["disabled-by"]) == ("confirmed", "off.patch")
    assert verdict["base"] == verdict["commit"]


def test_a_gate_that_passes_before_proves_nothing(repo: Path, settings: dict[str, Any]) -> None:
    (repo / "works").write_text("")
    commit(repo, "works already")
    verdict = validate.validate(plan(repo, "main", base="main"), settings)
    assert (verdict["result"], verdict["reason"]) == ("not-confirmed", "fixtures/one: passed before, passed after")


def test_a_gate_that_is_broken_before_proves_nothing(repo: Path, settings: dict[str, Any]) -> None:
    git(repo, "checkout", "-q", "-b", "odd")
    (repo / "base").unlink()
    base = commit(repo, "the gate cannot run here")
    git(repo, "checkout", "-q", "main")
    verdict = validate.validate(plan(repo, working_branch(repo), base=base), settings)
    assert (verdict["result"], verdict["reason"]) == ("not-confirmed", "fixtures/one: broken before, passed after")


def test_a_replay_by_its_patches_compares_with_the_patched_branch(repo: Path, settings: dict[str, Any]) -> None:
    settings["gates"] = {"fixture": ["grep", "-q", "yes", "works"]}
    replay = Replay("one", "it works", "no", "no", (Patch("works", "yes", "no"),))
    branch = working_branch(repo)
    verdict = validate.validate(validate.Plan(repo, load(repo)["ADR-0000"], "A", branch, replay=replay), settings)
    assert (verdict["result"], verdict["disabled-by"]) == ("confirmed", "safety/adr/replays.toml, one")
    assert verdict["base"] == verdict["commit"]


def test_only_one_way_to_compare(repo: Path) -> None:
    result = CliRunner().invoke(validate.main, ["ADR-0000", "A", "--repo", str(repo), "--base", "x", "--replay", "y"])
    assert (result.exit_code, "exclude each other" in result.output) == (2, True)


def test_a_fixture_that_cannot_be_read_is_broken(repo: Path, settings: dict[str, Any]) -> None:
    settings["gates"] = {"fixture-ready": ["sh", "-c", "echo {name} is odd; exit 1"], "fixture": ["false"]}
    assert run_gate("fixtures/one", repo, settings) == Ran(Outcome.BROKEN, "exit code 1: one is odd")
    settings["gates"]["fixture-ready"] = ["true"]
    assert run_gate("fixtures/one", repo, settings).outcome is Outcome.FAILED


def test_the_default_gates_run_fixtures_by_meld() -> None:
    assert run_gate("fixtures/donut", ROOT, defaults()) == Ran(Outcome.PASSED, "")
    gone = run_gate("fixtures/gone", ROOT, defaults())
    assert gone.outcome is Outcome.BROKEN
    assert "there is no fixture 'gone'" in gone.says


def test_a_gate_without_an_end_is_broken(repo: Path, settings: dict[str, Any]) -> None:
    slow = settings | {"gates": {"fixture": ["sleep", "60"]}, "gate-timeout": 0.1}
    assert run_gate("fixtures/one", repo, slow).outcome is Outcome.BROKEN


@pytest.mark.parametrize(
    ("flips", "suite", "caveats", "result"),
    [
        ([True, True], validate.Suite(3, [], []), [], "confirmed"),
        ([True, False], validate.Suite(3, [], []), [], "confirmed-with-caveats"),
        ([True], validate.Suite(3, [], ["t"]), [], "confirmed-with-caveats"),
        ([True], validate.Suite(3, [], []), ["slow"], "confirmed-with-caveats"),
        ([True], validate.Suite(0, [], []), [], "not-confirmed"),
        ([True], validate.Suite(3, ["t"], []), [], "not-confirmed"),
        ([False], validate.Suite(3, [], []), [], "not-confirmed"),
    ],
)
def test_verdicts(flips: list[bool], suite: validate.Suite, caveats: list[str], result: str) -> None:
    gates = [validate.Gate("fixtures/one", "failed", "passed" if flip else "failed", "") for flip in flips]
    assert validate.judge(gates, suite, caveats, None)[0] == result


# --- emit -------------------------------------------------------------------------------------------------------
def verdict_of(result: str, path: str = "A") -> dict[str, Any]:
    gate = {"gate": "fixtures/one", "before": "failed", "after": "passed", "because": "refused | by name"}
    return {
        "question": "ADR-0000",
        "path": path,
        "result": result,
        "reason": "so it is",
        "branch": "proto",
        "commit": "1" * 40,
        "base": "0" * 40,
        "disabled-by": None,
        "gates": [gate],
        "regression-tests": 1,
    }


def snapshot(repo: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (repo / ADR_FOLDER).iterdir()}


def test_a_new_adr_is_linked_from_everywhere(repo: Path, settings: dict[str, Any]) -> None:
    file = emit.emit(repo, verdict_of("confirmed"), words(), settings)
    assert file.name == "adr-0002-here-it-is.md"
    records = load(repo)
    assert list(violations(records, repo)) == []
    adr = records["ADR-0002"].data
    assert (adr["status"], adr["verdict"], adr["fields"]["viability"]) == ("draft", "confirmed", 5)
    assert (adr["links"]["oracle"], adr["links"]["alternative-to"]) == ("fixtures/one", ["ADR-0001"])
    assert records["ADR-0001"].data["links"]["alternative-to"] == ["ADR-0002"]
    assert records["ADR-0000"].design_path("A")["adr"] == "ADR-0002"
    assert "| `fixtures/one` | failed | passed | refused / by name |" in records["ADR-0002"].body


def test_accepting_answers_the_question(repo: Path, settings: dict[str, Any]) -> None:
    emit.emit(repo, verdict_of("confirmed-with-caveats"), words(), settings, accept=True)
    assert load(repo)["ADR-0000"].data["status"] == "answered"


def test_a_second_accepted_adr_is_refused_and_nothing_written(repo: Path, settings: dict[str, Any]) -> None:
    emit.emit(repo, verdict_of("confirmed"), words(), settings, accept=True)
    before = snapshot(repo)
    with pytest.raises(RecordError, match="more than one accepted ADR: ADR-0001, ADR-0002"):
        emit.emit(repo, verdict_of("confirmed", "B"), emit.Words(), settings, accept=True, replace=True)
    assert snapshot(repo) == before


def test_what_was_not_confirmed_cannot_be_accepted(repo: Path, settings: dict[str, Any]) -> None:
    before = snapshot(repo)
    with pytest.raises(RecordError, match="accepted on the verdict not-confirmed"):
        emit.emit(repo, verdict_of("not-confirmed"), words(), settings, accept=True)
    assert snapshot(repo) == before
    emit.emit(repo, verdict_of("not-confirmed"), words(), settings)
    assert load(repo)["ADR-0002"].data["status"] == "rejected"


def test_replacing_keeps_the_text_and_renews_the_evidence(repo: Path, settings: dict[str, Any]) -> None:
    for _ in range(2):
        file = emit.emit(repo, verdict_of("confirmed", "B"), emit.Words(viability=4), settings, replace=True)
    text = file.read_text()
    assert text.count("# There\n") == text.count("## Evidence") == 1
    assert load(repo)["ADR-0001"].data["fields"]["viability"] == 4


def test_an_existing_adr_is_not_replaced_by_accident(repo: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(RecordError, match="path B has ADR-0001"):
        emit.emit(repo, verdict_of("confirmed", "B"), words(), settings)


def test_a_new_adr_needs_its_words(repo: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(RecordError, match="a new ADR needs --description, --generalization, --coverage"):
        emit.emit(repo, verdict_of("confirmed"), emit.Words(), settings)


def test_the_command_prints_where_the_adr_is(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "verdict.yaml").write_text(yaml.safe_dump(verdict_of("confirmed")))
    given = ["--title", "Here", "--description", "By us.", "--generalization", "all", "--coverage", "one"]
    result = CliRunner().invoke(emit.main, [str(tmp_path / "verdict.yaml"), "--root", str(repo), *given])
    assert (result.exit_code, result.output) == (0, "safety/adr/adr-0002-here.md\n")
