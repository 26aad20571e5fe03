"""The real process over its real socket, with tiny real models."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_inference import LABELS, TEXTS, save_chat_base, save_encoder_base, save_run

from studio import child
from studio.errors import UserError
from studio.evaluation.baseline import fit_baselines
from studio.inference import protocol
from studio.inference.client import InferenceClient, start_process
from studio.inference.predictor import Predictor
from studio.inference.server import Server
from studio.inference.settings import ChatSettings
from studio.tasks.base import tasks
from studio.workspace import Workspace

ASK = [{"role": "user", "content": "外卖好吃吗? the cat"}]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace.open(tmp_path_factory.mktemp("w"))


@pytest.fixture(scope="module")
def labels_run(workspace):
    base = save_encoder_base(workspace.models / "encoder")
    run, _ = save_run(workspace.home, "r-labels", base, "classification", "lora", LABELS)
    rows = [{"text": text, "label": label} for text, label in zip(TEXTS * 3, LABELS["labels"] * 6, strict=True)]
    for key, model in fit_baselines(tasks.get("classification"), rows, rows, LABELS, 1).items():
        model.save(run / "baselines" / key)
    return run


@pytest.fixture(scope="module")
def chat_run(workspace):
    base = save_chat_base(workspace.models / "decoder")
    return save_run(workspace.home, "r-chat", base, "chat", "lora", {}, columns={"messages": "messages"})[0]


@pytest.fixture(scope="module")
def client(workspace):
    asked = InferenceClient(workspace)
    yield asked
    end(workspace, asked.ping()["process"])


def end(workspace, process, how=signal.SIGTERM):
    os.kill(process, how)
    until = time.monotonic() + 20
    while alive(process):
        assert time.monotonic() < until
        time.sleep(0.02)


def alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def table(path, **columns):
    pq.write_table(pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}), path)
    return path


def test_answers_are_those_of_the_predictor(client, labels_run):
    found = client.predict(labels_run, TEXTS)
    for mine, theirs in zip(Predictor.load(labels_run).predict(TEXTS), found.predictions, strict=True):
        assert theirs["label"] == mine["label"]
        assert theirs["scores"] == pytest.approx(mine["scores"], abs=1e-5)
    assert 0 < found.milliseconds < 10_000
    assert client.predict(labels_run, []).predictions == []
    assert client.ping()["models"][-1] == "r-labels:tuned"


def test_simple_models_and_what_was_before(client, labels_run):
    assert client.predict(labels_run, ["the cat"], "tfidf").predictions[0]["label"] in LABELS["labels"]
    before = client.before(labels_run, TEXTS[:2], {"food": "好吃", "animal": " "})["answers"]
    assert [answer["key"] for answer in before] in (["rules", "untuned"], ["tfidf", "untuned"])
    assert [len(answer["predictions"]) for answer in before] == [2, 2]
    described = before[-1]["predictions"][1]
    assert described["label"] == "food"
    assert sum(described["scores"].values()) == pytest.approx(1)
    plain = client.before(labels_run, TEXTS[:2])["answers"][-1]["predictions"][1]
    assert plain["scores"]["food"] < described["scores"]["food"]


def test_chat_streams_both_sides_in_turn(client, chat_run):
    settings = ChatSettings(max_new_tokens=24)
    bits = list(client.chat(chat_run, ASK, settings, ("tuned", "base")))
    predictor = Predictor.load(chat_run)
    for side in ("tuned", "base"):
        mine = list(predictor.chat(ASK, settings, side == "base"))
        assert "".join(bit.text for bit in bits if bit.side == side) == "".join(piece.text for piece in mine)
        last = [bit for bit in bits if bit.side == side][-1]
        assert (last.reason, last.tokens) == (mine[-1].reason, mine[-1].tokens)
        assert last.seconds > 0
    order = [bit.side for bit in bits if bit.side]
    assert order[:6] == ["tuned", "base"] * 3
    own = {"tuned": ASK, "base": [*ASK, {"role": "assistant", "content": "x"}, *ASK]}
    apart = "".join(bit.text for bit in client.chat(chat_run, own, settings, ("tuned", "base")) if bit.side == "base")
    assert apart == "".join(piece.text for piece in predictor.chat(own["base"], settings, True))


def test_the_base_of_a_fully_tuned_chat_model_answers_too(client, workspace, chat_run):
    full, _ = save_run(workspace.home, "r-full", workspace.models / "decoder", "chat", "full", {}, columns={})
    settings = ChatSettings(max_new_tokens=10)

    def said(run, side):
        return "".join(bit.text for bit in client.chat(run, ASK, settings, (side,)))

    assert said(full, "base") == said(chat_run, "base") != said(full, "tuned")


def test_closing_the_generator_cancels_the_answer(client, chat_run):
    endless = client.chat(chat_run, ASK, ChatSettings(max_new_tokens=200, temperature=2.0, top_p=1.0, seed=3))
    assert next(bit for bit in endless if bit.side)
    endless.close()
    until = time.monotonic() + 10
    while client.unload(chat_run) == 0:
        assert time.monotonic() < until, "the model is still in use by a cancelled request"
        time.sleep(0.02)
    assert "r-chat:tuned" not in client.ping()["models"]


def test_a_file_is_answered_with_progress(client, labels_run, tmp_path):
    texts = ["=1+1", "+cat", "-mat", "@red", "\tblue", "\rsee", "\nhello", "外卖 好吃", None, 'plain, "quoted"'] * 30
    data = table(
        tmp_path / "rows.parquet", nr=[f"00{number}" for number in range(300)], text=texts, predicted_label=["x"] * 300
    )
    out = tmp_path / "answers.csv"
    steps = list(client.predict_file(labels_run, data, out))
    counts = [step.done for step in steps]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert (counts[-1], steps[-1].total, steps[-1].finished) == (300, 300, True)
    assert len(counts) > 5
    assert steps[-1].columns == {"text": "text"}
    assert steps[-1].truths == {"label": "predicted_label_2"}, "the column that somebody can correct and learn from"
    raw = out.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    with out.open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["text"] for row in rows[:10]] == [
        "'=1+1", "'+cat", "'-mat", "'@red", "'\tblue", "'\rsee", "'\nhello", "外卖 好吃", "", 'plain, "quoted"',
    ]  # fmt: skip
    assert rows[7]["nr"] == "007"
    assert rows[0]["predicted_label"] == "x"
    expected = client.predict(labels_run, [text or "" for text in texts]).predictions
    assert [row["predicted_label_2"] for row in rows] == [answer["label"] for answer in expected]
    for row, answer in zip(rows, expected, strict=True):
        assert float(row["confidence"]) == pytest.approx(max(answer["scores"].values()), abs=1e-4)
        assert float(row["probability_food"]) == pytest.approx(answer["scores"]["food"], abs=1e-4)
    assert set(tmp_path.iterdir()) == {data, out}


def test_jsonl_keeps_texts_and_chat_files_are_answered(client, chat_run, tmp_path):
    data = table(tmp_path / "rows.parquet", question=["=the cat", "外卖"])
    out = tmp_path / "answers.jsonl"
    assert list(client.predict_file(chat_run, data, out))[-1].columns == {"instruction": "question"}
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [row["question"] for row in rows] == ["=the cat", "外卖"]
    assert [row["answer"] for row in rows] == [
        answer["text"] for answer in client.predict(chat_run, ["=the cat", "外卖"]).predictions
    ]


def test_a_given_up_file_leaves_nothing(client, labels_run, tmp_path):
    data = table(tmp_path / "rows.parquet", text=["the cat sat"] * 5000)
    work = client.predict_file(labels_run, data, tmp_path / "answers.csv")
    assert next(step for step in work if step.done)
    work.close()
    until = time.monotonic() + 10
    while set(tmp_path.iterdir()) != {data}:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_short_question_does_not_wait_for_a_long_file(client, labels_run, tmp_path):
    data = table(tmp_path / "rows.parquet", text=["the cat sat on a mat " * 6] * 20_000)
    work = client.predict_file(labels_run, data, tmp_path / "answers.csv")
    next(step for step in work if step.done)
    begun = time.monotonic()
    client.predict(labels_run, ["the cat"])
    assert time.monotonic() - begun < 2
    assert next(work).done < 20_000
    work.close()


@pytest.mark.parametrize(
    ("columns", "out", "code"),
    [
        ({"title": ["a"], "body_text_of_row": ["b"]}, "o.csv", "predict_column_missing"),
        ({"text": ["a"]}, "o.xlsx", "predict_out_format"),
        ({"text": ["a"]}, "none/o.csv", "predict_out_unwritable"),
        (None, "o.csv", "predict_file_unreadable"),
    ],
)
def test_files_that_cannot_be_answered(client, labels_run, tmp_path, columns, out, code):
    data = tmp_path / "rows.parquet"
    if columns is None:
        data.write_bytes(b"PAR1 nothing")
    else:
        table(data, **columns)
    with pytest.raises(UserError) as caught:
        list(client.predict_file(labels_run, data, tmp_path / out))
    assert caught.value.code == code
    assert all("{" not in part for language in ("en", "zh") for part in caught.value.parts(language))
    assert set(tmp_path.iterdir()) == {data}


@pytest.mark.parametrize("where", ["gone", "outside"])
def test_runs_without_a_model_or_outside_the_workspace(client, workspace, tmp_path, where):
    run = workspace.home / "local" / "runs" / "r-gone" if where == "gone" else tmp_path
    with pytest.raises(UserError) as caught:
        client.predict(run, ["x"])
    assert caught.value.code == "model_gone"


def test_errors_of_chat_arrive_with_their_code(client, chat_run, labels_run):
    for run, messages, settings, code in (
        (chat_run, [], ChatSettings(), "chat_messages"),
        (chat_run, ASK, ChatSettings(max_new_tokens=513), "chat_setting"),
        (labels_run, ASK, ChatSettings(), "chat_not_possible"),
        (chat_run, [{"role": "user", "content": "x" * 500}], ChatSettings(), "prompt_too_long"),
    ):
        with pytest.raises(UserError) as caught:
            list(client.chat(run, messages, settings))
        assert caught.value.code == code


def test_a_hostile_template_never_runs_in_the_process(client, workspace, chat_run):
    run, _ = save_run(workspace.home, "r-evil", workspace.models / "decoder", "chat", "lora", {}, columns={})
    evil = "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}"
    (run / "model" / "chat_template.jinja").write_text(evil)
    begun = time.monotonic()
    with pytest.raises(UserError) as caught:
        list(client.chat(run, ASK))
    assert caught.value.code == "chat_template_refused"
    assert time.monotonic() - begun < 30
    assert list(client.chat(chat_run, ASK, ChatSettings(max_new_tokens=2)))


def test_strange_requests_get_an_error_and_harm_nothing(client, workspace):
    for line in (b"\xff\xfe\n", b"[1]\n", b'{"op": "launch"}\n', b'{"op": "predict"}\n', b"{}\n"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(protocol.socket_path(workspace)))
            connection.sendall(line)
            with connection.makefile("rb") as answer:
                messages = [json.loads(text) for text in answer]
        assert messages[-1]["event"] == "error", line
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(protocol.socket_path(workspace)))
    assert client.ping()["process"]


def test_only_we_can_reach_the_socket(client, workspace):
    client.ping()
    path = protocol.socket_path(workspace)
    assert path.stat().st_mode & 0o077 == 0 or path.parent.stat().st_mode & 0o077 == 0


def test_too_many_requests_are_told_to_come_back(client, workspace):
    client.ping()
    idle = []
    try:
        for _ in range(16):
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(str(protocol.socket_path(workspace)))
            idle.append(connection)
        with pytest.raises(UserError) as caught:
            client.ping()
        assert caught.value.code == "inference_busy"
    finally:
        for connection in idle:
            connection.close()
    until = time.monotonic() + 10
    while True:
        try:
            client.ping()
            break
        except UserError:
            assert time.monotonic() < until


def test_a_second_process_sees_the_first_and_ends(client, workspace):
    first = client.ping()["process"]
    command = child.command("studio.inference.server", "--home", str(workspace.home))
    subprocess.run(command, env=child.environment(), check=True, timeout=60)
    start_process(workspace)
    assert client.ping()["process"] == first


def test_killed_in_the_middle_it_is_said_and_the_next_question_starts_anew(client, chat_run):
    first = client.ping()["process"]
    answer = client.chat(chat_run, ASK, ChatSettings(max_new_tokens=200, temperature=2.0, top_p=1.0, seed=5))
    next(answer)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(UserError) as caught:
        list(answer)
    assert caught.value.code == "inference_died"
    assert client.ping()["process"] != first
    assert list(client.chat(chat_run, ASK, ChatSettings(max_new_tokens=2)))


def test_a_silent_process_is_given_up(client, chat_run, monkeypatch):
    process = client.ping()["process"]
    monkeypatch.setattr("studio.inference.client.SILENCE_SECONDS", 0.5)
    os.kill(process, signal.SIGSTOP)
    try:
        with pytest.raises(UserError) as caught:
            client.predict(chat_run, ["x"])
        assert caught.value.code == "inference_silent"
    finally:
        os.kill(process, signal.SIGCONT)


def test_what_is_waited_for_is_told(client, labels_run):
    def waited(stages):
        seen = []
        while True:
            try:
                seen.append(next(stages))
            except StopIteration as end:
                return seen, end.value

    client.unload()
    seen, found = waited(client.predicting(labels_run, TEXTS[:1]))
    assert seen == ["answering", "loading", "answering"]
    assert found.predictions == client.predict(labels_run, TEXTS[:1]).predictions
    assert waited(client.looking_back(labels_run, TEXTS[:1]))[0] == ["answering"], "it is loaded already"


def test_a_process_that_starts_for_long_shows_that_it_lives(tmp_path, monkeypatch):
    """It takes connections before its imports are done, and nobody gives it up meanwhile."""
    monkeypatch.setattr(protocol, "ALIVE_SECONDS", 0.1)
    monkeypatch.setattr("studio.inference.client.SILENCE_SECONDS", 1.0)
    workspace = Workspace.open(tmp_path)
    client = InferenceClient(workspace, lambda: None)
    server = Server(protocol.socket_path(workspace), workspace, 60.0)
    made = server._prepare()
    monkeypatch.setattr(server, "_prepare", lambda: (time.sleep(2), made)[1])
    asked = threading.Event()
    serving = threading.Thread(target=lambda: asyncio.run(_until_asked(server, asked)), daemon=True)
    serving.start()
    try:
        assert client.ping()["process"] == os.getpid()
    finally:
        asked.set()
        serving.join(20)


async def _until_asked(server, asked):
    """Serve in this process, where signals belong to the tests, until `asked` is set."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler = lambda *_: None
    serving = loop.create_task(server.serve())
    await asyncio.to_thread(asked.wait)
    server._over.set()
    await serving


def test_a_process_that_cannot_start_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("studio.inference.client.START_SECONDS", 0.3)
    started = []
    with pytest.raises(UserError) as caught:
        InferenceClient(Workspace.open(tmp_path), lambda: started.append(1)).ping()
    assert caught.value.code == "inference_start"
    assert started


def test_idle_models_are_unloaded_then_the_process_ends_and_comes_back(tmp_path):
    workspace = Workspace.open(tmp_path)
    base = save_encoder_base(workspace.models / "encoder")
    run, _ = save_run(workspace.home, "r-idle", base, "classification", "head", LABELS)

    def start():
        command = child.command("studio.inference.server", "--home", str(workspace.home), "--idle", "1.5", "--detach")
        subprocess.run(command, env=child.environment(), check=True, timeout=60)

    client = InferenceClient(workspace, start)
    assert client.unload() == 0
    client.warm(run)
    seen = client.ping()
    assert seen["models"] == ["r-idle:tuned"]
    assert seen["bytes"] > 1000
    until = time.monotonic() + 60
    while (found := client.ping())["models"]:
        assert time.monotonic() < until
        time.sleep(0.3)
    assert found == {"process": seen["process"], "models": [], "bytes": 0}
    while alive(seen["process"]):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert not protocol.socket_path(workspace).exists()
    again = client.ping()["process"]
    assert again != seen["process"]
    end(workspace, again)
    assert not protocol.socket_path(workspace).exists()


def test_many_clients_at_the_first_moment_start_one_process(tmp_path):
    workspace = Workspace.open(tmp_path)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(InferenceClient(workspace).ping()["process"])) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    end(workspace, found[0])


def test_the_client_imports_no_torch():
    script = "import sys, studio.inference.client; print([m for m in ('torch', 'transformers', 'datasets', 'peft') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], env=child.environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
