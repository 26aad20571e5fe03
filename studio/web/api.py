"""The page's own routes: lists, the live view's deltas, the report, and the few things a button can ask for.

Every route looks its item up through the desk, validates what it was sent, and answers a UserError as
{"text", "parts"} in the page's language. Nothing here computes; heavy work is queued or asked of another process.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import StreamingResponse

from studio import hardware
from studio.data.process import Progress
from studio.data.samples import Sample, import_sample, list_samples
from studio.data.store import find_version
from studio.data.use import Use, save_use, saved_use
from studio.errors import UserError
from studio.evaluation.report import open_cell
from studio.inference.client import InferenceClient
from studio.models.catalogue import card, resolve
from studio.runs.desk import Desk
from studio.runs.draft import Draft, again, draft
from studio.runs.example import RUN
from studio.runs.people import LOCAL
from studio.runs.reading import suggest_sample_model
from studio.runs.techniques import without
from studio.runs.view import RunView
from studio.tasks.base import tasks
from studio.web import correcting, doubting, fetching, hubdata, packing, reading, workshop
from studio.web.asking import language, person
from studio.web.describe import describe
from studio.web.live import Live
from studio.web.report import shown_report
from studio.words import say
from studio.workspace import Workspace

OVERLAYS = 12
"""Curves that can be laid over one another before nobody can tell them apart."""
CELL_ROWS = 200
QUICK_MINUTES = 3
"""A sample that is said to take longer gets the balanced budget."""
Sent = Annotated[dict[str, Any], Body()]


def routes(desk: Desk, workspace: Workspace, inference: InferenceClient) -> APIRouter:
    """All of /api."""
    router = APIRouter(prefix="/api")
    live = Live(desk)
    _lists(router, desk, workspace)
    _run(router, desk, live, inference)
    _acts(router, desk, workspace)
    workshop.routes(router, desk)
    doubting.routes(router, desk)
    correcting.routes(router, desk)
    hubdata.routes(router, desk)
    reading.routes(router, desk)
    fetching.routes(router, workspace)
    return router


def _lists(router: APIRouter, desk: Desk, workspace: Workspace) -> None:
    @router.get("/state")
    def state(request: Request) -> dict[str, Any]:
        lang = language(request)
        running, waiting = desk.busy()
        busy = say("web.header.queue", lang, running=running, waiting=waiting)
        who = person(request)
        return {
            "device": device_badge(workspace, lang),
            "queue": busy if running or waiting else say("web.header.queue_idle", lang),
            "running": running,
            "person": say("web.header.person", lang, name=who.name),
            # Who gave a name may leave it again; the local person would only have to paste the address anew.
            "named": who.id != LOCAL,
        }

    @router.get("/samples")
    def samples(request: Request) -> dict[str, Any]:
        lang = language(request)
        return {
            "samples": [
                {
                    "key": sample.key,
                    "title": sample.title[lang],
                    "blurb": sample.blurb[lang],
                    "rows": sample.rows,
                    "minutes": sample.minutes,
                    "fetch": _to_fetch(workspace, sample, lang),
                    "preview": [{"text": text, "label": label} for text, label in sample.preview(3)],
                }
                for sample in list_samples()
            ]
        }

    @router.get("/start")
    def start(request: Request) -> dict[str, Any]:
        lang = language(request)
        views = desk.list(limit=100)
        shown = [describe(desk, view, lang) for view in views]
        finished = [run["id"] for run in shown if run["state"] == "done" and run["has_report"]]
        example = RUN if RUN in finished else next(reversed(finished), None)
        queue = [run for run, view in zip(shown, views, strict=True) if view.active]
        return {"runs": shown[:8], "queue": queue, "example": example}

    @router.get("/runs")
    def runs(request: Request, deleted: bool = False) -> dict[str, Any]:
        lang = language(request)
        return {"runs": [describe(desk, view, lang) for view in desk.list(trashed=deleted)]}

    @router.get("/overlay")
    def overlay(runs: str = "") -> dict[str, Any]:
        ids = [run for run in runs.split(",") if run][:OVERLAYS]
        return {"curves": [_curve(desk, desk.get(run)) for run in ids]}


def _to_fetch(workspace: Workspace, sample: Sample, lang: str) -> str:
    """How much a sample's model has to be fetched first, to stand behind its minutes; "" where it is on disk."""
    model = suggest_sample_model(sample)
    if resolve(workspace, model) is not None:
        return ""
    return say("web.start.fetch", lang, size=f"{card(workspace, model).bytes / 1e6:.0f} MB")


def _curve(desk: Desk, view: RunView) -> dict[str, Any]:
    """Losses by step, and the task's main metric by evaluation; the loss on validation rows where that is it."""
    events, _, _ = desk.events(view.id)
    steps = [event for event in events if event["event"] == "step"]
    evals = [event for event in events if event["event"] == "eval"]
    metric = tasks.get(view.task).main_metric
    return {
        "name": view.name,
        "metric": metric,
        "step": [event["step"] for event in steps],
        "loss": [event["loss"] for event in steps],
        "eval_step": [event["step"] for event in evals],
        "eval_score": [event["loss"] if metric == "loss" else event["metrics"].get(metric) for event in evals],
    }


def _run(router: APIRouter, desk: Desk, live: Live, inference: InferenceClient) -> None:
    @router.get("/runs/{run}/live")
    def follow(request: Request, run: str, cursor: str = "") -> dict[str, Any]:
        return live.since(run, cursor, language(request))

    @router.get("/runs/{run}/log")
    def tail(run: str) -> dict[str, str]:
        return {"text": desk.log(run)}

    @router.get("/runs/{run}/report")
    def report(request: Request, run: str, dark: bool = False) -> dict[str, Any]:
        return shown_report(desk, run, language(request), dark)

    @router.get("/runs/{run}/rows")
    def cell(run: str, truth: str, answer: str) -> dict[str, Any]:
        folder = desk.folder(run)
        if not (folder / "predictions.jsonl").is_file():
            raise UserError("no_report", name=desk.get(run).name)
        found, count = open_cell(folder, truth, answer, limit=CELL_ROWS)
        return {"rows": [{**row, "confidence": row["scores"].get(answer)} for row in found], "count": count}

    @router.post("/runs/{run}/strength")
    def strengths(request: Request, run: str) -> StreamingResponse:
        lang, folder, spec = language(request), desk.folder(run), desk.spec(run)
        data = find_version(desk.workspace, spec.data).folder

        def work(emit: Progress) -> dict[str, Any]:
            for told in inference.strengths(folder, data):
                emit(told.done, told.total)
            return {"ok": True}

        return workshop.streamed(work, lang)

    packing.routes(router, desk, inference)


def _acts(router: APIRouter, desk: Desk, workspace: Workspace) -> None:
    @router.post("/runs/{run}/stop")
    def stop(run: str, body: Sent) -> dict[str, bool]:
        desk.stop(run, keep="best" if body.get("keep") == "best" else "last")
        return {"ok": True}

    @router.post("/runs/{run}/resume")
    def resume(run: str, body: Sent) -> dict[str, bool]:
        desk.resume(run)
        return {"ok": True}

    @router.post("/runs/{run}/rename")
    def rename(run: str, body: Sent) -> dict[str, bool]:
        desk.rename(run, str(body.get("name", "")))
        return {"ok": True}

    @router.post("/runs/{run}/delete")
    def delete(run: str, body: Sent) -> dict[str, bool]:
        desk.delete(run)
        return {"ok": True}

    @router.post("/runs/{run}/restore")
    def restore(run: str, body: Sent) -> dict[str, bool]:
        desk.restore(run)
        return {"ok": True}

    @router.post("/runs/{run}/again")
    def once_more(request: Request, run: str, body: Sent) -> dict[str, str]:
        made = again(workspace, desk.spec(run), str(body.get("change", "")), person(request).id)
        _startable(made, language(request))
        seconds = made.estimate.seconds if made.estimate else None
        data_name = desk.get(run).data_name
        return {"run": desk.submit(made.spec, key=_nonce(body), data_name=data_name, estimate=seconds)}

    @router.post("/runs/{run}/without")
    def measure(request: Request, run: str, body: Sent) -> dict[str, str]:
        made = without(desk, desk.spec(run), str(body.get("technique", "")), person(request).id)
        _startable(made, language(request))
        seconds = made.estimate.seconds if made.estimate else None
        data_name = desk.get(run).data_name
        return {"run": desk.submit(made.spec, key=_nonce(body), data_name=data_name, estimate=seconds)}

    @router.post("/samples/{key}/open")
    def open_sample(request: Request, key: str) -> dict[str, str]:
        return {"data": import_sample(workspace, person(request).id, key).version}

    @router.post("/samples/{key}/train")
    def train_sample(request: Request, key: str, body: Sent) -> dict[str, str]:
        who = person(request).id
        version = import_sample(workspace, who, key)
        sample = next(item for item in list_samples() if item.key == key)
        use = Use(sample.task, dict(sample.columns))
        made = draft(
            workspace,
            version,
            use=use,
            preset="quick" if sample.minutes <= QUICK_MINUTES else "balanced",
            owner=who,
            name=sample.title[language(request)],
        )
        _startable(made, language(request))
        seconds = made.estimate.seconds if made.estimate else None
        run = desk.submit(made.spec, key=_nonce(body), data_name=version.name, estimate=seconds)
        if saved_use(workspace, who, version.version) is None:
            save_use(workspace, who, version.version, use)  # the next run of it is set up on the Train tab
        return {"run": run, "data": version.version}


def _nonce(body: dict[str, Any]) -> str | None:
    """The key of one press of a button: a POST that is sent again makes no second run."""
    return str(body.get("nonce", ""))[:64] or None


def _startable(made: Draft, lang: str) -> None:
    """Raises UserError (`cannot_start`) with every problem that stops the start."""
    blocking = [problem.text(lang) for problem in made.problems if problem.severity == "error"]
    if blocking:
        raise UserError("cannot_start", reasons=" ".join(blocking))


def device_badge(workspace: Workspace, lang: str) -> str:
    """What the header says of this machine; it does not probe, it reads what the probe left."""
    found = hardware.read(workspace)
    if found is None:
        return say("web.header.device_unknown", lang)
    code = "cpu" if found.device == "cpu" else "gpu"
    memory = round((found.memory if code == "cpu" else found.usable_memory) / 2**30)
    return say(f"web.header.device_{code}", lang, name=found.name, cores=found.cores, memory=memory)
