"""Still figures of a report, drawn by Python plotly as plain JSON; colours and language are the caller's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.words import say

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Report = Mapping[str, Any]
_MOST_LABELS = 60
_LABEL = 26
_LONGEST_NAME = 28


@dataclass(frozen=True)
class Colours:
    """CSS colours of a theme."""

    ink: str
    muted: str
    grid: str
    accent: str
    amber: str
    red: str


def classes(report: Report, colours: Colours, language: str = "en") -> dict[str, Any]:
    """F1 of each label, the lowest first, with the number of its test rows beside the name."""
    import plotly.graph_objects as go

    found = sorted(report["classes"], key=lambda entry: (entry["f1"], entry["label"]))[:_MOST_LABELS]
    places = list(range(len(found)))
    bar = go.Bar(
        x=[100 * entry["f1"] for entry in found],
        y=places,
        orientation="h",
        marker={"color": colours.accent},
        customdata=[
            [_safe(entry["label"]), say("report.figure.rows", language, count=entry["rows"])] for entry in found
        ],
        hovertemplate="%{customdata[0]}: %{x:.1f} · %{customdata[1]}<extra></extra>",
    )
    figure = _figure(colours, 90 + _LABEL * len(found), bar)
    figure.update_xaxes(title=say("report.figure.classes", language), range=[0, 100])
    figure.update_yaxes(
        tickmode="array", tickvals=places, ticktext=_short([entry["label"] for entry in found]), autorange="reversed"
    )
    return _plain(figure)


def _figure(colours: Colours, height: int, trace: Any) -> Figure:
    import plotly.graph_objects as go

    figure: Figure = go.Figure(trace)
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 8, "r": 16, "t": 8, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": colours.ink},
        showlegend=False,
    )
    figure.update_xaxes(gridcolor=colours.grid, zerolinecolor=colours.grid, automargin=True)
    figure.update_yaxes(gridcolor=colours.grid, zerolinecolor=colours.grid, automargin=True)
    return figure


def _short(labels: Sequence[str]) -> list[str]:
    """Names that fit beside an axis."""
    return [_safe(label if len(label) <= _LONGEST_NAME else label[: _LONGEST_NAME - 1] + "…") for label in labels]


def _safe(label: str) -> str:
    """Text shown as text: plotly reads a few HTML tags, links among them, in whatever it draws."""
    return label.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(figure: Figure) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(figure.to_json())
    return plain
