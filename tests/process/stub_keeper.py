"""The real keeper without its heavy imports, whose workers do the stub's work."""

import os
from pathlib import Path

from studio.runs import forking
from studio.runs.keeper import main

if __name__ == "__main__":
    if "STUB_OOM_KILLS" in os.environ:
        # The kernel's counter of a control group cannot be raised by a test.
        forking.oom_kills = lambda: int(Path(os.environ["STUB_OOM_KILLS"]).read_text())
    main("stub_keeper", preload=(), extra={"train": "stub_work:main"})
