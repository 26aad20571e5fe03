"""Which process works on the queue: one row in the database, fenced by a generation that only grows.

A candidate takes over when the holder's process on this machine is provably gone, or when its beat has not changed
for `PATIENCE` seconds of the candidate's own steady clock, so that a jumping wall clock decides nothing.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError

from studio.runs import process
from studio.runs.store import Store
from studio.runs.tables import leader

BEAT = 2.0
PATIENCE = 10.0
_NAME = "supervisor"


class Leadership:
    """One candidate. `lead` is called again and again by one thread; `fence` goes with every change of a job."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self.store = store
        self.clock = clock
        self.holder = secrets.token_hex(8)
        self.generation = 0
        self._beaten = -BEAT
        self._seen: tuple[str, int, int] | None = None
        self._since = 0.0

    @property
    def fence(self) -> tuple[str, int]:
        """(holder, generation) to be checked in the same statement as the change it guards."""
        return self.holder, self.generation

    def lead(self) -> bool:
        """Whether this process leads now; beats when it does, and takes an empty or abandoned place."""
        if self.generation:
            if self.clock() - self._beaten < BEAT:
                return True
            if self._beat():
                return True
            self.generation = 0
        return self._try()

    def resign(self) -> None:
        """Leave the place empty for the next."""
        if self.generation:
            with self.store.writing() as connection:
                where = (leader.c.name == _NAME, leader.c.holder == self.holder)
                connection.execute(leader.update().where(*where).values(holder="", process="{}"))
            self.generation = 0

    def _beat(self) -> bool:
        where = (leader.c.name == _NAME, leader.c.holder == self.holder, leader.c.generation == self.generation)
        with self.store.writing() as connection:
            kept = connection.execute(leader.update().where(*where).values(beat=leader.c.beat + 1)).rowcount == 1
        self._beaten = self.clock()
        return kept

    def _try(self) -> bool:
        with self.store.reading() as connection:
            row = connection.execute(sa.select(leader).where(leader.c.name == _NAME)).one_or_none()
        if row is None:
            return self._take(None)
        return self._abandoned(row) and self._take(row)

    def _abandoned(self, row: Row[Any]) -> bool:
        if not row.holder:
            return True
        who = json.loads(row.process)
        if who.get("host") == socket.gethostname() and who.get("boot") == process.boot() and not process.lives(who):
            return True
        seen = (row.holder, row.generation, row.beat)
        if seen != self._seen:
            self._seen, self._since = seen, self.clock()
        return self.clock() - self._since > PATIENCE

    def _take(self, row: Row[Any] | None) -> bool:
        generation = 1 if row is None else row.generation + 1
        mine = {
            "holder": self.holder,
            "generation": generation,
            "beat": 0,
            "process": json.dumps({**process.identify(os.getpid()), "host": socket.gethostname()}),
            "since": time.time(),
        }
        try:
            with self.store.writing() as connection:
                if row is None:
                    connection.execute(leader.insert().values(name=_NAME, **mine))
                    taken = True
                else:
                    same = [leader.c[name] == getattr(row, name) for name in ("name", "generation", "holder", "beat")]
                    taken = connection.execute(leader.update().where(*same).values(**mine)).rowcount == 1
        except IntegrityError:
            return False
        if taken:
            self.generation, self._beaten = generation, self.clock()
        return taken
