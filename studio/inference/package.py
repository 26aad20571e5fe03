"""The download: a run's model as a folder that stands alone, tried in a fresh process, then packed as a zip.

Adapters are merged into their base, so that `predict.py` needs only torch and transformers; a simple model needs only
numpy. Runs in the inference process.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.child import environment
from studio.errors import UserError
from studio.inference import simple_package
from studio.inference.kinds.base import answerers
from studio.inference.predictor import Predictor, named_base, read_saved
from studio.methods.base import Method, methods
from studio.models.card import read_card
from studio.models.starters import STARTERS
from studio.tasks.base import Row, Task, tasks
from studio.tasks.earlier import EARLIER
from studio.tasks.heads import core_of
from studio.words import say

SNIPPETS = Path(__file__).parent / "snippets"
TRY_SECONDS = 300.0
LARGEST_GAP = 1e-3
"""Between probabilities (or, for chat, between scores of the next token on their own scale) of copy and original."""
ROUNDED_GAP = 0.5
"""The same between a merged model and one that computes with rounded numbers: beyond that it is another model."""
TRIED_ROWS = 8


@dataclass(frozen=True)
class Copy:
    """What a folder is tried with: questions, the original's answers to them, and the program that asks."""

    questions: list[Any]
    expected: list[dict[str, float]]
    program: str


def build(run_dir: Path, out: Path, language: str = "en", which: str = "") -> Iterator[str]:
    """Write the zip to `out`; yields the phase it is in ("collecting", "trying", "packing"), often.

    `which` is "tuned", "simple" (the best simple model), or "" for the tuned model where there is one. Raises
    UserError (`model_gone`, `base_gone`, `package_space`, `package_broken`, `package_differs`); then nothing is left
    behind.
    """
    yield "collecting"
    tuned = which == "tuned" or (which != "simple" and (run_dir / "model" / "studio.json").is_file())
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".package-") as place:
        folder = Path(place) / "model"
        folder.mkdir()
        copy = (_tuned if tuned else _simple)(run_dir, folder, language)
        yield "trying"
        yield from _try(folder, copy)
        yield "packing"
        yield from _pack(folder, out)


def _tuned(run_dir: Path, folder: Path, language: str) -> Copy:
    """The tuned model as a folder that stands alone."""
    about, _ = read_saved(run_dir)
    predictor = Predictor.load(run_dir)
    method = methods.get(str(about["method"]))
    _check_space(_whole_bytes(predictor, method), folder)
    answerer = predictor.answerer
    questions = answerer.questions(_rows(run_dir, predictor.task))
    expected = [answerer.numbers(predictor, question) for question in questions]
    script = answerer.script(predictor, (SNIPPETS / answerer.snippet).read_text("utf-8"))
    merged = Predictor(about, method.merged(predictor.model), predictor.tokenizer, predictor.facts)
    rounded = ""
    if method.merged_gap > LARGEST_GAP:
        expected, gap = _unrounded(merged, questions, expected)
        rounded = say("package.card.rounded", language, method=about["method"], percent=round(100 * gap, 1))
    _write(merged, folder)
    (folder / "predict.py").write_text(script, "utf-8")
    made = say("package.card.made", language, base=about.get("base", ""), method=about["method"], run=run_dir.name)
    made = f"{made} {rounded}".rstrip()
    report = _object(run_dir / "report.json")
    limits = f"{say('package.card.limits', language, rows=report.get('rows', '?'))} {_licence(about, language)}"
    needs = say("package.card.needs", language)
    card = Card(made, report.get("test", {}), limits, predictor.facts.get("labels") or [], needs, script)
    (folder / "README.md").write_text(_card(run_dir, card, language), "utf-8")
    return Copy(questions, expected, answerer.program)


def _unrounded(
    merged: Predictor, questions: list[Any], rounded: list[dict[str, float]]
) -> tuple[list[dict[str, float]], float]:
    """What the merged model answers itself, which its copy must too, and how far that is from the rounded answers.

    Raises UserError (`package_differs`).
    """
    found = [merged.answerer.numbers(merged, question) for question in questions]
    return found, _compare(found, rounded, ROUNDED_GAP)


def _whole_bytes(predictor: Predictor, method: Method) -> int:
    """Bytes of the copy: as many as are in memory, but float32 where the base is kept in fewer bits."""
    held = sum(predictor.parts().values())
    if not method.linear_bytes:
        return held
    return max(held, 4 * read_card(named_base(predictor.about), "").parameters)


def _licence(about: dict[str, Any], language: str) -> str:
    """What the base model's card says of its licence, or that it says nothing."""
    base = str(about.get("base", ""))
    starter = STARTERS.get(base.removeprefix("starter:"))
    try:
        named = starter.card.licence if starter else read_card(named_base(about), base).licence
    except UserError:
        named = ""  # A whole tuned model is packed although its base is gone.
    code = "package.card.licence" if named else "package.card.licence_unknown"
    return say(code, language, base=base, **({"licence": named} if named else {}))


def _simple(run_dir: Path, folder: Path, language: str) -> Copy:
    """The best simple model, small enough to be copied as it is."""
    task = tasks.get(str(_object(run_dir / "spec.json").get("task", "classification")))
    snippet = answerers.get(task.result).simple_snippet
    if not snippet:
        raise UserError("package_simple", task=task.key)
    # A simple model reads the text alone.
    rows = [{role: text for role, text in row.items() if role != EARLIER} for row in _rows(run_dir, task)]
    questions = answerers.get(task.result).questions(rows)
    key, expected = simple_package.collect(run_dir, folder, SNIPPETS / snippet, task, rows)
    _check_space(sum(file.stat().st_size for file in folder.iterdir()), folder)
    report = _object(run_dir / "report.json")
    name = say(f"ladder.{key}", language)
    made = say("package.card.made_simple", language, name=name, run=run_dir.name)
    limits = say("package.card.limits_simple", language, rows=report.get("rows", "?"))
    scores, needs = simple_package.score_of(report, key), say("package.card.needs_simple", language)
    card = Card(
        made, scores, limits, sorted(set(expected[0]) - {"score"}), needs, (SNIPPETS / snippet).read_text("utf-8")
    )
    (folder / "README.md").write_text(_card(run_dir, card, language), "utf-8")
    return Copy(questions, expected, simple_package.TRY)


def _check_space(size: int, place: Path) -> None:
    """The folder and its zip lie on the disk at once."""
    needed = 2 * size + 50_000_000
    free = shutil.disk_usage(place).free
    if free < needed:
        raise UserError("package_space", needed=needed // 1_000_000, free=free // 1_000_000)


def _write(merged: Predictor, folder: Path) -> None:
    """Weights, tokenizer, and what else `predict.py` reads."""
    merged.tokenizer.save_pretrained(folder)
    merged.answerer.write(merged, core_of(merged.model), folder)


def _rows(run_dir: Path, task: Task) -> list[Row]:
    """What two copies are compared by: two rows of our own, short, and longer than one word; then held-out rows of
    the report where there is one."""
    own = ["ok", "The answer should stay the same after downloading. 下载之后，回答应当保持不变。"]
    asked = [role.key for role in task.asked if role.required] or [task.bare_role]
    rows: list[Row] = [dict.fromkeys(asked, text) for text in own]
    seen = run_dir / "predictions.jsonl"
    if seen.is_file():
        with seen.open(encoding="utf-8") as lines:
            entries = [json.loads(line) for _, line in zip(range(TRIED_ROWS), lines, strict=False)]
        rows += [
            {**(entry.get("asked") or {task.bare_role: str(entry.get("text") or "")}), **_earlier(entry)}
            for entry in entries
        ]
    return rows


def _earlier(entry: dict[str, Any]) -> Row:
    return {EARLIER: entry[EARLIER]} if entry.get(EARLIER) else {}


def _try(folder: Path, copy: Copy) -> Iterator[str]:
    """Run `predict.py` in a fresh, isolated Python and compare; others take their turns while it works."""
    command = [sys.executable, "-I", "-c", copy.program, str(folder / "predict.py")]
    quiet = environment(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as asked,
        tempfile.TemporaryFile("w+", encoding="utf-8") as answered,
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints,
    ):
        json.dump(copy.questions, asked)
        asked.seek(0)
        process = subprocess.Popen(command, cwd=folder, env=quiet, stdin=asked, stdout=answered, stderr=complaints)
        try:
            until = time.monotonic() + TRY_SECONDS
            while process.poll() is None and time.monotonic() < until:
                time.sleep(0.05)
                yield "trying"
        finally:
            process.kill()
            process.wait()
        answered.seek(0)
        complaints.seek(0)
        text = answered.read()
        if process.returncode != 0:
            last = (complaints.read().strip().splitlines() or [f"exit code {process.returncode}"])[-1]
            raise UserError("package_broken", reason=last[:200])
    _compare([dict(answer) for answer in json.loads(text)], copy.expected)


def _compare(found: list[dict[str, float]], expected: list[dict[str, float]], allowed: float = LARGEST_GAP) -> float:
    """The largest gap. Raises UserError (`package_differs`) with it where it is more than is allowed."""
    gaps = [0.0]
    for one, other in zip(found, expected, strict=True):
        scale = max(1.0, *(abs(score) for score in other.values()))
        gaps += [abs(one[name] - score) / scale for name, score in other.items()]
    gap = max(gaps, key=lambda gap: math.inf if math.isnan(gap) else gap)
    if not gap <= allowed:
        raise UserError("package_differs", gap=f"{gap:.4f}", rows=len(expected))
    return gap


def _pack(folder: Path, out: Path) -> Iterator[str]:
    """Weights do not get smaller by packing, so they are stored as they are."""
    half = out.with_name(f".{out.name}.half")
    try:
        with zipfile.ZipFile(half, "w") as archive:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    stored = path.suffix == ".safetensors"
                    kind = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
                    archive.write(path, Path("model") / path.relative_to(folder), kind)
                    yield "packing"
        half.replace(out)
    finally:
        half.unlink(missing_ok=True)


@dataclass(frozen=True)
class Card:
    """What the README says: how it was made, its scores and their limits, its labels, what it needs to run, and the
    text of its `predict.py`."""

    made: str
    scores: dict[str, Any]
    limits: str
    labels: list[str]
    needs: str
    script: str


def _card(run_dir: Path, card: Card, language: str) -> str:
    """README.md: what it is, how it scored, how to use it, what it cannot promise."""
    title = _object(run_dir / "spec.json").get("name") or run_dir.name
    lines = [f"# {title}", "", card.made, ""]
    if card.scores:
        lines += [f"## {say('package.card.scores', language)}", ""]
        lines += [f"- {name}: {score:.4f}" for name, score in card.scores.items() if isinstance(score, (int, float))]
        lines += ["", card.limits, ""]
    if card.labels:
        lines += [f"## {say('package.card.labels', language)}", ""]
        lines += [f"- {label}" for label in card.labels] + [""]
    lines += [f"## {say('package.card.use', language)}", "", card.needs, ""]
    lines += ["```", 'python predict.py "..."', "```", "", "```python"]
    lines += [card.script.rstrip(), "```", ""]
    return "\n".join(lines)


def _object(path: Path) -> dict[str, Any]:
    """A JSON object, empty when the file is missing or damaged: the card then says less."""
    try:
        raw = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return raw if isinstance(raw, dict) else {}
