"""What the inference process can be asked: each operation is a generator of messages, a step of work between them.

It works on the computing thread only and knows no sockets.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.inference import before, package, search
from studio.inference.files import AnswerFile, Earlier, Table, as_asked, match_columns
from studio.inference.generation import Clock
from studio.inference.settings import GROUP, ChatSettings
from studio.options import read_options
from studio.workspace import Workspace

if TYPE_CHECKING:
    from studio.inference.pool import Pool
    from studio.inference.predictor import Predictor, SimplePredictor

    AnyPredictor = Predictor | SimplePredictor

Message = dict[str, Any]
Request = Mapping[str, Any]
FILE_ROWS = 2000
"""Rows of a file that are sorted by length and answered together."""


class Requests:
    """The operations over one pool of models of one workspace."""

    def __init__(self, workspace: Workspace, pool: Pool) -> None:
        self._home = workspace.home.resolve()
        self._pool = pool
        self._operations: dict[str, Callable[[Request], Iterator[Message]]] = {
            "ping": self._ping,
            "unload": self._unload,
            "warm": self._warm,
            "predict": self._predict,
            "before": self._before,
            "chat": self._chat,
            "search": self._search,
            "strength": self._strength,
            "predict_file": self._predict_file,
            "package": self._package,
        }

    def steps(self, request: Request) -> Generator[Message, None, None]:
        """The messages that answer `request`, worked out as they are taken."""
        operation = self._operations.get(str(request.get("op")))
        if operation is None:
            raise UserError("inference_failed", reason=f"op {request.get('op')!r}")
        yield from operation(request)

    def _folder(self, request: Request) -> Path:
        """The run's folder. Raises UserError (`model_gone`) when it lies outside the workspace or holds no model."""
        folder = Path(str(request.get("run", ""))).resolve()
        if not folder.is_relative_to(self._home) or not folder.is_dir():
            raise UserError("model_gone", run=folder.name)
        return folder

    def _ping(self, request: Request) -> Iterator[Message]:
        yield done({"process": os.getpid(), "models": self._pool.names(), "bytes": self._pool.held()})

    def _unload(self, request: Request) -> Iterator[Message]:
        folder = self._folder(request) if request.get("run") else None
        yield done({"unloaded": self._pool.give_up(0.0, folder)})

    def _warm(self, request: Request) -> Iterator[Message]:
        folder, which = self._folder(request), str(request.get("which", "tuned"))
        yield from self._loading(folder, which)
        with self._pool.use(folder, which):
            yield done(None)

    def _loading(self, folder: Path, which: str) -> Iterator[Message]:
        """Say so before the model is loaded."""
        if (folder, which) not in self._pool:
            yield {"event": "loading"}

    def _predict(self, request: Request) -> Iterator[Message]:
        folder, which = self._folder(request), str(request.get("which", "tuned"))
        rows, clock, strength = request["rows"], Clock(), strength_of(request)
        yield from self._loading(folder, which)
        with self._pool.use(folder, which) as held:
            predictor: AnyPredictor = held  # type: ignore[assignment]
            steps, whole, within = predictor.steps(rows), None, turned(predictor, strength)
            while whole is None:
                with clock, within():
                    count, whole = next(steps)
                yield progress(count, len(rows))
        yield done({"predictions": whole, "milliseconds": 1000 * clock.spent / max(1, len(rows))})

    def _before(self, request: Request) -> Iterator[Message]:
        folder = self._folder(request)
        # Which of them is asked is its kind's to know.
        if not any((folder, which) in self._pool for which in ("tuned", "untuned", "base")):
            yield {"event": "loading"}
        yield done(before.answer(folder, self._pool, request["rows"], request.get("descriptions") or {}))

    def _chat(self, request: Request) -> Iterator[Message]:
        """Answers of the tuned model and of its base, a token of each in turn."""
        folder, sides = self._folder(request), list(request.get("sides") or ["tuned"])
        settings, problems = read_options(ChatSettings, GROUP, dict(request.get("settings") or {}))
        if problems:
            raise UserError("chat_setting", setting=problems[0].field, value=problems[0].values.get("value", ""))
        strength = strength_of(request)
        yield from self._loading(folder, "tuned")
        with contextlib.ExitStack() as held:
            said, talks, ends, within = request["messages"], {}, {}, {}
            for side in sides:
                heard = said[side] if isinstance(said, dict) else said
                talker = self._talker(held, folder, side)
                within[side] = turned(talker, strength if side == "tuned" else 1.0)
                talks[side] = talker.chat(heard, settings, side == "base" and talker.knows_base)
            while talks:
                for side, talk in list(talks.items()):
                    with within[side]():
                        piece = next(talk)
                    if piece.text or not piece.reason:
                        yield {"event": "piece", "side": side, "text": piece.text}
                    if piece.reason:
                        del talks[side]
                        ends[side] = {"reason": piece.reason, "tokens": piece.tokens, "seconds": piece.seconds}
                        yield {"event": "end", "side": side, **ends[side]}
        yield done(ends)

    def _talker(self, held: contextlib.ExitStack, folder: Path, side: str) -> Predictor:
        """Who answers for `side`: the base is the tuned model with its adapter off, or else a model of its own."""
        tuned: Predictor = held.enter_context(self._pool.use(folder, "tuned"))  # type: ignore[assignment]
        if side == "tuned" or getattr(tuned, "knows_base", False):
            return tuned
        base: Predictor = held.enter_context(self._pool.use(folder, "base"))  # type: ignore[assignment]
        return base

    def _search(self, request: Request) -> Iterator[Message]:
        folder, data = self._folder(request), Path(str(request["data"]))
        yield from self._loading(folder, "tuned")
        with self._pool.use(folder, "tuned") as held:
            predictor: Predictor = held  # type: ignore[assignment]
            answer = None
            asked, most = str(request["text"]), int(request["count"])
            for count, total, found in search.searching(predictor, folder, data, asked, most):
                answer = found
                yield progress(count, total)
        yield done(answer)

    def _strength(self, request: Request) -> Iterator[Message]:
        """The test metric by how much the tuning counts, into the run's report."""
        from studio.evaluation import strength

        folder, data = self._folder(request), Path(str(request["data"]))
        yield from self._loading(folder, "tuned")
        with self._pool.use(folder, "tuned") as held:
            if not strength.able(held):
                raise UserError("strength_none", share=0)
            predictor: Predictor = held  # type: ignore[assignment]
            exam, found = strength.exam_of(folder, data, predictor), None
            for count, curve in strength.curve(predictor, exam):
                found = curve
                yield progress(count, len(strength.SHARES) * len(exam.rows))
            strength.keep(folder, found or [])
        yield done(found)

    def _predict_file(self, request: Request) -> Iterator[Message]:
        folder, which = self._folder(request), str(request.get("which", "tuned"))
        yield from self._loading(folder, which)
        with (
            self._pool.use(folder, which) as held,
            contextlib.closing(Table(Path(str(request["data"])))) as table,
        ):
            predictor: AnyPredictor = held  # type: ignore[assignment]
            columns = match_columns(predictor.task, request.get("columns") or predictor.columns, table.columns)
            earlier = Earlier(table, predictor.columns | dict(request.get("columns") or {}), columns, predictor.context)
            finished = 0
            with AnswerFile(Path(str(request["out"])), table.columns, predictor.answerer.cells) as out:
                yield progress(0, table.rows)
                for piece in table.pieces(FILE_ROWS):
                    asked = [
                        {**as_asked(row, columns), **earlier.beside(finished + place)}
                        for place, row in enumerate(piece)
                    ]
                    for count, answers in predictor.steps(asked):
                        if answers is not None:
                            out.write(piece, answers)
                        yield progress(finished + count, table.rows)
                    finished += len(piece)
            cells = zip(predictor.task.told, predictor.answerer.truths, strict=False)
            truths = {role: name for role, cell in cells if (name := out.named(cell))}
        yield done({"rows": finished, "columns": columns, "truths": truths})

    def _package(self, request: Request) -> Iterator[Message]:
        folder = self._folder(request)
        out, which = Path(str(request["out"])), str(request.get("which", ""))
        for name in package.build(folder, out, str(request["language"]), which):
            yield {"event": "phase", "name": name}
        yield done({"path": str(request["out"])})


def strength_of(request: Request) -> float:
    """How much of the tuning counts, 0 to 1. Raises UserError (`strength_bounds`)."""
    try:
        share = float(request.get("strength", 1.0))
    except (TypeError, ValueError):
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise UserError("strength_bounds", value=str(request.get("strength"))[:40])
    return share


def turned(predictor: Any, share: float) -> Callable[[], contextlib.AbstractContextManager[None]]:
    """Makes contexts for a step in which the tuning counts by `share`. Raises UserError (`strength_none`)."""
    if share == 1.0:
        return contextlib.nullcontext
    made = getattr(predictor, "at_strength", None)
    if made is None:
        raise UserError("strength_none", share=round(100 * share))
    return lambda: made(share)


def progress(count: int, total: int) -> Message:
    """`count` of `total` rows are answered."""
    return {"event": "progress", "done": count, "total": total}


def done(value: Any) -> Message:
    """The last message of a request that went well."""
    return {"event": "done", "value": value}
