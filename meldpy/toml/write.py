"""Text as TOML has it. Spec: TOML 1.0 "String"."""

from __future__ import annotations

import json


def basic_string(text: str) -> str:
    """A basic string; JSON's escapes are TOML's, but for DEL, which TOML wants escaped too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
