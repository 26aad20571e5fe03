"""Every test gets a workspace of its own and no way to a model hub; starter models are fetched once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.workspace import Workspace


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that `STUDIO_HOME` names during a test."""
    place = tmp_path / "home"
    monkeypatch.setenv("STUDIO_HOME", str(place))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    return place


@pytest.fixture
def workspace(home: Path) -> Workspace:
    """An open workspace, empty."""
    return Workspace.open(home)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data sets beside the checkout; tests that read them are skipped where there are none."""
    folder = Path(__file__).parent.parent.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data beside this checkout")
    return folder
