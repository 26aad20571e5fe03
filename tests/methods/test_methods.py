"""The three methods on tiny models of several families: what moves, what is saved, and the same answers after reload."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from spoken import check_spoken
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

from studio.errors import UserError
from studio.hardware import Hardware
from studio.methods.base import methods
from studio.methods.lora import LoraOptions
from studio.models.card import Card
from studio.tasks.base import tasks
from studio.words import has, say

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48, "vocab_size": 90}
ENCODERS = {
    "bert": SIZES,
    "roberta": {**SIZES, "max_position_embeddings": 66},
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "vocab_size": 90},
    "modernbert": {
        **SIZES,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "cls_token_id": 1,
        "sep_token_id": 2,
    },
    "electra": {**SIZES, "embedding_size": 16},
}
DECODERS = {
    "llama": {**SIZES, "num_key_value_heads": 2, "tie_word_embeddings": True},
    "qwen2": {**SIZES, "num_key_value_heads": 2, "tie_word_embeddings": False},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 90, "bos_token_id": 1, "eos_token_id": 2},
}
BATCH = {"input_ids": torch.arange(3, 27).reshape(3, 8), "attention_mask": torch.ones(3, 8, dtype=torch.long)}
FACTS = {"labels": ["blue", "green", "red"]}


def folder_of(root: Path, family: str) -> Path:
    """A base model of a few thousand random weights in a folder called after its family."""
    folder = root / family
    torch.manual_seed(1)
    sizes = {**ENCODERS, **DECODERS}[family]
    kind = AutoModelForCausalLM if family in DECODERS else AutoModel
    kind.from_config(AutoConfig.for_model(family, **sizes)).save_pretrained(folder)
    return folder


def load(folder: Path, family: str, seed: int = 2):
    task = tasks.get("chat" if family in DECODERS else "classification")
    torch.manual_seed(seed)
    return task, task.load(str(folder), FACTS, task.Options())


def logits(model) -> torch.Tensor:
    model.eval()
    with torch.no_grad():
        return model(**BATCH).logits


def learn(model, steps: int = 3) -> None:
    moving = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(moving, lr=0.02)
    model.train()
    for _ in range(steps):
        loss = model(**BATCH).logits.float().logsumexp(-1).sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


CASES = [(key, family) for key in ("full", "lora", "head") for family in ENCODERS] + [
    (key, family) for key in ("full", "lora") for family in DECODERS
]


@pytest.mark.parametrize(("key", "family"), CASES)
def test_a_tuned_model_answers_the_same_after_reload(tmp_path, key, family):
    folder = folder_of(tmp_path, family)
    method = methods.get(key)
    task, model = load(folder, family)
    before = logits(model)
    model = method.prepare(model, task.peft_type, method.Options())
    learn(model)
    after = logits(model)
    assert (after - before).abs().max() > 1e-3
    method.save(model, str(tmp_path / "tuned"))
    # Another seed for the fresh model: a head that was not saved would give itself away.
    _, fresh = load(folder, family, seed=99)
    again = method.load(fresh, str(tmp_path / "tuned"))
    assert torch.equal(logits(again), after)
    assert not again.training


@pytest.mark.parametrize("family", ["bert", "qwen2", "gpt2"])
def test_lora_moves_every_adapter_and_keeps_no_base_weights(tmp_path, family):
    method = methods.get("lora")
    folder = folder_of(tmp_path, family)
    task, model = load(folder, family)
    model = method.prepare(model, task.peft_type, LoraOptions(rank=4))
    base = {
        name: value.clone()
        for name, value in model.named_parameters()
        if "lora_" not in name and "classifier" not in name
    }
    learn(model, 1)
    for name, value in model.named_parameters():
        if "lora_B" in name:
            assert value.abs().max() > 0, name
        if name in base:
            assert torch.equal(value, base[name]), name
    method.save(model, str(tmp_path / "tuned"))
    names = load_file(tmp_path / "tuned" / "adapter_model.safetensors")
    assert names
    assert all("lora_" in name or "classifier" in name for name in names)
    assert any("classifier" in name for name in names) == (family == "bert")
    assert json.loads((tmp_path / "tuned" / "adapter_config.json").read_text())["base_model_name_or_path"] == family


def test_attention_alone_is_smaller(tmp_path):
    def trainable(targets: str) -> int:
        task, model = load(folder_of(tmp_path, "bert"), "bert")
        model = methods.get("lora").prepare(model, task.peft_type, LoraOptions(rank=4, targets=targets))
        return sum(value.numel() for value in model.parameters() if value.requires_grad)

    assert 0 < trainable("attention") < trainable("all-linear")


def test_the_adapter_can_be_switched_off_for_the_base_answer(tmp_path):
    folder = folder_of(tmp_path, "llama")
    task, model = load(folder, "llama")
    before = logits(model)
    model = methods.get("lora").prepare(model, task.peft_type, LoraOptions())
    learn(model)
    with model.disable_adapter():
        assert torch.allclose(logits(model), before, atol=1e-6)


def test_head_alone_leaves_the_base_untouched(tmp_path):
    task, model = load(folder_of(tmp_path, "bert"), "bert")
    method = methods.get("head")
    model = method.prepare(model, task.peft_type, method.Options())
    moving = {name for name, value in model.named_parameters() if value.requires_grad}
    assert moving == {"classifier.weight", "classifier.bias"}
    method.save(model, str(tmp_path / "tuned"))
    assert set(load_file(tmp_path / "tuned" / "head.safetensors")) == moving


def test_a_model_without_a_head_cannot_be_tuned_by_its_head(tmp_path):
    _, model = load(folder_of(tmp_path, "llama"), "llama")
    method = methods.get("head")
    base = AutoModel.from_config(AutoConfig.for_model("bert", **SIZES))
    # A language model's head is tied to its base, and a bare base has none at all.
    for headless, peft_type in ((model, "CAUSAL_LM"), (base, "SEQ_CLS")):
        with pytest.raises(UserError) as caught:
            method.prepare(headless, peft_type, method.Options())
        check_spoken(caught.value, "method_no_head", method="head")


def test_lora_says_when_nothing_matches():
    class Plain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = torch.nn.Sequential(torch.nn.Embedding(9, 4))
            self.classifier = torch.nn.Linear(4, 2)

    with pytest.raises(UserError) as caught:
        methods.get("lora").prepare(Plain(), "SEQ_CLS", LoraOptions(targets="attention"))
    check_spoken(caught.value, "lora_no_targets", targets="attention")


PARTS = {"full": "classifier.bias", "lora": "base_model.model.classifier.bias", "head": "classifier.bias"}
"""The first weight, by name, whose shape depends on the labels."""


@pytest.mark.parametrize("key", ["full", "lora", "head"])
def test_weights_for_other_labels_are_refused(tmp_path, key):
    folder = folder_of(tmp_path, "bert")
    method = methods.get(key)
    task, model = load(folder, "bert")
    method.save(method.prepare(model, task.peft_type, method.Options()), str(tmp_path / "tuned"))
    other = task.load(str(folder), {"labels": ["a", "b"]}, task.Options())
    with pytest.raises(UserError) as caught:
        method.load(other, str(tmp_path / "tuned"))
    check_spoken(caught.value, "tuned_weights_misfit", folder=str(tmp_path / "tuned"), part=PARTS[key])


@pytest.fixture(scope="module")
def adapter(tmp_path_factory) -> tuple[Path, Path]:
    """A base folder and the folder of an adapter made for it; copied before anything is changed."""
    root = tmp_path_factory.mktemp("adapter")
    folder = folder_of(root, "bert")
    task, model = load(folder, "bert")
    method = methods.get("lora")
    method.save(method.prepare(model, task.peft_type, LoraOptions(rank=2)), str(root / "tuned"))
    return folder, root / "tuned"


@pytest.mark.parametrize(
    ("base", "named"),
    [
        ("evil/other-model", "evil/other-model"),
        ("https://evil.example/model", "https://evil.example/model"),
        ("/etc", "/etc"),
        (None, "-"),
    ],
)
def test_an_adapter_of_another_base_is_refused(tmp_path, adapter, base, named):
    folder, tuned = adapter[0], shutil.copytree(adapter[1], tmp_path / "tuned")
    spoil(tuned, base_model_name_or_path=base)
    with pytest.raises(UserError) as caught:
        methods.get("lora").load(load(folder, "bert")[1], str(tuned))
    check_spoken(caught.value, "adapter_other_base", folder=str(tuned), found=named, expected="bert")


def spoil(tuned: Path, **change) -> None:
    """Overwrite settings of a saved adapter."""
    config = json.loads((tuned / "adapter_config.json").read_text())
    (tuned / "adapter_config.json").write_text(json.dumps({**config, **change}))


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"auto_mapping": {"base_model_class": "X", "parent_library": "antigravity"}}, "auto_mapping"),
        ({"megatron_config": {"a": 1}, "megatron_core": "antigravity"}, "megatron_config"),
        ({"peft_type": "PROMPT_TUNING"}, "peft_type=PROMPT_TUNING"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights"),
        ({"layer_replication": [[0, 1]]}, "layer_replication"),
        ({"target_modules": ".*"}, "target_modules, task_type"),
        ({"task_type": "FEATURE_EXTRACTION"}, "target_modules, task_type"),
        ({"surprise": True}, "surprise"),
    ],
)
def test_an_adapter_that_asks_for_more_than_plain_lora_is_refused(tmp_path, adapter, change, key):
    folder, tuned = adapter[0], shutil.copytree(adapter[1], tmp_path / "tuned")
    spoil(tuned, **change)
    _, fresh = load(folder, "bert")
    with pytest.raises(UserError) as caught:
        methods.get("lora").load(fresh, str(tuned))
    check_spoken(caught.value, "adapter_unsafe", folder=str(tuned), key=key)


def test_an_adapter_with_a_missing_or_foreign_weight_is_refused(tmp_path, adapter):
    folder, tuned = adapter[0], shutil.copytree(adapter[1], tmp_path / "tuned")
    path = tuned / "adapter_model.safetensors"
    tensors = load_file(path)
    first = sorted(tensors)[0]
    without = {name: tensor for name, tensor in tensors.items() if name != first}
    for changed, part in ((without, first), ({**tensors, "extra": torch.ones(2)}, "extra")):
        save_file(changed, path)
        with pytest.raises(UserError) as caught:
            methods.get("lora").load(load(folder, "bert")[1], str(tuned))
        check_spoken(caught.value, "tuned_weights_misfit", folder=str(tuned), part=part)
    path.write_bytes(b"\x00" * 20)
    with pytest.raises(UserError) as caught:
        methods.get("lora").load(load(folder, "bert")[1], str(tuned))
    check_spoken(caught.value, "tuned_weights_misfit", folder=str(tuned), part=path.name)


@pytest.mark.parametrize("key", ["full", "head"])
def test_a_damaged_or_partial_file_of_weights_is_refused(tmp_path, key):
    folder, tuned = folder_of(tmp_path, "bert"), tmp_path / "tuned"
    method = methods.get(key)
    task, model = load(folder, "bert")
    method.save(method.prepare(model, task.peft_type, method.Options()), str(tuned))
    path = tuned / {"full": "model.safetensors", "head": "head.safetensors"}[key]
    save_file({name: tensor for name, tensor in load_file(path).items() if name != "classifier.bias"}, path)
    with pytest.raises(UserError) as caught:
        method.load(load(folder, "bert")[1], str(tuned))
    check_spoken(caught.value, "tuned_weights_misfit", folder=str(tuned), part="classifier.bias")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError) as caught:
        method.load(load(folder, "bert")[1], str(tuned))
    if key == "full":
        check_spoken(caught.value, "model_weights_damaged", folder=str(tuned), file=path.name)
    else:
        check_spoken(caught.value, "tuned_weights_misfit", folder=str(tuned), part=path.name)


def card(kind: str = "encoder", parameters: int = 22_000_000) -> Card:
    return Card("x:y", "Model Y", None, parameters, 0, 0, kind, "bert", 384, 6, 12, 30_000, 512)


def machine(memory: int, device_memory: int = 0) -> Hardware:
    return Hardware(
        "cuda:0" if device_memory else "cpu", "chip", 4, memory, device_memory, False, "fp32",
        "reason.precision_fp32_cpu", 4, "reason.threads_cores", 100.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("key", "peft_type", "the_card", "hardware", "ok", "code"),
    [
        ("full", "SEQ_CLS", card(), machine(8 * 10**9), True, "verdict.method_fits"),
        ("full", "SEQ_CLS", card(parameters=10**9), machine(8 * 10**9), False, "verdict.method_too_big"),
        ("lora", "SEQ_CLS", card(parameters=10**9), machine(8 * 10**9), True, "verdict.method_fits"),
        (
            "lora",
            "SEQ_CLS",
            card(parameters=10**9),
            machine(64 * 10**9, 4 * 10**9),
            False,
            "verdict.method_too_big_lora",
        ),
        ("lora", "CAUSAL_LM", card(), machine(8 * 10**9), False, "verdict.method_needs_decoder"),
        ("full", "SEQ_CLS", card("seq2seq"), machine(8 * 10**9), False, "verdict.method_needs_encoder"),
        ("full", "CAUSAL_LM", card("decoder"), machine(8 * 10**9), True, "verdict.method_fits"),
        ("head", "CAUSAL_LM", card("decoder"), machine(8 * 10**9), False, "verdict.method_no_head"),
        ("head", "SEQ_CLS", card("decoder"), machine(8 * 10**9), True, "verdict.method_fits"),
    ],
)
def test_every_verdict_has_its_reason(key, peft_type, the_card, hardware, ok, code):
    verdict = methods.get(key).supports(peft_type, the_card, hardware)
    assert (verdict.ok, verdict.code) == (ok, code)
    for language in ("en", "zh"):
        assert "{" not in say(verdict.code, language, **verdict.values)


def test_every_method_and_option_has_words():
    from studio.options import options_of

    assert methods.keys() == ["full", "lora", "qlora", "qlora8", "last_layers", "head"]
    for method in methods:
        assert has(f"method.{method.key}.title")
        assert has(f"method.{method.key}.blurb")
        for item in options_of(method.Options, "method"):
            assert has(item.code)
            assert has(f"{item.code}_help")
