"""The host for programs on asyncio: the same things, awaited. Calls of modules do not occupy a thread while they wait
for their turn; what takes long for other reasons (fusing, compiling, swapping) goes to one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, final

from meldpy.host.faults import StateError
from meldpy.host.handles import Job, Module
from meldpy.host.host import Host
from meldpy.host.jobs.store import JobRow
from meldpy.host.module import Envelope


@final
class AsyncModule:
    """See `handles.Module`."""

    def __init__(self, module: Module) -> None:
        self.sync = module
        self.name = module.name

    async def execute(self, command: str, payload: bytes = b"", *, deadline: float | None = None) -> bytes:
        return await asyncio.wrap_future(self.sync.execute_future(command, payload, deadline=deadline))

    async def call(self, function: str, *arguments: object, deadline: float | None = None) -> Any:
        return await asyncio.wrap_future(self.sync.call_future(function, *arguments, deadline=deadline))

    async def send(self, topic: str, payload: bytes) -> None:
        await asyncio.to_thread(self.sync.send, topic, payload)

    async def request(self, topic: str, payload: bytes = b"", *, timeout: float = 5.0) -> bytes:
        return await asyncio.to_thread(self.sync.request, topic, payload, timeout=timeout)

    async def unload(self) -> None:
        await asyncio.to_thread(self.sync.unload)

    async def job(self, command: str, payload: bytes = b"") -> AsyncJob:
        return AsyncJob(await asyncio.to_thread(self.sync.job, command, payload))

    async def call_job(self, call: str) -> AsyncJob:
        return AsyncJob(await asyncio.to_thread(self.sync.call_job, call))


@final
class AsyncJob:
    """See `handles.Job`."""

    def __init__(self, job: Job) -> None:
        self.sync = job

    async def wait(self, timeout: float | None = None) -> JobRow:
        return await asyncio.to_thread(self.sync.wait, timeout)


@final
class AsyncHost:
    """See `host.Host`, whose parameters it takes."""

    def __init__(self, folder: str | Path | None = None, **options: Any) -> None:
        self._folder, self._options = folder, options
        self._host: Host | None = None

    @property
    def sync(self) -> Host:
        """The host itself. StateError outside of `async with`."""
        if self._host is None:
            raise StateError("the host is not open")
        return self._host

    async def __aenter__(self) -> AsyncHost:
        self._host = await asyncio.to_thread(Host, self._folder, **self._options)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.sync.close)

    async def load(self, source: str | Path, version: str | None = None) -> AsyncModule:
        return AsyncModule(await asyncio.to_thread(self.sync.load, source, version))

    async def reload(self, name: str, version: str | None = None) -> float:
        return await asyncio.to_thread(self.sync.reload, name, version)

    async def unload(self, name: str) -> None:
        await asyncio.to_thread(self.sync.unload, name)

    async def publish(self, topic: str, payload: bytes) -> None:
        await asyncio.to_thread(self.sync.bus.publish, topic, payload)

    async def listen(self, *patterns: str) -> AsyncIterator[Envelope]:
        """Messages of topics, until the iteration is left."""
        with self.sync.bus.subscribe(*patterns) as subscription:
            while True:
                try:
                    yield await asyncio.to_thread(subscription.get)
                except StateError:
                    return
