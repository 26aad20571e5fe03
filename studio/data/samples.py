"""The sample data sets that come with the studio, described in assets/samples/*.toml; all written for this project."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from studio.assets import assets
from studio.data import delimited
from studio.data.encoding import detect
from studio.data.importing import Progress, import_file
from studio.data.rows import tidy_columns
from studio.data.store import DataVersion
from studio.errors import UserError
from studio.tasks.base import tasks
from studio.workspace import Workspace

_PREVIEWED = 2000
"""Rows of a file that are looked through for other labels."""


@dataclass(frozen=True)
class Sample:
    """A sample. `columns` maps the task's roles to columns, `minutes` is how long the quick run takes on two cores."""

    key: str
    path: Path
    task: str
    columns: dict[str, str]
    rows: int
    language: str
    minutes: float
    title: dict[str, str]
    blurb: dict[str, str]

    def preview(self, count: int = 3) -> list[tuple[str, str]]:
        """(what is asked, the right answer) of `count` complete rows: first one of each label."""
        return list(_preview(self.path, self.task, tuple(self.columns.items()), count))


@cache
def list_samples() -> list[Sample]:
    """All samples in the order of their files' `order`, then key."""
    found = []
    for file in sorted((assets() / "samples").glob("*.toml")):
        with file.open("rb") as handle:
            for key, about in _entries(file.stem, tomllib.load(handle)):
                found.append((int(about.get("order", 100)), key, _sample(file.parent, key, about)))
    return [sample for _, _, sample in sorted(found, key=lambda item: item[:2])]


def _entries(stem: str, loaded: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """A file describes one sample (named by the file) or several (a table each)."""
    return [(loaded.get("key", stem), loaded)] if "file" in loaded else list(loaded.items())


def _sample(folder: Path, key: str, about: dict[str, Any]) -> Sample:
    return Sample(
        key=key,
        path=folder / about["file"],
        task=about["task"],
        columns=dict(about["columns"]),
        rows=about["rows"],
        language=about["language"],
        minutes=about["minutes"],
        title=dict(about["title"]),
        blurb=dict(about["blurb"]),
    )


def import_sample(workspace: Workspace, owner: str, key: str, emit: Progress | None = None) -> DataVersion:
    """Bring a sample into the owner's data. Raises UserError (`unknown_key`) for a key that is none."""
    for sample in list_samples():
        if sample.key == key:
            return import_file(workspace, owner, sample.path, sample.path.name, emit, sample=key)
    known = [sample.key for sample in list_samples()]
    raise UserError("unknown_key", kind="sample", key=key[:60], near="-", known=known)


@cache
def _preview(path: Path, task: str, columns: tuple[tuple[str, str], ...], count: int) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    member = tasks.get(task)
    for cells in _cells(path):
        row = {role: cells.get(column) for role, column in columns}
        if member.usable(row):
            found.append((member.preview(row), member.truth(row) or ""))
        if len({answer for _, answer in found}) >= count or len(found) == _PREVIEWED:
            break
    first = {answer: place for place, (_, answer) in reversed(list(enumerate(found)))}
    kept = sorted(first.values())[:count]
    kept += [place for place in range(len(found)) if place not in kept][: count - len(kept)]
    return tuple(found[place] for place in sorted(kept))


def _cells(path: Path) -> Any:
    """Rows of a file of ours as column -> text. It is trusted, so it is read right here, only as far as needed."""
    encoding = detect(path)
    with delimited.open_text(path, encoding) as handle:
        if path.suffix == ".jsonl":
            for line in handle:
                value = json.loads(line)
                yield {
                    key: part if isinstance(part, str) else json.dumps(part, ensure_ascii=False)
                    for key, part in value.items()
                }
            return
        dialect = delimited.recognise(path, encoding, path.name)
        names = tidy_columns(list(dialect.names))
        lines = delimited.Lines(handle, path.name)
        for number, cells in delimited.records(lines, dialect.delimiter, dialect.quoted):
            if cells and len(cells) == len(names) and not (number == 1 and dialect.header):
                yield dict(zip(names, cells, strict=True))
