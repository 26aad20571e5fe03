"""Brings a workspace's database to today's tables: a backup first, one transaction, a newer database refused."""

from __future__ import annotations

import fcntl
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from studio.errors import UserError
from studio.runs.tables import SCHEMA
from studio.workspace import Workspace


def current(connection: Connection) -> str:
    """The version of the database's tables; empty when there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")


def bring_up(engine: Engine, workspace: Workspace) -> bool:
    """Make or migrate the tables when their version is not `SCHEMA`; True when there were none.

    Raises UserError (`database_newer`) for a database of a newer studio, which is left untouched. Two processes
    that open a workspace at once are kept apart by a lock file, from their first connection on: SQLite answers
    "locked" at once, without waiting, to two that turn a new database to WAL at the same moment.
    """
    with (workspace.home / "schema.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with engine.connect() as connection:
            found = current(connection)
        if found == SCHEMA:
            return False
        if found > SCHEMA:
            raise UserError("database_newer", path=str(workspace.database), found=found, known=SCHEMA)
        if found and engine.dialect.name == "sqlite":
            backup(workspace.database, workspace.home / f"studio.db.before-{SCHEMA}")
        upgrade(engine)
        return not found


def upgrade(engine: Engine) -> None:
    """Run the missing steps in one transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, SCHEMA)


def backup(source: Path, target: Path) -> None:
    """A whole copy of a live SQLite database through its online backup, written beside and renamed."""
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(partial)) as copy:
        live.backup(copy)
    partial.replace(target)
