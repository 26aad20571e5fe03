"""Language modelling: every token is foretold once, hidden words are the same for every model, a new head is said."""

import math
import sys
from pathlib import Path

import pytest
import torch
from spoken import check_problem, check_spoken
from tiny_language import encoder_with_mask
from transformers import AutoConfig, AutoModelForCausalLM

from studio.errors import UserError
from studio.methods.base import methods
from studio.models.load import load_tokenizer
from studio.tasks.base import tasks
from studio.tasks.causal import IGNORED
from studio.tasks.language import blocks
from studio.tasks.masks import SHARE, chosen, hide
from studio.training.batching import collate

sys.path.append(str(Path(__file__).parents[1] / "training"))
from tiny_training import save_chat, save_encoder  # noqa: E402

CAUSAL, MASKED = tasks.get("causal_lm"), tasks.get("masked_lm")
ROWS = [{"text": "the soup was good and the room was warm"}, {"text": "staff was rude"}, {"text": "we had a bed"}]


def test_blocks_leave_no_token_out_and_foretell_each_once():
    ids = list(range(100, 123))
    for size in (2, 5, 22, 23, 40):
        parts = blocks(ids, size)
        assert all(len(part) <= size for part in parts)
        assert [token for part in parts for token in part[1:]] == ids[1:]
        assert all(after[0] == before[-1] for before, after in zip(parts, parts[1:], strict=False))
    assert blocks([7], 5) == [[7]]


def test_causal_blocks_hold_one_document_each_and_end_with_the_mark(tmp_path):
    tokenizer = load_tokenizer(save_chat(tmp_path / "m"))
    found = CAUSAL.documents([{"text": "abcdefgh"}, {"text": "中文。"}], tokenizer, {"end_mark": True}, 5)
    assert [[len(part["input_ids"]) for part in row] for row in found] == [[5, 5], [5, 5, 2]]
    assert all(part["labels"] == part["input_ids"] for row in found for part in row)
    assert [row[-1]["input_ids"][-1] for row in found] == [tokenizer.eos_token_id] * 2
    assert (
        CAUSAL.encode([{"text": "ab"}], tokenizer, {"end_mark": False}, 9)[0]["input_ids"]
        == tokenizer("ab")["input_ids"]
    )
    assert CAUSAL.encode([], tokenizer, {}, 9) == []


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_the_causal_loss_is_that_of_transformers(tmp_path, family):
    tokenizer = load_tokenizer(save_chat(tmp_path / "m"))
    folder = tmp_path / "m"
    if family == "gpt2":
        folder = tmp_path / "g"
        config = AutoConfig.for_model("gpt2", n_embd=32, n_layer=2, n_head=4, vocab_size=len(tokenizer))
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    model = CAUSAL.load(str(folder), {}, CAUSAL.Options()).eval()
    items = CAUSAL.encode(ROWS, tokenizer, {"end_mark": True}, 64)
    batch = collate(items, tokenizer.pad_token_id, "cpu")
    theirs = model(**batch).loss
    ours = CAUSAL.loss(model, batch, CAUSAL.Options()) / CAUSAL.weight(batch)
    assert torch.allclose(ours, theirs, rtol=1e-4)
    read = CAUSAL.read(model, batch, {})
    assert sum(row["tokens"] for row in read) == CAUSAL.weight(batch) == sum(len(item["labels"]) - 1 for item in items)
    # A row's loss does not depend on what stands beside it.
    alone = CAUSAL.read(model, collate(items[1:2], tokenizer.pad_token_id, "cpu"), {})[0]
    assert alone["loss"] == pytest.approx(read[1]["loss"], rel=1e-4)


def batch_of(tokenizer, rows=ROWS, length: int = 32, draw: tuple[int, ...] = ()):
    batch = collate(MASKED.encode(rows, tokenizer, {}, length), tokenizer.pad_token_id, "cpu")
    return {**batch, "draw": torch.tensor(draw)} if draw else batch


def test_hidden_words_follow_from_the_step_in_training_and_from_the_row_in_evaluation(tmp_path):
    tokenizer = load_tokenizer(encoder_with_mask(tmp_path / "m"))
    mask, size = tokenizer.mask_token_id, len(tokenizer)
    many = ROWS * 40
    state = torch.random.get_rng_state()
    first, again, next_step = (
        hide(batch_of(tokenizer, many, 32, draw), mask, size) for draw in ((1, 5, 0), (1, 5, 0), (1, 6, 0))
    )
    assert torch.equal(first.input_ids, again.input_ids)
    assert torch.equal(first.labels, again.labels)
    assert not torch.equal(first.labels, next_step.labels)
    assert torch.equal(torch.random.get_rng_state(), state)
    batch = batch_of(tokenizer, many, 32, (1, 5, 0))
    may = batch["labels"] != IGNORED
    count = int((first.labels != IGNORED).sum())
    assert count == MASKED.weight(batch)
    assert SHARE * 0.8 < count / int(may.sum()) < SHARE * 2.2
    hidden = first.labels != IGNORED
    assert bool((hidden & ~may).any()) is False
    became = first.input_ids[hidden]
    assert 0.6 < float((became == mask).float().mean()) < 0.95
    assert torch.equal(first.input_ids[~hidden], batch["input_ids"][~hidden])
    # In evaluation every chosen word is hidden, and the same ones in any company.
    together, alone = batch_of(tokenizer), batch_of(tokenizer, ROWS[1:2])
    width = alone["input_ids"].shape[1]
    assert torch.equal(chosen(together)[1, :width], chosen(alone)[0])
    assert bool((hide(together, mask, size).input_ids[chosen(together)] == mask).all())
    assert chosen(together).any(1).all()


def test_a_long_text_is_read_in_blocks_and_marks_are_never_hidden(tmp_path):
    tokenizer = load_tokenizer(encoder_with_mask(tmp_path / "m"))
    found = MASKED.documents(ROWS, tokenizer, {"prefix": "query: "}, 6)
    assert [len(row) for row in found] == [3, 1, 1]
    inside = [token for part in found[0] for token in part["labels"] if token != IGNORED]
    assert tokenizer.decode(inside) == ROWS[0]["text"]
    assert all(part["labels"][0] == part["labels"][-1] == IGNORED for row in found for part in row)
    assert MASKED.encode([], tokenizer, {}, 6) == []


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "modernbert", "electra"])
def test_scoring_hidden_tokens_only_is_the_loss_of_the_whole(tmp_path, family):
    folder = encoder_with_mask(tmp_path / "m", family)
    tokenizer = load_tokenizer(folder)
    model = MASKED.load(str(folder), {}, MASKED.Options()).eval()
    assert model.had_head
    batch = batch_of(tokenizer)
    masked = hide(batch, tokenizer.mask_token_id, len(tokenizer))
    theirs = model(input_ids=masked.input_ids, attention_mask=batch["attention_mask"], labels=masked.labels).loss
    ours = MASKED.loss(model, batch, MASKED.Options()) / MASKED.weight(batch)
    assert torch.allclose(ours, theirs, rtol=1e-4)
    read = MASKED.read(model, batch, {})
    assert sum(row["loss"] for row in read) / sum(row["tokens"] for row in read) == pytest.approx(
        theirs.item(), rel=1e-4
    )


def test_a_checkpoint_without_a_head_says_so_and_begins_near_chance(tmp_path):
    folder = encoder_with_mask(tmp_path / "m", head=False)
    tokenizer = load_tokenizer(folder)
    model = MASKED.load(str(folder), {}, MASKED.Options()).eval()
    assert model.had_head is False
    # Tied to the word table: no second table was made.
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    dense = model.cls.predictions.transform.dense
    assert torch.equal(dense.weight, torch.eye(32))
    read = MASKED.read(model, batch_of(tokenizer), {})
    loss = sum(row["loss"] for row in read) / sum(row["tokens"] for row in read)
    assert loss == pytest.approx(math.log(len(tokenizer)), rel=0.5)


@pytest.mark.parametrize("key", ["full", "lora", "last_layers", "head"])
@pytest.mark.parametrize("head", [True, False])
def test_every_method_learns_hidden_words_and_comes_back(tmp_path, key, head):
    folder = encoder_with_mask(tmp_path / "m", head=head)
    tokenizer, method = load_tokenizer(folder), methods.get(key)
    batch = batch_of(tokenizer)
    torch.manual_seed(0)
    model = method.prepare(MASKED.load(str(folder), {}, MASKED.Options()), MASKED.peft_type, method.Options()).eval()
    moving = [part for part in model.parameters() if part.requires_grad]
    optimizer = torch.optim.AdamW(moving, lr=0.02)
    before = MASKED.loss(model, batch, MASKED.Options()).item()
    for _ in range(8):
        MASKED.loss(model, batch, MASKED.Options()).backward()
        optimizer.step()
        optimizer.zero_grad()
    after = MASKED.loss(model, batch, MASKED.Options()).item()
    assert after < 0.9 * before
    method.save(model, str(tmp_path / "tuned"))
    torch.manual_seed(9)
    again = method.load(MASKED.load(str(folder), {}, MASKED.Options()), str(tmp_path / "tuned"))
    assert MASKED.loss(again, batch, MASKED.Options()).item() == pytest.approx(after, rel=1e-5)
    if key != "full":
        # The word table stays the base's: nothing of its size is kept beside it.
        table = again.get_input_embeddings().weight.numel()
        kept = [file for file in (tmp_path / "tuned").iterdir() if file.suffix == ".safetensors"]
        from safetensors.torch import load_file

        assert all(part.numel() != table for file in kept for part in load_file(file).values())


def test_a_model_without_a_mask_is_refused(tmp_path):
    folder = save_encoder(tmp_path / "m")
    with pytest.raises(UserError) as caught:
        MASKED.load(str(folder), {}, MASKED.Options())
    check_spoken(caught.value, "mask_token_missing", model=str(folder), family="bert")


def test_data_without_text_is_a_problem():
    for task in (CAUSAL, MASKED):
        check_problem(task.problems([{"text": " "}, {"text": None}]), "texts_none", "error", "columns.text")
        assert task.problems(ROWS) == []
        assert not task.usable({"text": " "})
