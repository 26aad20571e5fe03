"""Personal data in texts: found by shape and checked by checksum or library, then masked, hashed or replaced.

Names and addresses are not looked for: no list or pattern finds them, and nothing here claims to.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

HOW = ("mask", "hash", "replace")
KINDS = ("url_secret", "api_key", "email", "card", "cn_id", "us_ssn", "phone", "ip")
"""The surest first: where two overlap, the first is kept."""


class Found(NamedTuple):
    """Where personal data stands in a text, and of what kind it is."""

    kind: str
    start: int
    end: int


# Every pattern is bounded, so that no text makes it slow.
_EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][\w.+%-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24}(?![\w-])", re.ASCII
)
_DIGITS = re.compile(r"(?<![\d.,-])\d(?:[ -]?\d){12,18}(?![\d-])", re.ASCII)
_CN_ID = re.compile(r"(?<![0-9A-Za-z])[1-9]\d{16}[0-9Xx](?![0-9A-Za-z])", re.ASCII)
_SSN = re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])", re.ASCII)
_IPV4 = re.compile(r"(?<![\d.vV])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])", re.ASCII)
_IPV6 = re.compile(r"(?<![0-9A-Fa-f:])(?:[0-9A-Fa-f]{0,4}:){3,7}[0-9A-Fa-f]{1,4}(?![0-9A-Fa-f:])")
_URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,12}://[^\s<>\"'，。；、）]{3,2000}", re.IGNORECASE)
_SECRET_URL = re.compile(
    r"://[^/\s:@]{1,100}:[^/\s@]{1,200}@|[?&#](?:access_?token|api_?key|apikey|auth|client_secret|key|pass(?:word|wd)?|"
    r"pwd|secret|session(?:id)?|sig(?:nature)?|token)=[^&\s#]{6,}",
    re.IGNORECASE,
)
# The beginnings that the makers of these keys document.
_KEYS = re.compile(
    r"(?<![A-Za-z0-9_-])(?:AKIA[0-9A-Z]{16}|ASIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{40,200}|"
    r"glpat-[A-Za-z0-9_-]{20,64}|xox[abprs]-[A-Za-z0-9-]{10,200}|sk-(?:proj-|ant-)?[A-Za-z0-9_-]{20,200}|"
    r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,200}|AIza[0-9A-Za-z_-]{35}|hf_[A-Za-z0-9]{30,64}|npm_[A-Za-z0-9]{36}|"
    r"eyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{8,2000})(?![A-Za-z0-9_-])"
)
_NUMBER = re.compile(r"[+(（]?\d[\d\s().（）/-]{5,24}\d", re.ASCII)
_CN_MOBILE = re.compile(r"(?<![\dA-Za-z.+-])1[3-9]\d(?:[ -]?\d{4}){2}(?![\dA-Za-z.-])", re.ASCII)
_CN_LINE = re.compile(r"(?<![\d.-])(?:\(0\d{2,3}\)|（0\d{2,3}）|0\d{2,3}-)[ ]?\d{7,8}(?![\d-])", re.ASCII)
_LOCAL = re.compile(r"(?<![\d-])[2-9]\d{2}-\d{4}(?![\d-])", re.ASCII)
_CALLING = re.compile(r"\b(?:call|dial|fax|mobile|phone|reach|ring|tel|text)\b|电话|手机|致电|传真", re.IGNORECASE)
_OURS = re.compile(r"user-[0-9a-f]{6}@example\.com|\+1 202-555-01\d\d|192\.0\.2\.\d{1,3}")
"""What `redacted` writes instead: it is nobody's, and is not found again."""
_PARTED = re.compile(r"[()\s.-]")


def find(text: str) -> list[Found]:
    """All personal data in a text, in its order, without overlaps."""
    if not any(character in text for character in "0123456789@") and "://" not in text and not _KEYS.search(text):
        return []
    taken: list[Found] = []
    for kind in KINDS:
        for start, end in _FINDERS[kind](text):
            free = all(end <= other.start or start >= other.end for other in taken)
            if free and not _OURS.fullmatch(text, start, end):
                taken.append(Found(kind, start, end))
    return sorted(taken, key=lambda found: found.start)


def redacted(text: str, how: str) -> str:
    """The text with everything `find` finds made unreadable; the same value becomes the same thing everywhere."""
    parts, last = [], 0
    for found in find(text):
        parts += [text[last : found.start], _instead(found.kind, text[found.start : found.end], how)]
        last = found.end
    return "".join([*parts, text[last:]]) if parts else text


def _instead(kind: str, value: str, how: str) -> str:
    if how == "mask":
        return f"[{kind.upper()}]"
    # Few digits on purpose: many phone numbers share them, so that the value cannot be tried out.
    plain = "".join(letter for letter in value.casefold() if letter.isalnum())
    code = hashlib.blake2b(f"{kind}:{plain}".encode(), digest_size=3).hexdigest()
    if how == "hash":
        return f"[{kind.upper()}_{code}]"
    number = int(code, 16)
    # Names, addresses and numbers that are reserved for examples, so that none is anybody's.
    return {
        "email": f"user-{code}@example.com",
        "phone": f"+1 202-555-{100 + number % 100:04d}",
        "card": "0000 0000 0000 0000",
        "cn_id": f"000000190001{number % 10**6:06d}",
        "us_ssn": f"000-{number % 100:02d}-{number % 10**4:04d}",
        "ip": f"192.0.2.{1 + number % 254}",
        "url_secret": f"https://example.com/{code}",
        "api_key": f"example-key-{code}",
    }[kind]


def _spans(pattern: re.Pattern[str]) -> Callable[[str], Iterator[tuple[int, int]]]:
    return lambda text: (found.span() for found in pattern.finditer(text))


def _cards(text: str) -> Iterator[tuple[int, int]]:
    from stdnum import luhn

    for found in _DIGITS.finditer(text):
        plain = re.sub(r"\D", "", found[0])
        # First digits of payment networks; one digit over and over also passes the checksum.
        if plain[0] in "23456" and len(set(plain)) > 1 and luhn.is_valid(plain):
            yield found.span()


def _cn_ids(text: str) -> Iterator[tuple[int, int]]:
    from stdnum.cn import ric

    return (found.span() for found in _CN_ID.finditer(text) if ric.is_valid(found[0].upper()))


def _ssns(text: str) -> Iterator[tuple[int, int]]:
    from stdnum.us import ssn

    return (found.span() for found in _SSN.finditer(text) if ssn.is_valid(found[0]))


def _ips(text: str) -> Iterator[tuple[int, int]]:
    for pattern in (_IPV4, _IPV6):
        for found in pattern.finditer(text):
            try:
                address = ipaddress.ip_address(found[0])
            except ValueError:
                continue
            # Addresses that name no machine of somebody's; "v1.2.3.4" is a version.
            if not (address.is_loopback or address.is_unspecified):
                yield found.span()


def _urls(text: str) -> Iterator[tuple[int, int]]:
    return (found.span() for found in _URL.finditer(text) if _SECRET_URL.search(found[0]))


def _phones(text: str) -> Iterator[tuple[int, int]]:
    if not _NUMBER.search(text):
        return
    for pattern in (_CN_MOBILE, _CN_LINE):
        yield from (found.span() for found in pattern.finditer(text))
    if _CALLING.search(text):
        yield from (found.span() for found in _LOCAL.finditer(text))
    import phonenumbers

    # A number without a country's code is read as a North American one, and only where it is written like a number to
    # call: ten digits in a row are mostly an order or an article.
    for match in phonenumbers.PhoneNumberMatcher(text[:20_000], "US"):
        raw = match.raw_string
        if raw.startswith("+") or len(_PARTED.findall(raw)) >= 2:
            yield match.start, match.end


_FINDERS: dict[str, Callable[[str], Iterator[tuple[int, int]]]] = {
    "url_secret": _urls,
    "api_key": _spans(_KEYS),
    "email": _spans(_EMAIL),
    "card": _cards,
    "cn_id": _cn_ids,
    "us_ssn": _ssns,
    "phone": _phones,
    "ip": _ips,
}
