"""The loaded kernel: failures of its sandbox, and use from several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from meldpy.errors import InternalError, LimitError
from meldpy.kernel.loader import kernel
from meldpy.kernel.reindex import reindex
from tests.support.code_samples import index_maps, sample, shift


def test_the_kernel_is_loaded_once() -> None:
    assert kernel() is kernel()


def test_a_trap_is_our_defect_and_leaves_the_kernel_usable() -> None:
    with pytest.raises(InternalError, match="encode"):
        kernel().call("encode", 0, 1, -16, 0)
    assert reindex(b"\x02\x00\x0b", 1, index_maps(shift(0))).bodies == b"\x02\x00\x0b"


def test_more_memory_than_there_can_be_is_a_limit() -> None:
    for size in (2**32 + 1, 2**50):
        with pytest.raises(LimitError):
            kernel().reserve(size)


def test_threads_do_not_disturb_each_other() -> None:
    part, amounts = sample(0), [0, 90] * 4
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda by: reindex(part.bodies, part.count, index_maps(shift(by))).bodies, amounts))
    assert results == [sample(by).bodies for by in amounts]
