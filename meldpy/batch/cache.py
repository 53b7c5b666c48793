"""What was done before, by key: a folder for each result, put in its place in one step and checked when it is read."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Final, final

from meldpy.batch.model import Done
from meldpy.errors import FileError
from meldpy.kept import cache_folder

_RESULT: Final = "result.json"
_OUTPUT: Final = "output"


def default_folder() -> Path:
    """Where results are kept unless somebody says otherwise."""
    return Path(cache_folder()) / "batch"


@final
class Cache:
    """A folder of results. It may be shared by runs at the same time, and deleted at any time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> Done | None:
        """The result, if it is there and whole."""
        place = self._place(key)
        try:
            told = json.loads((place / _RESULT).read_text())
            data = (place / _OUTPUT).read_bytes()
            beside = {name: (place / f"beside-{at}").read_bytes() for at, name in enumerate(told["beside"])}
            if told["sums"] != [_sum(data), *map(_sum, beside.values())]:
                return None  # somebody changed a file
            return Done(key, data, beside, int(told["call_sites"]), int(told["kept"]), float(told["seconds"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, done: Done) -> None:
        """Keep a result. Raises FileError."""
        place = self._place(done.key)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            made = Path(mkdtemp(prefix=".new-", dir=place.parent))
        except OSError as error:
            raise FileError(
                f"cannot write the cache {self.folder}: {error.strerror or error}",
                remedy="choose another folder with --cache, or --no-cache",
            ) from error
        try:
            (made / _OUTPUT).write_bytes(done.data)
            for at, content in enumerate(done.beside.values()):
                (made / f"beside-{at}").write_bytes(content)
            told = {
                "beside": list(done.beside),
                "sums": [_sum(done.data), *map(_sum, done.beside.values())],
                "call_sites": done.call_sites,
                "kept": done.kept,
                "seconds": done.seconds,
            }
            (made / _RESULT).write_text(json.dumps(told))
            if place.exists():
                shutil.rmtree(place)
            made.rename(place)
        except OSError:
            # Another run was quicker, or the disk is full: the result is in our hands either way.
            shutil.rmtree(made, ignore_errors=True)

    def _place(self, key: str) -> Path:
        return self.folder / key[:2] / key[2:]


def _sum(data: bytes) -> str:
    return sha256(data).hexdigest()
