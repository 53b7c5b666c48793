"""What a native module asks of the host: a packet becomes one call of `Services`, its outcome the reply.

The same `Services` as for WebAssembly modules, so a grant, a full mailbox or a paused job means the same. A refusal is
a code and a text for the module. What is `fatal` (a job paused at its checkpoint) is no answer but the end of the call,
and goes through; so does a defect of the host's.
"""

from __future__ import annotations

import struct
from typing import final

from meldpy.host.faults import FailureCode, HostError
from meldpy.host.module import Level, Services
from meldpy.host.native.worker import abi, wire
from meldpy.records import dataclass

CODES = {code: getattr(abi, f"E_{code.name}") for code in FailureCode}
"""`MELD_E_…` of each failure code."""
_LEVELS = tuple(Level)


@final
@dataclass(frozen=True, slots=True)
class Reply:
    code: int
    parts: tuple[bytes, ...] = ()
    a: int = 0


def level(number: int) -> Level:
    """What a module calls a level; unknown ones are errors, which nobody overlooks."""
    return _LEVELS[number] if 0 <= number < len(_LEVELS) else Level.ERROR


def serve(services: Services, packet: wire.Packet, parts: list[bytes]) -> Reply:
    """Raises wire.Malformed for a packet that is no call, and what is fatal."""
    try:
        return _answer(services, packet, parts)
    except HostError as failure:
        if failure.fatal:
            raise
        return Reply(CODES[failure.code], (failure.reason.encode(errors="replace")[: wire.INLINE],))
    except UnicodeDecodeError:
        return Reply(abi.E_ARGUMENT, (b"a text is not UTF-8",))


def _answer(services: Services, packet: wire.Packet, parts: list[bytes]) -> Reply:
    match packet.kind, parts:
        case wire.PUBLISH, [topic, payload]:
            services.publish(topic.decode(), payload)
        case wire.SEND, [to, topic, payload]:
            services.send(to.decode(), topic.decode(), payload)
        case wire.REQUEST, [to, topic, payload]:
            return Reply(abi.OK, (services.request(to.decode(), topic.decode(), payload, packet.a / 1e9),))
        case wire.PROGRESS, [text]:
            services.report_progress(packet.a, packet.b, text.decode())
        case wire.CHECKPOINT, [data]:
            services.checkpoint(data)
        case wire.LAST_CHECKPOINT, []:
            return _perhaps(services.last_checkpoint())
        case wire.IS_CANCELLED, []:
            return Reply(abi.OK, (), int(services.is_cancelled()))
        case wire.LOG_LINE, [text]:
            services.log_line(text.decode())
        case wire.METRIC, [name, value] if len(value) == 8:
            services.metric(name.decode(), struct.unpack("<d", value)[0])
        case wire.KV_GET, [key]:
            return _perhaps(services.kv_get(key.decode()))
        case wire.KV_SET, [key, value]:
            services.kv_set(key.decode(), value)
        case wire.KV_DELETE, [key]:
            services.kv_delete(key.decode())
        case wire.KV_KEYS, [prefix]:
            keys = services.kv_keys(prefix.decode())
            return Reply(abi.OK, (wire.pack_texts([key.encode() for key in keys]),))
        case _:
            raise wire.Malformed(f"a packet of kind {packet.kind} with {len(parts)} parts")
    return Reply(abi.OK)


def _perhaps(value: bytes | None) -> Reply:
    return Reply(abi.OK, (value or b"",), int(value is not None))
