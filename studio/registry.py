"""A small registry: one file a member, found by scanning a folder, refusing duplicates, never guessing."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from studio.errors import UserError


class Keyed(Protocol):
    """Anything with a `key`."""

    @property
    def key(self) -> str: ...


Member = TypeVar("Member", bound=Keyed)


class Registry(Generic[Member]):
    """Members by key. `package` is scanned once, at first use; a module that does not import fails loudly."""

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.package = package
        self._members: dict[str, Member] = {}
        self._scanned = False

    def register(self, member: Member) -> Member:
        """Add `member`. Raises ValueError when its key is taken."""
        if member.key in self._members:
            raise ValueError(f"{self.kind} {member.key!r} is registered twice")
        self._members[member.key] = member
        return member

    def _scan(self) -> None:
        if not self._scanned:
            self._scanned = True
            for module in pkgutil.iter_modules(importlib.import_module(self.package).__path__):
                importlib.import_module(f"{self.package}.{module.name}")

    def get(self, key: str) -> Member:
        """The member called `key`. Raises UserError (`unknown_key`) naming the nearest one."""
        self._scan()
        if key not in self._members:
            near = difflib.get_close_matches(key, self._members, n=1)
            raise UserError("unknown_key", kind=self.kind, key=key, near=near[0] if near else "-", known=self.keys())
        return self._members[key]

    def keys(self) -> list[str]:
        """All keys, in the order the members ask for (`order`, then key)."""
        self._scan()
        return sorted(self._members, key=lambda key: (getattr(self._members[key], "order", 100), key))

    def __iter__(self) -> Iterator[Member]:
        return iter([self._members[key] for key in self.keys()])
