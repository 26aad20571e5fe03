"""Words that a masked language model finds likely where another one stands (Kobayashi 2018, arXiv:1805.06201; with
BERT: Wu et al. 2019, arXiv:1812.06705): further training rows say nearly the same in other words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from studio.errors import UserError

LIKELIEST = 8
"""So many candidates a word at most."""
_LOOKED_AT = 40
_BEGINS = ("▁", "Ġ")
_LETTERS = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_HAN = re.compile(r"[\u3400-\u9fff]+")


class Filler:
    """A masked language model and its tokenizer. Deterministic: candidates in the order of their likelihood."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model, self._tokenizer = model.eval(), tokenizer
        # Where a mark tells that a word begins, what has none goes on with one; Chinese has no such mark.
        self._spaced = any(piece.startswith(_BEGINS) for piece in tokenizer.tokenize("one word"))
        self._longest = min(int(getattr(model.config, "max_position_embeddings", 512)), 512) - 2

    def candidates(self, text: str, places: Sequence[tuple[int, int]]) -> list[list[str]]:
        """For each word of `text` (start, end) others that fit there, none for what it cannot replace: words of other
        scripts, and what lies behind the tokens it reads at once. All are hidden together, in one pass."""
        import torch

        mask = self._tokenizer.mask_token
        if mask in text:  # nobody could tell which is which
            return [[] for _ in places]
        marks = [mask * (end - start) if _HAN.fullmatch(text[start:end]) else mask for start, end in places]
        parts, last = [], 0
        for (start, end), mark in sorted(zip(places, marks, strict=True)):
            parts += [text[last:start], mark]
            last = end
        told = "".join([*parts, text[last:]])
        coded = self._tokenizer([told], truncation=True, max_length=self._longest, return_tensors="pt")
        with torch.inference_mode():
            logits = self._model(**coded).logits[0]
        hidden = (coded["input_ids"][0] == self._tokenizer.mask_token_id).nonzero()[:, 0].tolist()
        tops = logits[hidden].topk(min(_LOOKED_AT, logits.shape[-1])).indices.tolist() if hidden else []
        found: dict[tuple[int, int], list[str]] = {}
        at = 0
        for (start, end), mark in sorted(zip(places, marks, strict=True)):
            count = mark.count(mask)
            found[start, end] = self._words(text[start:end], tops[at : at + count]) if at + count <= len(tops) else []
            at += count
        return [found[place] for place in places]

    def _words(self, word: str, tops: list[list[int]]) -> list[str]:
        """Whole words in the script and the case of `word`, without itself."""
        script = _script(word)
        if not script:
            return []
        read = [[self._written(token) for token in place] for place in tops]
        if _HAN.fullmatch(word):  # a character a mask, the first choice of all together, then the second
            plain = [[one for one in place if len(one) == 1 and _script(one) == script] for place in read]
            others = ["".join(parts) for parts in zip(*plain, strict=False)]
        else:
            others = [_cased(one, word) for one in read[0] if _script(one) == script]
        return [one for one in dict.fromkeys(others) if one.lower() != word.lower()][:LIKELIEST]

    def _written(self, token: int) -> str:
        """A token as it stands in a text, "" for one that only goes on with a word."""
        piece = str(self._tokenizer.convert_ids_to_tokens(token))
        if token in self._tokenizer.all_special_ids or piece.startswith("##"):
            return ""
        text = self._tokenizer.decode([token]).strip()
        begins = piece.startswith(_BEGINS) or not self._spaced or bool(_HAN.fullmatch(text))
        return text if begins else ""


def _script(word: str) -> str:
    """The script of a word ("LATIN", "CJK"), as Unicode names its first letter; "" for what is no word."""
    return unicodedata.name(word[0], "").split(" ")[0] if _LETTERS.fullmatch(word) else ""


def _cased(word: str, like: str) -> str:
    if like.isupper() and len(like) > 1:
        return word.upper()
    return word[:1].upper() + word[1:] if like[:1].isupper() else word.lower()


def open_filler(place: Path) -> Filler:
    """The filler in a run's folder, or in a folder of weights. Raises UserError (`filler_untaught`, what loading
    raises)."""
    if (place / "model" / "studio.json").is_file():
        from studio.inference.predictor import Predictor

        held = Predictor.load(place)
        return Filler(held.model, held.tokenizer)
    from studio.models.load import load_tokenizer
    from studio.tasks.masks import load_masked

    model: Any = load_masked(str(place))
    if not model.had_head:
        raise UserError("filler_untaught", model=place.name)
    return Filler(model, load_tokenizer(place))
