"""Which encoding a text file has, from its bytes alone. Not for binary formats, which `sniffing` names first.

UTF-8 and marks at the start settle most files. For the rest every likely encoding is tried, and the one wins whose
text is richest in the commonest characters of its languages: real text always holds many of them, wrongly decoded
text hardly any.
"""

from __future__ import annotations

import codecs
from pathlib import Path

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_KANA = "のにはをたがでてとしれさいるあこすまなかもりらっんうおくきよだどせそつわえやけみちめゃじべろひ、。ー「」！？"
_TWO_BYTES = {
    "gb18030": "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过后作里用道"
    "行所然家种事成方多很好吃没太还味差快店服务质量东西价格非常感觉比较点给买送，。！？、：；（）“”《》",
    "big5": "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過後作裡用道行"
    "所然家種事成方多很好吃沒太還味差快店服務質量東西價格非常感覺比較點給買送，。！？、：；（）「」《》",
    "shift_jis": _KANA,
    "euc_jp": _KANA,
    "cp949": "이다는을가에의하고지도기로한사은를어아서리나인대자시정니해일게라수그부보만적있습과오들것었면요안거",
}
_ALPHABETS = {
    "cp1251": "оеаинтслврк",
    "cp1253": "αοιετσνηυρπκ",
    "cp1255": "יוהלאמתרשבנ",
    "cp1256": "اليمنوتربةعد",
    "cp874": "านรกอเงมยลวดทสตี่้ั",
}
_ACCENTS = {
    "cp1252": "éèàùâêîôûçëïüöäßñáíóúãõåøæÉÀÇÖÄÜ“”‘’–—…€£°«»¿¡·§©®½",
    "cp1250": "ąćęłńóśźżĄĆĘŁŃÓŚŹŻáčďéěíňřšťúůýžőűăâîşţ“”„–—…",
}
_ENOUGH = 0.12
"""Share of common characters below which nothing is recognised; wrong two-byte guesses seen stay below 0.08."""
_TOLERATED = 0.02
"""Share of damaged sequences among the non-ASCII ones up to which a file still counts as UTF-8."""
_CHUNK = 2**20


def detect(path: Path) -> str:
    """The encoding's Python name ("utf-8", "utf-8-sig", "utf-16", "gb18030", "cp1252", ...).

    Reads the whole file once, streaming. Latin text that fits nothing better comes out as cp1252.
    """
    with path.open("rb") as handle:
        head = handle.read(_CHUNK)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    wide = _wide(head)
    if wide:
        return wide
    if _is_utf8(path):
        return "utf-8"
    return _best(_sample(path))


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark: of the two byte orders the one that makes clean text with spaces, commas, line ends."""
    sample = head[: min(len(head), 20_000) // 2 * 2]
    if 0 not in sample:
        return None
    best, most = None, 0
    for name in ("utf-16-le", "utf-16-be"):
        text = sample.decode(name, "replace").rstrip("\ufffd")
        if all(character.isprintable() or character in "\t\r\n\u3000" for character in text):
            plain = len(text.encode("ascii", "ignore"))
            if plain > max(most, 0.01 * len(text)):
                best, most = name, plain
    return best


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    damaged = others = 0
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            if chunk.isascii() and not decoder.getstate()[0]:
                continue
            text = decoder.decode(chunk)
            damaged += text.count("\ufffd")
            others += len(text) - len(text.encode("ascii", "ignore"))
    damaged += len(decoder.decode(b"", final=True))
    return damaged <= _TOLERATED * max(others, 1)


def _sample(path: Path) -> bytes:
    """Up to 200 kB of the lines that hold other bytes than ASCII."""
    found: list[bytes] = []
    size = 0
    with path.open("rb") as handle:
        while size < 200_000 and (line := handle.readline(100_000)):
            if not line.isascii():
                found.append(line)
                size += len(line)
    return b"".join(found)


def _best(sample: bytes) -> str:
    found = _richest(sample, _TWO_BYTES)
    if found:
        return found
    # In other alphabets whole words are made of high bytes; in Latin ones they stand alone among ASCII letters.
    high = [byte > 127 for byte in sample]
    together = sum(one and other for one, other in zip(high, high[1:], strict=False))
    return _richest(sample, _ALPHABETS if together > 0.5 * sum(high) else _ACCENTS) or "cp1252"


def _richest(sample: bytes, candidates: dict[str, str]) -> str | None:
    """The candidate whose text is richest in its common characters; of equals the first, None where all are poor."""
    best, best_score = None, _ENOUGH
    for name, common in candidates.items():
        others = [character for character in sample.decode(name, "replace") if not character.isascii()]
        if not others or others.count("\ufffd") > _TOLERATED * len(others):
            continue
        score = sum(map(set(common).__contains__, others)) / len(others)
        if score > best_score:
            best, best_score = name, score
    return best
