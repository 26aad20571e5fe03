"""Adapters beside a quantised base: what is quantised, what is kept, that a merged copy answers alike, and what it costs."""

import importlib.util
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file
from spoken import check_spoken
from test_methods import FACTS, card, folder_of, learn, logits, machine

from studio.errors import UserError
from studio.hardware import Hardware
from studio.methods import quantised
from studio.methods.base import methods
from studio.tasks.base import tasks
from studio.training import cost
from studio.training.options import TrainingOptions
from studio.training.plan import Case, plan

KEYS = ("qlora", "qlora8")
FAMILIES = {"bert": "classification", "llama": "chat", "gpt2": "causal_lm"}
installed = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed (extra: quant)"
)


def opened(key: str, folder, family: str, seed: int = 2):
    method, task = methods.get(key), tasks.get(FAMILIES[family])
    torch.manual_seed(seed)
    return method.open(lambda: task.load(str(folder), FACTS, task.Options())), task


@installed
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("key", KEYS)
def test_the_layers_are_quantised_the_adapter_learns_and_a_merged_copy_answers_alike(tmp_path, key, family):
    import bitsandbytes as bnb

    method, folder = methods.get(key), folder_of(tmp_path, family)
    model, task = opened(key, folder, family)
    narrow = {"qlora": bnb.nn.Linear4bit, "qlora8": bnb.nn.Linear8bitLt}[key]
    found = [name for name, part in model.named_modules() if isinstance(part, narrow)]
    assert found
    assert all(any(map(str.isdigit, name.split("."))) for name in found)
    model = method.prepare(model, task.peft_type, method.Options(rank=4))
    base = {name: part.detach().clone() for name, part in model.named_parameters() if not part.requires_grad}
    learn(model)
    assert all(torch.equal(part, base[name]) for name, part in model.named_parameters() if name in base)
    said = logits(model)
    method.save(model, str(tmp_path / "tuned"))
    assert all(
        "lora_" in name or "classifier" in name for name in load_file(tmp_path / "tuned/adapter_model.safetensors")
    )
    again = method.load(opened(key, folder, family, 99)[0], str(tmp_path / "tuned"))
    assert torch.equal(logits(again), said)
    merged = method.merged(again)
    assert not any(isinstance(part, narrow) or "lora" in name for name, part in merged.named_modules())
    assert (logits(merged) - said).abs().max() <= method.merged_gap
    # A copy that stands alone is written and opened as any other model of its family.
    merged.save_pretrained(tmp_path / "copy")
    assert "quantization_config" not in (tmp_path / "copy/config.json").read_text()
    if family != "bert":
        plain = task.load(str(tmp_path / "copy"), FACTS, task.Options())
        assert torch.allclose(logits(plain), logits(merged), atol=1e-5)


@installed
def test_an_untuned_base_answers_where_the_library_has_a_kernel_for_the_processor(tmp_path, monkeypatch):
    """That kernel wants wide layers; the report asks the base beside which no adapter ever stood."""
    from bitsandbytes.nn import modules

    monkeypatch.setattr(modules, "has_avx512bf16", lambda: True)
    model, _ = opened("qlora", folder_of(tmp_path, "bert"), "bert")
    assert torch.isfinite(logits(model.eval())).all()


@installed
@pytest.mark.parametrize("key", KEYS)
def test_only_what_is_read_within_is_quantised(tmp_path, key):
    folder = folder_of(tmp_path, "bert")
    opened(key, folder, "bert")
    task = tasks.get("classification")
    plain = task.load(str(folder), FACTS, task.Options())
    assert {part.dtype for part in plain.parameters()} == {torch.float32}


@pytest.mark.parametrize("key", KEYS)
def test_without_the_library_it_is_greyed_out_with_how_to_get_it(monkeypatch, key):
    monkeypatch.setattr(quantised, "find_spec", lambda name: None)
    verdict = methods.get(key).supports("CAUSAL_LM", card("decoder"), machine(8 * 10**9))
    assert (verdict.ok, verdict.code) == (False, "verdict.method_no_library")
    assert verdict.values == {"library": "bitsandbytes"}
    with pytest.raises(UserError) as caught:
        methods.get(key).open(lambda: None)
    check_spoken(caught.value, "method_no_library", method=key, library="bitsandbytes")


@installed
def test_a_model_that_only_fits_in_four_bits_says_so():
    large, small = card("decoder", 3_000_000_000), machine(6 * 10**9)
    assert not methods.get("lora").supports("CAUSAL_LM", large, small).ok
    assert methods.get("qlora").supports("CAUSAL_LM", large, small).ok


def test_the_estimate_counts_the_quantised_base():
    large = card("decoder", 1_000_000_000)

    def memory(key: str) -> int:
        case = Case(
            tasks.get("chat"), large, methods.get(key), [100] * 50, Hardware(**machine(64 * 10**9).to_json()), 500
        )
        return plan(case, "quick", {"micro_batch": 1, "precision": "fp32"}).estimate.memory_bytes

    assert memory("lora") - memory("qlora8") > 2.8e9
    assert memory("qlora8") - memory("qlora") > 0.4e9
    assert cost.STATE_BYTES[TrainingOptions().optimizer] == 8


@installed
@pytest.mark.parametrize(("key", "brought"), [("lora", False), ("qlora", True)])
def test_the_quantising_library_is_imported_only_where_it_is_needed(tmp_path, key, brought):
    """It takes five seconds and 200 MB, which no plain adapter shall pay."""
    folder = folder_of(tmp_path, "bert")
    script = (
        "import sys; from studio.methods.base import methods; from studio.tasks.base import tasks\n"
        f"method, task = methods.get({key!r}), tasks.get('classification')\n"
        f"model = method.open(lambda: task.load({str(folder)!r}, {FACTS!r}, task.Options()))\n"
        "method.prepare(model, task.peft_type, method.Options())\n"
        "print('bitsandbytes' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == str(brought)
    assert "kernels" not in done.stderr
