"""What may stand on an encoder to tell labels: one linear layer, two layers (MLP), a CNN or a BiLSTM over all tokens.

Each tells something of a text, or `each` of its tokens. Over a text the CNN is that of Kim 2014 (arXiv:1408.5882), the
BiLSTM with the largest value over all tokens that of Conneau et al. 2017 (arXiv:1705.02364); for each token they are
what both compute there, as in Ma and Hovy 2016 (arXiv:1603.01354), without the CRF.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

HEADS = ("linear", "mlp", "cnn", "bilstm")
OVER_TOKENS = ("cnn", "bilstm")
"""Heads that read every token's vector; the others read one vector, of a text or of a token."""
RATE_SHARE = 0.2
"""Of a linear layer's learning rate, what heads of several layers bear."""
_INNER, _FILTERS, _STATES = 256, 100, 128
_WIDTHS = (1, 3, 5)


def make_head(kind: str, size: int, labels: int, dropout: float, *, each: bool = False) -> torch.nn.Module:
    """A head over vectors of `size`. Those of OVER_TOKENS take (B, T, size) and the attention mask (B, T) and give
    logits (B, labels), where `each` (B, T, labels); the others take (..., size) and give (..., labels)."""
    import torch

    if kind != "linear":
        made: torch.nn.Module = _classes()[kind](size, labels, dropout)
        made.each = each  # type: ignore[assignment]
        return made
    head = torch.nn.Linear(size, labels)
    torch.nn.init.normal_(head.weight, std=0.02)
    torch.nn.init.zeros_(head.bias)
    return head


def own_head(options: Any) -> dict[str, str]:
    """What the facts of a run keep of the head that was chosen: nothing of a linear one."""
    return {} if options.head == "linear" else {"head": str(options.head)}


@cache
def _classes() -> dict[str, type[Any]]:
    import torch

    class Mlp(torch.nn.Module):
        def __init__(self, size: int, labels: int, dropout: float) -> None:
            super().__init__()
            self.inner = torch.nn.Linear(size, _INNER)
            self.dropout = torch.nn.Dropout(dropout)
            self.out = torch.nn.Linear(_INNER, labels)

        def forward(self, vectors: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.out(self.dropout(torch.nn.functional.gelu(self.inner(vectors))))
            return found

    class Cnn(torch.nn.Module):
        each = False

        def __init__(self, size: int, labels: int, dropout: float) -> None:
            super().__init__()
            self.filters = torch.nn.ModuleList(
                torch.nn.Conv1d(size, _FILTERS, width, padding=width // 2) for width in _WIDTHS
            )
            self.dropout = torch.nn.Dropout(dropout)
            self.out = torch.nn.Linear(_FILTERS * len(_WIDTHS), labels)

        def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            inside = mask.unsqueeze(1).bool()
            # Beyond its end a text is zero, as it would be alone: padding changes no answer.
            waves = hidden.transpose(1, 2).masked_fill(~inside, 0.0)
            found = torch.cat([torch.relu(part(waves)) for part in self.filters], 1)
            found = found.transpose(1, 2) if self.each else found.masked_fill(~inside, 0.0).amax(2)
            logits: torch.Tensor = self.out(self.dropout(found))
            return logits

    class BiLstm(torch.nn.Module):
        each = False

        def __init__(self, size: int, labels: int, dropout: float) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(size, _STATES, batch_first=True, bidirectional=True)
            self.dropout = torch.nn.Dropout(dropout)
            self.out = torch.nn.Linear(2 * _STATES, labels)

        def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            lengths = mask.sum(1).clamp(min=1).cpu()
            # Recurrences lose too much in half width.
            with torch.autocast(hidden.device.type, enabled=False):
                packed = torch.nn.utils.rnn.pack_padded_sequence(
                    hidden.float(), lengths, batch_first=True, enforce_sorted=False
                )
                states, _ = torch.nn.utils.rnn.pad_packed_sequence(
                    self.lstm(packed)[0],
                    batch_first=True,
                    padding_value=0.0 if self.each else float("-inf"),
                    total_length=hidden.shape[1],
                )
                logits: torch.Tensor = self.out(self.dropout(states if self.each else states.amax(1)))
            return logits

    return {"mlp": Mlp, "cnn": Cnn, "bilstm": BiLstm}
