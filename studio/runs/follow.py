"""Waits for a run and tells what happens meanwhile; for the command line and for Python."""

from __future__ import annotations

import time
from collections.abc import Callable

from studio.runs.desk import Desk
from studio.runs.journal import Record
from studio.runs.view import RunView

PAUSE = 0.3


def follow(desk: Desk, run: str, tell: Callable[[RunView, list[Record]], None]) -> RunView:
    """Wait until `run` has ended; `tell` hears the run as it stands and the events that are new.

    Somebody has to lead: call `desk.supervise` first unless a server is known to run.
    """
    cursor = ""
    while True:
        view = desk.get(run)
        events, cursor, _ = desk.events(run, cursor)
        tell(view, events)
        if not view.active:
            return view
        time.sleep(PAUSE)
