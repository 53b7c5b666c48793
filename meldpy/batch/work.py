"""What a worker does: one fuse, with its self-check. A failure is a result like another."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from meldpy.batch.model import Done, Failed, Job, Result
from meldpy.errors import FileError, MeldError, as_meld_error
from meldpy.options import FuseInput


def from_files(job: Job) -> Result:
    """The job, with inputs from the files that they came from."""
    try:
        blobs = [_read(source.path, source.sha256) for source in job.sources]
    except MeldError as error:
        return Failed(job.key, error)
    return work(job, blobs)


def work(job: Job, blobs: Sequence[bytes]) -> Result:
    """The job, with the bytes of its inputs in their order."""
    from meldpy.pipeline import fuse

    began = perf_counter()
    inputs = [
        FuseInput(source.name, source.path, data, source.given) for source, data in zip(job.sources, blobs, strict=True)
    ]
    try:
        result = fuse(inputs, job.options)
        if job.scenario is not None:
            _self_check(job, inputs, result.bytes)
    except Exception as error:  # one job's failure, be it a defect of ours, is told as what it is, and ends no other
        return Failed(job.key, as_meld_error(error), perf_counter() - began)
    report = result.report
    beside = dict(result.beside)
    return Done(job.key, result.bytes, beside, report.call_sites, len(report.kept), perf_counter() - began)


def _self_check(job: Job, inputs: Sequence[FuseInput], fused: bytes) -> None:
    from meldpy.comparison import load
    from meldpy.comparison.selfcheck import check

    assert job.scenario is not None
    name, text = job.scenario
    with TemporaryDirectory(prefix="meld-") as folder:
        file = Path(folder) / "scenario.toml"
        file.write_text(text, encoding="utf-8")
        check(inputs, job.options, fused, load(file), name)


def _read(path: str, wanted: str) -> bytes:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    if sha256(data).hexdigest() != wanted:
        raise FileError(f"{path} has changed since the batch began", remedy="run the batch again")
    return data
