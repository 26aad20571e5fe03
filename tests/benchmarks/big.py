"""A million rows as an analyst might bring them: invented reviews of uneven length, English with some Chinese, a label,
a number and an identifier; one row of fifty says again what an earlier one said, some hold an e-mail address."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator
from pathlib import Path

_PARTS = (
    "the delivery came late|the colour is not as shown|works as described|I would buy it again|the battery died after a week|"
    "support answered within an hour|the manual is hard to follow|great value for the money|it broke on the first day|"
    "my children love it|setting it up took five minutes|too loud for a bedroom|the screen is bright and sharp|"
    "the box was damaged|it fits perfectly|I asked for a refund|nothing to complain about|heavier than I thought|"
    "物流很快，包装也很好|屏幕清晰，声音有点小|客服一直没有回复|性价比很高，推荐购买|用了两天就坏了"
).split("|")
LABELS = ("complaint", "praise", "question", "return", "other")


def rows(count: int, words: int, seed: int = 1) -> Iterator[tuple[str, str, str, str]]:
    """(id, text, label, score), the text about `words` words long."""
    draw = random.Random(seed)
    kept: list[str] = []
    for number in range(count):
        if kept and draw.random() < 0.02:
            text = kept[draw.randrange(len(kept))]
        else:
            parts = draw.choices(_PARTS, k=max(1, round(draw.expovariate(5 / words))))
            text = f"{'. '.join(parts)} ({number:x})"
            if draw.random() < 0.01:
                text += f", write to user{number}@mail.example.net"
            if len(kept) < 5000:
                kept.append(text)
        yield f"r{number:07d}", text, draw.choice(LABELS), str(draw.randrange(1, 6))


def jsonl(path: Path, count: int = 1_000_000) -> Path:
    """About 250 MB of JSON Lines."""
    if not path.is_file():
        with path.open("w", encoding="utf-8") as out:
            for name, text, label, score in rows(count, 32):
                row = {"id": name, "text": text, "label": label, "score": int(score)}
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


def table(path: Path, count: int = 1_100_000) -> Path:
    """About 100 MB of CSV."""
    if not path.is_file():
        with path.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(("id", "text", "label", "score"))
            writer.writerows(rows(count, 10))
    return path
