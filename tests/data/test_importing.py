"""Importing through the limited child: what is published, what is refused, and that nothing is ever left behind."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from pathlib import Path

import pytest
from hostile import HOSTILE
from reading_room import OWNER, bring, tree, workbook

from studio import child as children
from studio.data import child, importing, limits, process
from studio.data.importing import import_file
from studio.data.rows import Table
from studio.data.store import find_version, list_versions, open_version
from studio.errors import UserError
from studio.words import say
from studio.workspace import Workspace

CSV = "text,label\n" + "".join(f"sentence number {n},{'ab'[n % 2]}\n" for n in range(40))


def nothing_left(workspace: Workspace) -> bool:
    return tree(workspace.home / OWNER) == [] and tree(workspace.temporary) == []


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "home")


def drop(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "dropped"
    path.write_bytes(content)
    return path


def test_a_gb18030_csv_becomes_a_version(workspace: Workspace, tmp_path: Path) -> None:
    content = "评论,情感\r\n" + "味道很好，下次还来,好评\r\n太难吃了，不会再来了,差评\r\n" * 30
    heard: list[tuple[int, int]] = []
    path = drop(tmp_path, content.encode("gb18030"))
    made = import_file(workspace, OWNER, path, "外卖.csv", lambda done, total: heard.append((done, total)))
    assert (made.name, made.rows, made.columns) == ("外卖.csv", 60, ("评论", "情感"))
    assert made.profile()["encoding"] == "gb18030"
    assert made.folder == workspace.home / OWNER / "data" / made.version
    assert tree(made.folder) == ["profile.json", "rows.parquet", "source.json"]
    assert tree(workspace.temporary) == []
    assert all(0 <= done <= total == path.stat().st_size for done, total in heard)


def test_the_same_content_is_the_same_version_for_its_owner_only(workspace: Workspace, tmp_path: Path) -> None:
    path = drop(tmp_path, CSV.encode())
    first = import_file(workspace, "ann", path, "a.csv")
    again = import_file(workspace, "ann", path, "other name.csv")
    of_bob = import_file(workspace, "bob", path, "a.csv")
    assert again == first
    assert of_bob.owner == "bob"
    # One id for both would let what Bob confirms about his columns lie in Ann's folder.
    assert of_bob.version != first.version
    assert {(one.owner, one.version) for one in list_versions(workspace)} == {
        ("ann", first.version),
        ("bob", of_bob.version),
    }
    assert find_version(workspace, first.version) == first
    assert find_version(workspace, of_bob.version) == of_bob
    with pytest.raises(UserError) as caught:
        open_version(workspace, "eve", first.version)
    assert caught.value.code == "data_unknown"


def test_other_accounts_cannot_look_into_a_version(workspace: Workspace, tmp_path: Path) -> None:
    made = import_file(workspace, OWNER, drop(tmp_path, CSV.encode()), "a.csv")
    for path in (made.folder, made.folder.parent, made.rows_path, made.profile_path):
        assert path.stat().st_mode & 0o077 == 0, path


def test_hostile_names_stay_names(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(set(HOSTILE)) >= 200
    path = drop(tmp_path, CSV.encode())
    before = tree(tmp_path)

    def instead(files: list[tuple[Path, str]], given: str, folder: Path, emit: object) -> dict[str, object]:
        return child.read_all(files, given, folder)  # in this process: the same way, where a child a name is slow

    monkeypatch.setattr(importing, "_run", instead)
    for name in HOSTILE:
        made = import_file(workspace, OWNER, path, name)
        assert made.name, name
        assert len(made.name) <= 120
        assert not set(made.name) & set("/\\\x00\u202e\n")
        assert say("web.data.line", name=made.name, rows=1, columns=1, format="", encoding="").count(made.name)
        new = [entry for entry in tree(tmp_path) if entry not in before]
        assert all(entry.startswith(f"home/{OWNER}") for entry in new)
        shutil.rmtree(made.folder)


# Two cells in opposite corners of a sheet: 17 thousand million cells lie between them.
FAR_CORNERS = workbook({"A1": "text", "XFD1048576": "far"})


@pytest.mark.parametrize(
    ("content", "codes"),
    [
        (b"", {"data_empty"}),
        (b"\x89PNG\r\n\x1a\n" + bytes(500), {"data_is_picture"}),
        (b"text,label\n" + b"x" * 10_000_000, {"data_line_too_long"}),
        (b"PAR1" + bytes(100), {"data_damaged"}),
        (FAR_CORNERS, {"data_too_much_memory", "data_damaged", "data_too_many_rows"}),
    ],
    ids=["empty", "picture", "long-line", "half-parquet", "sparse-workbook"],
)
def test_bad_files_leave_nothing_behind(workspace: Workspace, tmp_path: Path, content: bytes, codes: set[str]) -> None:
    with pytest.raises(UserError) as caught:
        import_file(workspace, OWNER, drop(tmp_path, content), "bad.csv")
    assert caught.value.code in codes
    assert nothing_left(workspace)


def test_too_large_and_missing_files_are_refused_before_reading(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as handle:
        handle.truncate(limits.UPLOAD_BYTES + 1)
    for given, code in (
        (path, "data_too_large"),
        (tmp_path / "gone", "data_unreadable"),
        (tmp_path, "data_unreadable"),
    ):
        with pytest.raises(UserError) as caught:
            import_file(workspace, OWNER, given, "large.csv")
        assert caught.value.code == code
    assert nothing_left(workspace)


def test_a_reader_that_hangs_is_ended(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hang = [process.child.command("x")[0], "-c", "import time; time.sleep(600)"]
    monkeypatch.setattr(process.child, "command", lambda *arguments: hang)
    monkeypatch.setattr(limits, "SILENCE", 0.5)
    monkeypatch.setattr(limits, "SECONDS_PER_MB", 0.0)
    with pytest.raises(UserError) as caught:
        import_file(workspace, OWNER, drop(tmp_path, CSV.encode()), "a.csv")
    assert caught.value.code == "data_too_slow"
    assert nothing_left(workspace)


def test_a_reader_that_works_in_silence_is_let_work(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = 'print(\'{"error": "data_empty", "values": {"name": "a.csv"}}\', flush=True)'
    busy = f"import time\nuntil = time.monotonic() + 2\nwhile time.monotonic() < until: pass\n{done}"
    monkeypatch.setattr(process.child, "command", lambda *arguments: [sys.executable, "-c", busy])
    monkeypatch.setattr(limits, "SILENCE", 0.5)
    monkeypatch.setattr(limits, "SECONDS_PER_MB", 0.0)
    with pytest.raises(UserError) as caught:
        import_file(workspace, OWNER, drop(tmp_path, CSV.encode()), "a.csv")
    assert caught.value.code == "data_empty"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGABRT)", "data_too_much_memory"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", "data_too_slow"),
        ("raise SystemExit(3)", "data_reader_broke"),
    ],
)
def test_how_a_reader_ends_is_told(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, code: str
) -> None:
    ends = [process.child.command("x")[0], "-c", script]
    monkeypatch.setattr(process.child, "command", lambda *arguments: ends)
    with pytest.raises(UserError) as caught:
        import_file(workspace, OWNER, drop(tmp_path, CSV.encode()), "a.csv")
    assert caught.value.code == code
    assert nothing_left(workspace)


def test_the_child_limits_itself(tmp_path: Path) -> None:
    script = "import sys; from studio import child; child.limit(memory=300 * 2**20); x = bytearray(10**9)"
    status = os.spawnve(
        os.P_WAIT, children.command("x")[0], [children.command("x")[0], "-c", f"{script}"], children.environment()
    )
    assert status == 1


def test_a_full_disk_is_said_and_nothing_stays(tmp_path: Path) -> None:
    table = Table("a.csv", lambda done: None)
    table.columns(["text"])
    table.add(["some words"])
    (tmp_path / "rows.parquet").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as caught:
        child._publishable(table.finish(), tmp_path)
    error = child.os_error(caught.value, "a.csv")
    assert error.code == "data_disk_full"
    assert "--home" in error.parts()[2]


def test_an_import_given_up_halfway_leaves_nothing(workspace: Workspace, tmp_path: Path) -> None:
    big = "text,label\n" + "a sentence of some words,a\n" * 60_000

    def give_up(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_file(workspace, OWNER, drop(tmp_path, big.encode()), "a.csv", give_up)
    assert nothing_left(workspace)


def test_a_file_that_changes_while_it_is_read(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drop(tmp_path, CSV.encode())
    true_digest = importing._digest
    monkeypatch.setattr(importing, "_digest", lambda file: (true_digest(file), path.write_text(CSV + "new row,b\n"))[0])
    with pytest.raises(UserError) as caught:
        import_file(workspace, OWNER, path, "a.csv")
    assert caught.value.code == "data_changed"
    assert nothing_left(workspace)


def test_an_id_that_two_people_share_from_earlier_is_their_own_for_each(workspace: Workspace, tmp_path: Path) -> None:
    made = import_file(workspace, "ann", drop(tmp_path, CSV.encode()), "a.csv")
    shutil.copytree(made.folder, workspace.data("bob", made.version))
    assert find_version(workspace, made.version, "bob").owner == "bob"
    assert find_version(workspace, made.version, "ann").owner == "ann"
    assert find_version(workspace, made.version, "eve").owner == "ann"


def test_two_imports_of_the_same_file_at_once(workspace: Workspace, tmp_path: Path) -> None:
    path = drop(tmp_path, CSV.encode())
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda: made.append(import_file(workspace, OWNER, path, "a.csv").version))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1
    assert len(made) == 3
    assert tree(workspace.temporary) == []


def test_half_written_folders_are_no_versions(workspace: Workspace, tmp_path: Path) -> None:
    made = bring(tmp_path, "a.csv", CSV)
    made.profile_path.unlink()
    home = Workspace.open(tmp_path / "home")
    assert list_versions(home) == []
    with pytest.raises(UserError):
        open_version(home, OWNER, made.version)
