"""What an attempt was made with stays known when another installation goes on with the run."""

from __future__ import annotations

import json

from studio.runs import worker


def test_a_later_attempt_leaves_what_the_first_was_made_with(tmp_path, monkeypatch):
    worker.keep_versions(tmp_path, 1)
    first = json.loads((tmp_path / "versions.json").read_text())
    assert first["torch"]
    monkeypatch.setattr(worker, "versions", lambda: {"torch": "99"})
    worker.keep_versions(tmp_path, 2)
    assert json.loads((tmp_path / "versions.json").read_text()) == first
    assert json.loads((tmp_path / "versions-2.json").read_text()) == {"torch": "99"}
