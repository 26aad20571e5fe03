"""Models that are not in the picker, in a real browser: a gated one with a token, a folder of the server, and phones."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import CHROMIUM, Studio, until
from playwright.sync_api import Browser, Page, expect
from safetensors.numpy import load_file, save_file

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))
import tiny_models
from web_stand_in import StandIn, offer, serving

TOKEN = "hf_CANARYcanaryONCEonceCANARYcanary"
ROWS = "text,label\n" + "".join(f"kettle {n} is fine,{'yes' if n % 2 else 'no'}\n" for n in range(60))
PUBLIC = {
    "config": {"model_type": "bert"},
    "safetensors": {"parameters": {"F32": 110_000_000}, "total": 110_000_000},
    "cardData": {"license": "mit", "language": "zh"},
    "downloads": 7,
    "gated": False,
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    place = tmp_path_factory.mktemp("offered")
    model = tiny_models.encoder_folder(place / "tiny")
    with serving() as web:
        folder = offer(web, model, place, "org/closed")
        # Large enough that its bar can be seen and its stop be pressed.
        file = folder / "model.safetensors"
        save_file({**load_file(file), "more": np.zeros(6_000_000, np.float32)}, file)
        web.gated.add("org/closed")
        web.tokens.add(TOKEN)
        told = {**PUBLIC, "gated": "manual"}
        shelf = place / "set" / "data"
        shelf.mkdir(parents=True)
        for split, rows in (("train", range(60)), ("test", range(60, 80))):
            (shelf / f"{split}.csv").write_text("text,label\n" + "".join(f"the room 北京 {n},{n % 2}\n" for n in rows))
        web.sets["org/rooms"] = shelf.parent
        web.gated.add("org/rooms")
        web.about = {"org/closed": told, "org/bert-kettles-with-a-rather-long-name-of-its-own": PUBLIC}
        yield web


@pytest.fixture(scope="module")
def own(hub: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A studio whose only hub is the stand-in."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    home = tmp_path_factory.mktemp("models") / "home"
    place = Studio(home, HF_ENDPOINT=hub.address, NO_PROXY="127.0.0.1", HF_HUB_OFFLINE="0", HF_HOME=str(home.parent))
    place.environment["STUDIO_MODEL_ROOTS"] = str(home.parent)
    place.start()
    yield place
    place.stop()


@pytest.fixture
def train(own: Studio, browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The Train tab of a wide page with data in it."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US")
    page = context.new_page()
    page.goto(own.address)
    file = tmp_path / "kettles.csv"
    file.write_text(ROWS)
    page.locator("#start-drop input[type=file]").set_input_files(file)
    expect(page.locator("#data-facts")).to_contain_text("60 rows")
    page.locator("#data-use").click()
    # The first time the machine is measured before the card can say what fits.
    expect(page.locator("#train-card")).to_contain_text("Memory a run needs")
    yield page
    context.close()


def test_a_gated_model_is_fetched_with_a_token_that_is_used_once(train: Page, own: Studio, hub: StandIn):
    card = train.locator("#train-card")
    train.locator("#train-find textarea, #train-find input").fill("closed")
    train.locator("#train-find textarea, #train-find input").press("Enter")
    train.locator("#train-found").get_by_role("button", name="Choose").click()
    expect(card).to_contain_text("terms to accept first")
    box = card.get_by_label("Hub token")
    expect(box).to_have_attribute("type", "password")
    expect(card).to_contain_text("It is used for this one download; it is not stored, logged or shown.")
    box.fill("hf_notTHEone")
    box.press("Enter")
    expect(card.get_by_role("alert")).to_contain_text("does not know this token")
    expect(box).to_have_value("")
    box.fill(TOKEN)
    card.get_by_role("button", name="Fetch now").click()
    expect(card).to_contain_text("on this disk")
    expect(card.get_by_label("Hub token")).to_have_count(0)
    expect(card).to_contain_text("Padding: its own [PAD]")
    assert (own.home / "models" / "hub--org--closed" / "model.safetensors").is_file()
    assert any(headers.get("authorization") == f"Bearer {TOKEN}" for _, headers in hub.asked)
    held = [path for path in own.home.parent.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert held == [], "the workspace, its database and the server's log"
    lines = [file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline") if _readable(file)]
    assert not any(TOKEN.encode() in line for line in lines)
    assert TOKEN not in train.content()


def _readable(file: Path) -> bool:
    try:
        return bool(file.read_bytes())
    except OSError:
        return False


def test_a_folder_of_the_server_is_taken_or_refused_with_a_sentence(train: Page, own: Studio):
    model = tiny_models.encoder_folder(own.home.parent / "kept" / "tiny-bert")
    pickle = Path(shutil.copytree(model, own.home.parent / "kept" / "pickle"))
    (pickle / "model.safetensors").rename(pickle / "pytorch_model.bin")
    box = train.locator("#train-folder input")
    for typed, said in (
        (str(pickle), "stored as pytorch_model.bin, a format that can carry programs"),
        ("/etc", "The folder /etc is not open to the page."),
    ):
        box.fill(typed)
        box.press("Enter")
        expect(train.locator("#train-refused [role=alert]")).to_contain_text(said)
    box.fill(str(model))
    box.press("Enter")
    expect(train.locator("#train-refused [role=alert]")).to_have_count(0)
    expect(train.locator("#train-card")).to_contain_text("Padding: its own [PAD]; the loss leaves it out.")
    expect(train.locator("#train-model input")).to_have_value("tiny-bert")
    expect(train.locator("#train-preflight")).to_contain_text("≈")


def test_a_phone_shows_what_the_hub_found_without_scrolling_sideways(own: Studio, browser: Browser, train: Page):
    address = train.url.replace("/en/", "/zh/")
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark", locale="zh-CN")
    page = context.new_page()
    page.goto(own.address)
    page.wait_for_selector("#header .top")
    page.goto(address)
    expect(page.locator("#train-card")).to_contain_text("训练所需内存")
    page.locator("#train-find textarea, #train-find input").fill("kettles")
    page.locator("#train-find textarea, #train-find input").press("Enter")
    found = page.locator("#train-found .scroll")
    expect(found).to_contain_text("org/bert-kettles-with-a-rather-long-name-of-its-own")
    assert found.evaluate("node => node.scrollWidth - node.clientWidth") <= 0
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    page.locator("#train-method label", has_text="LoRA").first.click()
    page.locator("#train-advanced button").first.click()
    expect(page.locator("#option-lora-method-rslora")).to_be_visible()
    last = [page.locator(f"#option-lora-method-{name}") for name in ("rslora", "rate-ratio", "dora")]
    boxes = until(lambda: all(item.bounding_box() for item in last) and [item.bounding_box() for item in last], 20)
    assert min(box["width"] for box in boxes) >= 300, "each has the row to itself"
    context.close()


def test_a_data_set_of_the_hub_is_brought_in_and_read_as_a_model_does(own: Studio, hub: StandIn, browser: Browser):
    tiny_models.encoder_folder(own.home / "models" / "hub--org--reader")
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="en-US")
    page = context.new_page()
    page.goto(own.address)
    page.wait_for_selector("#header .top")
    page.evaluate("studio.open({ tab: 'data' })")
    page.get_by_role("button", name="Or take a data set from the hub").click()
    page.get_by_label("Data set id").fill("org/rooms")
    page.keyboard.press("Enter")
    form = page.locator("#data-hub-form")
    expect(form.get_by_role("alert")).to_contain_text("asks everyone to accept its terms")
    page.get_by_label("Token (only for a gated or private data set)").fill(TOKEN)
    form.get_by_role("button", name="Look what it has").click()
    page.locator("#hub-split").select_option(label="train · 1 kB")
    form.get_by_role("button", name="Bring it in").click()
    expect(page.locator("#data-facts")).to_contain_text("rooms · train: 60 rows")
    expect(page.locator("#data-facts")).to_contain_text("From the hub: org/rooms, configuration default, split train")
    expect(page.locator("#hub-token")).to_have_value("")

    # How the model of this machine reads it: where a run cuts, and which pieces it does not know.
    panel = page.locator("#data-reading")
    expect(panel.locator("#tokens-model")).to_have_value("hub:org/reader")
    expect(panel).to_contain_text("Half of the rows have at most")
    expect(panel.locator(".annotation-text")).to_have_text(re.compile(r"one part: \d+"))
    expect(panel.locator(".bars path").first).to_be_attached()
    expect(panel.locator(".piece.unknown").first).to_have_text("北")
    page.locator("#tokens-text").fill("我来到北京清华大学")
    expect(panel.get_by_role("heading", name="Words as jieba finds them")).to_be_visible()
    expect(panel.locator(".pieces").last.locator(".piece")).to_have_text(["我", "来到", "北京", "清华大学"])
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    context.close()
