"""Where `definitions.py` is: in a checkout of the spec's repository that $MELDPY_SPEC names, or in the cache directory.

Nothing is downloaded here: `git clone` the repository WebAssembly/component-model there, once.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

from meldpy.fixture.tools import cache_directory

_FILE = Path("design/mvp/canonical-abi/definitions.py")


@cache
def definitions() -> ModuleType:
    """The module. Raises FileNotFoundError."""
    checkout = Path(os.environ.get("MELDPY_SPEC", cache_directory() / "component-model"))
    if not (checkout / _FILE).exists():
        raise FileNotFoundError(f"{checkout / _FILE}: clone WebAssembly/component-model there, or set MELDPY_SPEC")
    spec = importlib.util.spec_from_file_location("component_model_definitions", checkout / _FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
