"""The review packet in a real browser: filter, open, hear, correct, download, import, agree."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import export
from pipeline.conversation import Review
from pipeline.review.import_reviews import import_reviews
from pipeline.settings import PrivacySettings
from pipeline.store import CallFilter, Store
from tests.example_calls import GRADED, example_records, graded_records
from tests.review.test_calibrate import graded_review
from tests.review.test_tune import FORM, ODD, desk, invoke

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium drives the browser")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="Debian's chromium and chromium-driver are not installed"
    ),
]
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"


def record_sound(path: Path, seconds: float) -> None:
    """A two-channel recording: a tone for the agent, noise for the customer, 8 kHz."""
    import soundfile

    rng = np.random.default_rng(1)
    at = np.arange(int(seconds * 8000)) / 8000
    agent = 0.3 * np.sin(2 * np.pi * 220 * at) * (np.sin(at) > 0)
    customer = 0.2 * rng.standard_normal(at.size) * (np.sin(at) < 0)
    soundfile.write(path, np.stack([agent, customer], axis=1), 8000, subtype="ULAW", format="WAV")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of thirty calls, one with its recording, and their packet."""
    root = tmp_path_factory.mktemp("packet")
    records = example_records(30)
    conversation = records[1].conversation
    record_sound(root / "call-001.wav", conversation.transcript.duration_s or 10)
    records[1] = replace(records[1], ledger=replace(records[1].ledger, path=str(root / "call-001.wav")))
    with Store(root / "qa.duckdb") as store:
        store.load(records)
        export.write(store, root / "packet", "html")
        export.write(store, root / "report.html", "html", CallFilter(call_ids=("call-001",)))
    return root


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium that may download into a folder of its own and reach no network."""
    downloads = tmp_path_factory.mktemp("downloads")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--autoplay-policy=no-user-gesture-required",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--window-size=1400,1000",
    ):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.downloads = downloads
    yield driver
    driver.quit()


def opened(chromium: Any, page: Path) -> Any:
    """A packet with nothing entered yet."""
    chromium.get(page.as_uri())
    chromium.execute_script("localStorage.clear()")
    chromium.get(page.as_uri() + "?")
    return chromium


@pytest.fixture
def page(chromium: Any, folder: Path) -> Any:
    """The packet, freshly opened."""
    page = opened(chromium, folder / "packet" / "index.html")
    page.get_log("browser")
    return page


def wait_for(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """The first truthy answer within some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("the page did not get there in time")


def go_to(page: Any, place: str) -> None:
    """Follow a link inside the packet; the page has been drawn when this returns."""
    page.execute_async_script(
        "const [place, done] = arguments; if (location.hash === (place === '#' ? '' : place)) return done();"
        "addEventListener('hashchange', () => requestAnimationFrame(() => setTimeout(done)), { once: true });"
        "location.hash = place;",
        place,
    )


def find(page: Any, selector: str) -> Any:
    """One element by its CSS selector."""
    return page.find_element("css selector", selector)


def every(page: Any, selector: str) -> list[Any]:
    """All elements by their CSS selector."""
    return page.find_elements("css selector", selector)


def downloaded(page: Any, reviewer: str = "", *, by_keyboard: bool = False) -> Path:
    """The file of a review, signed if need be, after choosing the button."""
    if reviewer:
        find(page, "#reviewer").send_keys(reviewer)
    name = find(page, "#reviewer").get_attribute("value").lower().replace(" ", "-")
    button = find(page, "#download")
    button.send_keys("\ue007") if by_keyboard else button.click()
    return wait_for(lambda: next(page.downloads.glob(f"review-{name}-*.json"), None))


CANVAS_COLOURS = """
const canvas = document.querySelector(".wave canvas"), seen = new Set();
if (!canvas.width) return null;
const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
for (let i = 0; i < data.length; i += 4)
  if (data[i + 3] === 255) seen.add(data.slice(i, i + 3).join());
return seen.size > 2 ? [...seen] : null;
"""


CHOOSE = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))"


def choose(page: Any, select: Any, value: str) -> None:
    """Pick one option of a drop-down."""
    page.execute_script(CHOOSE, select, value)


def open_call(page: Any, call_id: str) -> None:
    """Open a call by choosing it in the list."""
    find(page, f"a.call[href='#call={call_id}']").send_keys("\ue007")
    wait_for(lambda: every(page, ".player"))


def test_the_list_filters_and_sorts(page: Any) -> None:
    """Search and outcome narrow the list; a heading sorts it both ways and says so."""
    rows = lambda: every(page, "#rows tr")  # noqa: E731
    assert len(rows()) == 30
    find(page, "#search").send_keys("Siddiqui")
    assert len(rows()) == 10
    assert find(page, "#count").text == "10 of 30 calls"
    find(page, "th[data-sort='score'] button").click()
    scores = [float(every(r, "td")[2].text) for r in rows()]
    assert scores == sorted(scores)
    assert find(page, "th[data-sort='score']").get_attribute("aria-sort") == "ascending"
    choose(page, find(page, "#by-outcome"), "fail")
    assert {find(r, ".badge").text for r in rows()} == {"fail"}


def test_evidence_moves_the_player_to_its_time(page: Any) -> None:
    """Choosing a quote seeks the recording to where it was said, from the folder and without network."""
    open_call(page, "call-001")
    quote = find(page, ".quote[data-at]")
    at = float(quote.get_attribute("data-at"))
    quote.click()
    shown = wait_for(lambda: find(page, ".wave").get_attribute("aria-valuenow"))
    wait_for(lambda: abs(float(find(page, ".wave").get_attribute("aria-valuenow")) - at) <= 2)
    assert shown is not None
    assert find(page, ".turn.now")
    assert find(page, "#noaudio").text == ""


def test_every_channel_is_drawn(page: Any) -> None:
    """The waveform canvas holds the agent's and the customer's colour."""
    open_call(page, "call-001")
    colours = wait_for(lambda: page.execute_script(CANVAS_COLOURS))
    assert {"31,95,174", "162,72,12"} <= set(colours)


def test_an_announcement_is_drawn_as_neither_party(chromium: Any, tmp_path: Path) -> None:
    """Without a recording, turns of the system have neither the customer's lane nor colour."""
    record = example_records(1)[0]
    heard = record.conversation.transcript
    turns = tuple(
        replace(turn, role="system" if turn.role == "customer" else turn.role) for turn in heard.turns
    )
    conversation = replace(record.conversation, transcript=replace(heard, turns=turns))
    with Store(tmp_path / "qa.duckdb") as store:
        store.load([replace(record, conversation=conversation)])
        export.write(store, tmp_path / "page.html", "html")
    page = opened(chromium, tmp_path / "page.html")
    open_call(page, "call-000")
    colours = wait_for(lambda: page.execute_script(CANVAS_COLOURS.replace("> 2", "> 1")))
    assert "31,95,174" in colours
    assert "162,72,12" not in colours


def test_a_correction_is_downloaded_imported_and_counted(page: Any, folder: Path) -> None:
    """Override in the page, download, import: v_agreement has it."""
    open_call(page, "call-002")
    criterion = next(c for c in every(page, ".criterion") if find(c, ".badge").text in {"yes", "no"})
    machine = find(criterion, ".badge").text
    human = {"yes": "no", "no": "yes"}[machine]
    choose(page, find(criterion, "select"), human)
    find(criterion, "input").send_keys("heard at 0:12")
    assert find(page, "#download").text == "Download review (1)"
    path = downloaded(page, "Amira")
    document = json.loads(path.read_text("utf-8"))
    assert document["schema"] == "callqa.review/1"
    with Store(folder / "qa.duckdb") as store:
        assert import_reviews(store, [path], privacy=PrivacySettings()).stored == 1
        (review,) = store.reviews()
        (row,) = store.query("SELECT reviews, agreement FROM v_agreement")
    assert (review.machine_answer, review.human_answer) == (machine, human)
    assert review.reason == "heard at 0:12"
    assert row == {"reviews": 1, "agreement": 0.0}


def test_corrections_survive_closing_the_page(page: Any) -> None:
    """What was entered is still there after a reload."""
    open_call(page, "call-004")
    choose(page, find(page, ".criterion select"), "na")
    page.refresh()
    wait_for(lambda: every(page, ".criterion select"))
    assert find(page, ".criterion select").get_attribute("value") == "na"
    assert find(page, "#download").text == "Download review (1)"


def test_a_reason_comes_back_with_its_answer(page: Any) -> None:
    """Who withdraws an answer and gives it again downloads the reason that the page still shows."""
    open_call(page, "call-005")
    criterion = every(page, ".criterion")[0]
    choose(page, find(criterion, "select"), "na")
    find(criterion, "input").send_keys("said at 0:03")
    for answer in ("", "yes"):
        choose(page, find(criterion, "select"), answer)
    assert find(criterion, "input").get_attribute("value") == "said at 0:03"
    (answer,) = json.loads(downloaded(page, "Reasoner").read_text("utf-8"))["answers"]
    assert (answer["answer"], answer["reason"]) == ("yes", "said at 0:03")


def test_the_time_line_of_a_call_of_unknown_length_ends_with_its_last_turn(
    chromium: Any, tmp_path: Path
) -> None:
    """Other tools' transcripts state no duration; what is said at 0:06 of 0:10 is drawn there."""
    (record,) = example_records(1)
    conversation = record.conversation
    transcript = replace(conversation.transcript, duration_s=None)
    unknown = replace(record, conversation=replace(conversation, transcript=transcript))
    with Store(tmp_path / "qa.duckdb") as store:
        store.load([unknown])
        export.write(store, tmp_path / "packet", "html")
    page = opened(chromium, tmp_path / "packet" / "index.html")
    open_call(page, "call-000")
    wait_for(lambda: every(page, ".marks .mark"))
    width = find(page, ".marks").size["width"]
    ends = max(turn.end_s or 0 for turn in transcript.turns)
    marks = every(page, ".marks .mark")
    clocks = [m.get_attribute("title").rpartition(" ")[2].split(":") for m in marks]
    drawn = [float(m.value_of_css_property("left")[:-2]) for m in marks]
    told = [(60 * int(minutes) + int(seconds)) / ends * width for minutes, seconds in clocks]
    assert drawn == pytest.approx([min(max(at, 12), width - 12) for at in told], abs=width / ends)
    assert {"31,95,174", "162,72,12"} <= set(page.execute_script(CANVAS_COLOURS))


def test_the_keyboard_is_enough(page: Any) -> None:
    """Search, open, next evidence, back: without a pointer."""
    body = find(page, "body")
    body.send_keys("/")
    assert page.switch_to.active_element.get_attribute("id") == "search"
    page.switch_to.active_element.send_keys("call-001\t")
    find(page, "a.call").send_keys("\ue007")
    wait_for(lambda: every(page, ".player"))
    find(page, "body").send_keys("e")
    wait_for(lambda: float(find(page, ".wave").get_attribute("aria-valuenow")) > 0)
    find(page, "body").send_keys("\ue00c")
    wait_for(lambda: every(page, "#rows tr"))


def test_nothing_a_caller_says_runs_and_nothing_is_fetched(page: Any) -> None:
    """Hostile words are shown as words; the console is clean and every request stays in the folder."""
    for target in (
        "#call=call-003",
        "#agents",
        "#criteria",
        "#call=%3Cimg%20src%3Dx%20onerror%3Dpwned%3D1%3E",
    ):
        go_to(page, target)
    assert page.execute_script("return window.pwned") is None
    assert not every(page, "main img")
    assert not [entry for entry in page.get_log("browser") if entry["level"] in {"SEVERE", "WARNING"}]
    requests = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    urls = {r["params"]["request"]["url"] for r in requests if r["method"] == "Network.requestWillBeSent"}
    assert urls
    assert all(url.startswith(("file:", "data:", "blob:")) for url in urls)


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine calls with a graded criterion: an open packet with reviews on record, and a blind one."""
    root = tmp_path_factory.mktemp("graded")
    with Store(root / "qa.duckdb") as store:
        store.load(graded_records(9), [GRADED])
        said = [
            graded_review(n, min(2, n % 3 + n // 6), by=who) for n in range(9) for who in ("Amira", "Tom")
        ]
        at = said[0].reviewed_at
        dispute = Review("d", "call-002", GRADED.hash, None, None, None, "Zoë", at, "bad line", "disputed")
        store.save_reviews([*said, dispute])
        export.write(store, root / "open", "html")
        export.write(store, root / "blind", "html", blind=True)
    return root


def test_a_grade_is_given_by_keyboard_and_a_dispute_decided(chromium: Any, graded: Path) -> None:
    """From what was missed to its place, its drop-down and the decision, without a pointer."""
    page = opened(chromium, graded / "open" / "index.html")
    open_call(page, "call-002")
    find(page, ".missed .chip").send_keys("\ue007")
    criterion = page.switch_to.active_element
    assert "How far did the agent" in criterion.text
    assert "Amira, 03 Nov 2026: none of these" in criterion.text
    answer = find(criterion, "select")
    offered = [option.text for option in every(answer, "option")]
    assert offered[1:] == [
        "named the feeling, and why",
        "said sorry",
        "none of these (agree)",
        "does not apply",
    ]
    answer.send_keys("said")
    decision = find(page, ".form select")
    assert "Disputed: I overturn the result (supervisor)" in decision.text
    choose(page, decision, "overturned")
    path = downloaded(page, "Boss", by_keyboard=True)
    with Store(graded / "qa.duckdb") as store:
        assert import_reviews(store, [path], privacy=PrivacySettings()).stored == 2
        by_boss = [(r.said, r.state) for r in store.reviews() if r.reviewer == "Boss"]
    assert sorted(by_boss, key=str) == [("said sorry", "submitted"), (None, "overturned")]


def desk_packet(chromium: Any, folder: Path) -> tuple[Path, Path, Any]:
    """The database of ``desk``, its rubric's file, and its packet in the browser."""
    db, form = desk(folder / "qa.duckdb"), folder / "desk.yaml"
    form.write_text(FORM)
    with Store(db) as store:
        export.write(store, folder / "packet", "html")
    return db, form, opened(chromium, folder / "packet" / "index.html")


def test_marked_quotes_are_kept_downloaded_and_learnt_from(chromium: Any, tmp_path: Path) -> None:
    """Mark, take back, mark, reload, download: tune proposes the words, import tells of them."""
    db, form, page = desk_packet(chromium, tmp_path)
    open_call(page, "a")
    buttons = lambda: every(page, "[aria-label*='bear with me one moment'] .means")  # noqa: E731
    means, misses = buttons()
    assert (means.text, misses.text) == ("means it", "does not")
    for press, marked in ((means, 1), (means, 0), (means, 1), (misses, 1)):
        press.send_keys("\ue007")
        assert find(page, "#download").text == f"Download review ({marked})"
    page.refresh()
    wait_for(buttons)
    assert [button.get_attribute("aria-pressed") for button in buttons()] == ["false", "true"]
    path = downloaded(page, "Marker")
    code, out, err = invoke("rubric", "tune", str(form), "--db", str(db), "--marks", str(path))
    assert (code, '+          unless: ["bear with me one moment"]' in out) == (0, True), err
    code, out, err = invoke("review", "import", str(path), "--db", str(db))
    assert (code, out) == (0, "0 stored, 0 already known, 0 not kept\n")
    assert f"marked in {path}: 1; next: callqa rubric tune" in " ".join(err.split())


def test_words_the_machine_missed_are_selected_downloaded_and_learnt_from(
    chromium: Any, tmp_path: Path
) -> None:
    """A reviewer corrects a no to yes and selects the words; tune proposes them as a phrase."""
    db, form, page = desk_packet(chromium, tmp_path)
    open_call(page, "c")
    field = find(page, "[aria-label^='Words of the call that meet it, Did the agent ask']")
    assert not field.is_displayed()
    answer = find(page, "[aria-label^='Your answer, Did the agent ask']")
    answer.send_keys("yes")
    assert field.is_displayed()
    field.send_keys("in three ticks\t")
    assert find(page, ".own [role=alert]").text == "these words are not in one turn of the transcript"
    assert find(page, "#download").text == "Download review (1)"
    field.clear()
    page.execute_async_script(
        "document.addEventListener('selectionchange', arguments[0], {once: true});"
        "const words = document.querySelector('#turn-0 .said').firstChild;"
        "document.getSelection().setBaseAndExtent(words, 0, words, 22);"
    )
    field.click()
    wait_for(lambda: field.get_attribute("value") == ODD[:22])
    assert find(page, "#download").text == "Download review (2)"
    for word, entries in (("no", 1), ("yes", 1)):
        choose(page, answer, word)
        assert (find(page, "#download").text, field.get_attribute("value")) == (
            f"Download review ({entries})", "",
        )  # fmt: skip
    field.send_keys(ODD[:22], "\t")
    assert find(page, "#download").text == "Download review (2)"
    path = downloaded(page, "Picker")
    code, out, err = invoke("rubric", "tune", str(form), "--db", str(db), "--marks", str(path))
    assert (code, f'+            - "{ODD[:22]}"' in out) == (0, True), err


def test_two_people_who_share_a_browser_sign_their_own_answers(chromium: Any, graded: Path) -> None:
    """Another name brings an empty form, the first name its own again; a corrected name keeps them."""
    page = opened(chromium, graded / "open" / "index.html")

    def sign(name: str) -> None:
        field = find(page, "#reviewer")
        field.clear()
        field.send_keys(name, "\ue004")

    def press(words: str) -> None:
        buttons = wait_for(lambda: every(page, "dialog[open] button"))
        next(button for button in buttons if words in button.text).click()
        wait_for(lambda: not every(page, "dialog"))

    def answer() -> Any:
        return every(page, ".criterion select")[1]

    open_call(page, "call-001")
    choose(page, answer(), "said sorry")
    sign("Amira Kan")
    sign("Amira Khan")
    press("Mine")
    sign("Ben")
    press("keep them apart")
    assert (answer().get_attribute("value"), find(page, "#download").text) == ("", "Download review (0)")
    choose(page, answer(), "none of these")
    path = downloaded(page)
    said = json.loads(path.read_text("utf-8"))
    assert (said["reviewer"], [a["answer"] for a in said["answers"]]) == ("Ben", ["none of these"])
    sign("amira khan")
    press("keep them apart")
    assert answer().get_attribute("value") == "said sorry"
    sign("Ben")
    wait_for(lambda: every(page, "dialog[open]"))
    page.switch_to.active_element.send_keys("\ue00c")
    wait_for(lambda: not every(page, "dialog"))
    assert find(page, "#reviewer").get_attribute("value") == "amira khan"


def test_a_blind_packet_shows_no_answer_and_says_so_when_it_returns(chromium: Any, graded: Path) -> None:
    """Nothing of what the machine or people concluded is even in the file; the download names the session."""
    text = (graded / "blind" / "index.html").read_text("utf-8")
    data = text[text.index('id="packet"') : text.rindex("<script>")]
    assert not [word for word in ('"answer"', '"outcome"', "Amira", '"evidence"', '"score"') if word in data]
    page = opened(chromium, graded / "blind" / "index.html")
    assert [tab.text for tab in every(page, "nav a")] == ["Calls"]
    open_call(page, "call-001")
    assert not every(page, ".criterion .line > .badge, .quote, .mark.yes")
    choose(page, every(page, ".criterion select")[1], "said sorry")
    path = downloaded(page, "Blind Ben")
    with Store(graded / "qa.duckdb") as store:
        assert import_reviews(store, [path], privacy=PrivacySettings()).stored == 1
        (review,) = [r for r in store.reviews() if r.reviewer == "Blind Ben"]
    assert review.extra["blind"] == json.loads(path.read_text("utf-8"))["packet"]


def test_agreement_is_shown_with_its_intervals_and_what_it_does_to_scores(
    chromium: Any, graded: Path
) -> None:
    """Weighted κ, people against each other, score deviations, and a plot."""
    page = opened(chromium, graded / "open" / "index.html")
    page.execute_script("location.hash = 'agreement'")
    wait_for(lambda: every(page, ".plot circle"))
    text = find(page, "main").text
    assert "weighted" in text
    assert "not blind" in text
    assert "people's answers move a score by" in text


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "target",
    ["open#", "open#call=call-002", "open#agents", "open#criteria", "open#agreement", "blind#call=call-001"],
)
def test_accessibility_by_axe(chromium: Any, graded: Path, target: str, theme: str) -> None:
    """axe-core finds no violation of WCAG 2.2 A or AA."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: npm install --no-save axe-core")
    packet, place = target.split("#")
    page = opened(chromium, graded / packet / "index.html")
    page.execute_script("localStorage.setItem('callqa-theme', arguments[0])", theme)
    page.refresh()
    go_to(page, f"#{place}")
    page.execute_script(AXE.read_text("utf-8"))
    found = page.execute_async_script(
        "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })"
        ".then((r) => arguments[0](r.violations.map((v) => [v.id, v.nodes.length, v.nodes[0].html])))"
    )
    assert found == []


def test_a_narrow_screen_needs_no_sideways_scrolling(page: Any) -> None:
    """At the width of a telephone the page fits."""
    page.set_window_size(500, 900)
    try:
        for target in ("#", "#call=call-001", "#agents"):
            go_to(page, target)
            wide, seen = page.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
            assert wide <= seen
    finally:
        page.set_window_size(1400, 1000)


def test_a_single_file_carries_its_recordings(chromium: Any, folder: Path) -> None:
    """report.html alone plays: the recording is inside it."""
    chromium.get((folder / "report.html").as_uri() + "#call=call-001")
    wait_for(lambda: every(chromium, "#play:not([disabled])"))
    find(chromium, ".quote[data-at]").click()
    wait_for(lambda: "Pause" in find(chromium, "#play").text)
    assert find(chromium, "#noaudio").text == ""


RATES = """
const play = HTMLMediaElement.prototype.play;
window.rates = [];
HTMLMediaElement.prototype.play = function () { rates.push(this.playbackRate); return play.call(this); };
location.hash = "";
"""


def test_the_speed_stays_from_call_to_call(chromium: Any, folder: Path) -> None:
    """Whoever listens at 1.5 does not choose it anew for each call."""
    chromium.get((folder / "report.html").as_uri() + "?#call=call-001")
    wait_for(lambda: every(chromium, "#play:not([disabled])"))
    choose(chromium, find(chromium, "[aria-label='Speed']"), "1.5")
    chromium.execute_script(RATES)
    wait_for(lambda: every(chromium, "#rows tr"))
    open_call(chromium, "call-001")
    find(chromium, "#play").click()
    wait_for(lambda: "Pause" in find(chromium, "#play").text)
    assert find(chromium, "[aria-label='Speed']").get_attribute("value") == "1.5"
    assert chromium.execute_script("return rates") == [1.5]
