"""Logs as lines of JSON: what modules say, and what happens to them. The logger is `meldpy.host`."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import final


@final
class JsonLines(logging.Formatter):
    """time, level, event (log, died, dead-letter, job), module, text; and the exception, if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "host"),
            "module": getattr(record, "module_name", None),
            "text": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
