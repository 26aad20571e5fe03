"""Which language a text is in: by its script where that is enough, else by the library py3langid; "" when unsure."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

LANGUAGES = ("en", "zh", "ja", "ko", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "tr", "vi", "id", "ru", "uk", "ar", "fa", "he", "hi", "th", "el")  # fmt: skip  # noqa: E501
"""What is told apart."""
_SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af\u1100-\u11ff]")),
    ("zh", re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("he", re.compile(r"[\u0590-\u05ff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
)
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_ARABIC = re.compile(r"[\u0600-\u06ff]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")
_FEWEST = 25
"""Latin letters, and Cyrillic or Arabic ones, below which a guess among many languages is a coin toss."""
_MARGIN = 12.0
"""By how many nats the first guess has to lead the second."""
_TOKEN = re.compile(r"https?://\S+|\S+@\S+|[#@]\w+")


def language_of(text: str) -> str:
    """The language's code, one of LANGUAGES, or "" where the text is too short or mixed to tell."""
    plain = _TOKEN.sub(" ", text[:2_000])
    latin = len(_LATIN.findall(plain))
    if not plain.isascii():
        counts = {code: len(pattern.findall(plain)) for code, pattern in _SCRIPTS}
        if counts["ja"] and counts["ja"] >= 0.1 * counts["zh"]:
            counts["ja"], counts["zh"] = counts["ja"] + counts["zh"], 0
        # A sign of these scripts says more than a letter does.
        code, count = max(counts.items(), key=lambda item: item[1])
        if count >= 2 and 3 * count >= latin:
            return code
        if count >= 2 and count >= 0.1 * latin:
            return ""
    others = len(_CYRILLIC.findall(plain)) + len(_ARABIC.findall(plain))
    if max(latin, others) < _FEWEST:
        return ""
    ranked = _guesser().rank(plain)
    return str(ranked[0][0]) if ranked[0][1] - ranked[1][1] >= _MARGIN else ""


@cache
def _guesser() -> Any:
    import py3langid

    py3langid.set_languages(list(LANGUAGES))
    return py3langid
