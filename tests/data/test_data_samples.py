"""The samples that come with the studio: described, previewed and brought in like any file."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.data.roles import suggest
from studio.data.samples import import_sample, list_samples
from studio.errors import UserError
from studio.tasks.base import tasks
from studio.workspace import Workspace


@pytest.mark.parametrize("sample", list_samples(), ids=lambda sample: sample.key)
def test_a_sample_is_what_it_says(sample, tmp_path: Path) -> None:
    version = import_sample(Workspace.open(tmp_path), "ann", sample.key)
    assert (version.sample, version.rows) == (sample.key, sample.rows)
    assert set(sample.columns.values()) <= set(version.columns)
    found = suggest(version)
    assert (found.task, found.columns, found.sure) == (sample.task, sample.columns, True)
    assert sample.task in tasks.keys()
    for texts in (sample.title, sample.blurb):
        assert all(texts[language].strip() for language in ("en", "zh"))
    assert all(question and answer for question, answer in sample.preview(3))
    assert len(sample.preview(3)) == 3
    if tasks.get(sample.task).result == "labels":
        assert len({answer for _, answer in sample.preview(3)}) > 1


def test_an_unknown_sample_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown"):
        import_sample(Workspace.open(tmp_path), "ann", "unknown")
