"""What the commands say: one JSON document or one line, in the terminal's language, with true exit codes."""

import gzip
import json
import re
import zipfile

import pytest
from spoken import check_spoken

from studio import hardware
from studio.cli import main
from studio.data.samples import import_sample
from studio.data.store import list_versions, read_parquet_rows
from studio.errors import UserError
from studio.hardware import Hardware
from studio.inference.client import FileProgress, InferenceClient
from studio.runs.desk import Desk
from studio.runs.doctor import Finding
from studio.terminal import Terminal, table
from studio.workspace import Workspace


@pytest.fixture
def ask(tmp_path, capsys, monkeypatch):
    """Run a command in this process: (exit code, stdout, stderr)."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "other"))

    def asked(*words, home=True):
        with pytest.raises(SystemExit) as ended:
            main([*words, *(["--home", str(tmp_path / "home")] if home else [])])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return asked


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("train",), "nothing_to_train", "--data FILE"),
        (("train", "x.json", "--set", "epochs=1"), "spec_and_choices", "--data"),
        (("train", "x.json", "--preset", "thorough"), "spec_and_choices", "preset"),
        (("train", "/no/such/spec.json"), "file_unreadable", "spec.json"),
        (("show", "r-1"), "run_unknown", "r-1"),
        (("stop", "../x"), "bad_id", "../x"),
        (("stop", "r-1", "--keep", "some"), "unknown_key", "some"),
        (("resume", "r-2"), "run_unknown", "r-2"),
        (("walk",), "cli_usage", "walk"),
        (("train", "--dataa", "x"), "cli_usage", "--dataa"),
        (("show",), "cli_usage", "run"),
    ],
)
def test_errors_are_one_line_and_one_document(ask, words, code, said):
    status, out, err = ask(*words, "--json")
    assert status in (1, 2)
    assert len(err.splitlines()) == 1
    assert said in err
    document = json.loads(out)["error"]
    assert document["code"] == code
    assert " ".join(document["text"].split()) == err.strip()


def test_nothing_asked_shows_what_there_is(ask):
    status, out, err = ask(home=False)
    assert (status, err) == (0, "")
    assert "Usage:" in out
    assert len(out.splitlines()) > 10
    assert "cannot be understood" not in out


def test_the_doctor_says_each_finding_once(ask, monkeypatch):
    found = [Finding("torch", True, "doctor.ready", {}), Finding("lora", False, "doctor.broken", {})]
    monkeypatch.setattr("studio.runs.doctor.examine", lambda workspace: iter(found))
    monkeypatch.setattr("studio.terminal.say", lambda code, language, **values: code)
    status, out, err = ask("doctor")
    assert (status, out.splitlines(), err) == (1, ["✓ doctor.ready", "✗ doctor.broken"], "")
    assert len(json.loads(ask("doctor", "--json")[1])["checks"]) == 2


def test_unreadable_file(ask):
    status, out, err = ask("check", "/no/such/file.csv", "--json")
    assert status == 1
    assert "file.csv" in err
    assert json.loads(out)["error"]["text"]


def test_a_fault_of_ours_leaves_its_traceback_in_a_file(ask, tmp_path, monkeypatch):
    def broken(terminal):
        raise RuntimeError("a fault")

    monkeypatch.setattr("studio.commands.runs", broken)
    status, _, err = ask("runs")
    assert status == 1
    assert "Traceback" not in err
    log = tmp_path / "home" / "cli.log"
    assert "RuntimeError: a fault" in log.read_text()
    _, out, _ = ask("runs", "--json")
    error = json.loads(out)["error"]
    check_spoken(UserError(error["code"], **error["values"]), "cli_bug", kind="RuntimeError", log=str(log))


def know_machine(home):
    """A probed machine, so that a plan need not measure one."""
    home.mkdir(mode=0o700)
    record = Hardware(
        "cpu", "box", 2, 8 * 10**9, 0, False, "fp32", "reason.precision_fp32_cpu", 1, "reason.threads_cores", 50.0
    )
    known = {**record.to_json(), "fingerprint": hardware.fingerprint()}
    (home / "hardware.json").write_text(json.dumps(known))


CLASSIFY = ("--task", "classification")
COLUMNS = ("--set", "column.text=text", "--set", "column.label=label")
PRICES = ["price,size", *(f"{number},{number * 2}" for number in range(40))]
PAIRS = ["left,right", *(f"a message about thing {number},another one on {number * number}" for number in range(40))]
ONE_LABEL = ["text,label", *(f"a message about thing {number},complaint" for number in range(60))]


@pytest.mark.parametrize(
    ("lines", "words", "code", "values"),
    [
        (PRICES, (), "task_not_clear", {"question": re.compile(r"\w+ \w+")}),
        (PAIRS, CLASSIFY, "columns_not_clear", {"question": re.compile(r"\w+ \w+"), "columns": ["left", "right"]}),
        (ONE_LABEL, (*CLASSIFY, *COLUMNS), "cannot_start", {"reasons": re.compile("complaint")}),
    ],
)
def test_data_that_cannot_be_trained_on_says_what_is_missing(ask, tmp_path, lines, words, code, values):
    know_machine(tmp_path / "home")
    file = tmp_path / "some.csv"
    file.write_text("\n".join(lines))
    status, out, _ = ask("train", "--data", str(file), "--model", "starter:minilm", *words, "--json")
    assert status == 1
    error = json.loads(out)["error"]
    check_spoken(UserError(error["code"], **error["values"]), code, **values)


@pytest.mark.parametrize("word", ["tasks", "methods", "models"])
def test_lists(ask, word):
    status, out, err = ask(word, "--json")
    assert (status, err) == (0, "")
    assert len(json.loads(out)[word]) >= 2


def test_no_runs_yet(ask):
    assert ask("runs", "--json") == (0, '{\n  "runs": []\n}\n', "")
    assert ask("runs") == (0, "There are no runs yet.\n", "")


def test_check(ask, tmp_path):
    file = tmp_path / "animals.csv"
    rows = [f"this is message number {n} about {'cats' if n % 2 else 'dogs'},{n % 2}" for n in range(60)]
    file.write_text("\n".join(["text,label", *rows]))
    status, out, _ = ask("check", str(file), "--json")
    document = json.loads(out)
    assert (status, document["format"], document["rows"], document["task"]) == (0, "csv", 60, "classification")
    assert document["roles"] == {"text": "text", "label": "label"}
    assert all(problem["text"] for problem in document["problems"])
    assert not (tmp_path / "home").exists()


def test_check_of_several_files_and_archives(ask, tmp_path):
    rows = "text,label\n" + "".join(f"this is message number {n},{'ab'[n % 2]}\n" for n in range(30))
    (tmp_path / "one.csv").write_text(rows)
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.writestr("two.csv", rows.replace("message", "letter"))
    (tmp_path / "three.csv.gz").write_bytes(gzip.compress(rows.replace("message", "note").encode()))
    files = [str(tmp_path / name) for name in ("one.csv", "more.zip", "three.csv.gz")]
    status, out, _ = ask("check", *files, "--json")
    document = json.loads(out)
    assert (status, document["rows"], document["task"]) == (0, 90, "classification")
    assert document["files"] == files
    assert [column["name"] for column in document["columns"]] == ["text", "label", "file"]
    (tmp_path / "odd.csv").write_text("a,b,c\n1,2,3\n")
    status, _, err = ask("check", files[0], str(tmp_path / "odd.csv"))
    assert status == 1
    assert "'one.csv' and 'odd.csv' have different columns: text, label against a, b, c" in err


def test_check_tells_of_personal_data_and_refuses_nothing(ask, tmp_path):
    file = tmp_path / "letters.csv"
    rows = [f"letter {n} about {'cats' if n % 2 else 'dogs'} from ann{n}@mail.example,{n % 2}" for n in range(60)]
    file.write_text("\n".join(["text,label", *rows]))
    status, out, _ = ask("check", str(file))
    assert status == 0
    assert "Texts in 'text' with personal data: 60, the first is row 1. Found: e-mail (60)." in out


def test_words_follow_the_terminal(ask, monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert "没有编号为 r-1 的运行" in ask("show", "r-1")[2]


@pytest.mark.parametrize("command", ["serve", "check", "train", "runs", "show", "resume", "stop", "predict", "models"])
def test_every_command_has_json_and_home(ask, command):
    status, out, _ = ask(command, "--help", home=False)
    assert status == 0
    assert "--json" in out
    assert "--home" in out


def test_wide_letters_are_aligned():
    assert table([["状态", "x"], ["abcd", "y"]]) == ["状态  x", "abcd  y"]


def test_an_ending_without_an_entry_is_still_said():
    from types import SimpleNamespace

    assert Terminal().why(SimpleNamespace(error="no_such_code", error_values={})) == "no_such_code"


def test_a_file_that_is_only_asked_about_does_not_join_the_data_sets(ask, tmp_path, monkeypatch):
    workspace = Workspace.open(tmp_path / "home")
    import_sample(workspace, "local", "few_rows")
    monkeypatch.setattr(Desk, "folder", lambda self, run: workspace.run("local", run))
    before = [version.version for version in list_versions(workspace)]
    file = tmp_path / "asked.csv"
    file.write_text("text\nWhere can I park?\nIs breakfast included?\n", encoding="utf-8")
    read = []

    def answered(self, run_dir, data, out, which):
        read.append(read_parquet_rows(data, {"text": "text"}))
        yield FileProgress(2, 2)

    monkeypatch.setattr(InferenceClient, "predict_file", answered)
    status, out, err = ask("predict", "r-1", "--data", str(file), "--out", str(tmp_path / "out.csv"), "--json")
    assert status == 0, err
    assert json.loads(out)["rows"] == 2
    assert read == [[{"text": "Where can I park?"}, {"text": "Is breakfast included?"}]]
    assert [version.version for version in list_versions(workspace)] == before
    assert list(workspace.temporary.glob("ask-*")) == []
