"""Every outside recording goes in, comes back byte for byte, and goes through its own writer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests import recordings
from tests.homes import Home, made
from vault.operations import fetch, retrieve, show
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.export import Request, export
from vault.operations.records import Choice

#: Folder: how many sessions lie in it, and what in it is refused. The exports of the platform are
#: two captions among files that are no sessions, which a walk passes over.
FOLDERS: Mapping[str, tuple[int, set[str]]] = {
    "scenario": (19, set()),
    "voicemode/events": (1, set()),
    "voicemode/malformed": (1, set()),
    "voicemode/v1": (4, set()),
    "voicemode/v2": (4, set()),
    "voicemode/v3": (4, set()),
    "voicemode/v3b": (4, set()),
    "voicemode/v4": (4, set()),
    "voicemode/v4_long_line": (1, set()),
    "voicemode/real_entry_from_upstream_tests.jsonl": (1, set()),
    "promptkit/malformed": (2, {"no_metadata.recording.jsonl"}),
    "promptkit/pk-dev-inline": (6, set()),
    "promptkit/pk-dev-interruption": (6, set()),
    "voice_agents_platform/recordings": (5, {"sess_073bff0d7875"}),
    "voice_agents_platform/exports": (2, set()),
    "vcon": (
        23,
        {"scenario_branded.signed.TAMPERED.vcon", "empty_vcon.json", "simple-vcon.vcon"},
    ),
    "other/contact_lens": (2, set()),
    "other/elevenlabs": (2, set()),
    "other/genesys": (1, set()),
    "other/livekit": (1, set()),
    "other/openai_realtime": (1, set()),
    "other/retell": (1, set()),
    "other/siprec": (2, set()),
    "other/twilio": (1, set()),
    "other/vapi": (1, set()),
    "other/webvtt": (2, set()),
}
#: The writers of each format's own family, and what a file of theirs is called.
OWN = {
    "scenario": {"scenario": "bundle"},
    "voicemode": {"voicemode": "exchanges_2026-01-01.jsonl"},
    "voicemode-events": {"voicemode": "voicemode_events_2026-01-01.jsonl"},
    "promptkit": {"promptkit": "a.recording.json", "promptkit-jsonl": "a.recording.jsonl"},
    "vcon": {"vcon": "a.vcon"},
}


@dataclass(frozen=True)
class Archive:
    home: Home
    #: By folder: the answers to the deposit, and what was refused.
    taken: dict[str, list[Any]]
    refused: dict[str, set[str]]


@pytest.fixture(scope="module")
def archive(fixtures_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    found = Archive(made(tmp_path_factory.mktemp("round") / "home"), {}, {})
    with found.home.room() as room:
        for folder in FOLDERS:
            outcome = deposit(room, [fixtures_folder / folder], Terms(), wait=False)
            found.taken[folder] = outcome.sessions
            found.refused[folder] = {path.name for path, _ in outcome.refused}
    return found


def test_every_folder_goes_in_as_its_notes_say(archive: Archive) -> None:
    assert {
        folder: (len(taken), archive.refused[folder]) for folder, taken in archive.taken.items()
    } == FOLDERS


def test_every_original_comes_back_byte_for_byte(archive: Archive, tmp_path: Path) -> None:
    with archive.home.room() as room:
        for folder, taken in archive.taken.items():
            for number, session in enumerate(taken):
                back = tmp_path / folder / str(number)
                fetch.originals(room, session.id, back)
                found = recordings.files(back)
                stated = {each.name: each.sha256 for each in session.originals}
                assert found
                assert stated == {n: hashlib.sha256(c).hexdigest() for n, c in found.items()}
                if session.format in {"scenario", "voice-agents-platform"}:
                    kept_out = {w.file for w in session.warnings if w.code == "left-out"}
                    came = recordings.files(session.path)
                    assert found == {n: c for n, c in came.items() if n not in kept_out}
                else:
                    for name, content in found.items():
                        _is_of_the_source(session, name, content)


def _is_of_the_source(session: Any, name: str, content: bytes) -> None:
    places = (session.path / name, session.path.parent / name, session.path.parent.parent / name)
    (source,) = [p for p in places if p.is_file()][:1]
    # A log holds many conversations: a session has its own rows of it.
    whole = source.read_bytes()
    assert content in whole if session.format.startswith("voicemode") else content == whole


@pytest.mark.parametrize(
    "family", ["scenario", "voicemode", "voicemode-events", "promptkit", "vcon"]
)
def test_nothing_of_the_timeline_is_lost_by_the_writer_of_its_own_family(
    archive: Archive, tmp_path: Path, family: str
) -> None:
    sessions = [s for taken in archive.taken.values() for s in taken if s.format == family]
    assert sessions
    with archive.home.room() as room:
        for number, session in enumerate(sessions):
            for target, name in OWN[family].items():
                out = tmp_path / f"{number}-{target}" / name
                out.parent.mkdir()
                export(room, Choice([session.id]), Request(target), out)
                (again,) = deposit(room, [out], Terms(), wait=False).sessions
                first, second = (
                    show.session(retrieve.Opened(room, retrieve.session(room, s.id)))
                    for s in (session, again)
                )
                before, after = kept(first, family), kept(second, family)
                assert after == before, (session.path, target)


def kept(shown: Mapping[str, Any], family: str) -> dict[str, Any]:
    """What has to be the same: all but where a recording lies in the new file."""
    segments, events = shown["segments"], shown["events"]
    if family == "promptkit":
        events = [e | {"data": placeless(e["data"])} for e in events]
    return {
        "segments": segments,
        "events": events,
        "people": shown["participants"],
        "duration_ns": shown["duration_ns"],
        "started_at": shown["started_at"],
        "tags": shown["tags"],
    }


def placeless(value: Any) -> Any:
    """A PromptKit value without where its inline sound begins and ends in the file."""
    if isinstance(value, Mapping):
        return {k: placeless(v) for k, v in value.items() if k != "inline"}
    return [placeless(v) for v in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("name", ["pk-dev-inline", "pk-dev-interruption"])
def test_instants_runs_and_providers_are_those_the_original_tells(
    archive: Archive, fixtures_folder: Path, name: str
) -> None:
    folder = fixtures_folder / "promptkit" / name
    told = json.loads((folder / "expected_replay.json").read_text())
    with archive.home.room() as room:
        for session in archive.taken[f"promptkit/{name}"]:
            expected = told.get(session.path.relative_to(folder).as_posix())
            if expected is None:
                continue
            opened = retrieve.Opened(room, retrieve.session(room, session.id))
            source: Any = opened.metadata().source
            for state in expected["states"]:
                at = datetime.fromisoformat(state["timestamp"])
                since = timedelta(microseconds=state["offset_ns"] / 1000)
                assert abs(opened.row.started_at + since - at) <= timedelta(microseconds=2)
            assert expected["event_count"] == len(opened.timeline().events)
            if expected["provider"]:
                (run,) = expected["run_ids"]
                assert f'"{expected["provider"]}"' in json.dumps(source)
                assert source["envelopes"]["shared"]["run_id"] == run


def test_levels_and_turns_of_the_platform_are_those_that_were_observed(
    archive: Archive, fixtures_folder: Path
) -> None:
    observed = json.loads((fixtures_folder / "voice_agents_platform/observed.json").read_text())
    with archive.home.room() as room:
        for session in archive.taken["voice_agents_platform/recordings"]:
            expected = observed[session.external_id]
            opened = retrieve.Opened(room, retrieve.session(room, session.id))
            assert opened.row.privacy_level.value == expected["privacy_level"]
            turns = expected["events"].get("on_transcript_segment", 0)
            assert len(opened.timeline().segments) == turns, session.external_id
