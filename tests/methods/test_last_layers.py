"""Tuning the last layers: only they move, in every family, and what was saved puts exactly them back."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from spoken import check_spoken
from test_methods import BATCH, DECODERS, ENCODERS, FACTS, card, folder_of, learn, load, logits, machine
from transformers import AutoConfig, AutoModelForSeq2SeqLM, BertConfig, BertForMaskedLM

from studio.errors import UserError
from studio.methods.base import methods
from studio.methods.last_layers import LAYERS_FILE, LastLayersOptions
from studio.methods.parts import block_stack
from studio.tasks.base import tasks

METHOD = methods.get("last_layers")
SEQ2SEQ = {
    "t5": {"d_model": 16, "d_ff": 24, "d_kv": 8, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 2, "vocab_size": 90, "decoder_start_token_id": 0},
    "bart": {"d_model": 16, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "vocab_size": 90},
    "marian": {"d_model": 16, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "vocab_size": 90, "pad_token_id": 0, "decoder_start_token_id": 0},
}  # fmt: skip


def moved(model, steps: int = 1) -> set[str]:
    """The names of the weights that changed in a step of learning."""
    before = {name: part.detach().clone() for name, part in model.named_parameters()}
    learn(model, steps)
    return {name for name, part in model.named_parameters() if not torch.equal(part, before[name])}


@pytest.mark.parametrize("family", [*ENCODERS, *DECODERS])
def test_only_the_last_layer_moves_and_comes_back(tmp_path, family):
    task, model = load(folder_of(tmp_path, family), family)
    model = METHOD.prepare(model, task.peft_type, LastLayersOptions(layers=1))
    names = moved(model)
    stack, blocks = block_stack(model)
    assert len(blocks) == 2
    assert any(name.startswith(f"{stack}.1.") for name in names)
    assert not any(name.startswith(f"{stack}.0.") for name in names)
    assert not any("embed" in name or "wte" in name or "lm_head" in name for name in names)
    assert any("classifier" in name for name in names) == (family in ENCODERS)
    after = logits(model)
    METHOD.save(model, str(tmp_path / "tuned"))
    _, fresh = load(tmp_path / family, family, seed=99)
    again = METHOD.load(fresh, str(tmp_path / "tuned"))
    assert torch.equal(logits(again), after)
    assert not again.training


@pytest.mark.parametrize("family", SEQ2SEQ)
def test_of_an_encoder_decoder_the_decoder_moves(family):
    torch.manual_seed(0)
    model = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model(family, **SEQ2SEQ[family]))
    model = METHOD.prepare(model, "SEQ_2_SEQ_LM", LastLayersOptions(layers=2))
    moving = {name for name, part in model.named_parameters() if part.requires_grad}
    stack, blocks = block_stack(model)
    assert len(blocks) == 3
    assert all(name.startswith((f"{stack}.1.", f"{stack}.2.")) or "norm" in name for name in moving)
    assert not any("encoder." in name or "shared" in name for name in moving)
    loss = model(**BATCH, labels=BATCH["input_ids"]).loss
    loss.backward()
    assert all(part.grad is not None for part in model.parameters() if part.requires_grad)


def test_a_head_made_for_masked_words_moves_but_its_word_table_does_not():
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    model = METHOD.prepare(
        BertForMaskedLM(BertConfig(**sizes, vocab_size=90)), "MASKED_LM", LastLayersOptions(layers=1)
    )
    moving = {name for name, part in model.named_parameters() if part.requires_grad}
    assert "cls.predictions.transform.dense.weight" in moving
    assert not any("embeddings" in name for name in moving)


@pytest.mark.parametrize("layers", [2, 100])
def test_more_layers_than_there_are_means_all_of_them(tmp_path, layers):
    task, model = load(folder_of(tmp_path, "bert"), "bert")
    model = METHOD.prepare(model, task.peft_type, LastLayersOptions(layers=layers))
    names = moved(model)
    assert any(".layer.0." in name for name in names)
    assert not any("embeddings" in name for name in names)
    METHOD.save(model, str(tmp_path / "tuned"))
    assert torch.equal(
        logits(METHOD.load(load(tmp_path / "bert", "bert", 5)[1], str(tmp_path / "tuned"))), logits(model)
    )


def test_what_does_not_fit_is_refused(tmp_path):
    folder, tuned = folder_of(tmp_path, "bert"), tmp_path / "tuned"
    task, model = load(folder, "bert")
    METHOD.save(METHOD.prepare(model, task.peft_type, LastLayersOptions(layers=1)), str(tuned))
    with pytest.raises(UserError) as caught:
        METHOD.load(task.load(str(folder), {"labels": ["a", "b"]}, task.Options()), str(tuned))
    check_spoken(caught.value, "tuned_weights_misfit", folder=str(tuned), part="classifier.bias")
    tensors = load_file(tuned / LAYERS_FILE)
    lost = "bert.encoder.layer.1.output.dense.bias"
    save_file({name: part for name, part in tensors.items() if name != lost}, tuned / LAYERS_FILE)
    with pytest.raises(UserError) as caught:
        METHOD.load(load(folder, "bert")[1], str(tuned))
    check_spoken(caught.value, "tuned_weights_misfit", folder=str(tuned), part=lost)
    (tuned / LAYERS_FILE).write_bytes(b"\x00" * 20)
    with pytest.raises(UserError) as caught:
        METHOD.load(load(folder, "bert")[1], str(tuned))
    check_spoken(caught.value, "tuned_weights_misfit", folder=str(tuned), part=LAYERS_FILE)


def test_a_model_without_numbered_layers_cannot_say_which_are_last():
    class Plain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = torch.nn.Sequential(torch.nn.Embedding(9, 4))
            self.classifier = torch.nn.Linear(4, 2)

    with pytest.raises(UserError) as caught:
        METHOD.prepare(Plain(), "SEQ_CLS", LastLayersOptions())
    check_spoken(caught.value, "last_layers_none", model="Plain")


def test_shared_layers_and_other_kinds_of_model_are_greyed_out_with_the_reason():
    import dataclasses

    albert = dataclasses.replace(card(), model_type="albert")
    assert METHOD.supports("SEQ_CLS", albert, machine(8 * 10**9)).code == "verdict.method_shared_layers"
    assert METHOD.supports("SEQ_CLS", card(), machine(8 * 10**9)).ok
    refused = METHOD.supports("SEQ_2_SEQ_LM", card(), machine(8 * 10**9))
    assert (refused.ok, refused.code) == (False, "verdict.method_needs_seq2seq")
    assert METHOD.supports("SEQ_2_SEQ_LM", card("seq2seq"), machine(8 * 10**9)).ok
    assert METHOD.supports("MASKED_LM", card("decoder"), machine(8 * 10**9)).code == "verdict.method_needs_encoder"


def test_the_task_takes_part_in_a_whole_load(tmp_path):
    """The facts of a task reach its head as with every other method."""
    task = tasks.get("classification")
    model = METHOD.prepare(task.load(str(folder_of(tmp_path, "electra")), FACTS, task.Options()), task.peft_type, LastLayersOptions(layers=1))  # fmt: skip
    assert logits(model).shape == (3, len(FACTS["labels"]))
