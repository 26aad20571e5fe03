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
_MOST_LABELS, _NUMBERED = 60, 20
_ROW, _LABEL = 44, 26
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


def ladder(report: Report, colours: Colours, language: str = "en") -> dict[str, Any]:
    """One bar a model, its 95 % interval as a whisker; the tuned model in the accent colour, the one to beat amber."""
    import plotly.graph_objects as go

    rungs, scale = report["ladder"], 1.0 if report["lower_is_better"] else 100.0
    scores = [scale * rung["score"] for rung in rungs]
    shades = {"tuned": colours.accent, report["simple"]: colours.amber}
    texts = [
        say("report.figure.interval", language, score=score, low=scale * rung["low"], high=scale * rung["high"])
        for rung, score in zip(rungs, scores, strict=True)
    ]
    bar = go.Bar(
        x=scores,
        y=[say(f"ladder.{rung['key']}", language) for rung in rungs],
        orientation="h",
        marker={"color": [shades.get(rung["key"], colours.muted) for rung in rungs]},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [scale * rung["high"] - score for rung, score in zip(rungs, scores, strict=True)],
            "arrayminus": [score - scale * rung["low"] for rung, score in zip(rungs, scores, strict=True)],
            "color": colours.ink,
            "thickness": 1.5,
        },
        customdata=texts,
        hovertemplate="%{y}<br>%{customdata}<extra></extra>",
    )
    figure = _figure(colours, 80 + _ROW * len(rungs), bar)
    figure.update_xaxes(title=say("report.figure.ladder", language), rangemode="tozero")
    figure.update_yaxes(autorange="reversed")
    return _plain(figure)


def confusion(report: Report, colours: Colours, language: str = "en") -> dict[str, Any] | None:
    """Counts by true label (rows) and answer (columns), shaded by share of the row; None beyond 60 labels."""
    import plotly.graph_objects as go

    labels, counts = report["confusion"]["labels"], report["confusion"]["counts"]
    if len(labels) > _MOST_LABELS:
        return None
    shares = [[count / max(1, sum(row)) for count in row] for row in counts]
    places = list(range(len(labels)))
    heat = go.Heatmap(
        z=shares,
        x=places,
        y=places,
        text=counts,
        texttemplate="%{text}" if len(labels) <= _NUMBERED else None,
        customdata=[[[truth, answer] for answer in map(_safe, labels)] for truth in map(_safe, labels)],
        hovertemplate="%{customdata[0]} → %{customdata[1]}: %{text}<extra></extra>",
        colorscale=[[0, "rgba(0,0,0,0)"], [1, colours.accent]],
        zmin=0,
        zmax=1,
        showscale=False,
        xgap=1,
        ygap=1,
    )
    figure = _figure(colours, 140 + _LABEL * len(labels), heat)
    named = {"tickmode": "array", "tickvals": places, "ticktext": _short(labels)}
    figure.update_xaxes(title=say("report.figure.answer", language), showgrid=False, **named)
    figure.update_yaxes(title=say("report.figure.truth", language), autorange="reversed", showgrid=False, **named)
    return _plain(figure)


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
