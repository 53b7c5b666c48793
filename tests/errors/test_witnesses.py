"""Every error that meldpy can make is reached by a test, and says where and what to do.

The sources are searched for all places that make one (`support/errorsites`). `witnesses.toml` names for each the test
that reaches it; when that test runs, `support/witnesses` checks that it does, and what the error says. A new error
without a row fails here: write a test that reaches it (or a case of one of those in this folder), and run
`python -m tests.errors PATH-OF-THE-TEST`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from meldpy.errors import DecodeError, InternalError, LinkError, Location, MeldError, UsageError
from tests.support.errorsites import Site, recorded, sites, sources
from tests.support.witnesses import exempt, faults, is_there, table

SITES = {(file, site.name): site for file in sources() for site in sites(file)}


def rows(*tables: str) -> Iterator[tuple[str, str]]:
    for name in tables:
        yield from ((file, site) for file, row in exempt(name).items() for site in row)


def test_every_error_but_a_defect_of_ours_has_a_witness() -> None:
    told = set(rows("reached"))
    assert [key for key, site in SITES.items() if key not in told and site.kind != "InternalError"] == []


def test_no_row_is_about_an_error_that_is_gone() -> None:
    assert [key for key in rows("reached", "nowhere") if key not in SITES] == []


def test_every_exception_has_a_reason() -> None:
    reasons = [why for row in exempt("nowhere").values() for why in row.values()]
    assert [why for why in reasons if len(why) < 20] == []


def test_every_witness_is_a_test_that_always_runs() -> None:
    assert [test for row in table().values() for test in row.values() if not is_there(test)] == []


def test_a_defect_of_ours_asks_for_a_report() -> None:
    assert "report" in InternalError("x").advice


# --- the means themselves ---------------------------------------------------------------------------------------------
NO_INPUT = ("meldpy/pipeline.py", "fuse: there is nothing to fuse")


def nothing_to_fuse() -> list[tuple[Site, MeldError]]:
    import meldpy

    with recorded() as seen, pytest.raises(UsageError):
        meldpy.fuse([])
    return seen


def test_what_is_made_is_seen_where_it_is_made() -> None:
    ((site, error),) = nothing_to_fuse()
    assert (site.file, site.name) == NO_INPUT
    assert error.reason == "there is nothing to fuse"


def test_what_is_raised_through_a_maker_is_seen_where_it_is_raised() -> None:
    from meldpy.binary.decode import decode_component

    with recorded() as seen, pytest.raises(DecodeError):
        decode_component(b"\0asm\x0d\0\1\0\xff", "x")
    assert {site.kind for site, _ in seen} >= {"error", "DecodeError"}


def test_a_witness_that_reaches_nothing_is_told() -> None:
    assert faults([NO_INPUT], []) == [": ".join((*NO_INPUT, "was not reached"))]


def test_an_error_without_a_place_or_a_remedy_is_told() -> None:
    site = Site("meldpy/x.py", "f: it broke", "LinkError", True, (1, 1))
    key = [(site.file, site.name)]
    assert "no place" in "".join(faults(key, [(site, LinkError("it broke"))]))
    placed = LinkError("it broke", Location("x"))
    assert faults(key, [(site, placed)]) == []
    assert "nothing of what to do" in "".join(faults(key, [(site, LinkError("it broke", Location("x"), remedy=""))]))
