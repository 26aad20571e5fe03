"""What an encoder-decoder writes: the likeliest answer to each text, word by word or over several beams.

A step is one token of every answer of the batch, so that a caller can stop between any two. It knows models and
tokenizers, no runs. Nothing here keeps gradients.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from studio.inference.generation import plain, positions, stop_ids
from studio.inference.settings import MOST_BEAMS
from studio.tasks.seq2seq import opening

if TYPE_CHECKING:
    import torch

MOST_WRITTEN = 256
BATCH_ANSWERS = 16
"""Answers written at once, beams counted."""
Within = Callable[[], Any] | None


@dataclass(frozen=True)
class WriteSettings:
    """`beams` 1 takes the likeliest token each time; more keep so many answers in mind and choose at the end, by the
    mean log-probability to the power `length_penalty` of the length (Wu et al. 2016). `most` bounds the tokens."""

    beams: int = 1
    most: int = MOST_WRITTEN
    length_penalty: float = 1.0


def write_batch(
    model: torch.nn.Module,
    tokenizer: Any,
    sources: Sequence[Sequence[int]],
    settings: WriteSettings,
    within: Within = None,
) -> Iterator[list[str] | None]:
    """Answers to `sources` (token ids), written together; None after each step, then the texts in their order.

    `within` makes a context around each forward step (to switch an adapter off for that step alone).
    """
    beams = max(1, min(settings.beams, MOST_BEAMS))
    reader = _Reader(model, sources, opening(model, tokenizer), beams, within, tokenizer.pad_token_id or 0)
    most = room(model, len(reader.opening), settings.most)
    stops = written_stops(model, tokenizer)
    search = _Greedy(reader, stops, most) if beams == 1 else _Beams(reader, stops, most, beams, settings.length_penalty)
    for _ in search:
        yield None
    yield [tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in search.answers]


def room(model: Any, opening: int, wanted: int = MOST_WRITTEN) -> int:
    """Tokens that an answer may have after its opening: as many as wanted, as the model has places for."""
    return min(wanted, MOST_WRITTEN, (positions(model) or MOST_WRITTEN + 64) - opening)


def written_stops(model: Any, tokenizer: Any) -> frozenset[int]:
    """Tokens that end an answer. What an answer begins with ends none, though BART begins with its end mark."""
    return stop_ids(model, tokenizer)


def stream_one(
    model: torch.nn.Module, tokenizer: Any, source: Sequence[int], most: int = MOST_WRITTEN, within: Within = None
) -> Iterator[str]:
    """The answer to one text as it grows, word by word (one beam)."""
    reader = _Reader(model, [source], opening(model, tokenizer), 1, within, tokenizer.pad_token_id or 0)
    search = _Greedy(reader, written_stops(model, tokenizer), room(model, len(reader.opening), most))
    for _ in search:
        yield tokenizer.decode(search.answers[0], skip_special_tokens=True).strip().rstrip("�")
    yield tokenizer.decode(search.answers[0], skip_special_tokens=True).strip()


class _Reader:
    """The encoder's reading of a batch, done once, and decoder steps over a growing cache."""

    def __init__(
        self, model: Any, sources: Sequence[Sequence[int]], start: list[int], beams: int, within: Within, pad: int
    ) -> None:
        import torch

        self._model, self._within = model, within
        self.core, self.opening, self.rows = plain(model), start, len(sources)
        self._device = next(model.parameters()).device
        width = max(len(source) for source in sources)
        ids = torch.full((len(sources), width), pad)
        mask = torch.zeros((len(sources), width), dtype=torch.long)
        for row, source in enumerate(sources):
            ids[row, : len(source)] = torch.tensor(list(source))
            mask[row, : len(source)] = 1
        ids, self._mask = ids.to(self._device), mask.to(self._device)
        with torch.inference_mode(), self._context():
            self._read = self.core.get_encoder()(input_ids=ids, attention_mask=self._mask)
            if beams > 1:
                self._read.last_hidden_state = self._read.last_hidden_state.repeat_interleave(beams, 0)
                self._mask = self._mask.repeat_interleave(beams, 0)
        self._cache: Any = None

    def _context(self) -> Any:
        return self._within() if self._within else contextlib.nullcontext()

    def first(self) -> Any:
        """Scores (rows x beams, V; float32, CPU) of the first word."""
        import torch

        return self.next(torch.tensor([self.opening]).repeat(self._mask.shape[0], 1))

    def next(self, ids: Any) -> Any:
        """The same after one more token a row, (rows x beams, 1)."""
        import torch

        with torch.inference_mode(), self._context():
            out = self.core(
                encoder_outputs=self._read,
                attention_mask=self._mask,
                decoder_input_ids=ids.to(self._device),
                past_key_values=self._cache,
                use_cache=True,
            )
        self._cache = out.past_key_values
        return out.logits[:, -1].float().cpu()

    def reorder(self, places: Any) -> None:
        """Let every row of the cache go on from the row `places` names."""
        self._cache.reorder_cache(places.to(self._device))


class _Greedy:
    """The likeliest token each time. Iterating makes the steps; `answers` grow."""

    def __init__(self, reader: _Reader, stops: frozenset[int], room: int) -> None:
        self._reader, self._stops, self._room = reader, stops, room
        self.answers: list[list[int]] = [[] for _ in range(reader.rows)]

    def __iter__(self) -> Iterator[None]:
        import torch

        unfinished = set(range(self._reader.rows))
        scores = self._reader.first()
        for count in range(self._room):
            tokens = scores.argmax(-1).tolist()
            for row in sorted(unfinished):
                if tokens[row] in self._stops:
                    unfinished.discard(row)
                else:
                    self.answers[row].append(tokens[row])
            if not unfinished or count == self._room - 1:
                return
            yield None
            scores = self._reader.next(torch.tensor([[token] for token in tokens]))


@dataclass
class _Row:
    """The answers in mind for one text: finished ones with their score, and whether better ones may still come."""

    finished: list[tuple[float, list[int]]] = field(default_factory=list)
    done: bool = False

    def add(self, score: float, ids: list[int], most: int) -> None:
        self.finished = sorted([*self.finished, (score, ids)], key=lambda one: -one[0])[:most]


class _Beams:
    """Beam search. Iterating makes the steps; `answers` are there at the end."""

    def __init__(self, reader: _Reader, stops: frozenset[int], room: int, beams: int, penalty: float) -> None:
        self._reader, self._stops, self._room, self._beams, self._penalty = reader, stops, room, beams, penalty
        self.answers: list[list[int]] = []

    def __iter__(self) -> Iterator[None]:
        import torch

        beams, count = self._beams, self._reader.rows
        rows = [_Row() for _ in range(count)]
        written: list[list[list[int]]] = [[[] for _ in range(beams)] for _ in range(count)]
        # All beams begin alike: only the first may go on, or they would stay alike.
        totals = torch.full((count, beams), -1e9)
        totals[:, 0] = 0.0
        scores = self._reader.first()
        for step in range(1, self._room + 1):
            sums = totals.view(-1, 1) + torch.log_softmax(scores, -1)
            best = sums.view(count, -1).topk(2 * beams, -1)
            sources, tokens = [], []
            for row in range(count):
                kept = self._extend(
                    rows[row], written[row], best.values[row], best.indices[row], step, scores.shape[-1]
                )
                totals[row] = torch.tensor([score for score, _, _ in kept])
                written[row] = [ids for _, ids, _ in kept]
                sources += [row * beams + source for _, _, source in kept]
                tokens += [[ids[-1]] for _, ids, _ in kept]
            if all(row.done for row in rows) or step == self._room:
                break
            yield None
            self._reader.reorder(torch.tensor(sources))
            scores = self._reader.next(torch.tensor(tokens))
        for row, found in enumerate(rows):
            if not found.done:
                for score, ids in zip(totals[row].tolist(), written[row], strict=True):
                    found.add(score / max(len(ids), 1) ** self._penalty, ids, beams)
        self.answers = [row.finished[0][1] for row in rows]

    def _extend(
        self, row: _Row, written: list[list[int]], values: Any, places: Any, step: int, width: int
    ) -> list[tuple[float, list[int], int]]:
        """The beams of a row after this step: (sum of log-probabilities, tokens, the beam it came from)."""
        kept: list[tuple[float, list[int], int]] = []
        for rank, (score, place) in enumerate(zip(values.tolist(), places.tolist(), strict=True)):
            source, token = divmod(place, width)
            if token in self._stops:
                if rank < self._beams:
                    row.add(score / step**self._penalty, written[source], self._beams)
            elif len(kept) < self._beams:
                kept.append((score, [*written[source], token], source))
        while len(kept) < self._beams:  # fewer tokens than beams: the last one stands in
            score, ids, source = kept[-1] if kept else (-1e9, [*written[0], 0], 0)
            kept.append((-1e9, ids, source))
        if len(row.finished) == self._beams:
            hope = kept[0][0] / step**self._penalty
            row.done = row.done or row.finished[-1][0] >= hope
        return kept


def first_scores(model: torch.nn.Module, tokenizer: Any, source: Sequence[int]) -> list[float]:
    """Scores (logits) of the first word of an answer, by token id: two copies of a model are compared by them."""
    reader = _Reader(model, [source], opening(model, tokenizer), 1, None, tokenizer.pad_token_id or 0)
    scores: list[float] = reader.first()[0].tolist()
    return scores
