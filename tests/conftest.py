"""Every test gets a workspace of its own and no way to a model hub; starter models are fetched once a session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from studio.workspace import Workspace

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: the processes beside have cores too

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from studio.runs.desk import Desk


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


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, object]]:
    """A desk and its web application, built once a file; nothing is supervised."""
    # Gradio takes seconds to import, so only tests that want it do.
    from studio.runs.desk import Desk
    from studio.web.server import make_app, prepare

    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.delenv("GRADIO_SHARE", raising=False)
    here = Path.cwd()
    workspace = Workspace.open(tmp_path_factory.mktemp("site") / "home")
    prepare(workspace)
    desk = Desk(workspace)
    yield desk, make_app(desk, {"127.0.0.1", "localhost"}, ask_name=False)
    desk.close()
    monkeypatch.undo()
    os.chdir(here)


@pytest.fixture
def stranger(site: tuple[Desk, object]) -> TestClient:
    """A browser that has not logged in."""
    from fastapi.testclient import TestClient

    return TestClient(site[1], base_url="http://127.0.0.1", follow_redirects=False)  # type: ignore[arg-type]


@pytest.fixture
def analyst(site: tuple[Desk, object], stranger: TestClient) -> TestClient:
    """A browser that came with the printed address."""
    from studio.web.sessions import access_token

    reply = stranger.get("/login", params={"token": access_token(site[0].workspace.home)})
    assert reply.status_code == 303
    return stranger
