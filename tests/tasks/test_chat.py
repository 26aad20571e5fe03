"""The chat task: only answers are learnt, the prompt is what the model will see, cutting is survived."""

from __future__ import annotations

import json

import pytest
import torch

from studio.errors import UserError
from studio.tasks.base import tasks
from studio.tasks.chat import IGNORED, messages_of, prompt_of, render
from studio.training.batching import collate

TASK = tasks.get("chat")
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
FORGETFUL = (
    "{% for message in messages %}{% if message['role'] != 'assistant' or loop.last %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
STRICT = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}hello"


@pytest.fixture(scope="module")
def tokenizer():
    """Bytes; padding and end of turn are one token, as in SmolLM2."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE({letter: place for place, letter in enumerate(alphabet)}, []))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    raw.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    made = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<|im_end|>", pad_token="<|im_end|>")
    made.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
    made.chat_template = TEMPLATE
    return made


@pytest.fixture(scope="module")
def model(tokenizer):
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=256,
            initializer_range=0.3,
            tie_word_embeddings=True,
        )  # fmt: skip
    ).eval()


def talk(*said: str) -> dict[str, str]:
    roles = ("user", "assistant")
    return {"messages": json.dumps([{"role": roles[n % 2], "content": text} for n, text in enumerate(said)])}


def learnt(item, tokenizer) -> str:
    return tokenizer.decode([label for label in item["labels"] if label != IGNORED])


def test_only_answers_and_their_end_are_learnt(tokenizer):
    item = TASK.encode([talk("Hi", "Hello!", "Bye", "See you")], tokenizer, {"answers": "all"}, 500)[0]
    assert learnt(item, tokenizer) == "Hello!<|im_end|>See you<|im_end|>"
    assert tokenizer.decode(item["input_ids"]) == (
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>\n"
        "<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\nSee you<|im_end|>\n"
    )
    assert len(item["labels"]) == len(item["input_ids"])
    last = TASK.encode([talk("Hi", "Hello!", "Bye", "See you")], tokenizer, {"answers": "last"}, 500)[0]
    assert learnt(last, tokenizer) == "See you<|im_end|>"


def test_what_stands_before_the_answer_is_what_the_model_will_be_asked_with(tokenizer):
    row = talk("Hi", "Hello!", "Bye", "See you")
    item = TASK.encode([row], tokenizer, {"answers": "last"}, 500)[0]
    prompt, answer = prompt_of(messages_of(row))
    asked = tokenizer(render(tokenizer, prompt, open_answer=True), add_special_tokens=False)["input_ids"]
    assert item["input_ids"][: len(asked)] == asked
    assert item["labels"][: len(asked)] == [IGNORED] * len(asked)
    assert answer == "See you"


def test_a_template_that_forgets_earlier_answers_is_followed(tokenizer):
    tokenizer.chat_template, before = FORGETFUL, tokenizer.chat_template
    try:
        item = TASK.encode([talk("Hi", "Hello!", "Bye", "See you")], tokenizer, {"answers": "all"}, 500)[0]
        assert learnt(item, tokenizer) == "See you<|im_end|>"
        assert "Hello!" not in tokenizer.decode(item["input_ids"])
    finally:
        tokenizer.chat_template = before


def test_three_columns_are_a_conversation_too(tokenizer):
    row = {"instruction": "Add", "input": "1 and 2", "output": "3"}
    item = TASK.encode([row], tokenizer, {}, 500)[0]
    assert learnt(item, tokenizer) == "3<|im_end|>"
    assert "Add\n\n1 and 2<|im_end|>" in tokenizer.decode(item["input_ids"])
    assert (TASK.question(row), TASK.truth(row)) == ("Add\n\n1 and 2", "3")


def test_a_cut_answer_keeps_what_is_left_and_a_lost_one_teaches_nothing(tokenizer):
    whole = TASK.encode([talk("Hi", "Hello!")], tokenizer, {}, 500)[0]
    start = next(place for place, label in enumerate(whole["labels"]) if label != IGNORED)
    cut = TASK.encode([talk("Hi", "Hello!")], tokenizer, {}, start + 2)[0]
    assert learnt(cut, tokenizer) == "He"
    lost = TASK.encode([talk("Hi", "Hello!")], tokenizer, {}, start)[0]
    assert set(lost["labels"]) == {IGNORED}


def test_a_question_alone_is_encoded_without_labels(tokenizer):
    item = TASK.encode([{"instruction": "Hi"}], tokenizer, {}, 500)[0]
    assert "labels" not in item
    assert tokenizer.decode(item["input_ids"]).endswith("<|im_start|>assistant\n")


def test_scoring_label_positions_only_is_the_loss_of_the_whole(model, tokenizer):
    rows = [talk("Hi", "Hello!"), talk("A much longer question than that", "ok", "and", "more of the same")]
    items = TASK.encode(rows, tokenizer, {}, 500)
    batch = collate(items, tokenizer.pad_token_id, "cpu")
    found = TASK.loss(model, batch, TASK.Options())
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1]
    expected = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), batch["labels"][:, 1:].flatten(), ignore_index=IGNORED, reduction="sum"
    )
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    assert TASK.weight(batch) == sum(label != IGNORED for item in items for label in item["labels"][1:])
    read = TASK.read(model, batch, {})
    assert sum(row["loss"] for row in read) == pytest.approx(found.item(), rel=1e-5)
    assert [row["tokens"] for row in read] == [7, 20]
    alone = [TASK.read(model, collate([item], tokenizer.pad_token_id, "cpu"), {})[0]["loss"] for item in items]
    assert [row["loss"] for row in read] == pytest.approx(alone, rel=1e-4)


def test_families_that_change_their_logits_are_asked_for_them(model, tokenizer):
    batch = collate(TASK.encode([talk("Hi", "Hello!")], tokenizer, {}, 500), tokenizer.pad_token_id, "cpu")
    expected = TASK.loss(model, batch, TASK.Options()).item()
    model.config.final_logit_softcapping = 30.0
    try:
        assert TASK.loss(model, batch, TASK.Options()).item() == pytest.approx(expected, rel=1e-5)
    finally:
        del model.config.final_logit_softcapping


def test_rows_without_an_answer_are_left_out():
    assert TASK.usable(talk("Hi", "Hello!"))
    assert not TASK.usable(talk("Hi"))
    assert not TASK.usable({"messages": "no json"})
    assert not TASK.usable({"instruction": "Hi", "output": " "})
    found = TASK.problems([talk("Hi", "Hello!"), talk("Hi")])
    assert [(problem.code, problem.count) for problem in found] == [("chat_no_answer", 1)]


@pytest.mark.parametrize(("template", "code"), [(None, "chat_template_missing"), (STRICT, "chat_template_refused")])
def test_a_missing_or_unwilling_template_is_said(tokenizer, template, code):
    tokenizer.chat_template, before = template, tokenizer.chat_template
    try:
        with pytest.raises(UserError) as caught:
            render(tokenizer, [{"role": "system", "content": "x"}], open_answer=True)
        assert caught.value.code == code
        assert len(caught.value.parts("zh")) == 3
    finally:
        tokenizer.chat_template = before
