"""The workspace: one folder that holds all that people bring and make. This module only knows where things lie."""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_dir

from studio.errors import UserError

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


def default_home() -> Path:
    """`STUDIO_HOME`, or the place the operating system gives to programs for their data."""
    return Path(os.environ.get("STUDIO_HOME") or user_data_dir("finetuning-studio"))


def new_id(prefix: str) -> str:
    """An opaque id such as "r-3f9a1c0b7d21" that says nothing about its content and cannot be guessed."""
    return f"{prefix}-{secrets.token_hex(6)}"


def checked_id(value: object) -> str:
    """`value` if it has the shape of an id. Raises UserError (`bad_id`); ids become folder names."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise UserError("bad_id", value=str(value)[:40])
    return value


@dataclass(frozen=True)
class Workspace:
    """Paths below `home`. Folders are made on demand with mode 0700, so other accounts on the box see nothing."""

    home: Path

    @staticmethod
    def open(home: str | os.PathLike[str] | None = None) -> Workspace:
        """Make the workspace's top folders. Raises UserError (`home_unusable`) where that cannot be done."""
        place = Workspace(Path(home).expanduser().resolve() if home else default_home().resolve())
        try:
            for folder in (place.home, place.models, place.temporary):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise UserError("home_unusable", path=str(place.home), reason=error.strerror or str(error)) from error
        return place

    @property
    def database(self) -> Path:
        return self.home / "studio.db"

    @property
    def models(self) -> Path:
        """Public models, shared by all: models/<folder>/."""
        return self.home / "models"

    @property
    def temporary(self) -> Path:
        return self.home / "tmp"

    def data(self, owner: str, version: str) -> Path:
        """<owner>/data/<version>/ : rows.parquet, profile.json, source.json."""
        return self.home / checked_id(owner) / "data" / checked_id(version)

    def run(self, owner: str, run: str) -> Path:
        """<owner>/runs/<run>/ : spec, events, checkpoints, model, report, versions of one run."""
        return self.home / checked_id(owner) / "runs" / checked_id(run)
