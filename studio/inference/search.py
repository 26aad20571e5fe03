"""The texts of a run's own data that are nearest to any text, by the space the tuned model puts them in.

All texts are read once and their vectors kept in the run's folder; after that a search is one reading and a product.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from studio.errors import UserError
from studio.tasks.base import Row

if TYPE_CHECKING:
    import torch

    from studio.inference.predictor import Predictor

MOST_TEXTS = 20_000
"""Texts searched at most, drawn evenly from more; the answer says of how many."""
MOST_HITS = 50
FILE = "search.npz"
_BATCH_ROWS, _BATCH_TOKENS = 32, 4096
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Texts:
    """The different texts of some data: where each stands first (row from 0, role), and how many there are in all."""

    texts: list[str]
    places: list[tuple[int, str]]
    total: int


def different(rows: Sequence[Row], roles: Sequence[str], seed: int = 0) -> Texts:
    """Each text once, in the order of the data."""
    found: dict[str, tuple[int, str]] = {}
    for number, row in enumerate(rows):
        for role in roles:
            text = (row.get(role) or "").strip()
            if text:
                found.setdefault(text, (number, role))
    texts = list(found)
    if len(texts) > MOST_TEXTS:
        kept = sorted(random.Random(seed).sample(range(len(texts)), MOST_TEXTS))
        texts = [texts[place] for place in kept]
    return Texts(texts, [found[text] for text in texts], len(found))


def able(predictor: Any) -> bool:
    """Whether a model puts single texts into a space."""
    from studio.tasks.heads import core_of

    return hasattr(core_of(getattr(predictor, "model", None)), "vectors")


def embed(predictor: Predictor, texts: Sequence[str]) -> Iterator[tuple[int, Vectors | None]]:
    """(texts read, None) after each batch, then (texts, their vectors of unit length [texts, H])."""
    import torch

    from studio.inference.predictor import batches
    from studio.tasks.heads import core_of
    from studio.training.batching import collate

    core, tokenizer = core_of(predictor.model), predictor.tokenizer
    device = str(next(core.parameters()).device)
    prefix = predictor.facts.get("prefix", "")
    encoded = tokenizer([prefix + text for text in texts], truncation=True, max_length=predictor.max_length)
    blank = [tokenizer.pad_token_id or 0]
    ids = [one or blank for one in encoded["input_ids"]]
    found, count = np.zeros((len(texts), core.config.hidden_size), np.float32), 0
    for places in batches([len(one) for one in ids], _BATCH_ROWS, _BATCH_TOKENS):
        batch = collate([{"input_ids": ids[place]} for place in places], blank[0], device)
        with torch.inference_mode():
            found[places] = _vectors(core, batch).float().cpu().numpy()
        count += len(places)
        yield count, None
    yield len(texts), found


def _vectors(core: Any, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    found: torch.Tensor = core.vectors(batch["input_ids"], batch["attention_mask"])
    return found


def kept(file: Path, stamp: str) -> Vectors | None:
    """The vectors in `file`, where they are those that `stamp` names."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return arrays["vectors"].astype(np.float32) if str(arrays["stamp"]) == stamp else None
    except (OSError, ValueError, KeyError):
        return None


def keep(file: Path, stamp: str, vectors: Vectors) -> None:
    """Write vectors whole or not at all, at half width: a cosine needs no more. A full disk costs only their reuse."""
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with contextlib.suppress(OSError):
            with partial.open("wb") as out:
                np.savez(out, stamp=np.array(stamp), vectors=vectors.astype(np.float16))
            partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def rows_in(data: Path, columns: Mapping[str, str]) -> list[Row]:
    """The rows of a Parquet file of text cells by role. Raises UserError (`predict_file_unreadable`)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(data, columns=list(dict.fromkeys(columns.values())))
    except (OSError, pa.ArrowException) as error:
        raise UserError("predict_file_unreadable", name=data.name, reason=str(error)[:200]) from error
    cells = {role: table.column(name).to_pylist() for role, name in columns.items()}
    return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]


def nearest(predictor: Predictor, texts: Texts, vectors: Vectors, asked: Vectors, count: int) -> list[dict[str, Any]]:
    """[{"text", "row", "role", "cosine", "score"}], the nearest first; rows are counted from 1."""
    from studio.tasks.heads import core_of
    from studio.tasks.regression import scored

    head = core_of(predictor.model).classifier
    near = vectors @ asked
    slope, offset = float(head.weight.detach()[0, 0]), float(head.bias.detach()[0])
    scores = predictor.facts["mean"] + predictor.facts["scale"] * (slope * near.astype(np.float64) + offset)
    # Scores of distances fall where texts come nearer: what counts is the angle.
    order = np.argsort(-near, kind="stable")[: min(count, MOST_HITS)]
    return [
        {
            "text": texts.texts[place],
            "row": texts.places[place][0] + 1,
            "role": texts.places[place][1],
            **scored(float(scores[place]), predictor.facts, cosine=round(float(near[place]), 6)),
        }
        for place in map(int, order)
    ]


def searching(
    predictor: Predictor, run_dir: Path, data: Path, text: str, count: int
) -> Iterator[tuple[int, int, dict[str, Any] | None]]:
    """(texts read, texts in all, None) while `data` is read for the first time; at last the answer: {"hits", "texts",
    "total"}. Raises UserError (`search_none`) where the model puts no texts into a space or there are none."""
    if not able(predictor):
        raise UserError("search_none", run=run_dir.name)
    roles = [role.key for role in predictor.task.asked]
    found = different(rows_in(data, {role: predictor.columns[role] for role in roles}), roles)
    if not found.texts:
        raise UserError("search_none", run=run_dir.name)
    tuned_at = (run_dir / "model" / "studio.json").stat().st_mtime_ns
    file, stamp = run_dir / FILE, f"{tuned_at}:{data.parent.name}:{len(found.texts)}:{found.total}"
    vectors = kept(file, stamp)
    if vectors is None:
        for done, made in embed(predictor, found.texts):
            vectors = made
            yield done, len(found.texts), None
        assert vectors is not None
        keep(file, stamp, vectors)
    asked = [made for _, made in embed(predictor, [text]) if made is not None][0][0]
    hits = nearest(predictor, found, vectors, asked, count)
    yield len(found.texts), len(found.texts), {"hits": hits, "texts": len(found.texts), "total": found.total}
