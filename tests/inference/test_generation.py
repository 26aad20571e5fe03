from __future__ import annotations

import pytest
import torch
from tiny_inference import byte_tokenizer, chat_model

from studio.errors import UserError
from studio.inference import generation
from studio.inference.generation import Sampler, answer_batch, end_of_turn, stop_ids, stream
from studio.inference.settings import ChatSettings

PROMPTS = ["a cat", "外卖很好吃, and the dogs ran away", "x"]


@pytest.fixture(scope="module")
def tokenizer():
    return byte_tokenizer()


@pytest.fixture(scope="module")
def model(tokenizer):
    return chat_model(tokenizer)


def ids_of(tokenizer, text):
    talk = [{"role": "user", "content": text}]
    shown = tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
    return tokenizer(shown, add_special_tokens=False)["input_ids"]


def last_answers(steps):
    return [texts for texts in steps if texts is not None][-1]


def test_stream_says_what_transformers_generates(model, tokenizer):
    prompt = ids_of(tokenizer, PROMPTS[1])
    with torch.inference_mode():
        theirs = model.generate(torch.tensor([prompt]), max_new_tokens=40, do_sample=False, pad_token_id=0)[
            0, len(prompt) :
        ]
    expected = tokenizer.decode(theirs, skip_special_tokens=True)
    pieces = list(stream(model, tokenizer, prompt, ChatSettings(max_new_tokens=40), stop_ids(model, tokenizer)))
    assert "".join(piece.text for piece in pieces) == expected
    assert [piece.reason for piece in pieces[:-1]] == [""] * (len(pieces) - 1)
    assert pieces[-1].reason in ("end", "length")


def test_stream_stops_at_the_end_of_the_turn_where_pad_is_eos(model, tokenizer):
    assert tokenizer.pad_token_id == tokenizer.eos_token_id
    stop = tokenizer.convert_tokens_to_ids("<|im_end|>")
    said = tokenizer("yes", add_special_tokens=False)["input_ids"]
    scripted = Scripted(model, [*said, stop, *said])
    pieces = list(stream(scripted, tokenizer, [1, 2], ChatSettings(), stop_ids(model, tokenizer)))
    assert "".join(piece.text for piece in pieces) == "yes"
    assert (pieces[-1].reason, pieces[-1].tokens) == ("end", 3)


def test_end_of_turn_is_found_where_eos_is_another_token():
    other = byte_tokenizer(eos="<|endoftext|>")
    assert end_of_turn(other) == {other.convert_tokens_to_ids("<|im_end|>")}
    assert stop_ids(chat_model(other), other) == {
        other.convert_tokens_to_ids("<|im_end|>"),
        other.convert_tokens_to_ids("<|endoftext|>"),
    }
    other.chat_template = None
    assert end_of_turn(other) == set()


def test_characters_appear_whole(model, tokenizer):
    script = tokenizer("外卖好", add_special_tokens=False)["input_ids"]
    assert len(script) == 9
    settings = ChatSettings(max_new_tokens=9)
    pieces = list(stream(Scripted(model, script), tokenizer, [1], settings, stop_ids(model, tokenizer)))
    assert [piece.text for piece in pieces] == ["", "", "外", "", "", "卖", "", "", "好"]
    assert pieces[-1].reason == "length"


def test_left_padded_batch_answers_as_each_prompt_alone(model, tokenizer):
    prompts = [ids_of(tokenizer, text) for text in PROMPTS]
    assert len({len(prompt) for prompt in prompts}) == 3
    stops = stop_ids(model, tokenizer)
    alone = [
        "".join(
            piece.text for piece in stream(model, tokenizer, prompt, ChatSettings(max_new_tokens=24), stops)
        ).strip()
        for prompt in prompts
    ]
    assert last_answers(answer_batch(model, tokenizer, prompts, 24, stops)) == alone


def test_rows_of_a_batch_stop_on_their_own(model, tokenizer):
    a, b, stop = *tokenizer("ab", add_special_tokens=False)["input_ids"], tokenizer.eos_token_id
    scripted = Scripted(model, [[a, b], [stop, b], [a, b], [a, stop]])
    assert last_answers(answer_batch(scripted, tokenizer, [[1], [2, 3]], 50, frozenset({stop}))) == ["a", "bbb"]


def test_prompt_longer_than_the_model_reads(model, tokenizer):
    limit = model.config.max_position_embeddings
    with pytest.raises(UserError) as caught:
        next(stream(model, tokenizer, [1] * limit, ChatSettings(), frozenset()))
    assert caught.value.code == "prompt_too_long"
    assert caught.value.values == {"tokens": limit, "limit": limit}
    pieces = list(stream(model, tokenizer, [1] * (limit - 3), ChatSettings(), frozenset()))
    assert (pieces[-1].tokens, pieces[-1].reason) == (3, "length")
    answer = last_answers(answer_batch(model, tokenizer, [[1] * (limit + 50)], 4, frozenset()))
    assert len(answer) == 1


def test_caps_hold_whatever_is_asked(model, tokenizer, monkeypatch):
    monkeypatch.setattr(generation, "MOST_TOKENS", 5)
    pieces = list(stream(model, tokenizer, [1, 2], ChatSettings(max_new_tokens=512), frozenset()))
    assert (pieces[-1].tokens, pieces[-1].reason) == (5, "length")
    monkeypatch.setattr(generation, "MOST_SECONDS", 0.0)
    pieces = list(stream(model, tokenizer, [1, 2], ChatSettings(max_new_tokens=512), frozenset()))
    assert (pieces[-1].tokens, pieces[-1].reason) == (1, "time")


def test_waiting_does_not_count_as_computing(model, tokenizer, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(generation.time, "monotonic", lambda: now[0])
    talk = stream(model, tokenizer, [1, 2], ChatSettings(max_new_tokens=3), frozenset())
    reasons = []
    for piece in talk:
        reasons.append(piece.reason)
        now[0] += 1000
    assert reasons == ["", "", "length"]


def test_sampling_is_seeded_and_obeys_its_settings():
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))

    def drawn(count=400, **settings):
        draw = Sampler(ChatSettings(**{"temperature": 1.0, "top_p": 1.0, **settings}), [])
        return [draw(logits) for _ in range(count)]

    assert drawn(seed=3) == drawn(seed=3) != drawn(seed=4)
    assert set(drawn()) == {0, 1, 2, 3}
    assert set(drawn(top_k=2)) == {0, 1}
    assert set(drawn(top_p=0.7)) == {0, 1}
    assert set(drawn(top_p=0.05)) == {0}
    assert set(drawn(temperature=0.0)) == {0}
    share = drawn(count=2000).count(0) / 2000
    assert 0.45 < share < 0.55
    assert Sampler(ChatSettings(repetition_penalty=2.0), [0])(torch.tensor([1.0, 0.9])) == 1
    assert Sampler(ChatSettings(repetition_penalty=2.0), [0])(torch.tensor([-0.5, -0.9])) == 1


class Scripted(torch.nn.Module):
    """The tiny model, made to say given tokens: a list for one row, or a list a step with one token a row."""

    def __init__(self, model, script):
        super().__init__()
        self.model = model
        self.config = model.config
        self.script = script
        self.step = 0

    def forward(self, input_ids, past_key_values=None, use_cache=True, **extra):
        out = self.model(input_ids=input_ids, past_key_values=past_key_values, use_cache=use_cache, **extra)
        tokens = self.script[min(self.step, len(self.script) - 1)]
        for row, token in enumerate(tokens if isinstance(tokens, list) else [tokens]):
            out.logits[row, -1, token] = 1e4
        self.step += 1
        return out
