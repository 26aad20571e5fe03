"""People and their sessions. A session's token is known to its browser only; the database keeps its hash."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass

import sqlalchemy as sa

from studio.runs.store import Store
from studio.runs.tables import people, sessions
from studio.workspace import new_id

LASTS = 14 * 86400.0
"""Seconds a session lives."""
LOCAL = "local"
"""The person on a loopback address who gave no name; also the owner of what the command line makes."""


@dataclass(frozen=True)
class Person:
    """Somebody who uses this workspace; `id` is the owner of what they make."""

    id: str
    name: str


class People:
    """Who is here. It checks no password: the caller has already let the person in."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def person(self, name: str, person: str | None = None) -> Person:
        """The person called `name`, made when new; with `person`, the one of that id ("local").

        Whoever gives the local person's name somewhere else is a person of their own.
        """
        wanted = people.c.id == person if person else sa.and_(people.c.name == name, people.c.id != LOCAL)
        with self.store.writing() as connection:
            found = connection.execute(sa.select(people).where(wanted)).first()
            if found is not None:
                return Person(found.id, found.name)
            made = Person(person or new_id("p"), name)
            connection.execute(people.insert().values(id=made.id, name=made.name, created=time.time()))
        return made

    def open_session(self, person: Person) -> str:
        """A new secret token for a browser of `person`."""
        token = secrets.token_urlsafe(32)
        now = time.time()
        with self.store.writing() as connection:
            connection.execute(sessions.delete().where(sessions.c.expires < now))
            connection.execute(
                sessions.insert().values(hash=_hash(token), person=person.id, created=now, expires=now + LASTS)
            )
        return token

    def who(self, token: str) -> Person | None:
        """The person whose session has this token; None when it is unknown or over."""
        query = (
            sa.select(people.c.id, people.c.name)
            .join(sessions, sessions.c.person == people.c.id)
            .where(sessions.c.hash == _hash(token), sessions.c.expires >= time.time())
        )
        with self.store.reading() as connection:
            found = connection.execute(query).one_or_none()
        return Person(found.id, found.name) if found else None

    def name_of(self, person: str) -> str:
        """The name of a person by id; the id itself where nobody is known by it."""
        with self.store.reading() as connection:
            found = connection.execute(sa.select(people.c.name).where(people.c.id == person)).scalar_one_or_none()
        return str(found) if found else person

    def close_session(self, token: str) -> None:
        """End a session for good."""
        with self.store.writing() as connection:
            connection.execute(sessions.delete().where(sessions.c.hash == _hash(token)))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
