"""Tokens, one after the other: our own loop over the model's cache, for one streamed answer or a left-padded batch.

It knows models and tokenizers, no runs. Nothing here keeps gradients.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.inference.settings import MOST_SECONDS, MOST_TOKENS, ChatSettings

if TYPE_CHECKING:
    import torch

BROKEN = "�"
"""What a decoder shows for a character whose bytes are not all there yet."""


@dataclass(frozen=True)
class Piece:
    """A bit of an answer. The last piece has a `reason`: end (the model stopped), length or time (a cap)."""

    text: str
    tokens: int
    seconds: float
    reason: str = ""


@dataclass
class Clock:
    """Seconds spent computing this answer; waiting for a turn does not count."""

    spent: float = 0.0
    _from: float = field(default=0.0, repr=False)

    def __enter__(self) -> Clock:
        self._from = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.spent += time.monotonic() - self._from


def stop_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """Tokens that end an answer: the model's and tokenizer's end tokens, and the one the chat template puts there.

    A template that closes a turn with its own token (`<|im_end|>`) is asked by rendering one.
    """
    found: set[int] = set()
    for owner in (getattr(model, "generation_config", None), getattr(model, "config", None), tokenizer):
        ids = getattr(owner, "eos_token_id", None)
        found |= set(ids) if isinstance(ids, (list, tuple)) else {ids} if isinstance(ids, int) else set()
    return frozenset(found | end_of_turn(tokenizer))


def end_of_turn(tokenizer: Any) -> set[int]:
    """The special token that the chat template puts right after an assistant's words; empty when it has none."""
    if not getattr(tokenizer, "chat_template", None):
        return set()
    said = "zebra"
    talk = [{"role": "user", "content": "lion"}, {"role": "assistant", "content": said}]
    text = str(tokenizer.apply_chat_template(talk, tokenize=False))
    after = tokenizer(text[text.rindex(said) + len(said) :], add_special_tokens=False)["input_ids"]
    return {after[0]} & set(tokenizer.all_special_ids) if after else set()


def stream(
    model: torch.nn.Module,
    tokenizer: Any,
    prompt: Sequence[int],
    settings: ChatSettings,
    stops: frozenset[int],
    within: Callable[[], Any] | None = None,
) -> Iterator[Piece]:
    """One answer to `prompt` (token ids), a piece a token; text appears once its characters are whole.

    `within` makes a context around each forward step (to switch an adapter off for that step alone).
    Raises UserError (`prompt_too_long`).
    """
    import torch

    room = room_for(model, len(prompt), settings.max_new_tokens)
    draw = Sampler(settings, prompt)
    steps = Steps(model, torch.tensor([list(prompt)]), within)
    clock, ids, shown = Clock(), [], ""
    while True:
        with clock:
            token = draw(steps.logits[0])
            ended = token in stops
            if not ended:
                ids.append(token)
            text = tokenizer.decode(ids, skip_special_tokens=True)
            reason = _why(ended, len(ids) >= room, clock)
            whole = text if reason else text.rstrip(BROKEN)
            new = whole[len(shown) :] if whole.startswith(shown) else ""
            shown += new
            if not reason:
                steps.add(torch.tensor([[token]]))
        yield Piece(new, len(ids), clock.spent, reason)
        if reason:
            return


def _why(ended: bool, full: bool, clock: Clock) -> str:
    running = clock.spent + time.monotonic() - clock._from
    return "end" if ended else "length" if full else "time" if running > MOST_SECONDS else ""


def answer_batch(
    model: torch.nn.Module,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    stops: frozenset[int],
    within: Callable[[], Any] | None = None,
) -> Iterator[list[str] | None]:
    """The likeliest answers to several prompts at once, padded on the left; None after each step, then the texts.

    Prompts that are too long are cut at their beginning to leave room for the answer.
    """
    import torch

    limit = positions(model)
    longest = max(len(prompt) for prompt in prompts)
    room = min(max_new_tokens, MOST_TOKENS)
    if limit and longest + room > limit:
        keep = max(limit - room, limit // 2)
        prompts = [prompt[-keep:] for prompt in prompts]
        longest = max(len(prompt) for prompt in prompts)
        room = min(room, limit - longest)
    blank = next(iter(stops), 0)
    ids = torch.full((len(prompts), longest), blank)
    mask = torch.zeros((len(prompts), longest), dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(list(prompt))
        mask[row, longest - len(prompt) :] = 1
    steps = Steps(model, ids, within, mask)
    answers: list[list[int]] = [[] for _ in prompts]
    open_rows = set(range(len(prompts)))
    for count in range(room):
        tokens = steps.logits.argmax(-1).tolist()
        for row in sorted(open_rows):
            if tokens[row] in stops:
                open_rows.discard(row)
            else:
                answers[row].append(tokens[row])
        if not open_rows or count == room - 1:
            break
        steps.add(torch.tensor([[token if row in open_rows else blank] for row, token in enumerate(tokens)]))
        yield None
    yield [tokenizer.decode(answer, skip_special_tokens=True).strip() for answer in answers]


class Steps:
    """Forward steps over a growing cache. `logits` (batch, vocabulary; float32, on the CPU) are for the next token."""

    def __init__(self, model: Any, ids: Any, within: Callable[[], Any] | None = None, mask: Any = None) -> None:
        self._model = model
        self._within = within
        self._device = next(model.parameters()).device
        self._mask = mask
        self._cache: Any = None
        names = inspect.signature(plain(model).forward).parameters
        self._last_only = "logits_to_keep" in names
        self._places = "position_ids" in names
        self.logits: Any = None
        self._forward(ids)

    def add(self, ids: Any) -> None:
        """Append one token a row (batch, 1)."""
        if self._mask is not None:
            import torch

            self._mask = torch.cat([self._mask, torch.ones_like(ids)], dim=1)
        self._forward(ids)

    def _forward(self, ids: Any) -> None:
        import contextlib

        import torch

        extra: dict[str, Any] = {"logits_to_keep": 1} if self._last_only else {}
        if self._mask is not None:
            extra["attention_mask"] = self._mask.to(self._device)
            if self._places:
                places = (self._mask.cumsum(1) - 1).clamp(min=0)
                extra["position_ids"] = places[:, -ids.shape[1] :].to(self._device)
        with torch.inference_mode(), self._within() if self._within else contextlib.nullcontext():
            out = self._model(input_ids=ids.to(self._device), past_key_values=self._cache, use_cache=True, **extra)
        self._cache = out.past_key_values
        self.logits = out.logits[:, -1].float().cpu()


def plain(model: Any) -> Any:
    """The transformers model inside an adapter's wrapping."""
    inner = getattr(model, "get_base_model", None)
    return inner() if inner else model


def positions(model: Any) -> int:
    """How many tokens the model can read; 0 when it does not say."""
    return int(getattr(plain(model).config, "max_position_embeddings", 0) or 0)


def room_for(model: Any, prompt: int, wanted: int) -> int:
    """New tokens that fit after a prompt of `prompt` tokens. Raises UserError (`prompt_too_long`) when none do."""
    limit = positions(model)
    if limit and prompt >= limit:
        raise UserError("prompt_too_long", tokens=prompt, limit=limit)
    room = min(wanted, MOST_TOKENS)
    return min(room, limit - prompt) if limit else room


class Sampler:
    """Chooses the next token from logits (vocabulary,) as the settings say; its own seeded randomness."""

    def __init__(self, settings: ChatSettings, prompt: Sequence[int]) -> None:
        import torch

        self._settings = settings
        self._random = torch.Generator().manual_seed(settings.seed)
        self._seen = set(prompt)

    def __call__(self, logits: Any) -> int:
        import torch

        settings = self._settings
        if settings.repetition_penalty != 1.0:
            seen = torch.tensor(sorted(self._seen))
            held = logits[seen]
            logits = logits.clone()
            logits[seen] = torch.where(held > 0, held / settings.repetition_penalty, held * settings.repetition_penalty)
        token = int(logits.argmax()) if settings.temperature < 1e-3 else self._draw(logits / settings.temperature)
        self._seen.add(token)
        return token

    def _draw(self, logits: Any) -> int:
        import torch

        chances, order = torch.softmax(logits, -1).sort(descending=True)
        if self._settings.top_k:
            chances[self._settings.top_k :] = 0
        # A token stays while the ones before it do not yet reach top_p; the first always stays.
        chances[chances.cumsum(0) - chances >= self._settings.top_p] = 0
        return int(order[torch.multinomial(chances, 1, generator=self._random)])
