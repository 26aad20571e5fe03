"""How a run is told on a terminal: progress lines while it works, its document, the lines of its report."""

from __future__ import annotations

from typing import Any

from studio.runs import states
from studio.runs.desk import Desk
from studio.runs.journal import Record
from studio.runs.view import RunView
from studio.terminal import Terminal, table


class Progress:
    """Turns a run's events into passing lines."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.phase = ""

    def tell(self, view: RunView, events: list[Record]) -> None:
        """One look at the run."""
        say = self.terminal.say
        if view.state in (states.QUEUED, states.STARTING, states.ADMITTED, states.STALLED, states.STOPPING):
            place = f" ({view.position})" if view.position else ""
            self.terminal.progress(say(f"state.{view.state}") + place)
        for event in events:
            if event["event"] == "phase":
                self.phase = say(f"phase.{event['name']}")
                share = f" {100 * event['done'] // event['total']} %" if event["total"] else ""
                self.terminal.progress(self.phase + share)
            elif event["event"] == "step":
                loss = "-" if event["loss"] is None else f"{event['loss']:.4f}"
                self.terminal.progress(say("cli.step", step=event["step"], epoch=f"{event['epoch']:.2f}", loss=loss))
            elif event["event"] == "eval":
                numbers = ", ".join(f"{name} {value:.4f}" for name, value in event["metrics"].items())
                self.terminal.aside(say("cli.eval", step=event["step"], numbers=numbers))


def document(terminal: Terminal, desk: Desk, view: RunView) -> dict[str, Any]:
    """A run as one document: how it stands, then its report with the main numbers under `test`."""
    known = view.to_json()
    error = (
        {"code": view.error, "values": known.pop("error_values"), "text": terminal.why(view)} if view.error else None
    )
    known.pop("error_values", None)
    shown = {"run": known.pop("id"), **known, "error": error, "folder": str(desk.folder(view.id))}
    report = desk.report(view.id) or {}
    return {**shown, **{key: value for key, value in report.items() if key not in shown}}


def ended(terminal: Terminal, view: RunView) -> dict[str, Any]:
    return {"name": view.name, "state": terminal.say(f"state.{view.state}"), "seconds": round(view.seconds)}


def report_lines(terminal: Terminal, desk: Desk, view: RunView) -> list[str]:
    lines = [terminal.say("cli.ended", **ended(terminal, view))]
    report = desk.report(view.id)
    if report:
        lines += table([[str(name), f"{value:.4f}"] for name, value in report["test"].items()])
        verdict = report.get("verdict")
        if verdict:
            lines.append(terminal.say(verdict["code"], **verdict["values"]))
        lines += [terminal.say(note["code"], **note["values"]) for note in report.get("notes", [])]
    return lines
