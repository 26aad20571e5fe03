"""The check of a new machine."""

import pytest

from studio import hardware
from studio.hardware import Hardware
from studio.runs import doctor
from studio.words import has, say


@pytest.fixture
def probed(workspace, monkeypatch):
    known = Hardware(
        "cpu", "box", 2, 8 * 10**9, 0, False, "fp32", "reason.precision_fp32_cpu", 1, "reason.threads_cores", 50.0,
        values={"name": "box", "cores": 2, "threads": 1, "gflops": 50, "gflops_bf16": 0},
    )  # fmt: skip
    monkeypatch.setattr(hardware, "read_or_probe", lambda place: known)
    return workspace


def test_every_finding_can_be_said(probed):
    found = list(doctor.examine(probed))
    assert [finding.name for finding in found] == [
        "libraries", "device", "precision", "threads", "memory", "disk", "lora",
    ]  # fmt: skip
    assert all(finding.ok for finding in found)
    for finding in found:
        for language in ("en", "zh"):
            assert "{" not in say(finding.code, language, **finding.values)


def test_a_broken_part_is_a_finding_not_an_end(probed, monkeypatch):
    def broken(device):
        raise RuntimeError("no such operator")

    monkeypatch.setattr(doctor, "lora_losses", broken)
    found = list(doctor.examine(probed))
    assert (found[-1].ok, found[-1].code) == (False, "doctor.broken")
    assert "no such operator" in say(found[-1].code, **found[-1].values)
    monkeypatch.setattr(doctor, "lora_losses", lambda device: (4.0, float("nan")))
    assert list(doctor.examine(probed))[-1].code == "doctor.lora_wrong"


def test_accelerator_that_computes_something_else(probed, monkeypatch):
    known = hardware.read_or_probe(probed)
    other = Hardware(**{**known.to_json(), "device": "cuda:0"})
    monkeypatch.setattr(hardware, "read_or_probe", lambda place: other)
    for theirs, good in ((4.001, True), (4.5, False)):
        monkeypatch.setattr(
            doctor, "lora_losses", lambda device, theirs=theirs: (4.0 if device == "cpu" else theirs, 3.0)
        )
        assert list(doctor.examine(probed))[-1].ok is good


def test_the_step_is_the_same_each_time():
    assert doctor.lora_losses("cpu") == doctor.lora_losses("cpu")


def test_all_words_are_there():
    for name in ("libraries", "memory", "memory_tight", "disk", "disk_tight", "lora", "same_loss", "other_loss"):
        assert has(f"doctor.{name}")
