"""Reads many files, each in a forked child that limits itself as the real one does: `python read_many.py FOLDER`.

In FOLDER, each file is read under its own name into <file>.made/; what it told goes into <file>.told, and how it
ended is one JSON line a file on standard output.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import fastexcel  # noqa: F401  imported once for all, as most of a child's time is imports
import polars  # noqa: F401
import pyarrow.parquet  # noqa: F401

from studio.data import child, conll, delimited, jsonrows, limits, po, profile  # noqa: F401


def main(folder: Path) -> None:
    limits.SECONDS = 10
    for path in sorted(folder.iterdir()):
        made = folder / f"{path.name}.made"
        made.mkdir()
        pid = os.fork()
        if not pid:
            told = os.open(folder / f"{path.name}.told", os.O_WRONLY | os.O_CREAT, 0o600)
            os.dup2(told, 1)
            try:
                child.main(str(made), path.name, str(path), path.name)
                sys.stdout.flush()
                os._exit(0)
            except BaseException:
                sys.excepthook(*sys.exc_info())
                sys.stderr.flush()
            os._exit(1)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(json.dumps([path.name, status]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
