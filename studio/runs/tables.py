"""The tables of the workspace's database, in SQLAlchemy Core and no dialect's own SQL.

The database holds states and who asked; everything a run was made from and made lies in its folder. A change
here needs a step in `migrations/versions`; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA = "0001"
"""The newest step in `migrations/versions`."""

metadata = MetaData()

people = Table(
    "people",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("created", Float, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("person", String(64), ForeignKey("people.id"), nullable=False),
    Column("created", Float, nullable=False),
    Column("expires", Float, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("key", String(200)),
    Column("name", String(200), nullable=False),
    Column("task", String(64), nullable=False),
    Column("model", String(400), nullable=False),
    Column("method", String(64), nullable=False),
    Column("data", String(64), nullable=False),
    Column("data_name", String(200), nullable=False),
    Column("preset", String(64), nullable=False),
    Column("created", Float, nullable=False),
    Column("job", String(64), nullable=False),
    Column("trashed", Float),
    UniqueConstraint("owner", "key", name="runs_owner_key"),
    Index("runs_created", "created"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("run", String(64), ForeignKey("runs.id"), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("lane", String(64), nullable=False),
    Column("state", String(32), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("keep", String(16), nullable=False),
    Column("estimate", Float),
    Column("created", Float, nullable=False),
    Column("started", Float),
    Column("ended", Float),
    Column("metric", String(64), nullable=False),
    Column("score", Float),
    Column("error", String(64), nullable=False),
    Column("error_values", Text, nullable=False),
    Index("jobs_state", "state"),
    Index("jobs_run", "run"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("run", String(64), ForeignKey("runs.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("job", String(64), ForeignKey("jobs.id"), nullable=False),
    Column("handle", Text, nullable=False),
    Column("created", Float, nullable=False),
)

leader = Table(
    "leader",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("beat", Integer, nullable=False),
    Column("process", Text, nullable=False),
    Column("since", Float, nullable=False),
)
