"""The hardware record: decisions for machines nobody here owns, and one honest probe of this one."""

import dataclasses
import json

import pytest
from spoken import check_spoken

from studio import hardware, machine
from studio.errors import UserError
from studio.hardware import Hardware, choose_precision, choose_threads
from studio.machine import available_cores
from studio.words import say
from studio.workspace import Workspace


@pytest.mark.parametrize(
    ("device", "units", "capability", "fp32", "bf16", "expected"),
    [
        ("cpu", False, None, 70, 0, ("fp32", "reason.precision_fp32_cpu")),
        ("cpu", True, None, 70, 300, ("bf16", "reason.precision_bf16_cpu")),
        ("cpu", True, None, 70, 72, ("fp32", "reason.precision_fp32_slow")),
        ("cuda:0", False, (8, 0), 9000, 90000, ("bf16", "reason.precision_bf16_cuda")),
        ("cuda:0", True, (7, 5), 8000, 0, ("fp32", "reason.precision_fp32_cuda")),
        ("cuda:1", True, None, 8000, 0, ("fp32", "reason.precision_fp32_cuda")),
        ("mps", True, None, 2000, 0, ("fp32", "reason.precision_fp32_mps")),
    ],
)
def test_precision_is_bf16_only_where_units_exist_and_help(device, units, capability, fp32, bf16, expected):
    assert choose_precision(device, units, capability, fp32, bf16) == expected


def test_threads_are_all_cores_unless_fewer_are_clearly_faster():
    assert choose_threads(4, {1: 50.0, 2: 90.0, 4: 150.0}) == (4, "reason.threads_cores")
    assert choose_threads(4, {1: 50.0, 2: 55.0, 4: 52.0}) == (4, "reason.threads_cores")
    assert choose_threads(4, {1: 50.0, 2: 90.0, 4: 40.0}) == (2, "reason.threads_measured")
    assert choose_threads(2, {1: 80.0, 2: 32.0}) == (1, "reason.threads_measured")
    assert choose_threads(3, {}) == (3, "reason.threads_cores")


def test_cores_are_the_least_of_affinity_physical_and_quota():
    assert available_cores(8, 4, None) == 4
    assert available_cores(8, 4, 2.5) == 2
    assert available_cores(8, 4, 0.5) == 1
    assert available_cores(None, None, None) == 1


def test_container_limits_are_read(tmp_path):
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    (tmp_path / "memory.max").write_text("1000000\n")
    assert machine.cgroup_quota(tmp_path) == 1.5
    assert machine.available_memory(tmp_path) == 1_000_000
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.cgroup_quota(tmp_path) is None
    assert machine.available_memory(tmp_path) > 1_000_000


def test_probe_in_a_child_is_remembered_and_its_reasons_can_be_said(tmp_path, monkeypatch):
    workspace = Workspace.open(tmp_path)
    assert hardware.read(workspace) is None
    seen = hardware.read_or_probe(workspace)
    assert seen.gflops > 1
    assert seen.memory > 2**28
    assert 1 <= seen.threads <= seen.cores
    assert seen.bf16 == (seen.precision == "bf16")
    assert hardware.read(workspace) == seen
    assert list(workspace.temporary.iterdir()) == []
    for language in ("en", "zh"):
        for decision in seen.decisions():
            assert "{" not in say(decision.reason, language, **decision.values)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    assert hardware.read(workspace) is None


def test_measured_again_the_faster_record_stays(tmp_path):
    workspace = Workspace.open(tmp_path)
    seen = hardware.read_or_probe(workspace)
    for gflops, kept in ((1e9, True), (0.001, False)):
        known = dataclasses.replace(seen, gflops=gflops)
        (tmp_path / "hardware.json").write_text(json.dumps(known.to_json()))
        assert (hardware.probe_again(workspace) == known) is kept
        assert (hardware.read(workspace) == known) is kept
    assert hardware.read(workspace).gflops > 1


def test_a_record_of_another_version_is_not_used(tmp_path):
    workspace = Workspace.open(tmp_path)
    (tmp_path / "hardware.json").write_text(json.dumps({"device": "cpu", "wheels": 4}))
    assert hardware.read(workspace) is None
    (tmp_path / "hardware.json").write_text("{")
    assert hardware.read(workspace) is None


def test_a_broken_torch_is_said_in_three_sentences(tmp_path, monkeypatch):
    broken = tmp_path / "broken"
    (broken / "torch").mkdir(parents=True)
    (broken / "torch" / "__init__.py").write_text("raise ImportError('libcudart.so.99 is missing')")
    monkeypatch.setenv("PYTHONPATH", str(broken))
    with pytest.raises(UserError) as caught:
        hardware.read_or_probe(Workspace.open(tmp_path / "home"))
    check_spoken(caught.value, "hardware_probe", reason="ImportError: libcudart.so.99 is missing")


def test_a_torch_that_does_not_come_back_is_said_with_the_seconds(tmp_path, monkeypatch):
    hanging = tmp_path / "hanging"
    (hanging / "torch").mkdir(parents=True)
    (hanging / "torch" / "__init__.py").write_text("import time; time.sleep(60)")
    monkeypatch.setenv("PYTHONPATH", str(hanging))
    monkeypatch.setattr(hardware, "_PROBE_SECONDS", 2)
    workspace = Workspace.open(tmp_path / "home")
    with pytest.raises(UserError) as caught:
        hardware.read_or_probe(workspace)
    check_spoken(caught.value, "hardware_busy", seconds=2)
    assert list(workspace.temporary.iterdir()) == []


def test_a_torch_that_takes_its_process_down_is_said_with_the_signal(tmp_path, monkeypatch):
    deadly = tmp_path / "deadly"
    (deadly / "torch").mkdir(parents=True)
    (deadly / "torch" / "__init__.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    monkeypatch.setenv("PYTHONPATH", str(deadly))
    with pytest.raises(UserError) as caught:
        hardware.read_or_probe(Workspace.open(tmp_path / "home"))
    check_spoken(caught.value, "hardware_probe", reason="SIGKILL")


def test_usable_memory_is_the_devices_where_it_has_its_own():
    values = dict(
        device="cuda:0", name="x", cores=4, memory=10, device_memory=6, bf16=True, precision="bf16",
        precision_reason="reason.precision_bf16_cuda", threads=4, threads_reason="reason.threads_cores", gflops=1.0,
    )  # fmt: skip
    assert Hardware(**values).usable_memory == 6
    assert Hardware(**{**values, "device": "cpu", "device_memory": 0}).usable_memory == 10
