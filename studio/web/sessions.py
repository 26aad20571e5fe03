"""The access token and the logins of one workspace; people and their stored sessions are the runs room's."""

from __future__ import annotations

import hmac
import os
import secrets
import threading
import time
from collections import OrderedDict
from pathlib import Path

from studio.errors import UserError
from studio.runs.people import LOCAL, People, Person

COOKIE = "studio_session"
FREE_GUESSES = 5
MEMORY = 600.0
"""Seconds a wrong token is remembered against the address it came from."""
MOST_ADDRESSES = 10_000
NAME_LENGTH = 60
REMEMBERED = 60.0
"""Seconds a login is trusted without asking the database again, so that a page's polls cost nothing."""


def access_token(home: Path) -> str:
    """The workspace's token, made at the first start and readable by its owner only."""
    file = home / "token"
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_text().strip()
    token = secrets.token_urlsafe(24)
    with os.fdopen(handle, "w") as out:
        out.write(token)
    return token


class Sessions:
    """Turns the token into logins, slowly for those who guess, and cookies into people."""

    def __init__(self, people: People, token: str) -> None:
        self.people = people
        self.token = token
        self._known: dict[str, tuple[Person, float]] = {}
        self._failures: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()

    def check_token(self, guess: str, address: str = "") -> bool:
        """Whether `guess` is the token. Raises UserError (`login_slow`) after too many wrong ones from `address`.

        The right one is let in at once, whatever was guessed before: 192 random bits are not guessed, but strangers
        could otherwise lock everybody out.
        """
        if hmac.compare_digest(guess.encode(), self.token.encode()):
            return True
        with self._lock:
            now = time.monotonic()
            wrong = [at for at in self._failures.pop(address, []) if now - at < MEMORY]
            self._failures[address] = wrong
            if len(self._failures) > MOST_ADDRESSES:
                self._failures.popitem(last=False)
            extra = len(wrong) - FREE_GUESSES
            if extra >= 0:
                left = wrong[-1] + min(60.0, 2.0**extra) - now
                if left > 0:
                    raise UserError("login_slow", seconds=int(left) + 1)
            wrong.append(now)
            return False

    def begin(self, name: str = "") -> str:
        """A new session for the person called `name` (empty: the local person); returns the cookie's secret."""
        shown = " ".join("".join(letter for letter in name if letter.isprintable()).split())[:NAME_LENGTH]
        person = self.people.person(shown) if shown else self.people.person(LOCAL, LOCAL)
        return self.people.open_session(person)

    def who(self, secret: str) -> Person | None:
        """The person of a session, or None when there is none or it has expired."""
        if not secret:
            return None
        known = self._known.get(secret)
        if known and known[1] > time.monotonic():
            return known[0]
        person = self.people.who(secret)
        if person is not None:
            if len(self._known) > 1000:
                self._known.clear()
            self._known[secret] = (person, time.monotonic() + REMEMBERED)
        return person

    def end(self, secret: str) -> None:
        """Forget a session."""
        self._known.pop(secret, None)
        self.people.close_session(secret)
