"""The database: migrated once, backed up first, refused when newer, equal to its tables."""

import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest
import sqlalchemy as sa

from studio.errors import UserError
from studio.runs import schema
from studio.runs.store import Store, connect
from studio.runs.tables import SCHEMA, metadata


def test_migrations_make_the_tables(workspace):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    store = Store(workspace)
    with store.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert schema.current(connection) == SCHEMA
    store.close()


def test_pragmas(workspace):
    store = Store(workspace)
    with store.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    store.close()


def test_alembic_stays_out_of_a_current_workspace(workspace):
    Store(workspace).close()
    code = (
        "import sys; from studio.runs.store import Store; from studio.workspace import Workspace; "
        "Store(Workspace.open(sys.argv[1])).close(); print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(workspace.home)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_newer_is_refused_untouched(workspace):
    Store(workspace).close()
    with closing(sqlite3.connect(workspace.database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = workspace.database.read_bytes()
    with pytest.raises(UserError) as caught:
        Store(workspace)
    assert caught.value.code == "database_newer"
    assert workspace.database.read_bytes() == before


def test_older_is_backed_up_first(workspace, monkeypatch):
    Store(workspace).close()
    with closing(sqlite3.connect(workspace.database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
        connection.commit()
    seen = []
    monkeypatch.setattr(
        schema, "upgrade", lambda engine: seen.append(sorted(workspace.home.glob("studio.db.before-*")))
    )
    engine = connect(workspace)
    schema.bring_up(engine, workspace)
    engine.dispose()
    (backup,) = seen[0]
    with closing(sqlite3.connect(backup)) as copy:
        assert copy.execute("SELECT version_num FROM alembic_version").fetchone() == ("0000",)
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_killed_migration_leaves_nothing_half(workspace, monkeypatch):
    """Whichever statement is the last, the next opening finds an empty database or a whole one."""
    made = 0

    class Killed(Exception):
        pass

    def die_at(limit):
        count = [0]

        def hook(connection, cursor, statement, *rest):
            if statement.lstrip().startswith(("CREATE", "INSERT")):
                count[0] += 1
                if count[0] == limit:
                    raise Killed

        return hook

    for limit in range(1, 40):
        engine = connect(workspace)
        hook = die_at(limit)
        sa.event.listen(engine, "before_cursor_execute", hook)
        try:
            schema.bring_up(engine, workspace)
        except Killed:
            made += 1
            with closing(sqlite3.connect(workspace.database)) as connection:
                assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        else:
            break
        finally:
            engine.dispose()
    assert made > 8
    Store(workspace).close()


def test_opened_by_many_at_once(workspace):
    errors = []

    def open_it():
        try:
            Store(workspace).close()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_no_database_at_all(workspace):
    workspace.database.write_bytes(b"this is no database, only text that somebody put here" * 100)
    with pytest.raises(UserError) as caught:
        Store(workspace)
    assert caught.value.code == "database_damaged"
    shutil.rmtree(workspace.home)
