"""Loading the library, and the checks of its table before anything of it is called.

The host has looked at the file already (`meldpy.host.native.elf`); what is checked here needs the table itself: that it
is one, of our major version, as long as this minor version needs it, with all that must be there. A refusal says what
the library has and what the host wants.
"""

from __future__ import annotations

import ctypes

from . import abi

# what a type checker takes for true, without an import that every start of a module would pay for
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Final

_NEEDED: Final = abi.Module.extension.offset + abi.Module.extension.size
"""Bytes of the table in version 1.0, which is the shortest there is."""
_MOST_TEXTS: Final = 10_000


class Refused(Exception):
    """This library is not a module for this host; the text says why."""


def open_table(path: str) -> abi.Module:
    """The module's table. Raises Refused. The library is never closed again."""
    try:
        library = ctypes.CDLL(path)
        entry = getattr(library, abi.ENTRY)
    except OSError as failure:
        raise Refused(f"the system's loader refuses it: {failure}") from None
    except AttributeError:
        raise Refused(f"it does not export {abi.ENTRY}") from None
    entry.restype = ctypes.c_void_p
    entry.argtypes = [ctypes.c_uint32, ctypes.c_uint32, ctypes.POINTER(ctypes.c_char_p)]
    why = ctypes.c_char_p()
    address = entry(abi.MAJOR, abi.MINOR, ctypes.byref(why))
    if not address:
        text = (why.value or b"it does not say why").decode(errors="replace")
        raise Refused(f"it does not serve version {abi.MAJOR}.{abi.MINOR} of the ABI: {text}")
    head = abi.Head.from_address(address)
    if head.magic != abi.MAGIC:
        raise Refused(f"its table begins with {head.magic:#010x} instead of {abi.MAGIC:#010x}")
    if head.major != abi.MAJOR:
        raise Refused(f"its table has version {head.major}.{head.minor} of the ABI; this host has {abi.MAJOR}")
    if head.size < _NEEDED:
        raise Refused(
            f"its table has {head.size} bytes; version {head.major}.{head.minor} of the ABI has at least {_NEEDED}"
        )
    table = abi.Module.from_address(address)
    missing = [name for name in ("name", "version", "create", "destroy", "execute") if not getattr(table, name)]
    if missing:
        raise Refused(f"its table has no {', '.join(missing)}")
    keeps = bool(table.flags & abi.MODULE_KEEPS_STATE)
    if keeps != bool(table.get_state) or keeps != bool(table.restore_state):
        raise Refused("its flags and its get_state and restore_state do not say the same about keeping state")
    return table


def texts(array: ctypes._Pointer[ctypes.c_char_p]) -> list[bytes]:
    """A list of texts that ends with a null. Raises Refused if it does not end."""
    found: list[bytes] = []
    if array:
        for index in range(_MOST_TEXTS):
            text = array[index]
            if text is None:
                return found
            found.append(text)
        raise Refused(f"a list in its table has more than {_MOST_TEXTS} texts, or no end")
    return found
