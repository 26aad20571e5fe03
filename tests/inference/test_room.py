"""Before a worker starts on a device whose memory it shares with the playground, unused models give it up."""

from __future__ import annotations

import json
import os
import signal

from tiny_inference import LABELS, save_encoder_base, save_run

from studio import hardware
from studio.inference.client import InferenceClient
from studio.runs.launchers.local import Local
from studio.workspace import Workspace


def test_loaded_models_that_nobody_uses_make_room(tmp_path):
    workspace = Workspace.open(tmp_path / "w")
    base = save_encoder_base(workspace.models / "encoder")
    run, _ = save_run(workspace.home, "r-room", base, "classification", "head", LABELS)
    client, launcher = InferenceClient(workspace), Local(workspace)
    client.warm(run)
    process = client.ping()["process"]
    try:
        launcher._make_room()
        assert client.ping()["models"] == ["r-room:tuned"], "there is memory enough"
        record = {
            **dict(device="cuda:0", name="x", cores=1, memory=1, device_memory=1, bf16=False, precision="fp32"),
            **dict(precision_reason="", threads=1, threads_reason="", gflops=1.0, fingerprint=hardware.fingerprint()),
        }
        (workspace.home / "hardware.json").write_text(json.dumps(record))
        launcher._make_room()
        assert client.ping()["models"] == []
    finally:
        os.kill(process, signal.SIGTERM)
