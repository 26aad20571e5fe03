"""What each command of the command line does. Returns whether it succeeded; says everything through the terminal."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from studio.data.store import DataVersion
from studio.data.use import Use
from studio.errors import UserError
from studio.inference.client import InferenceClient
from studio.methods.base import methods
from studio.methods.pairs import pairs
from studio.models.catalogue import offered
from studio.problem import Problem
from studio.runs import states
from studio.runs.desk import Desk
from studio.runs.draft import use_of
from studio.runs.follow import follow
from studio.tasks.base import tasks
from studio.telling import Progress, document, ended, report_lines
from studio.terminal import Terminal, table
from studio.wishes import Wish, from_data, from_spec, imported
from studio.workspace import Workspace


@contextmanager
def _desk(terminal: Terminal) -> Iterator[Desk]:
    desk = Desk(Workspace.open(terminal.home))
    try:
        yield desk
    finally:
        desk.close()


# ---- data ----


def check(terminal: Terminal, files: Sequence[Path]) -> bool:
    """What files hold together and everything that is wrong with them; nothing is kept."""
    with tempfile.TemporaryDirectory(prefix="studio-check-") as place:
        workspace = Workspace.open(place)
        version = imported(terminal, workspace, files)
        use, code, values, sure = use_of(workspace, version)
        profile = version.profile()
        problems = _data_problems(version, use) if use.task else []
        found = {
            "file": str(files[0]),
            "files": [str(file) for file in files],
            "format": profile["format"],
            "encoding": profile["encoding"],
            "delimiter": profile["delimiter"],
            "rows": version.rows,
            "columns": profile["columns"],
            "task": use.task or None,
            "roles": use.columns,
            "sure": sure,
            "reason": {"code": code, "text": terminal.say(code, **values)},
            "problems": [_problem(terminal, problem) for problem in problems],
        }
    lines = [terminal.say("cli.check_file", file=version.name, format=profile["format"], rows=version.rows)]
    lines += table(
        [[str(column["name"]), str(column["kind"]), str(column["missing"])] for column in profile["columns"]]
    )
    lines += [found["reason"]["text"], *[problem.text(terminal.language) for problem in problems]]
    terminal.result(found, lines)
    return not any(problem.severity == "error" for problem in problems)


def _data_problems(version: DataVersion, use: Use) -> list[Problem]:
    from studio.data.checks import check as check_data

    return check_data(version, use.task, use.columns, use.split)


def _problem(terminal: Terminal, problem: Problem) -> dict[str, Any]:
    return {**problem.to_json(), "text": problem.text(terminal.language)}


# ---- runs ----


def train(terminal: Terminal, wish: Wish) -> bool:
    """Start a run as the screen would, and wait for its report."""
    with _desk(terminal) as desk:
        desk.supervise()
        made, name = from_spec(desk.workspace, wish) if wish.spec else from_data(terminal, desk, wish)
        errors = [problem for problem in made.problems if problem.severity == "error"]
        for problem in made.problems:
            if problem.severity != "error":
                terminal.aside(problem.text(terminal.language))
        if errors:
            raise UserError("cannot_start", reasons=" ".join(problem.text(terminal.language) for problem in errors))
        seconds = made.estimate.seconds if made.estimate else None
        run = desk.submit(made.spec, data_name=name, estimate=seconds)
        terminal.aside(terminal.say("cli.started", run=run))
        return _wait(terminal, desk, run)


def resume(terminal: Terminal, run: str) -> bool:
    """Queue a further attempt and wait for its report."""
    with _desk(terminal) as desk:
        desk.resume(run)
        desk.supervise()
        return _wait(terminal, desk, run)


def stop(terminal: Terminal, run: str, keep: str) -> bool:
    """Ask a run to end and wait until it has."""
    if keep not in ("last", "best"):
        raise UserError("unknown_key", kind="--keep", key=keep, near="last", known=["last", "best"])
    with _desk(terminal) as desk:
        desk.stop(run, keep)
        desk.supervise()
        view = follow(desk, run, lambda view, events: terminal.progress(terminal.say(f"state.{view.state}")))
        terminal.result(document(terminal, desk, view), [terminal.say("cli.ended", **ended(terminal, view))])
        return True


def _wait(terminal: Terminal, desk: Desk, run: str) -> bool:
    """Show progress until a run ends, then its report. Ctrl-C leaves the run at work."""
    progress = Progress(terminal)
    try:
        view = follow(desk, run, progress.tell)
    except KeyboardInterrupt:
        # A second Ctrl-C must not cut the handing over short.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        terminal.aside(terminal.say("cli.left", run=run))
        raise
    terminal.result(document(terminal, desk, view), report_lines(terminal, desk, view))
    if view.state != states.DONE:
        terminal.aside(terminal.why(view) or terminal.say("cli.ended", **ended(terminal, view)))
    return view.state == states.DONE


def runs(terminal: Terminal) -> bool:
    """Every run, newest first."""
    with _desk(terminal) as desk:
        views = desk.list()
    rows = [
        [
            view.id,
            terminal.say(f"state.{view.state}"),
            view.name,
            view.model or view.method,
            "" if view.score is None else f"{view.metric} {view.score:.4f}",
        ]
        for view in views
    ]
    terminal.result({"runs": [view.to_json() for view in views]}, table(rows) or [terminal.say("cli.no_runs")])
    return True


def show(terminal: Terminal, run: str) -> bool:
    """One run: state, progress, report."""
    with _desk(terminal) as desk:
        view = desk.get(run)
        events, _, _ = desk.events(run)
        found = document(terminal, desk, view)
        for kind in ("phase", "step", "eval"):
            these = [event for event in events if event["event"] == kind]
            found[f"last_{kind}"] = these[-1] if these else None
        lines = report_lines(terminal, desk, view)
        if view.error:
            lines.append(terminal.why(view))
        terminal.result(found, lines)
    return True


def predict(terminal: Terminal, run: str, data: Path, out: Path, which: str) -> bool:
    """Answer every row of a file through the workspace's inference process."""
    with _desk(terminal) as desk:
        folder = desk.folder(run)
        client = InferenceClient(desk.workspace, start=desk.start_inference)
        rows = 0
        # Asked about, not brought: the file is read in a place of its own and does not join the data sets.
        with tempfile.TemporaryDirectory(dir=desk.workspace.temporary, prefix="ask-") as place:
            version = imported(terminal, Workspace.open(place), [data])
            with closing(client.predict_file(folder, version.rows_path, out, which)) as answers:
                for answer in answers:
                    rows = answer.done
                    terminal.progress(terminal.say("cli.predicting", done=answer.done, total=answer.total))
    terminal.result(
        {"run": run, "rows": rows, "out": str(out)}, [terminal.say("cli.predicted", rows=rows, out=str(out))]
    )
    return True


# ---- what there is ----


def models(terminal: Terminal) -> bool:
    """Every model that can be tuned here."""
    cards = offered(Workspace.open(terminal.home))
    rows = [[card.id, card.title, f"{card.parameters / 1e6:.0f} M", f"{card.bytes / 1e6:.0f} MB"] for card in cards]
    terminal.result({"models": [card.to_json() for card in cards]}, table(rows))
    return True


def _members(terminal: Terminal, kind: str, members: list[Any]) -> bool:
    found = _described(terminal, kind, members)
    terminal.result({f"{kind}s": found}, _titles(found))
    return True


def _titles(found: list[dict[str, str]]) -> list[str]:
    return table([[item["key"], item["title"], item["blurb"]] for item in found])


def _described(terminal: Terminal, kind: str, members: list[Any]) -> list[dict[str, str]]:
    return [
        {
            "key": member.key,
            "title": terminal.say(f"{kind}.{member.key}.title"),
            "blurb": terminal.say(f"{kind}.{member.key}.blurb"),
        }
        for member in members
    ]


def all_tasks(terminal: Terminal) -> bool:
    """Every task."""
    return _members(terminal, "task", list(tasks))


def all_methods(terminal: Terminal) -> bool:
    """Every tuning method, and with which task each goes together."""
    found, judged = _described(terminal, "method", list(methods)), pairs()
    told = [
        {
            "task": pair.task,
            "method": pair.method,
            "ok": pair.ok,
            "models": list(pair.models),
            "reason": terminal.say(pair.verdict.code, **pair.verdict.values),
        }
        for pair in judged
    ]
    cells = {(pair.task, pair.method): "✓" if pair.ok else "–" for pair in judged}
    lines = table(
        [["", *methods.keys()], *([task, *(cells[task, key] for key in methods.keys())] for task in tasks.keys())]
    )
    reasons = [f"{one['task']} – {one['method']}: {one['reason']}" for one in told if not one["ok"]]
    terminal.result({"methods": found, "pairs": told}, [*_titles(found), "", *lines, "", *reasons])
    return True


def doctor(terminal: Terminal) -> bool:
    """Whether this machine can train; every finding as it comes."""
    from studio.runs.doctor import examine

    found = []
    for finding in examine(Workspace.open(terminal.home)):
        text = terminal.say(finding.code, **finding.values)
        found.append({"name": finding.name, "ok": finding.ok, "text": text, "values": finding.values})
        terminal.line(f"{'✓' if finding.ok else '✗'} {text}")
    good = all(item["ok"] for item in found)
    terminal.result({"ok": good, "checks": found}, [])
    return good
