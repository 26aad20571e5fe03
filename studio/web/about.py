"""What a data set is, as the page draws it: sentences, its columns, languages and most frequent rows."""

from __future__ import annotations

from typing import Any

from studio.data.kept import kept
from studio.data.overview import sentences
from studio.data.store import DataVersion
from studio.data.use import Use
from studio.words import say


def shown_about(version: DataVersion, use: Use, lang: str) -> dict[str, Any]:
    """{"version", "lines", "columns", "languages": [[name, texts]], "looked", "frequent", "frequent_columns"}: of the
    doctor's facts as far as it has looked, of the profile in any case."""
    found = kept(version, use.task, use.columns) if use.task else None
    facts = {} if found is None else found["facts"]
    languages = facts.get("languages") or {"looked": 0, "counts": []}
    told = [[say(f"web.about.language.{language}", lang), count] for language, count in languages["counts"]]
    unsure = languages["looked"] - sum(count for _, count in told)
    if unsure:
        told.append([say("web.about.language.unsure", lang), unsure])
    return {
        "version": version.version,
        "lines": [say(code, lang, **values) for code, values in sentences(facts)] if facts else [],
        "columns": [_column(column, use, lang) for column in version.profile()["columns"]],
        "languages": told,
        "frequent": facts.get("frequent", []),
        "frequent_columns": facts.get("frequent_columns", []),
    }


def _column(column: dict[str, Any], use: Use, lang: str) -> dict[str, Any]:
    roles = [f"role.{use.task}.{role}" for role, name in use.columns.items() if name == column["name"]]
    return {
        "name": column["name"],
        "kind": say(f"web.about.kind.{column['kind']}", lang),
        "role": ", ".join(say(role, lang) for role in roles),
        "missing": column["missing"],
        "distinct": column["distinct"],
        "mean": column["mean_length"],
        "longest": column["max_length"],
    }
