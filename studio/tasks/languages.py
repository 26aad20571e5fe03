"""Which language a text is in, as far as its script and commonest words tell, and what models call that language."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

NAMES = {
    "en": "English", "zh": "Chinese", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian",
    "pt": "Portuguese", "nl": "Dutch", "pl": "Polish", "tr": "Turkish", "ru": "Russian", "uk": "Ukrainian",
    "ar": "Arabic", "fa": "Persian", "hi": "Hindi", "ja": "Japanese", "ko": "Korean", "vi": "Vietnamese",
    "th": "Thai", "el": "Greek", "he": "Hebrew",
}  # fmt: skip
CODES = tuple(NAMES)
_LONG = {
    "en": "eng", "zh": "zho", "de": "deu", "fr": "fra", "es": "spa", "it": "ita", "pt": "por", "nl": "nld",
    "pl": "pol", "tr": "tur", "ru": "rus", "uk": "ukr", "ar": "arb", "fa": "pes", "hi": "hin", "ja": "jpn",
    "ko": "kor", "vi": "vie", "th": "tha", "el": "ell", "he": "heb",
}  # fmt: skip
"""ISO 639-3, with which NLLB's codes begin."""
_SCRIPTS = {
    "kana": "\u3040-\u30ff", "han": "\u3400-\u9fff\uf900-\ufaff", "ko": "\uac00-\ud7af\u1100-\u11ff",
    "cyrillic": "\u0400-\u04ff", "arabic": "\u0600-\u06ff", "hi": "\u0900-\u097f", "th": "\u0e00-\u0e7f",
    "el": "\u0370-\u03ff", "he": "\u0590-\u05ff", "latin": "A-Za-z\u00c0-\u024f\u1e00-\u1eff",
}  # fmt: skip
_SCRIPT = {name: re.compile(f"[{span}]") for name, span in _SCRIPTS.items()}
_WORDS = {
    "en": "the a of and to in is you that it was for on are with as not this have be at i he",
    "de": "der die und das ist nicht ich zu ein es sie mit den von auf für im dem wird du er",
    "fr": "le la les et de des est un une je pas que vous dans pour qui ce il sur en au",
    "es": "el la los y de que es un una en no se por con para las del lo su al como",
    "it": "il la e di che è un una non per sono in con del le si i da mi ho lo",
    "pt": "o a e de que é um uma não em para com os do da se no na por eu as",
    "nl": "de het en van een is niet ik dat je in op te met voor zijn er aan hij",
    "pl": "w i na nie się z do to jest że co jak po za od ale o",
    "tr": "bir ve bu de için ben çok ne var da mi o ile gibi daha",
    "vi": "và của là không có cho được trong một tôi người này đã với",
}
_LEAST = 0.05
"""Share of the words that have to be among a language's commonest."""
_LATIN = {code: frozenset(words.split()) for code, words in _WORDS.items()}
_WORD = re.compile(r"[^\W\d_]+")


def guess_language(texts: Iterable[str]) -> str:
    """The code of the language most of the texts are in; "" where none of the known ones is plain."""
    found: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for text in texts:
        for name, pattern in _SCRIPT.items():
            found[name] += len(pattern.findall(text))
        words.update(word.lower() for word in _WORD.findall(text))
    if not found.total():
        return ""
    script = found.most_common(1)[0][0]
    if script in ("kana", "han"):
        # Japanese writes both; Chinese has no kana at all.
        return "ja" if found["kana"] > 0.1 * (found["kana"] + found["han"]) else "zh"
    if script == "cyrillic":
        return "uk" if sum(words[word] for word in ("і", "що", "не", "є")) > words["и"] + words["что"] else "ru"
    if script == "arabic":
        return "fa" if words["است"] + words["که"] > words["من"] + words["في"] else "ar"
    if script != "latin":
        return script
    scores = {code: sum(words[word] for word in known) for code, known in _LATIN.items()}
    best = max(scores, key=lambda code: scores[code])
    return best if scores[best] >= _LEAST * sum(words.values()) else ""


def script_of(language: str) -> str:
    """What a language is written with: "latin" for many, else its own code (Chinese and Japanese share one)."""
    if language in _SCRIPTS:
        return language
    return {"zh": "han", "ja": "han", "ru": "cyrillic", "uk": "cyrillic", "ar": "arabic", "fa": "arabic"}.get(
        language, "latin"
    )


def is_spaced(language: str) -> bool:
    """Whether words are told apart by spaces."""
    return language not in ("zh", "ja", "th")


def model_code(tokenizer: Any, language: str) -> str:
    """What a multilingual tokenizer calls `language` ("zho_Hans", "zh_CN", "zh"); "" where it knows no such code."""
    if not language:
        return ""
    names = list(getattr(tokenizer, "lang_code_to_id", None) or _special(tokenizer))
    long = _LONG.get(language, "-")
    wanted = ["zho_Hans", "zh_CN"] if language == "zh" else [f"{long}_Latn", f"{language}_XX"]
    for name in wanted:
        if name in names:
            return name
    starts = (f"{language}_", f"{long}_")
    return next((name for name in names if name.startswith(starts) or name.strip("_") == language), "")


def _special(tokenizer: Any) -> Sequence[str]:
    extra = getattr(tokenizer, "extra_special_tokens", None) or getattr(tokenizer, "additional_special_tokens", None)
    return [str(token) for token in (extra or ())]
