"""Faults put into clean texts on purpose: each plant says which rows it spoilt, and takes rows that nothing else spoilt.

Clean are the sentences of the samples, which people wrote for this project, and texts generated from clauses in English
and German; in none of them is a text there twice.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product

from workbench import Cells

from studio.data.samples import list_samples

CLAUSES = {
    "en": (
        ("The parcel came two days late", "My card was charged twice", "The app closes when I log in", "Nobody answers the phone",
         "The handle broke on Monday", "I would like to change my plan", "The second invoice is missing", "Our order never arrived",
         "The screen stays black", "A driver left it in the rain", "Your site shows an error page", "The discount was not applied"),
        ("although I wrote to you last week", "and the box was already open", "because the battery is empty", "since the last update",
         "while my neighbour had no trouble", "after I paid by bank transfer", "when I try it from my office", "even though the light is green",
         "before I could sign for it", "without any word from your side", "as the manual does not explain it", "so my daughter could not use it"),
        ("please tell me what to do next", "I want my money back", "can you send a new one", "it is very annoying",
         "the colour is lovely though", "otherwise I am quite happy", "I will wait until Friday", "kindly check my account",
         "this has never happened before", "a short call would be enough", "thank you for your patience", "I may order somewhere else"),
    ),
    "de": (
        ("Das Paket kam zwei Tage zu spät", "Meine Karte wurde doppelt belastet", "Die App schließt sich beim Anmelden", "Niemand geht ans Telefon",
         "Der Griff ist am Montag abgebrochen", "Ich möchte meinen Tarif wechseln", "Die zweite Rechnung fehlt mir noch", "Unsere Bestellung kam nie an",
         "Der Bildschirm bleibt schwarz", "Ein Fahrer ließ es im Regen stehen", "Ihre Seite zeigt einen Fehler", "Der Rabatt wurde nicht abgezogen"),
        ("obwohl ich letzte Woche geschrieben habe", "und die Schachtel war schon offen", "weil der Akku leer ist", "seit der letzten Aktualisierung",
         "während mein Nachbar keine Mühe hatte", "nachdem ich überwiesen hatte", "wenn ich es im Büro versuche", "obwohl das Licht grün leuchtet",
         "bevor ich unterschreiben konnte", "ohne ein Wort von Ihrer Seite", "da die Anleitung es nicht erklärt", "sodass meine Tochter nichts davon hatte"),
        ("bitte sagen Sie mir, was ich tun soll", "ich will mein Geld zurück", "können Sie ein neues schicken", "das ist sehr ärgerlich",
         "die Farbe ist allerdings schön", "sonst bin ich recht zufrieden", "ich warte noch bis Freitag", "prüfen Sie bitte mein Konto",
         "das ist noch nie vorgekommen", "ein kurzer Anruf würde genügen", "danke für Ihre Geduld", "ich bestelle vielleicht woanders"),
    ),
}  # fmt: skip


@dataclass
class Table:
    """Texts and labels; `free` are rows that no plant has spoilt."""

    cells: Cells
    language: str
    draw: random.Random
    free: list[int] = field(default_factory=list)

    def take(self, count: int, fits: Callable[[str], bool] = lambda text: True) -> list[int]:
        """Rows that are spoilt from now on."""
        able = [row for row in self.free if fits(self.text(row))]
        taken = sorted(self.draw.sample(able, min(count, len(able))))
        self.free = [row for row in self.free if row not in set(taken)]
        return taken

    def text(self, row: int) -> str:
        return self.cells["text"][row] or ""

    def label(self, row: int) -> str:
        return self.cells["label"][row] or ""

    def add(self, text: str, label: str) -> int:
        """A further row; its number from 0."""
        self.cells["text"].append(text)
        self.cells["label"].append(label)
        return len(self.cells["text"]) - 1


def generated(language: str, rows: int, draw: random.Random) -> list[tuple[str, str]]:
    """Different texts of three clauses, with labels that nothing in them tells."""
    parts = draw.sample(list(product(*CLAUSES[language])), rows)
    return [(f"{first} {second}, {third}.", draw.choice(["delivery", "payment", "device"])) for first, second, third in parts]  # fmt: skip


def written(key: str) -> list[tuple[str, str]]:
    """Texts and labels of a sample, each text once."""
    sample = next(one for one in list_samples() if one.key == key)
    return list(dict(sample.preview(10_000)).items())


SOURCES: dict[str, tuple[str, Callable[[random.Random], list[tuple[str, str]]]]] = {
    "help_desk": ("en", lambda draw: written("help_desk")),
    "hotel_reviews": ("en", lambda draw: written("hotel_reviews")),
    "waimai": ("zh", lambda draw: written("waimai")),
    "generated": ("en", lambda draw: generated("en", 400, draw)),
    "erzeugt": ("de", lambda draw: generated("de", 400, draw)),
}


def table(source: str, seed: int) -> Table:
    """Clean rows in an order of their own."""
    draw = random.Random(f"{source} {seed}")
    language, make = SOURCES[source]
    rows = make(draw)
    draw.shuffle(rows)
    cells: Cells = {"text": [text for text, _ in rows], "label": [label for _, label in rows]}
    return Table(cells, language, draw, list(range(len(rows))))


def blank(one: Table) -> set[int]:
    rows = one.take(20)
    for turn, row in enumerate(rows):
        one.cells["text" if turn % 3 else "label"][row] = one.draw.choice([None, "", "  ", "\u3000\n"])
    return set(rows)


def repeat(one: Table) -> set[int]:
    return {
        one.add(one.draw.choice([text, text.upper(), f" {text}  ", text.replace(" ", "  ")]), one.label(row))
        for row in one.take(20)
        if (text := one.text(row))
    }


def nearly(one: Table) -> set[int]:
    found = set()
    for row in one.take(20, lambda text: len(text) >= (60 if text.isascii() else 40)):
        text, spot = one.text(row), one.draw.randrange(len(one.text(row)) - 1)
        near = [text[:spot] + text[spot + 1 :], text + "!!", text[:spot] + "x" + text[spot:], "Re: " + text]
        found.add(one.add(one.draw.choice(near), one.label(row)))
    return found


def contradict(one: Table) -> set[int]:
    names = sorted({label for label in one.cells["label"] if label and label.strip()})
    rows = one.take(12)
    wrong = [one.add(one.text(row), next(name for name in names if name != one.label(row))) for row in rows]
    return {*rows, *wrong}


def misspell(one: Table) -> set[int]:
    rows = one.take(20)
    for row in rows:
        label = one.label(row)
        ways = [label + " ", " " + label, label + "."] + [label.upper(), label.title() + "s"] * label.isascii()
        one.cells["label"][row] = one.draw.choice(ways)
    return set(rows)


def tag(one: Table) -> set[int]:
    rows = one.take(20)
    for row in rows:
        text = one.text(row)
        ways = [f"<p>{text}</p>", f"{text}<br/>", f'<a href="x">{text}</a>', f"{text} &amp; &#39;ok&#39;", f"{text}&nbsp;&#8230;"]  # fmt: skip
        one.cells["text"][row] = one.draw.choice(ways)
    return set(rows)


def hide(one: Table) -> set[int]:
    rows = one.take(20)
    for row in rows:
        text, spot = one.text(row), one.draw.randrange(len(one.text(row)))
        one.cells["text"][row] = text[:spot] + one.draw.choice("\x00\x07\u200b\u202e\ufeff\ufffd\xad") + text[spot:]
    return set(rows)


def garble(one: Table) -> set[int]:
    rows = one.take(20)
    for row in rows:
        said = one.draw.choice(["café crème", "naïve — “quoted”", "Zoë’s über", "¡señor!", "Größe"])
        text = one.text(row) if one.text(row).isascii() else one.text(row).encode("ascii", "ignore").decode()
        one.cells["text"][row] = f"{text} {said}".encode().decode("cp1252", "ignore")
    return set(rows)


def stretch(one: Table) -> set[int]:
    rows = one.take(6)
    for turn, row in enumerate(rows):
        said = " ".join(f"{turn} {one.text(row)}" for turn in range(60))
        one.cells["text"][row] = said if turn % 2 else "x?k"[turn // 2]
    return set(rows)


FOREIGN = {
    "en": ("The kettle arrived two days late and the box was already open", "Our guests liked the quiet rooms but not the breakfast"),
    "de": ("Der Wasserkocher kam zwei Tage zu spät an und die Schachtel war offen", "Unsere Gäste mochten die ruhigen Zimmer, das Frühstück aber nicht"),
    "zh": ("今天的快递又晚到了两天，盒子也破了", "房间很安静，但是早餐不太好吃"),
    "fr": ("La bouilloire est arrivée avec deux jours de retard et la boîte était ouverte", "Nos invités ont aimé les chambres calmes, mais pas le petit déjeuner"),
    "ru": ("Чайник пришёл на два дня позже и коробка была открыта", "Гостям понравились тихие номера, но не завтрак"),
    "es": ("El hervidor llegó dos días tarde y la caja estaba completamente abierta", "A los huéspedes les gustaron las habitaciones tranquilas, pero no el desayuno"),
    "ja": ("お茶がとても美味しかったです、また買います", "部屋は静かでしたが、朝食はあまり良くなかったです"),
    "ko": ("배송이 이틀이나 늦었고 상자가 열려 있었습니다", "방은 조용했지만 아침 식사는 별로였습니다"),
}  # fmt: skip


def translate(one: Table) -> set[int]:
    said = [text for language, texts in FOREIGN.items() if language != one.language for text in texts]
    rows = one.take(20)
    for row in rows:
        one.cells["text"][row] = f"{one.draw.choice(said)} {row}"
    return set(rows)


PRIVATE = (
    "ann.lee{n}@mail.example", "+44 20 7946 0{n:03d}", "212-736-5{n:03d}", "(212) 736-5{n:03d}", "138{n:04d}8000",
    "4539 1488 0343 6467", "11010519491231002X", "536-90-4399", "10.20.30.{n}", "2001:db8:85a3::8a2e:370:7334",
    "https://ann:secret{n}@host.example/x", "https://host.example/x?token=abcdef{n}99", "AKIAIOSFODNN7EXAMPLE",
    "ghp_" + "a1B2" * 9, "010-62345{n:03d}", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
)  # fmt: skip


def expose(one: Table) -> set[int]:
    rows = one.take(len(PRIVATE) * 2)
    for turn, row in enumerate(rows):
        said = PRIVATE[turn % len(PRIVATE)].format(n=row % 200 + 10)
        one.cells["text"][row] = f"{one.text(row)} {said}"
    return set(rows)


def cut(one: Table) -> set[int]:
    """All texts that are longer than a limit end at it; those that are just so long lose nothing."""
    limit = sorted(map(len, (text or "" for text in one.cells["text"])))[-len(one.cells["text"]) // 8]
    limit = max(limit, 50)
    rows = {row for row in range(len(one.cells["text"])) if len(one.text(row)) > limit}
    for row in rows:
        one.cells["text"][row] = one.text(row)[:limit]
    return rows


def starve(one: Table) -> set[int]:
    """Two labels of few rows."""
    rows = one.take(6)
    for turn, row in enumerate(rows):
        one.cells["label"][row] = ("warranty", "保修")[turn % 2]
    return set(rows)


PLANTS: dict[str, Callable[[Table], set[int]]] = {
    "cells_missing": blank, "rows_repeated": repeat, "rows_near_repeated": nearly, "rows_contradict": contradict,
    "text_markup": tag, "text_control": hide, "text_mojibake": garble, "lengths_extreme": stretch,
    "languages_mixed": translate, "personal_data": expose,
}  # fmt: skip
"""Faults of rows that stand side by side in one table."""
ALONE: dict[str, Callable[[Table], set[int]]] = {
    "labels_spelling": misspell, "rows_truncated": cut, "labels_rare": starve,
}  # fmt: skip
"""Faults that would hide one another: a giant text has no limit, and nobody says which misspelt label is a rare one."""
