"""What the Train tab shows of augmentation: the counted pairs, and the kinds that cannot be used with their reasons."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio.data import lexicon
from studio.data.importing import import_file
from studio.data.use import Use
from studio.training.options import TrainingOptions
from studio.web.tabs import growing
from studio.words import say
from studio.workspace import Workspace


@pytest.mark.parametrize("language", ["en", "zh"])
def test_pairs_of_the_training_rows_are_shown_before_a_start(tmp_path: Path, language: str):
    workspace = Workspace.open(tmp_path / "home")
    lines = "".join(f"message {n} about the kettle 水壶坏了,{'yes' if n % 2 else 'no'}\n" for n in range(100))
    (tmp_path / "a.csv").write_text("text,label\n" + lines, "utf-8")
    version = import_file(workspace, "ann", tmp_path / "a.csv", "a.csv")
    page: Any = SimpleNamespace(workspace=workspace, t=lambda code, **values: say(code, language, **values))
    use = Use("classification", {"text": "text", "label": "label"})
    told = growing.pairs_of(page, version.version, use, TrainingOptions(augment="swap", augment_most=40))
    assert "70" in told["line"]
    assert len(told["pairs"]) >= 5
    assert all(pair["before"] != pair["after"] for pair in told["pairs"])
    off = growing.pairs_of(page, version.version, use, TrainingOptions())
    assert "pairs" not in off
    assert all(why and kind for kind, why in off["reasons"])


def test_a_missing_lexicon_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    workspace = Workspace.open(tmp_path / "home")
    page: Any = SimpleNamespace(workspace=workspace, t=lambda code, **values: say(code, "en", **values))
    monkeypatch.setattr(lexicon, "folder", lambda: None)
    without = growing.reasons(page)
    monkeypatch.setattr(lexicon, "folder", lambda: Path("/somewhere"))
    assert len(without) == len(growing.reasons(page)) + 1
    assert any("wordnet-base" in why for _, why in without)
