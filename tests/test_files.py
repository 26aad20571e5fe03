"""Files are written whole or not at all, by many at once too; what the system refuses is an OSError."""

from __future__ import annotations

import errno
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from tokenizers import Tokenizer, models

from studio.files import system_errors, write_whole


@contextmanager
def small_files() -> Iterator[None]:
    """No file of this process may grow beyond a kilobyte; no longer than needed, because pytest's own output may go
    into a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_does_not_fit_leaves_the_old_text_and_nothing_else(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.txt", "old")
    with small_files(), pytest.raises(OSError, match="large"):
        write_whole(tmp_path / "a.txt", "x" * 5000)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_many_write_the_same_file(tmp_path: Path) -> None:
    texts = [str(number) * 2000 for number in range(8)]
    threads = [threading.Thread(target=write_whole, args=(tmp_path / "a.txt", text)) for text in texts for _ in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "a.txt").read_text() in texts
    assert len(list(tmp_path.iterdir())) == 1


def test_a_library_that_only_says_it_in_words_raises_what_the_system_meant(tmp_path: Path) -> None:
    """Both write in Rust and raise exceptions of their own, which is why they are turned."""
    words = {f"word{number}": number for number in range(500)}
    wrote = {
        "a.safetensors": lambda file: save_file({"a": torch.zeros(5000)}, file),
        "tokenizer.json": lambda file: Tokenizer(models.WordLevel(words)).save(str(file)),
    }
    for name, write in wrote.items():
        file = tmp_path / name
        with small_files(), pytest.raises(Exception, match="os error") as bare:
            write(file)
        assert not isinstance(bare.value, OSError)
        with small_files(), pytest.raises(OSError, match="large") as caught, system_errors(file):
            write(file)
        assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(file))


def test_other_faults_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(SafetensorError, match="mine"), system_errors(tmp_path):
        raise SafetensorError("mine")
    with pytest.raises(OSError, match="moved") as caught, system_errors(tmp_path):
        raise OSError(errno.EXDEV, "moved")
    assert caught.value.errno == errno.EXDEV
