"""HTML tags and entities: tags go, entities become their characters. "a < b" and "<3" are no tags and stay."""

from __future__ import annotations

import html
import re
from typing import Any

from studio.data.steps.base import TextStep, steps

_BREAKING = "address article aside blockquote br dd div dl dt figure footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section table tbody td tfoot th thead tr ul"  # noqa: E501
_INLINE = "a abbr acronym b bdi bdo big body button caption center cite code col colgroup data del details dfn em embed fieldset figcaption font frame head html i iframe img input ins kbd label legend link map mark meta meter noscript object option output param picture progress q rp rt ruby s samp select small source span strike strong sub summary sup svg textarea time title track tt u var video audio canvas wbr"  # noqa: E501
# Elements of the HTML living standard and the old ones still found; any other "<word>" is text, such as a placeholder.
_HIDDEN = re.compile(r"<(script|style)\b[^<>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->|<!doctype\b[^<>]*>", re.IGNORECASE | re.DOTALL)
_ATTRIBUTES = r"(?:\s[^<>]*|/)?"
_BREAK = re.compile(rf"</?(?:{'|'.join(_BREAKING.split())}){_ATTRIBUTES}>", re.IGNORECASE)
_TAG = re.compile(rf"</?(?:{'|'.join(_INLINE.split())}){_ATTRIBUTES}>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:[a-zA-Z][a-zA-Z0-9]{1,30}|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});")
_SPACES = re.compile(r"[ \t]{2,}")


def has_markup(text: str) -> bool:
    """Whether `strip` would take a tag or an entity out."""
    return ("<" in text and (bool(_BREAK.search(text) or _TAG.search(text) or _COMMENT.search(text)))) or (
        "&" in text and strip(text) != text
    )


def strip(text: str) -> str:
    """The text as a browser would show it."""
    if "<" in text:
        shown = _COMMENT.sub("", text)
        # Without a closing tag the search for one would run to the end for each opening one.
        if "</" in shown:
            shown = _HIDDEN.sub("", shown)
        shown = _TAG.sub("", _BREAK.sub(" ", shown))
        if shown != text:
            text = _SPACES.sub(" ", shown).strip()
    # Twice, because exports of exports hold "&amp;quot;"; what is no entity stays as it is.
    for _ in range(2):
        if "&" in text:
            text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    return text


class Markup(TextStep):
    key = "markup"
    order = 14

    def edit(self, text: str, options: Any, found: Any) -> str:
        return strip(text)


steps.register(Markup())
