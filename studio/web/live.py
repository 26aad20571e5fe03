"""What the live view pulls each second: the events since a cursor, the run's state in words, one line of coaching."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from studio.evaluation.coach import advise
from studio.evaluation.rules import rules_by_hand
from studio.runs.desk import Desk
from studio.runs.journal import Record
from studio.runs.view import RunView
from studio.tasks.base import Task, tasks
from studio.web.describe import describe
from studio.web.settings import shown_settings
from studio.words import has, say, say_parts

FOLLOWED = 64
"""Runs whose events are kept in memory for the coach; the one longest unseen is dropped."""

ENDS = ("done", "stopped", "failed")
GOING_ON = ("timeline.adopted", "timeline.moving_again", "timeline.saving_again")
"""What got a run out of trouble, or shows that it was none."""
WAITING = ("queued", "admitted", "starting")


@dataclass
class Story:
    """The events of one run so far, read on from where they were read last."""

    cursor: str = ""
    records: list[Record] = field(default_factory=list)


class Live:
    """Answers the live view's polls for all pages of one server."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._stories: OrderedDict[str, Story] = OrderedDict()
        self._lock = threading.Lock()

    def since(self, run: str, cursor: str, language: str) -> dict[str, Any]:
        """{"cursor", "reset", "events", "run"} for `run`, at first with "settings". Raises `run_unknown`."""
        view = self.desk.get(run)
        events, after, reset = self.desk.events(run, cursor)
        records = self._whole_story(run)
        task = tasks.get(view.task)
        shown = describe(self.desk, view, language)
        left = seconds_left(records)
        edited = by_hand(self.desk.workspace.run(view.owner, view.id), task)
        if edited:
            # The coach, too, measures the model by the rules as they are now.
            records.append(edited)
        shown |= {
            "edited": edited,
            "metric": task.main_metric,
            "seconds_left": left,
            "status": status(view, records, left, language),
            "coach": self._coach(view, records, language),
        }
        reply = {
            "cursor": after,
            "reset": reset,
            "events": [worded(event, language) for event in events],
            "run": shown,
        }
        if not cursor:
            # What was asked never changes, so it is told once.
            reply["settings"] = shown_settings(self.desk.spec(run), view, language, self.desk.workspace)
        return reply

    def _whole_story(self, run: str) -> list[Record]:
        with self._lock:
            story = self._stories.setdefault(run, Story())
            self._stories.move_to_end(run)
            if len(self._stories) > FOLLOWED:
                self._stories.popitem(last=False)
            events, story.cursor, reset = self.desk.events(run, story.cursor)
            if reset:
                story.records = []
            story.records += events
            return list(story.records)

    def _coach(self, view: RunView, records: list[Record], language: str) -> dict[str, Any] | None:
        if not records:
            return None
        task = tasks.get(view.task)
        now = of_now(view, records)
        advice = advise(now, task.main_metric, task.lower_is_better, finished=not view.active) if now else None
        if advice is None:
            return None
        return {
            "text": say(advice.code, language, **advice.values),
            "evidence": say(f"{advice.code}_evidence", language, **advice.values)
            if has(f"{advice.code}_evidence")
            else "",
            "action": advice.action,
            "action_label": say(f"coach.action.{advice.action}", language) if advice.action else "",
            "tone": advice.tone,
        }


def of_now(view: RunView, records: list[Record]) -> list[Record]:
    """The events without the endings of attempts that a run has left behind; none while it waits to go on."""
    ended = any(record["event"] in ENDS for record in records)
    if not ended or not view.active:
        return records
    if view.state in WAITING:
        return []
    newest = max(view.attempt, *(record.get("attempt", 0) for record in records))
    return [record for record in records if record["event"] not in ENDS or record.get("attempt") == newest]


def by_hand(folder: Path, task: Task) -> Record | None:
    """The dashed line of rules that a person has edited, in place of the one that the run told; None without."""
    kept = rules_by_hand(folder)
    if kept is None or kept.validation is None:
        return None
    return {"event": "baseline", "key": kept.key, "metric": task.main_metric, "score": kept.validation}


def worded(event: Record, language: str) -> Record:
    """The event with the sentence for the timeline under `text`, where it has one.

    `flag` is "bad" or "good" where the chart shows it, too: what went wrong, and what went on all the same.
    """
    kind = event["event"]
    told = dict(event)
    if kind in ("note", "caution"):
        told["text"] = say(event["code"], language, **event["values"])
    elif kind == "watched":
        told["text"] = say_parts(event["code"], language, **event["values"])[0]
    elif kind == "failed":
        told["text"] = say(f"error.{event['code']}", language, **event["values"])
    elif kind == "resumed":
        told["text"] = say(_resumed(event), language, step=event["step"])
    elif kind in ("checkpoint", "stopped", "done"):
        told["text"] = say(f"timeline.{kind}", language, **{**event, "metric": event.get("metric", "")})
    elif kind == "plan":
        told["decisions"] = [
            {
                **decision,
                "label": say(f"decision.{decision['name']}", language)
                if has(f"decision.{decision['name']}")
                else decision["name"],
                "text": say(decision["reason"], language, **decision.get("values", {})),
            }
            for decision in event["decisions"]
        ]
    if kind == "resumed" or event.get("code") in GOING_ON:
        told["flag"] = "good"
    elif kind in ("caution", "watched", "failed"):
        told["flag"] = "bad"
    return told


def _resumed(event: Record) -> str:
    """The sentence for an attempt that goes on: from where, and whether bit for bit."""
    if not event["step"]:
        return "timeline.resumed_anew"
    return "timeline.resumed" if event.get("exact", True) else "timeline.resumed_differs"


def seconds_left(records: list[Record]) -> float | None:
    """Seconds until the last planned step at the pace of the latest steps; None before there are two.

    Only steps of the newest attempt count: the pause before a Resume is not the run's pace.
    """
    plan = next((record for record in reversed(records) if record["event"] == "plan"), None)
    newest = records[-1].get("attempt") if records else None
    steps = [record for record in records if record["event"] == "step" and record.get("attempt") == newest][-30:]
    if plan is None or len(steps) < 2 or steps[-1]["step"] <= steps[0]["step"]:
        return None
    took = [after["time"] - before["time"] for before, after in pairwise(steps)]
    # One step in which the clock was put forward or back is none of the pace.
    usual = median(took)
    real = [seconds for seconds in took if 0 <= seconds <= max(600.0, 100 * usual)]
    pace = sum(real) / max(len(real), 1) * len(took) / (steps[-1]["step"] - steps[0]["step"])
    left: float = max(0.0, (plan["steps"] - steps[-1]["step"]) * pace)
    return left


def status(view: RunView, records: list[Record], left: float | None, language: str) -> str:
    """One sentence on where the run stands."""
    if view.state == "queued":
        if view.expected_start is None:
            return say("web.live.status_queued", language, position=view.position)
        wait = spoken_time(max(0.0, view.expected_start - time.time()), language)
        return say("web.live.status_queued_start", language, position=view.position, wait=wait)
    if view.state in ("stopping", "stalled", "stopped"):
        return say(f"web.live.status_{view.state}", language)
    if view.state == "done":
        if view.score is None:
            return say("web.live.status_done_plain", language)
        metric = say(f"metric.{view.metric}", language) if has(f"metric.{view.metric}") else view.metric
        return say("web.live.status_done", language, metric=metric, score=f"{view.score:.3f}")
    if not view.active:
        return say("web.live.status_over", language)
    # After a Resume the last attempt's phase says nothing about the one that is about to begin.
    phase = next((r["name"] for r in reversed(of_now(view, records)) if r["event"] == "phase"), "")
    if view.state in ("admitted", "starting") and not phase:
        return say("web.live.status_starting", language)
    if phase and phase != "training":
        return say("web.live.status_phase", language, phase=say(f"phase.{phase}", language))
    if left is None:
        return say("web.live.status_running", language)
    return say("web.live.status_left", language, left=spoken_time(left, language))


def spoken_time(seconds: float, language: str) -> str:
    """A duration as people say it."""
    if seconds < 90:
        return say("web.time.seconds", language, n=round(seconds))
    if seconds < 5400:
        return say("web.time.minutes", language, n=round(seconds / 60))
    return say("web.time.hours", language, n=f"{seconds / 3600:.1f}")
