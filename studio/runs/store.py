"""The database of a workspace: runs, jobs and attempts, changed only by compare-and-set. It starts nothing.

SQLAlchemy Core without any dialect's own SQL; SQLite gets its pragmas (WAL, synchronous FULL) on connecting.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, Row, event
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError

from studio.errors import UserError
from studio.runs import states
from studio.runs.schema import bring_up
from studio.runs.tables import attempts, jobs, leader, people, runs
from studio.workspace import Workspace, new_id


def connect(workspace: Workspace) -> Engine:
    """An engine for the workspace's database. SQLite writers take the write lock at once, so that none meets a busy
    database half-way through a transaction."""
    engine = sa.create_engine(f"sqlite:///{workspace.database}", pool_size=8, max_overflow=64)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin)
    return engine


def _set_pragmas(connection: Any, record: Any) -> None:
    connection.isolation_level = None
    for pragma in ("busy_timeout=20000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reading") else "BEGIN IMMEDIATE")


class Store:
    """The tables of one workspace. Threads may share it; processes may not share it across a fork."""

    def __init__(self, workspace: Workspace) -> None:
        """Open, and migrate when needed. Raises UserError (`database_newer`, `database_damaged`)."""
        self.workspace = workspace
        self.engine = connect(workspace)
        try:
            self.fresh = bring_up(self.engine, workspace)
        except OperationalError:
            raise
        except DatabaseError as error:
            raise UserError("database_damaged", path=str(workspace.database), reason=str(error.orig)) from error

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that only reads; it never waits for a writer."""
        with self.engine.connect().execution_options(reading=True) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, committed at the end and rolled back when the block raises."""
        with self.engine.begin() as connection:
            yield connection

    # ---- runs ----

    def add_run(self, values: dict[str, Any], estimate: float | None) -> str:
        """Insert a run and its first job in one transaction; with a `key` already used, the id of that earlier run."""
        job = new_id("j")
        try:
            with self.writing() as connection:
                connection.execute(runs.insert().values(**values, job=job))
                connection.execute(
                    jobs.insert().values(**_job(connection, job, values["id"], values["owner"], estimate))
                )
        except IntegrityError:
            known = self.run_by_key(values["owner"], values["key"])
            if known is None:
                raise
            return known
        return str(values["id"])

    def run_by_key(self, owner: str, key: str | None) -> str | None:
        """The run started with an idempotency key."""
        with self.reading() as connection:
            found = connection.execute(
                sa.select(runs.c.id).where(runs.c.owner == owner, runs.c.key == key)
            ).scalar_one_or_none()
        return None if found is None else str(found)

    def add_job(self, run: Row[Any]) -> bool:
        """A further job for a run whose last one has ended. False when somebody else was faster."""
        job = new_id("j")
        with self.writing() as connection:
            state = connection.execute(sa.select(jobs.c.state).where(jobs.c.id == run.job)).scalar_one()
            if state not in states.TERMINAL:
                return False
            moved = connection.execute(
                runs.update().where(runs.c.id == run.id, runs.c.job == run.job).values(job=job)
            ).rowcount
            if moved:
                connection.execute(jobs.insert().values(**_job(connection, job, run.id, run.owner, run.estimate)))
        return moved == 1

    def run(self, run: str) -> Row[Any] | None:
        """The run joined with its last job and its owner's name, or None."""
        with self.reading() as connection:
            return connection.execute(_run_query().where(runs.c.id == run)).one_or_none()

    def list_runs(self, trashed: bool, limit: int) -> Sequence[Row[Any]]:
        """Runs joined with their last jobs, newest first."""
        where = runs.c.trashed.is_not(None) if trashed else runs.c.trashed.is_(None)
        query = _run_query().where(where).order_by(runs.c.created.desc(), runs.c.id).limit(limit)
        with self.reading() as connection:
            return connection.execute(query).all()

    def runs_of_data(self, version: str) -> list[str]:
        """Names of the runs, also of those in the trash, that were made with a data version."""
        query = sa.select(runs.c.name).where(runs.c.data == version).order_by(runs.c.created)
        with self.reading() as connection:
            return [str(name) for name in connection.execute(query).scalars()]

    def runs_of_model(self, model: str) -> list[str]:
        """Names of the runs, those in the trash aside, that are tuned from a model."""
        query = sa.select(runs.c.name).where(runs.c.model == model, runs.c.trashed.is_(None)).order_by(runs.c.created)
        with self.reading() as connection:
            return [str(name) for name in connection.execute(query).scalars()]

    def change_run(self, run: str, **values: Any) -> None:
        """Set columns of a run that are not states (name, trashed)."""
        with self.writing() as connection:
            connection.execute(runs.update().where(runs.c.id == run).values(**values))

    def drop_run(self, run: str) -> None:
        """Remove a run's rows for good."""
        with self.writing() as connection:
            for table, column in ((attempts, attempts.c.run), (jobs, jobs.c.run), (runs, runs.c.id)):
                connection.execute(table.delete().where(column == run))

    def seconds(self, names: Sequence[str]) -> dict[str, float]:
        """Seconds of work in the ended jobs of some runs."""
        # A clock that was put back meanwhile makes no work undone.
        total = sa.func.sum(sa.case((jobs.c.ended > jobs.c.started, jobs.c.ended - jobs.c.started), else_=0.0))
        query = (
            sa.select(jobs.c.run, total).where(jobs.c.run.in_(names), jobs.c.started.is_not(None)).group_by(jobs.c.run)
        )
        with self.reading() as connection:
            return {str(run): float(value or 0.0) for run, value in connection.execute(query)}

    # ---- jobs ----

    def jobs_in(self, wanted: frozenset[str]) -> Sequence[Row[Any]]:
        """Jobs in any of some states, oldest first."""
        query = sa.select(jobs).where(jobs.c.state.in_(sorted(wanted))).order_by(jobs.c.created, jobs.c.id)
        with self.reading() as connection:
            return connection.execute(query).all()

    def count_jobs(self, wanted: frozenset[str]) -> dict[str, int]:
        """How many jobs are in each of some states; states without any are left out."""
        count = sa.func.count()
        query = sa.select(jobs.c.state, count).where(jobs.c.state.in_(sorted(wanted))).group_by(jobs.c.state)
        with self.reading() as connection:
            return {str(state): int(number) for state, number in connection.execute(query)}

    def job(self, job: str) -> Row[Any]:
        with self.reading() as connection:
            return connection.execute(sa.select(jobs).where(jobs.c.id == job)).one()

    def last_job(self, run: str) -> Row[Any]:
        """The newest job of a run."""
        with self.reading() as connection:
            return connection.execute(sa.select(jobs).join(runs, runs.c.job == jobs.c.id).where(runs.c.id == run)).one()

    def move(self, job: Row[Any], after: str, fence: tuple[str, int] | None = None, **values: Any) -> bool:
        """Compare-and-set: take a job from the state and attempt of `job` to `after`.

        `fence` is (holder, generation) of the leader that asks; a leader that lost its place changes nothing.
        False when the job has moved on meanwhile. Raises ValueError for a change no state allows.
        """
        with self.writing() as connection:
            return _moved(connection, job, after, fence, values)

    def move_and_queue(self, job: Row[Any], after: str, fence: tuple[str, int] | None = None, **values: Any) -> bool:
        """`move` a job to its end and queue its run's next one in the same transaction, in the place the first had."""
        following = new_id("j")
        with self.writing() as connection:
            if not _moved(connection, job, after, fence, values):
                return False
            connection.execute(runs.update().where(runs.c.id == job.run).values(job=following))
            made = _job(connection, following, job.run, job.owner, job.estimate)
            connection.execute(jobs.insert().values({**made, "created": job.created}))
        return True

    # ---- attempts ----

    def hurry(self, job: Row[Any]) -> None:
        """A job that is stopping with its best shall no longer wait for that."""
        where = (jobs.c.id == job.id, jobs.c.state == states.STOPPING)
        with self.writing() as connection:
            connection.execute(jobs.update().where(*where).values(keep="last"))

    def admit(self, job: Row[Any], fence: tuple[str, int]) -> bool:
        """Take a queued job out of the queue and give it its run's next attempt, in one transaction."""
        where = (jobs.c.id == job.id, jobs.c.state == states.QUEUED)
        with self.writing() as connection:
            last = connection.execute(
                sa.select(sa.func.max(attempts.c.number)).where(attempts.c.run == job.run)
            ).scalar()
            number = int(last or 0) + 1
            values = {"state": states.ADMITTED, "attempt": number}
            if connection.execute(jobs.update().where(*where, _leads(fence)).values(**values)).rowcount != 1:
                return False
            made = {"run": job.run, "number": number, "job": job.id, "handle": "{}", "created": time.time()}
            connection.execute(attempts.insert().values(**made))
        return True

    def set_handle(self, run: str, number: int, handle: dict[str, Any]) -> None:
        """Remember what process an attempt is."""
        where = (attempts.c.run == run, attempts.c.number == number)
        with self.writing() as connection:
            connection.execute(attempts.update().where(*where).values(handle=json.dumps(handle)))

    def handle(self, run: str, number: int) -> dict[str, Any]:
        """What `set_handle` noted; empty when nothing was."""
        query = sa.select(attempts.c.handle).where(attempts.c.run == run, attempts.c.number == number)
        with self.reading() as connection:
            found = connection.execute(query).scalar_one_or_none()
        return dict(json.loads(found)) if found else {}


def _moved(
    connection: Connection, job: Row[Any], after: str, fence: tuple[str, int] | None, values: dict[str, Any]
) -> bool:
    if not states.allowed(job.state, after):
        raise ValueError(f"{job.state} -> {after}")
    if after in states.TERMINAL:
        values = {"ended": time.time(), **values}
    where = [jobs.c.id == job.id, jobs.c.state == job.state, jobs.c.attempt == job.attempt]
    if fence:
        where.append(_leads(fence))
    return connection.execute(jobs.update().where(*where).values(state=after, **values)).rowcount == 1


def _leads(fence: tuple[str, int]) -> sa.ColumnElement[bool]:
    return sa.exists().where(leader.c.holder == fence[0], leader.c.generation == fence[1])


def _job(connection: Connection, job: str, run: str, owner: str, estimate: float | None) -> dict[str, Any]:
    # The queue is in the order of asking, also where the clock was put back since the last job of it.
    last = connection.execute(sa.select(sa.func.max(jobs.c.created)).where(jobs.c.state == states.QUEUED)).scalar()
    return {
        "id": job,
        "run": run,
        "owner": owner,
        "kind": "train",
        "lane": states.KINDS["train"],
        "state": states.QUEUED,
        "attempt": 0,
        "keep": "",
        "estimate": estimate,
        "created": max(time.time(), float(last or 0.0) + 1e-6),
        "metric": "",
        "error": "",
        "error_values": "{}",
    }


def _run_query() -> sa.Select[Any]:
    job_columns = [jobs.c[name] for name in ("state", "attempt", "keep", "estimate", "started", "ended")]
    results = [jobs.c[name] for name in ("metric", "score", "error", "error_values")]
    queued = jobs.c.created.label("queued")
    return (
        sa.select(runs, queued, *job_columns, *results, people.c.name.label("owner_name"))
        .join(jobs, jobs.c.id == runs.c.job)
        .outerjoin(people, people.c.id == runs.c.owner)
    )
