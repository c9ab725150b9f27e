"""The composer: every file ends in exactly one row, and nothing is done twice."""

import errno
import signal
import stat
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipeline import errors, rubric
from pipeline.conversation import AudioClip, CallMetadata, CallRecord, LedgerEntry, Received, Transcript
from pipeline.errors import MachineError, ModelError, RecordingError, UsageError
from pipeline.process import calls, loop, prefetch
from pipeline.process.batch import Batch, Tally, Unobserved, plan
from pipeline.process.cache import StageCache, folder_name
from pipeline.process.calls import open_file, process_group, transcribe
from pipeline.process.files import annotate_files, score_files, transcribe_file
from pipeline.process.loop import Done, Steps, run_batch
from pipeline.process.prefetch import Prefetch
from pipeline.process.prepare import prepare
from pipeline.process.stages import Stages
from pipeline.process.state import CallState
from pipeline.settings import FlowSettings, load_settings
from pipeline.store import Store
from pipeline.transcribe import Job
from tests.command import write_calls
from tests.fakes import FakeEngine, fake_clip, fake_received, fake_stages, faulty_batch


class FakeStore:
    """A store that remembers records by path."""

    def __init__(self) -> None:
        self.records: dict[str, CallRecord] = {}
        self.loads: list[int] = []

    def load(self, records: Sequence[CallRecord]) -> None:
        """One transaction."""
        self.loads.append(len(records))
        self.records |= {r.ledger.path: r for r in records}

    @property
    def ledger(self) -> dict[str, LedgerEntry]:
        """What a re-run may skip."""
        return {path: record.ledger for path, record in self.records.items()}

    def content(self) -> dict[str, object]:
        """Everything but times of work."""
        return {p: (r.ledger, r.metadata, r.conversation, r.scorecards) for p, r in self.records.items()}


MIXED = {"a.wav": "one", "b.wav": "bad", "c.wav": "three", "d.wav": "short", "e.wav": "five"}


@pytest.fixture(autouse=True)
def _no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "RETRY_DELAYS_S", (0.0, 0.0))


def in_pairs(
    received: Sequence[Received], stages: Stages, store: FakeStore, folder: Path, **more: Any
) -> Batch:
    """A batch in groups of two of what is new."""
    job = plan(received, store.ledger, stages.fingerprints)
    settings = {"load": store.load, "flow": FlowSettings(window=2), **more}
    return Batch(job, lambda: stages, StageCache(folder / "state"), **settings)


def run(
    received: Sequence[Received], store: FakeStore, tmp_path: Path, engine: FakeEngine | None = None
) -> Tally:
    """Run a batch with an engine."""
    return run_batch(in_pairs(received, fake_stages(engine), store, tmp_path))


def test_every_file_ends_in_one_row(tmp_path: Path) -> None:
    """Good files are scored, bad ones quarantined or skipped with a reason, and the tally adds up."""
    store = FakeStore()
    tally = run(fake_received(tmp_path, MIXED), store, tmp_path)

    assert [r.ledger.status for r in store.records.values()] == [
        "scored",
        "quarantined",
        "scored",
        "skipped",
        "scored",
    ]
    assert tally.files == 5
    assert tally.exit_code == 3
    assert tally.reasons == {("quarantined", "not_audio"): 1, ("skipped", "too_short"): 1}
    assert store.records[str(tmp_path / "b.wav")].ledger.hint == "ask for it again"
    assert store.loads == [2, 2, 1]


@pytest.mark.parametrize(
    ("call", "reason", "hint"),
    [
        (CallMetadata("a", direction="internal"), "internal_call", "an internal call"),
        (CallMetadata("a", queue="1509", direction="inbound"), "no_rubric", 'queues = {"1509" = "..."}'),
        (CallMetadata("a", queue="sales"), "no_rubric", "support: queue is sales, the rubric is for support"),
    ],
)  # fmt: skip
def test_a_call_that_no_rubric_is_for_says_why(
    tmp_path: Path, call: CallMetadata, reason: str, hint: str
) -> None:
    """An internal call is a reason of its own; a queue that is only a number may be given its name."""
    received = [replace(fake_received(tmp_path, {"a.wav": "one"})[0], metadata=call)]
    support = rubric.load("support")
    stages = replace(fake_stages(), rubrics=(support,), score=lambda asked: [() for _ in asked])
    store = FakeStore()
    run_batch(in_pairs(received, stages, store, tmp_path))

    entry = store.records[str(received[0].path)].ledger
    assert (entry.status, entry.reason) == ("skipped", reason)
    assert hint in str(entry.hint)


def test_a_second_run_does_nothing_and_exits_the_same(tmp_path: Path) -> None:
    """Known files are not touched again, and the exit code still tells of the quarantined one."""
    store, engine = FakeStore(), FakeEngine()
    received = fake_received(tmp_path, MIXED)
    run(received, store, tmp_path, engine)
    again = run(received, store, tmp_path, engine)

    assert again.processed == 0
    assert again.exit_code == 3
    assert engine.calls == ["a", "c", "e"]


def test_new_answers_do_not_need_a_new_transcript(tmp_path: Path) -> None:
    """With another rubric the kept transcript is scored again and the engine is left alone."""
    store, engine = FakeStore(), FakeEngine()
    received = fake_received(tmp_path, {"a.wav": "one"})
    run(received, store, tmp_path, engine)
    stages = fake_stages(engine, answers="another rubric")
    tally = run_batch(in_pairs(received, stages, store, tmp_path))

    assert tally.statuses == {"scored": 1}
    assert engine.calls == ["a"]


def test_new_metadata_is_loaded_without_transcribing_again(tmp_path: Path) -> None:
    """A corrected agent name scores again the call from the kept transcript."""
    store, engine = FakeStore(), FakeEngine()
    received = fake_received(tmp_path, {"a.wav": "one"})
    run(received, store, tmp_path, engine)
    corrected = [replace(received[0], metadata=CallMetadata("a", agent_id="a2"))]
    tally = run(corrected, store, tmp_path, engine)

    assert tally.processed == 1
    assert engine.calls == ["a"]
    record = store.records[str(received[0].path)]
    assert record.metadata.agent_id == "a2"


def test_a_kill_between_groups_loses_nothing(tmp_path: Path) -> None:
    """After a death in the second load, the next run gives the same content as an undisturbed one."""
    received = fake_received(tmp_path, {f"{n}.wav": f"call {n}" for n in range(7)})
    undisturbed, killed = FakeStore(), FakeStore()
    run(received, undisturbed, tmp_path / "one")

    class Killed(BaseException):
        """Stands for SIGKILL."""

    def dying_load(records: Sequence[CallRecord]) -> None:
        if killed.loads:
            raise Killed
        killed.load(records)

    with pytest.raises(Killed):
        run_batch(in_pairs(received, fake_stages(), killed, tmp_path / "two", load=dying_load))
    engine = FakeEngine()
    run(received, killed, tmp_path / "two", engine)

    assert killed.content() == undisturbed.content()
    assert len(engine.calls) < 5  # transcripts finished before the kill were kept


def test_one_call_that_breaks_the_engine_does_not_take_its_group_along(tmp_path: Path) -> None:
    """A bug on one call becomes a failed row that names type and place, and the next run tries again."""
    store = FakeStore()
    engine = FakeEngine({"b": [ValueError("customer text"), ValueError("customer text")]})
    received = fake_received(tmp_path, {"a.wav": "1", "b.wav": "2"})
    tally = run(received, store, tmp_path, engine)

    row = store.records[str(tmp_path / "b.wav")].ledger
    assert tally.statuses == {"scored": 1, "failed": 1}
    assert (row.stage, row.reason, row.fingerprint) == ("transcribe", "internal", "")
    assert row.error.startswith("ValueError at fakes.py:")
    assert "customer" not in row.error
    assert run(received, store, tmp_path, engine).statuses == {"scored": 2}


def test_transient_faults_are_tried_again_and_bad_input_is_not(tmp_path: Path) -> None:
    """An I/O error passes on the second try; a refused recording is asked for once."""
    store = FakeStore()
    engine = FakeEngine(
        {
            "a": [OSError(errno.EIO, "a transient fault")],
            "b": [RecordingError("no speech", reason="no_speech")],
        }
    )
    tally = run(fake_received(tmp_path, {"a.wav": "1", "b.wav": "2"}), store, tmp_path, engine)

    assert tally.statuses == {"scored": 1, "skipped": 1}
    assert tally.exit_code == 0


def test_sound_without_room_fails_its_call_alone_and_is_tried_again(tmp_path: Path) -> None:
    """Where long sound waits there may be no room tonight; the other calls need none."""
    store, full = FakeStore(), [RecordingError("no room in /tmp", reason="no_room")]

    def load_audio(item: Received) -> AudioClip:
        if item.path.name == "b.wav" and full:
            raise full.pop()
        return fake_clip(item)

    stages = fake_stages(load_audio=load_audio)
    received = fake_received(tmp_path, {"a.wav": "1", "b.wav": "2"})

    first = run_batch(in_pairs(received, stages, store, tmp_path))
    assert (first.statuses, first.exit_code) == ({"scored": 1, "failed": 1}, 3)
    assert run_batch(in_pairs(received, stages, store, tmp_path)).statuses == {"scored": 2}


@pytest.mark.parametrize("early", ["a.wav", "c.wav"])
def test_sound_is_opened_while_the_engine_loads_and_is_at_the_group_before(
    tmp_path: Path, early: str
) -> None:
    """The engine need not wait for sound; a fault meanwhile is no fault of the file."""
    opened, faults = threading.Event(), [OSError(errno.EIO, "a transient fault")]

    def load_audio(received: Received) -> AudioClip:
        if received.path.name == early:
            opened.set()
            if faults:
                raise faults.pop()
        return fake_clip(received)

    class Waiting(FakeEngine):
        def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | RecordingError]:
            assert opened.wait(10)
            return super().transcribe(jobs)

    stages = fake_stages(Waiting(), load_audio)
    received = fake_received(tmp_path, {n + ".wav": n for n in "abcd"})
    job = in_pairs(received, stages, FakeStore(), tmp_path)

    if early == "a.wav":
        job.warm_up()
    assert run_batch(job).statuses == {"scored": 4}
    assert not faults


def test_sound_beside_the_engine_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of long recordings few are opened ahead, and none waits to be scored with its sound."""
    enough = threading.Semaphore(0)

    def load_audio(received: Received) -> AudioClip:
        enough.release()
        return fake_clip(received)

    stages, cache = fake_stages(load_audio=load_audio), StageCache(tmp_path / "state")
    received = tuple(fake_received(tmp_path, {n + ".wav": n for n in "abcd"}))
    size = fake_clip(received[0]).samples.nbytes
    monkeypatch.setattr(prefetch, "PREFETCH_BYTES", size + 1)
    found = []
    with Prefetch([received[:1], received[1:]], partial(open_file, stages=stages, cache=cache)) as groups:
        assert enough.acquire(timeout=10)
        for _, files in groups:
            found.append(sum(isinstance(one, CallState) for one in files))
            assert all(enough.acquire(timeout=10) for _ in range(2 if len(found) == 1 else 0))
    heard = transcribe(received, stages, cache)

    assert found == [1, 2]
    assert [one.clip for one in heard] == [None] * 4
    assert len(list(cache.calls_dir.iterdir())) == 4


def test_a_group_of_long_recordings_is_transcribed_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As much sound is opened and transcribed at once as fits; every call is in its place."""
    monkeypatch.setattr(calls, "cores", lambda: 1)
    received = tuple(fake_received(tmp_path, {n + ".wav": n for n in "abcde"}))
    monkeypatch.setattr(calls, "TOGETHER_BYTES", 2 * fake_clip(received[0]).samples.nbytes)
    engine = FakeEngine()
    heard = transcribe(received, fake_stages(engine=engine), StageCache(tmp_path / "state"))

    assert engine.job_counts == [2, 2, 1]
    assert [one.received for one in heard] == list(received)
    assert all(one.transcript for one in heard)


def test_a_group_that_never_works_does_not_fail_the_batch(tmp_path: Path) -> None:
    """After every retry its files are failed rows, and the other groups are scored."""
    store = FakeStore()
    engine = FakeEngine({"a": [OSError(errno.EIO, "a transient fault")] * 3})
    received = fake_received(tmp_path, {n + ".wav": n for n in "abcd"})
    tally = run(received, store, tmp_path, engine)

    assert tally.statuses == {"failed": 2, "scored": 2}
    assert run(received, store, tmp_path, engine).statuses == {"scored": 4}


@pytest.mark.parametrize("step", ["transcribe", "score", "load"])
@pytest.mark.parametrize(("n_faults", "expected"), [(2, {"scored": 3}), (3, {"failed": 2, "scored": 1})])
def test_every_step_is_tried_three_times(
    tmp_path: Path, step: str, n_faults: int, expected: dict[str, int]
) -> None:
    """Two faults of the machine cost nothing; after three the group's files are failed rows."""
    faults: list[Exception] = [OSError(errno.EIO, "a transient fault") for _ in range(n_faults)]

    assert run_batch(faulty_batch(tmp_path, step, faults)).statuses == expected


def test_a_group_that_cannot_be_loaded_for_a_bug_is_failed_rows_at_once(tmp_path: Path) -> None:
    """A fault that a retry cannot fix is not tried again; the other groups are loaded."""
    job = faulty_batch(tmp_path, "load", [ValueError("customer text")])

    assert run_batch(job).statuses == {"failed": 2, "scored": 1}
    assert "customer" not in str(job.tally.summary())


def test_a_store_that_takes_nothing_ends_the_batch(tmp_path: Path) -> None:
    """Where not even failed rows can be loaded, a person has to look; nothing counts as done."""
    faults: list[Exception] = [OSError(errno.EIO, "a transient fault") for _ in range(4)]
    job = faulty_batch(tmp_path, "load", faults)

    with pytest.raises(MachineError, match="cannot be loaded"):
        run_batch(job)
    assert job.tally.files == 0


class InterruptedSteps(Steps):
    """Ctrl-C comes during a step, and the library around it raises an error of its own, or none."""

    def __init__(self, during: str, error: Exception | None) -> None:
        self._during, self._error = during, error

    def do(self, step: str, group: str, work: Callable[[], Done]) -> Done:
        """Run the step."""
        done = work()
        if step == self._during:
            errors.SIGNALS.append(signal.SIGINT)
            if self._error:
                raise self._error
        return done


@pytest.mark.parametrize("step", ["transcribe", "score"])
@pytest.mark.parametrize("error", [ValueError("Task run is not set"), None])
def test_an_interrupt_that_a_library_swallows_ends_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: Exception | None
) -> None:
    """No healthy call becomes a failed row, and the batch does not go on to its end."""
    monkeypatch.setattr(errors, "SIGNALS", [])
    store = FakeStore()
    received = fake_received(tmp_path, {n + ".wav": n for n in "abcdefgh"})

    with pytest.raises(KeyboardInterrupt):
        run_batch(in_pairs(received, fake_stages(), store, tmp_path), InterruptedSteps(step, error))
    assert {record.ledger.status for record in store.records.values()} <= {"scored"}
    assert len(store.records) < len(received)


class BusyWorkers(Executor):
    """Workers that never finish a group; the third one submitted is interrupted, as Ctrl-C does."""

    def __init__(self) -> None:
        self.submitted = 0

    def submit(self, work: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """A future that never ends."""
        self.submitted += 1
        if self.submitted == 3:
            raise KeyboardInterrupt
        return Future()


def test_ending_a_batch_waits_for_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker may need minutes for its group, and systemd kills what has not ended after 90 seconds."""
    monkeypatch.setattr(loop, "open_workers", lambda flow: nullcontext(BusyWorkers()))
    received = fake_received(tmp_path, {n + ".wav": n for n in "abc"})
    flow = FlowSettings(window=1, runner="process", processes=2)
    job = in_pairs(received, fake_stages(), FakeStore(), tmp_path, flow=flow)

    ended = threading.Event()

    def interrupted() -> None:
        with suppress(KeyboardInterrupt):
            run_batch(job)
        ended.set()

    threading.Thread(target=interrupted, daemon=True).start()
    assert ended.wait(20)


@pytest.mark.parametrize("fault", [ModelError("weights are gone"), MachineError("disk full")])
def test_what_a_person_must_mend_first_ends_the_batch(tmp_path: Path, fault: Exception) -> None:
    """Missing weights or a full disk are not the fault of any call."""
    with pytest.raises(type(fault)):
        run(fake_received(tmp_path, {"a.wav": "1"}), FakeStore(), tmp_path, FakeEngine({"a": [fault]}))


def test_erased_calls_stay_erased(tmp_path: Path) -> None:
    """A purged recording that still lies in the folder is not processed again."""
    received = fake_received(tmp_path, {"a.wav": "1"})
    row = LedgerEntry(str(received[0].path), received[0].sha256, "a", "purged")

    assert plan(received, {row.path: row}, fake_stages().fingerprints).pending == ()


def test_changed_audio_under_the_same_name_is_new_work(tmp_path: Path) -> None:
    """The content counts, not the name."""
    store = FakeStore()
    run(fake_received(tmp_path, {"a.wav": "one"}), store, tmp_path)
    again = run(fake_received(tmp_path, {"a.wav": "two"}), store, tmp_path)

    assert again.processed == 1


def test_a_file_that_holds_another_conversation_is_said_before_the_run(tmp_path: Path) -> None:
    """Its former call stays and counts; which one, and what to do if it is the same call, is in the note."""
    folder, at = write_calls(tmp_path / "calls", 1), {"db": str(tmp_path / "qa.duckdb")}
    file = folder / "call-000.json"
    words = file.read_text().replace('"call_id"', '"x"')

    def notes(content: str) -> tuple[str, ...]:
        file.write_text(content)
        batch = prepare([folder], load_settings(None, score={"rubrics": ["support"]}, store=at))
        run_batch(batch)
        return batch.notes

    assert notes(words) == ()
    (said,) = notes(words.replace("my card", "my other card"))
    assert said.startswith("1 of 1 files hold other content than when they were scored, e.g. call-000.json; ")
    former = said.rpartition(" ")[2]
    with Store(at["db"]) as store:
        assert former in {call.call_id for call, _ in store.conversations()}
    assert notes(file.read_text()) == ()


def test_nothing_is_kept_of_an_erased_call_that_shared_its_id(tmp_path: Path) -> None:
    """The store tells two recordings of one id apart; what is kept lies under the id that they came with."""
    cache = StageCache(tmp_path / "state")
    received = fake_received(tmp_path, {"a.wav": "one"})
    process_group(received, fake_stages(), cache)
    row = LedgerEntry(str(received[0].path), received[0].sha256, "a~0123abcd", "scored")

    assert plan(received, {row.path: row}, fake_stages().fingerprints).new_ids == {}
    assert cache.erase("a~0123abcd")
    assert list(cache.calls_dir.iterdir()) == []


def test_kept_transcripts_are_private_and_whole(tmp_path: Path) -> None:
    """Folder 0700, file 0600, no partial files; a damaged one is made again."""
    cache = StageCache(tmp_path / "state")
    received = fake_received(tmp_path, {"a.wav": "one"})
    process_group(received, fake_stages(), cache)
    (kept,) = cache.calls_dir.rglob("*.json")

    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert [p.name for p in kept.parent.iterdir()] == [kept.name]
    kept.write_text("{")
    engine = FakeEngine()
    process_group(received, fake_stages(engine), cache)
    assert engine.calls == ["a"]
    assert cache.erase("a")
    assert not kept.parent.exists()


@pytest.mark.parametrize(
    "hostile", ["../../etc/passwd", "/abs", "a/b", ".hidden", "", "x" * 500, "naïve", "a\0b"]
)
def test_a_hostile_call_id_stays_inside_the_state_folder(tmp_path: Path, hostile: str) -> None:
    """No call id leads out of its folder or past what a file system takes."""
    name = folder_name(hostile)

    assert "/" not in name
    assert not name.startswith(".")
    assert 0 < len(name) <= 80
    assert (tmp_path / name).resolve().parent == tmp_path.resolve()


def test_the_observer_hears_of_each_file_once(tmp_path: Path) -> None:
    """Progress is told after the load, in order."""
    told: list[str] = []

    class Listening(Unobserved):
        def finished(self, record: CallRecord) -> None:
            told.append(Path(record.ledger.path).name)

    received = fake_received(tmp_path, MIXED)
    run_batch(in_pairs(received, fake_stages(), FakeStore(), tmp_path, observer=Listening()))
    assert told == list(MIXED)


def test_two_rubrics_of_one_name_are_said_before_the_run(tmp_path: Path) -> None:
    """Two clients' copies of the shipped rubric would be taken for versions of one."""
    text = rubric.load("support").text
    files = []
    for client in ("acme", "globex"):
        files.append(str(tmp_path / f"{client}.yaml"))
        Path(files[-1]).write_text(text.replace("applies_to:", f"applies_to:\n  client: [{client}]"), "utf-8")

    def notes(*names: str) -> tuple[str, ...]:
        at = {"db": str(tmp_path / "q.duckdb")}
        return prepare([tmp_path], load_settings(None, score={"rubrics": names}, store=at)).notes

    (said,) = notes(*files)
    assert said.startswith(f"{files[0]} and {files[1]} are both called 'support'")
    assert notes(files[0], files[0]) == ()


def test_queues_that_no_rubric_is_for_are_said_before_the_run(tmp_path: Path) -> None:
    """A telephone system knows numbers, rubrics names; a night of no_rubric is seen at once."""
    files = {f"q-{number}-7205551234-20230105-101530-167293173{at}.55.wav": str(at) for at, number in
             enumerate(["1509", "1509", "support"])}  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt " + content.encode())

    def notes(**intake: object) -> tuple[str, ...]:
        values = {"filename_template": "freepbx", "timezone": "America/New_York", **intake}
        return prepare(
            [tmp_path], load_settings(None, intake=values, store={"db": str(tmp_path / "q.duckdb")})
        ).notes

    (said,) = notes()
    assert "2 of 3 calls are of queues 1509, which no rubric is for" in said
    assert notes(queues={"1509": "support"}) == ()


def test_calls_that_no_rubric_is_for_are_said_before_the_run(tmp_path: Path) -> None:
    """Recordings without metadata and a rubric for one queue: a night's work would end in no scorecard."""
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt " + name.encode())

    def notes(*rubrics: str) -> tuple[str, ...]:
        at = {"db": str(tmp_path / "q.duckdb")}
        return prepare([tmp_path], load_settings(None, score={"rubrics": rubrics}, store=at)).notes

    (said,) = notes("retention")
    assert said.startswith(
        "no rubric is for 2 of 2 calls, so they will not be scored (retention: queue is not known"
    )
    assert notes("retention", "support") == ()  # support takes calls of an unknown queue


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    """`callqa transcribe FOLDER` printed one of its calls, and `annotate FOLDER` an internal error."""
    write_calls(tmp_path, 2)
    settings = load_settings(None)
    commands = (
        lambda: transcribe_file(tmp_path, settings),
        lambda: list(annotate_files([tmp_path], settings)),
        lambda: list(score_files([tmp_path], "support", settings)),
    )
    for command in commands:
        with pytest.raises(UsageError, match="is a folder, not a file") as caught:
            command()
        assert "callqa run" in caught.value.hint
