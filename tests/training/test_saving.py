"""A disk that fills while the finished model is written ends the run as a full disk, not as a fault of ours."""

from __future__ import annotations

import errno
import os
import subprocess
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from studio.runs.worker import failure
from studio.training.saving import save_model


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_disk_that_fills_is_told_as_such_and_the_model_before_stays(tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this system mounts nothing")

    def save(model: object, folder: str) -> None:
        save_file({"weight": torch.zeros(1_000_000)}, f"{folder}/model.safetensors")

    found = SimpleNamespace(method=SimpleNamespace(save=save), model=None)
    try:
        (place / "model").mkdir()
        (place / "model" / "before").touch()
        with pytest.raises(OSError, match="No space left") as caught:
            save_model(place, None, found, place)  # type: ignore[arg-type]
        assert caught.value.errno == errno.ENOSPC
        event = failure(caught.value)
        assert (event.code, event.values) == ("disk_full", {"path": str(place / "model.new")})
        assert (place / "model" / "before").exists()
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
