"""`python -m tests.errors [PYTEST ARGUMENT…]`: runs tests, and writes into the table which of them reach the sites that
have no witness yet. Rows whose site is gone are left out; a site that nothing reached is printed.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Generator
from typing import Any

import pytest

from tests.support import witnesses
from tests.support.errorsites import recorded, sites, sources


class Recorder:
    """found: by file and name of the site, the best test so far: one that shows a place before one that does not,
    then the quickest."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], tuple[bool, float, str]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        begin = time.monotonic()
        with recorded() as seen:
            result = yield
        took = time.monotonic() - begin
        for site, error in seen:
            offered = (not witnesses.is_placed(site, error), took, item.nodeid)
            key = (site.file, site.name)
            self.found[key] = min(offered, self.found.get(key, offered))
        return result


def main() -> int:
    recorder = Recorder()
    pytest.main([*sys.argv[1:], "-q", "-p", "no:cacheprovider"], plugins=[recorder])
    witnesses.table.cache_clear()  # another run may have written meanwhile
    known = witnesses.table()
    head = "# Which test reaches which error. Written by `python -m tests.errors`; the exceptions at the end by hand."
    lines = [head, ""]
    missing = 0
    for file in sources():
        rows = []
        for site in sites(file):
            test = known.get(file, {}).get(site.name)
            if test is not None and not witnesses.is_there(test):
                test = None
            if test is None and (file, site.name) in recorder.found:
                test = recorder.found[file, site.name][2]
            if test is not None:
                rows.append(f"{_quoted(site.name)} = {_quoted(test)}")
            elif site.kind != "InternalError":
                missing += 1
                print(f"not reached: {file}:{site.end[0]}: {site.name}")
        if rows:
            lines += [f"[reached.{_quoted(file)}]", *rows, ""]
    text = witnesses.TABLE.read_text()
    witnesses.TABLE.write_text("\n".join(lines) + text[text.index("# --- exceptions") :])
    return int(missing > 0)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


if __name__ == "__main__":
    raise SystemExit(main())
