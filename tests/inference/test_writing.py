"""What encoder-decoders write: the same as transformers' own search, batch or alone, stoppable between steps."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parents[1] / "tasks"))
from tiny_seq2seq import FAMILIES, pairs, seq2seq_folder  # noqa: E402

from studio.inference.writing import WriteSettings, stream_one, write_batch
from studio.methods.base import methods
from studio.models.load import load_tokenizer
from studio.tasks.base import tasks

TASK = tasks.get("translation")
FACTS = {"source_language": "en", "target_language": "zh"}


@pytest.fixture(scope="module", params=FAMILIES)
def written(request, tmp_path_factory):
    """A model that has learnt a little, its tokenizer and some texts of unequal length as token ids."""
    folder = seq2seq_folder(tmp_path_factory.mktemp(request.param) / "m", request.param)
    tokenizer = load_tokenizer(folder)
    model = TASK.load(str(folder), FACTS, TASK.Options())
    items = TASK.encode(pairs(12), tokenizer, FACTS, 32)
    from studio.training.batching import collate

    batch = collate(items, tokenizer.pad_token_id, "cpu")
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(30):
        TASK.loss(model, batch, TASK.Options()).backward()
        optimizer.step()
        optimizer.zero_grad()
    texts = ["the big cat sees fish", "dog", "the red bird", "likes"]
    return model.eval(), tokenizer, [tokenizer(text)["input_ids"] for text in texts]


def last(steps):
    *waiting, texts = steps
    assert all(step is None for step in waiting)
    return texts


@pytest.mark.parametrize("beams", [1, 3])
def test_it_writes_what_transformers_would(written, beams):
    model, tokenizer, sources = written
    ours = last(write_batch(model, tokenizer, sources, WriteSettings(beams=beams, most=10)))
    padded = tokenizer.pad({"input_ids": sources}, return_tensors="pt")
    from studio.tasks.seq2seq import opening

    theirs = model.generate(
        **padded,
        num_beams=beams,
        do_sample=False,
        max_new_tokens=10,
        decoder_input_ids=torch.tensor([opening(model, tokenizer)] * len(sources)),
        decoder_start_token_id=opening(model, tokenizer)[0],
        forced_eos_token_id=None,
        forced_bos_token_id=None,
    )
    assert ours == [text.strip() for text in tokenizer.batch_decode(theirs, skip_special_tokens=True)]
    assert any(ours)


@pytest.mark.parametrize("beams", [1, 3])
def test_a_text_gets_the_same_answer_alone_and_in_company(written, beams):
    model, tokenizer, sources = written
    settings = WriteSettings(beams=beams, most=10)
    together = last(write_batch(model, tokenizer, sources, settings))
    assert together == [last(write_batch(model, tokenizer, [source], settings))[0] for source in sources]


def test_it_can_be_stopped_between_steps_and_leaves_no_gradients(written):
    model, tokenizer, sources = written
    steps = write_batch(model, tokenizer, sources, WriteSettings(most=10))
    assert next(steps) is None
    steps.close()
    assert all(part.grad is None or not part.grad.any() for part in model.parameters())


def test_an_answer_grows_while_it_is_written(written):
    model, tokenizer, sources = written
    seen = list(stream_one(model, tokenizer, sources[0], 10))
    assert seen[-1] == last(write_batch(model, tokenizer, [sources[0]], WriteSettings(most=10)))[0]
    assert len(seen) > 1
    assert all(after.startswith(before) for before, after in zip(seen, seen[1:], strict=False))


def test_the_base_answers_when_its_adapter_is_off(tmp_path):
    from studio.inference.adapters import base_only

    folder = seq2seq_folder(tmp_path / "m")
    tokenizer = load_tokenizer(folder)
    base = TASK.load(str(folder), FACTS, TASK.Options()).eval()
    sources = [tokenizer("the cat")["input_ids"]]
    settings = WriteSettings(beams=2, most=6)
    plain = last(write_batch(base, tokenizer, sources, settings))
    lora = methods.get("lora")
    tuned = lora.prepare(base, TASK.peft_type, lora.Options()).eval()
    for name, part in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(part, std=2.0)
    assert last(write_batch(tuned, tokenizer, sources, settings)) != plain
    assert last(write_batch(tuned, tokenizer, sources, settings, base_only(tuned))) == plain
