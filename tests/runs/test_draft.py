"""Drafts that cannot be started as asked: what is missing, what this machine lacks, what the model cannot read."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from run_specs import a_spec
from spoken import check_problem, check_spoken

from studio import hardware
from studio.data import lexicon
from studio.data.importing import import_file
from studio.data.samples import import_sample, list_samples
from studio.data.store import DataVersion
from studio.data.use import Use
from studio.errors import UserError
from studio.hardware import Hardware
from studio.runs.draft import again, draft
from studio.runs.reading import suggest_model, suggest_sample_model
from studio.runs.talks import cut_answers, places_of, talks_of
from studio.workspace import Workspace

sys.path.append(str(Path(__file__).parents[1] / "models"))

CHINESE = "菜送来时已经凉了"


def know_machine(workspace: Workspace, memory: int) -> None:
    """A probed machine with so many bytes of memory."""
    record = Hardware(
        "cpu", "box", 2, memory, 0, False, "fp32", "reason.precision_fp32_cpu", 1, "reason.threads_cores", 50.0
    )
    known = {**record.to_json(), "fingerprint": hardware.fingerprint()}
    (workspace.home / "hardware.json").write_text(json.dumps(known))


def animals(workspace: Workspace, text: str = "this is quite a long message about") -> DataVersion:
    file = workspace.temporary / "animals.csv"
    lines = [f"{text} {number} {'cats' if number % 2 else 'dogs'},{number % 2}" for number in range(60)]
    file.write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    return import_file(workspace, "local", file, file.name)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of a tiny encoder that knows small Latin letters and nothing else."""
    import tiny_models

    return f"local:{tiny_models.encoder_folder(tmp_path_factory.mktemp('models') / 'latin')}"


USE = Use("classification", {"text": "text", "label": "label"})


@pytest.mark.parametrize("sample", list_samples(), ids=lambda sample: sample.key)
def test_the_model_of_a_sample_is_known_before_its_rows(workspace, sample):
    version = import_sample(workspace, "local", sample.key)
    assert suggest_sample_model(sample) == suggest_model(workspace, version, Use(sample.task, dict(sample.columns)))


def test_a_task_that_needs_more_passes_than_quick_has_is_given_them_or_says_so(workspace, model):
    know_machine(workspace, 16 * 10**9)
    file = workspace.temporary / "asked.jsonl"
    row = {"question": "what was it", "context": "it was the cat", "answers": "the cat", "answer_start": 7}
    file.write_text("".join(json.dumps({**row, "context": f"it was the cat {n}"}) + "\n" for n in range(60)))
    version = import_file(workspace, "local", file, file.name)
    use = Use("qa", {role: role for role in row})

    def made(**how):
        return draft(workspace, version, use=use, model=model, method="full", **how)

    suggested = made()
    assert suggested.spec.preset == "balanced"
    assert "preset_short" not in [problem.code for problem in suggested.problems]
    (told,) = [problem for problem in made(preset="quick").problems if problem.code == "preset_short"]
    assert (told.severity, told.field) == ("warning", "preset")
    for said in ("Answer questions from a text", "Quick, up to 3 min", "Balanced, up to 10 min"):
        assert said in told.text("en")
    assert "均衡，10 分钟内" in told.text("zh")
    by_hand = made(preset="quick", options={"training": {"epochs": 3.0}})
    assert "preset_short" not in [problem.code for problem in by_hand.problems]
    assert draft(workspace, animals(workspace), use=USE, model=model, method="full").spec.preset == "quick"


def test_data_whose_task_nobody_chose(workspace):
    with pytest.raises(UserError) as caught:
        draft(workspace, animals(workspace), use=Use())
    check_spoken(caught.value, "task_not_chosen", name="animals.csv")


def test_a_change_that_run_again_does_not_know(workspace):
    with pytest.raises(UserError) as caught:
        again(workspace, a_spec(), "fly higher", "local")
    known = ["lower_rate", "raise_rate", "more_epochs", "fewer_epochs", "class_weights"]
    check_spoken(caught.value, "change_unknown", change="fly higher", known=known)


def test_a_model_that_does_not_know_the_script_is_warned_about(workspace, model):
    know_machine(workspace, 16 * 10**9)
    made = draft(workspace, animals(workspace, CHINESE), use=USE, model=model, method="full")
    # Half of the rows end in four known letters, half in three known pieces; eight characters and a number are not.
    problem = check_problem(made.problems, "model_reads_little", "warning", "model", share=28)
    assert problem.values["model"] == model
    made = draft(workspace, animals(workspace), use=USE, model=model, method="full")
    assert "model_reads_little" not in [problem.code for problem in made.problems]


def test_a_machine_with_too_little_memory_is_told_both_numbers(workspace, model):
    know_machine(workspace, 100_000_000)
    made = draft(workspace, animals(workspace), use=USE, model=model, method="head")
    check_problem(made.problems, "memory_short", "error", "training", wanted=re.compile(r"^0\.[3-9]$"), free="0.1")
    wanted = made.estimate.memory_bytes
    know_machine(workspace, round(wanted / 0.9))
    made = draft(workspace, animals(workspace), use=USE, model=model, method="head")
    close = {"wanted": f"{wanted / 1e9:.1f}", "free": f"{wanted / 0.9e9:.1f}"}
    check_problem(made.problems, "memory_tight", "warning", "training", **close)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_disk_with_too_little_room_is_told_both_numbers(tmp_path, model):
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this system mounts nothing")
    try:
        workspace = Workspace.open(place / "home")
        know_machine(workspace, 16 * 10**9)
        assert shutil.disk_usage(workspace.home).total < 10**9
        made = draft(workspace, animals(workspace), use=USE, model=model, method="head")
        check_problem(made.problems, "disk_short", "error", "training", wanted=re.compile(r"^1\.\d$"), free="0.3")
        larger = [*mount[:4], f"remount,size={round((made.estimate.disk_bytes + 10**9) / 0.92)}", *mount[5:]]
        subprocess.run(larger, check=True)
        made = draft(workspace, animals(workspace), use=USE, model=model, method="head")
        close = {"wanted": re.compile(r"^1\.\d$"), "free": re.compile(r"^1\.\d$")}
        check_problem(made.problems, "disk_tight", "warning", "training", **close)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_relative_model_folder_is_kept_as_the_one_that_was_meant(workspace, model, monkeypatch):
    """A worker has another current folder than the shell in which the run was asked for."""
    know_machine(workspace, 16 * 10**9)
    folder = Path(model.removeprefix("local:"))
    monkeypatch.chdir(folder.parent)
    version = animals(workspace)
    made = draft(workspace, version, use=USE, model=f"local:./{folder.name}", method="full")
    assert made.spec.model == model
    monkeypatch.chdir(workspace.home)
    assert again(workspace, made.spec, "", "local").spec == made.spec


def test_the_seed_of_a_spec_is_its_own_and_not_that_of_the_split(workspace, model):
    know_machine(workspace, 16 * 10**9)
    made = draft(workspace, animals(workspace), use=USE, model=model, method="full").spec
    assert made.seed == made.split.seed == 13
    spec = dataclasses.replace(made, seed=7)
    assert again(workspace, spec, "", "local").spec == spec


def test_a_preset_and_a_group_of_options_that_there_are_not(workspace, model):
    know_machine(workspace, 16 * 10**9)
    version = animals(workspace)
    with pytest.raises(UserError) as caught:
        draft(workspace, version, use=USE, model=model, method="full", preset="slow")
    known = ["quick", "balanced", "thorough"]
    check_spoken(caught.value, "unknown_key", kind="preset", key="slow", near="quick", known=known)
    made = draft(workspace, version, use=USE, model=model, method="full", options={"trainig": {"epochs": 3}})
    known = ["training", "task", "method"]
    check_problem(made.problems, "option_unknown", "error", "trainig", name="trainig", known=known)


@pytest.fixture(scope="module")
def talker(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of a tiny chat model that reads a byte as a token."""
    import tiny_models

    return f"local:{tiny_models.decoder_folder(tmp_path_factory.mktemp('models') / 'talker')}"


def talks(workspace: Workspace, long_questions: int, long_answers: int) -> DataVersion:
    """Sixty conversations, after the first ten some whose question or whose answer has 200 characters."""
    lines = []
    for number in range(60):
        question, answer = f"question {number}", f"answer {number}"
        if 10 <= number < 10 + long_questions:
            question += "?" * 200
        elif 10 <= number < 10 + long_questions + long_answers:
            answer += "!" * 200
        roles = (("user", question), ("assistant", answer))
        lines.append(json.dumps({"messages": [{"role": role, "content": text} for role, text in roles]}))
    file = workspace.temporary / "talks.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    return import_file(workspace, "local", file, file.name)


@pytest.mark.parametrize(("asked", "answered", "code"), [(6, 3, "answers_cut_many"), (1, 2, "answers_cut")])
def test_answers_that_a_length_cuts_are_told_before_the_start(workspace, talker, asked, answered, code):
    know_machine(workspace, 16 * 10**9)
    use = Use("chat", {"messages": "messages"})
    options = {"training": {"max_length": 100}}
    version = talks(workspace, asked, answered)
    made = draft(workspace, version, use=use, model=talker, method="lora", options=options)
    values = {"count": asked + answered, "lost": asked, "tokens": 100, "rows": 60}
    problem = check_problem(made.problems, code, "warning", "training.max_length", **values)
    assert [row for row, _ in problem.examples] == list(range(11, 11 + min(asked, 5)))
    for model in (talker, "starter:smollm2"):
        plain = draft(workspace, talks(workspace, 0, 0), use=use, model=model, method="lora", options=options)
        assert not [problem for problem in plain.problems if problem.code.startswith("answers_cut")]


def test_augmentation_that_cannot_be_says_why(workspace, talker, model, monkeypatch):
    monkeypatch.setattr(lexicon, "folder", lambda: None)
    asked = {"training": {"augment": "synonyms"}}
    made = draft(workspace, animals(workspace), use=USE, model=model, method="head", options=asked)
    check_problem(
        made.problems, "augment_lexicon", "error", "training.augment",
        lexicon="Princeton WordNet", package="wordnet-base",
    )  # fmt: skip
    swaps = {"training": {"augment": "swap", "augment_copies": 3}}
    plain = draft(workspace, animals(workspace), use=USE, model=model, method="full")
    more = draft(workspace, animals(workspace), use=USE, model=model, method="full", options=swaps)
    assert [one.code for one in more.problems] == [one.code for one in plain.problems]
    assert more.spec.options["training"]["augment_copies"] == 3
    version = talks(workspace, 0, 0)
    chatty = draft(workspace, version, use=Use("chat", {"messages": "messages"}), model=talker, options=swaps)
    (found,) = [one for one in chatty.problems if one.code == "augment_task"]
    assert (found.severity, found.field) == ("error", "training.augment")
    assert all("{" not in found.text(language) for language in ("en", "zh"))


def test_only_the_last_answer_counts_where_only_it_is_learnt(workspace):
    said = ["Hi", "Hello", "x" * 300, "Fine"]
    roles = ("user", "assistant") * 2
    text = json.dumps([{"role": role, "content": part} for role, part in zip(roles, said, strict=True)])
    file = workspace.temporary / "long.jsonl"
    file.write_text("\n".join(json.dumps({"messages": text}) for _ in range(3)), encoding="utf-8")
    version = import_file(workspace, "local", file, file.name)
    use = Use("chat", {"messages": "messages"})
    for answers, lost in (("all", 0), ("last", 3)):
        found = talks_of(version, use, 400, answers)
        lengths = [len(talk.whole) for talk in found]
        prompts = [len(talk.before) for talk in found]
        (problem,) = cut_answers(found, lengths, prompts, 100, 3)
        assert (problem.count, problem.values["lost"]) == (3, lost)


def test_rows_looked_at_are_spread_over_the_whole_file():
    assert places_of(700, 400)[-1] >= 690
    assert places_of(3, 400) == [0, 1, 2]
    assert len(places_of(10**6, 400)) == 400


def test_sgd_at_the_rate_of_adam_is_warned_about_and_a_planned_one_is_not(workspace, model):
    know_machine(workspace, 16 * 10**9)
    version = animals(workspace)
    training = {"optimizer": "sgd", "learning_rate": 1e-5}
    slow = draft(workspace, version, use=USE, model=model, options={"training": training}).problems
    check_problem(slow, "sgd_rate", "warning", "training.learning_rate", rate="1e-05", least="0.001")
    planned = draft(workspace, version, use=USE, model=model, options={"training": {"optimizer": "sgd"}})
    assert "sgd_rate" not in [problem.code for problem in planned.problems]
    assert planned.spec.options["training"]["learning_rate"] > 1e-3


def test_an_optimizer_that_is_not_installed_cannot_be_started_with(workspace, model, monkeypatch):
    know_machine(workspace, 16 * 10**9)
    monkeypatch.setattr("studio.training.optimizer.find_spec", lambda name: None)
    made = draft(workspace, animals(workspace), use=USE, model=model, options={"training": {"optimizer": "adamw-8bit"}})
    values = {"library": "bitsandbytes"}
    check_problem(made.problems, "optimizer_missing", "error", "training.optimizer", **values)
