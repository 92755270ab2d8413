"""Real PromptKit recordings out of the archive again: played, told as a timeline, added to."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from vault.formats.promptkit_writer import Options
from vault.operations import fetch, retrieve
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.export import Request, export
from vault.operations.records import Choice
from vault.operations.retrieve import Opened
from vault.operations.room import Room
from vault.replay.player import PlaybackState, Player, Signal
from vault.replay.tracks import tracks

SECOND = 1_000_000_000
CALL = "pk-dev-interruption"
#: The smallest picture there is in the format.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000" + "1f15c4890000000a49444154789c63"
    "000100000500010d0a2db40000000049454e44ae426082"
)


@pytest.fixture
def call(fixtures_folder: Path, tmp_path: Path) -> Path:
    """A recording with its blobs and annotations, which may be added to."""
    source, place = fixtures_folder / "promptkit" / CALL, tmp_path / CALL
    for path in (p for p in source.rglob("*") if p.is_file() and p.suffix in {".json", ".pcm"}):
        target = place / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    (place / "expected_replay.json").unlink()
    return place / f"{CALL}.recording.json"


def put(room: Room, path: Path) -> Opened:
    (one,) = deposit(room, [path], Terms(), wait=False).sessions
    return Opened(room, retrieve.session(room, one.id))


def exported(room: Room, opened: Opened, out: Path, **how: Any) -> bytes:
    export(room, Choice([opened.row.id]), Request(**how), out)
    return out.read_bytes()


def test_a_real_call_plays_on_after_every_pause_and_tells_each_event_once(
    room: Room, call: Path
) -> None:
    opened, clock = put(room, call), [0]
    stated = json.loads(call.read_text())["events"]
    play = Player(opened.timeline(), opened.row.duration_ns, clock=lambda: clock[0])
    told: list[int] = []
    ticks: list[int] = []
    play.on(Signal.EVENT, lambda _, event: told.append(event.seq if event else -1))
    play.on(Signal.POSITION, lambda at, _: ticks.append(at))
    play.speed = 2
    play.play()
    for second in range(1, 9):
        clock[0] += SECOND
        play.tick()
        assert play.position_ns == min(2 * second * SECOND, play.duration_ns)
        play.pause()
        heard = len(told), len(ticks)
        clock[0] += 3600 * SECOND  # an hour of pause is none of the call
        assert play.tick() == ()
        assert (len(told), len(ticks)) == heard
        play.resume()
    clock[0] += SECOND
    play.tick()
    assert (play.state, play.position_ns) == (PlaybackState.STOPPED, play.duration_ns)
    assert ticks == sorted(ticks)
    assert told == [e["seq"] for e in sorted(stated, key=lambda e: (e["offset"], e["seq"]))]


def test_steps_from_event_to_event_of_a_real_call_give_each_once(room: Room, call: Path) -> None:
    opened = put(room, call)
    stated = sorted((e["offset"], e["seq"]) for e in json.loads(call.read_text())["events"])
    play = Player(opened.timeline(), opened.row.duration_ns)
    steps = [play.advance_to(at) for at, _ in stated]
    assert [event.seq for step in steps for event in step] == [seq for _, seq in stated]


def test_a_real_call_is_told_as_a_timeline_and_as_captions(
    room: Room, call: Path, tmp_path: Path
) -> None:
    opened, stated = put(room, call), json.loads(call.read_text())
    document = json.loads(exported(room, opened, tmp_path / "out.json", format="json"))
    (session,) = document["sessions"]
    assert session["duration_ns"] == stated["metadata"]["duration"]
    written = sorted((e["offset"], e["seq"], e["type"], e["data"]) for e in stated["events"])
    found = [(e["offset_ns"], e["seq"], e["type"], e["data"]) for e in session["events"]]
    assert found == written
    captions = exported(room, opened, tmp_path / "out.srt", format="srt").decode()
    cues = re.findall(r"(\d\d):(\d\d):(\d\d),(\d{3}) --> .*\n(.*)", captions)
    starts = {
        int(h) * 3600_000 + int(m) * 60_000 + int(s) * 1000 + int(ms) for h, m, s, ms, _ in cues
    }
    first = {
        e["data"]["turn_id"]: e["offset"]
        for e in reversed(stated["events"])
        if "turn_id" in e["data"]
    }
    assert starts == {offset // 1_000_000 for offset in first.values()}
    messages = [e["data"]["Content"] for e in stated["events"] if e["type"] == "message.created"]
    assert all(message in captions for message in messages)


def test_provider_model_and_custom_fields_of_a_real_call_come_back(
    room: Room, call: Path, tmp_path: Path
) -> None:
    opened = put(room, call)
    told = Options(provider_name="acme", model="m-1", custom={"team": "red", "n": [1]})
    again = tmp_path / "again" / call.name
    again.parent.mkdir()
    exported(room, opened, again, format="promptkit", promptkit=told)
    before, after = json.loads(call.read_text()), json.loads(again.read_text())
    changed = {"provider_name": "acme", "model": "m-1", "custom": {"team": "red", "n": [1]}}
    assert after["metadata"] == before["metadata"] | changed
    assert after["events"] == before["events"]
    back = put(room, again)
    source: Any = back.metadata().source
    assert changed.items() <= source["metadata"].items()
    (agent,) = (p for p in back.metadata().participants if p.role == "agent")
    assert (agent.data["provider_name"], agent.data["model"]) == ("acme", "m-1")


def test_causes_and_families_nobody_knows_are_kept_among_the_events_of_a_real_call(
    room: Room, call: Path, tmp_path: Path
) -> None:
    document = json.loads(call.read_text())
    for before, event in zip(document["events"], document["events"][1:], strict=False):
        event["parent_seq"] = before["seq"]
    document["events"][9]["type"] = "stage.of.the.future"
    document["events"][10]["novel"] = {"deep": [1, None]}
    call.write_text(json.dumps(document))
    opened = put(room, call)
    assert {w.code for w in opened.warnings()} <= {"consent-unknown"}
    assert opened.timeline().events[9].type == "stage.of.the.future"
    out = tmp_path / "out"
    assert json.loads(exported(room, opened, out, format="promptkit")) == document


def test_pictures_and_frames_put_into_a_real_call_are_stored_listed_and_keep_their_offsets(
    room: Room, call: Path, tmp_path: Path
) -> None:
    digest = hashlib.sha256(PNG).hexdigest()
    blob = call.parent / "blobs" / CALL / f"{digest}.png"
    blob.write_bytes(PNG)
    document = json.loads(call.read_text())
    kinds = {"video.frame": 1, "screenshot": 2 * SECOND + 7, "image.input": 3, "image.output": 4}
    shape = document["events"][1]
    for number, (kind, offset) in enumerate(kinds.items()):
        payload = {
            "storage_ref": f"file://{CALL}/{digest}.png",
            "mime_type": "image/png",
            "size": len(PNG),
            "checksum": f"sha256:{digest}",
        }
        data = {"payload": payload, "metadata": {"width": 1, "height": 1, "frame_index": number}}
        changed = {"seq": 900 + number, "type": kind, "offset": offset, "data": data}
        document["events"].append({k: v for k, v in shape.items() if k != "data_type"} | changed)
    document["metadata"]["event_count"] += len(kinds)
    call.write_text(json.dumps(document))
    opened = put(room, call)
    found = {e.type: e.offset_ns for e in opened.timeline().events if e.type in kinds}
    assert found == kinds
    visual = tracks(opened.timeline())["visual"]
    assert [chunk.offset_ns for chunk in visual.chunks] == sorted(kinds.values())
    assert {chunk.sha256 for chunk in visual.chunks} == {digest}
    play = Player(opened.timeline(), opened.row.duration_ns)
    assert [e.seq for e in play.of_type("screenshot")] == [901]
    fetch.originals(room, opened.row.id, tmp_path / "back")
    assert (tmp_path / "back/blobs" / CALL / blob.name).read_bytes() == PNG
