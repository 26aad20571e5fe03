"""A package index and a model hub of this test process, and a tiny model to offer there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_models
from web_stand_in import StandIn, serving


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    """A hub token of the person's own, which must not travel."""
    secret = "hf_CANARYcanaryCANARYcanaryCANARY"
    monkeypatch.setenv("HF_TOKEN", secret)
    return secret


@pytest.fixture
def web(token: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """The only index and hub that pip and the hub's client know during a test."""
    with serving() as stand_in:
        monkeypatch.setenv("HF_ENDPOINT", stand_in.address)
        monkeypatch.setenv("PIP_INDEX_URL", f"{stand_in.address}/simple")
        monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
        for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "HF_HUB_OFFLINE", "PIP_CONFIG_FILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield stand_in


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.encoder_folder(tmp_path_factory.mktemp("hub") / "tiny")
