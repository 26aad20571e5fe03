"""peft as the studio imports it: importing this module imports peft, without bitsandbytes where that is installed.

peft imports bitsandbytes wherever it is, and that brings torch's compiler along: five seconds and 200 MB in every
process, for layers that only quantised models have. `see_quantised` lets peft find it once there is such a model.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

_LIBRARY = "bitsandbytes"


def _looks() -> tuple[Any, Any]:
    """How peft looks whether it is there; each remembers its answer."""
    found = importlib.import_module("peft.import_utils")
    return found.is_bnb_available, found.is_bnb_4bit_available


def _import() -> None:
    modules: dict[str, Any] = sys.modules
    hidden = "peft" not in modules and _LIBRARY not in modules
    if hidden:
        modules[_LIBRARY] = None  # what Python reads as: not installed
    try:
        importlib.import_module("peft")
        for look in _looks():
            look()
    finally:
        if hidden:
            del modules[_LIBRARY]


def see_quantised() -> None:
    """Have peft look again."""
    for look in _looks():
        look.cache_clear()


_import()
