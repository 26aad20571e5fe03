"""The data process: `python -m studio.data.answering`, a limited child that answers `studio.data.queries`.

A question is a JSON line on standard input, [name, arguments]; the answer a line on standard output, {"answer": ...} or
{"error": code, "values": {...}}. It ends with its input, or after nobody has asked for a while.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import select
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio import child
from studio.data import charted, checks, correcting, limits, paging
from studio.data.paging import View
from studio.data.store import DataVersion, load_version
from studio.data.threads import earlier_of
from studio.errors import UserError
from studio.spec import Split

log = logging.getLogger(__name__)
IDLE = 600.0
"""Seconds without a question after which what it remembers is not worth its memory."""


def page(folder: str, offset: int, limit: int, view: dict[str, Any]) -> Any:
    return paging.page(_version(folder), offset, limit, View(**view))


def count(folder: str, view: dict[str, Any]) -> Any:
    return paging.count(_version(folder), View(**view))


def check(folder: str, task: str, columns: dict[str, str], split: dict[str, Any]) -> Any:
    found = checks.check(_version(folder), task, columns, Split(**split))
    return [problem.to_json() for problem in found]


def shares(folder: str, task: str, columns: dict[str, str], split: dict[str, Any]) -> Any:
    return dataclasses.asdict(checks.shares(_version(folder), task, columns, Split(**split)))


def label_counts(folder: str, column: str, most: int | None) -> Any:
    return charted.label_counts(_version(folder), column, most)


def length_histogram(folder: str, task: str, columns: dict[str, str]) -> Any:
    return charted.length_histogram(_version(folder), task, columns)


def earlier(folder: str, columns: dict[str, str], places: list[int], most: int) -> Any:
    return earlier_of(_version(folder), columns, places, most)


def label_words(folder: str, task: str, columns: dict[str, str]) -> Any:
    return charted.label_words(_version(folder), task, columns)


def opened(folder: str, task: str, columns: dict[str, str], row: int, cells: dict[str, str]) -> Any:
    return correcting.opened(_version(folder), task, columns, row, cells)


def corrected(
    folder: str, task: str, columns: dict[str, str], row: int, cells: dict[str, str], wish: dict[str, Any]
) -> Any:
    return correcting.corrected(_version(folder), task, columns, row, cells, wish)


QUESTIONS: dict[str, Callable[..., Any]] = {
    work.__name__: work
    for work in (page, count, check, shares, label_counts, label_words, length_histogram, opened, corrected, earlier)
}


def _version(folder: str) -> DataVersion:
    found = load_version(Path(folder))
    if found is None:
        raise UserError("data_unknown", version=Path(folder).name)
    return found


def answer(line: str) -> dict[str, Any]:
    """The answer to a line. What a person can mend is an answer too; a bug is logged and named."""
    try:
        name, arguments = json.loads(line)
        return {"answer": QUESTIONS[name](*arguments)}
    except UserError as error:
        return {"error": error.code, "values": error.values}
    except MemoryError:
        raise
    except Exception as error:
        log.exception("a question about data failed")
        return {"bug": f"{type(error).__name__}: {error}"[:300]}


def main() -> None:
    """Limit this process, then answer until nobody asks any more."""
    import resource

    child.limit(memory=limits.MEMORY, file_bytes=limits.OUTPUT_BYTES)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.basicConfig(level=logging.WARNING)
    lines = os.fdopen(0, "rb", buffering=0)
    rest = b""
    while True:
        ready, _, _ = select.select([lines], [], [], IDLE)
        chunk = lines.read(2**16) if ready else b""
        if not chunk:
            return
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            sys.stdout.write(json.dumps(answer(line.decode()), ensure_ascii=True) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
