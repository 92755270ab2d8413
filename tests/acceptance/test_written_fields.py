"""What the writers of other systems' formats write, held against what is published of those.

The checks are made from the published fields and types alone, and from the vCon's own schema, with
nothing of ours in between: every session is written in every format that could hold it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import wave
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, FormatChecker

from tests.acceptance.test_round_trips import FOLDERS
from tests.homes import made
from vault.errors import NotFound
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.export import Request, export
from vault.operations.records import Choice

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
FORMATS = ("scenario", "voicemode", "promptkit", "promptkit-jsonl", "vcon")
#: vCons whose dialogs name parties that they do not have, as they came.
DANGLING = {"bad_dialog_types.json", "null_parties.json"}


@pytest.fixture(scope="module")
def written(
    fixtures_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, list[tuple[Any, Path]]]:
    """By format: each session, and where it was written."""
    place = tmp_path_factory.mktemp("written")
    found: dict[str, list[tuple[Any, Path]]] = {name: [] for name in FORMATS}
    with made(place / "home").room() as room:
        for folder in FOLDERS:
            for session in deposit(room, [fixtures_folder / folder], Terms(), wait=False).sessions:
                for name in FORMATS:
                    out = place / name / session.id / "out"
                    out.parent.mkdir(parents=True)
                    try:
                        export(room, Choice([session.id]), Request(name), out)
                    except NotFound:
                        assert not out.exists()
                        assert name == "voicemode"
                    else:
                        found[name].append((session, out))
    return found


def number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def whole(value: Any) -> bool:
    return type(value) is int and value >= 0


def text(value: Any) -> bool:
    return isinstance(value, str)


def instant(value: Any) -> bool:
    return text(value) and RFC_3339.fullmatch(value) is not None


def one_of(*values: Any) -> Callable[[Any], bool]:
    return lambda value: value in values


def maybe(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


def fits(
    value: Mapping[str, Any],
    always: Mapping[str, Callable[[Any], bool]],
    sometimes: Mapping[str, Callable[[Any], bool]] | None = None,
) -> None:
    """Every field that always is there is there, and each is what it is published to be."""
    assert always.keys() <= value.keys()
    for key, check in {**always, **(sometimes or {})}.items():
        assert key not in value or check(value[key]), key


def test_every_scenario_bundle_has_the_published_fields(
    written: Mapping[str, list[tuple[Any, Path]]],
) -> None:
    assert len(written["scenario"]) > 80
    for session, out in written["scenario"]:
        manifest = out / "manifest.json"
        document = json.loads(manifest.read_text())
        top = {"generated_at": text, "duration": number, "segment_count": whole}
        fits(document, {**top, "segments": lambda v: isinstance(v, list)})
        assert datetime.fromisoformat(document["generated_at"]).tzinfo is not None
        assert document["segment_count"] == len(document["segments"])
        for segment in document["segments"]:
            times = dict.fromkeys(("start_time", "end_time", "duration"), number)
            names = {"idx": whole, "file": text, "role": one_of("user", "agent", "system")}
            said = {"transcript": maybe(text)}
            fits(segment, {**times, **names, **said}, {"transcript_truncated": one_of(True)})
            file = out / segment["file"]
            if segment["file"] and (file.exists() or session.format != "scenario"):
                with wave.open(str(file)) as sound:
                    assert (sound.getsampwidth(), sound.getnchannels()) == (2, 1)
        for event in document.get("events", []):
            fits(event, {"time": number, "type": text}, {"latency": number, "metadata": is_object})


def is_object(value: Any) -> bool:
    return isinstance(value, dict)


def test_every_voicemode_row_has_the_published_fields(
    written: Mapping[str, list[tuple[Any, Path]]],
) -> None:
    assert len(written["voicemode"]) > 50
    for session, out in written["voicemode"]:
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        assert rows
        for row in rows:
            if session.format == "voicemode-events":
                always = dict.fromkeys(("timestamp", "event_type", "session_id"), text)
                fits(row, {**always, "data": is_object})
                continue
            always = dict.fromkeys(("timestamp", "conversation_id", "text"), text)
            optional = {"version": whole, "audio_file": text, "duration_ms": whole}
            if session.format != "voicemode":
                always |= {"project_path": text}
            metadata = {"metadata": is_object, "project_path": text}
            fits(row, {**always, "type": one_of("stt", "tts")}, {**optional, **metadata})
            assert datetime.fromisoformat(row["timestamp"]).tzinfo is not None
            assert row["conversation_id"]
            if row.get("metadata"):
                fits(row["metadata"], {"voice_mode_version": text})


def test_every_promptkit_recording_has_the_published_fields(
    written: Mapping[str, list[tuple[Any, Path]]],
) -> None:
    assert len(written["promptkit"]) == len(written["promptkit-jsonl"]) > 80
    for session, out in (*written["promptkit"], *written["promptkit-jsonl"]):
        document = loaded(out)
        metadata, events = document["metadata"], document["events"]
        instants = dict.fromkeys(("start_time", "end_time", "created_at"), instant)
        counts = {"duration": whole, "event_count": one_of(len(events))}
        fits(metadata, {**instants, **counts, "session_id": text, "version": one_of("1.0")})
        assert re.fullmatch(r"[^/\\]+", metadata["session_id"])
        for event in events:
            always = {"seq": whole, "type": text, "timestamp": instant, "offset": whole}
            others = dict.fromkeys(("conversation_id", "run_id", "data_type"), text)
            fits(event, {**always, "session_id": text}, {**others, "parent_seq": whole})
            if event["type"] in {"audio.input", "audio.output"} and session.format != "promptkit":
                sound(event["data"], out.parent)


def loaded(place: Path) -> dict[str, Any]:
    """A recording in either of its forms, told apart as its loader does: by the first line."""
    data = place.read_text()
    first = data.split("\n", 1)[0]
    if first == "{":
        document: dict[str, Any] = json.loads(data)
        return document
    lines = [json.loads(line) for line in data.splitlines()]
    assert [line["type"] for line in lines] == ["metadata", *["event"] * (len(lines) - 1)]
    return {"metadata": lines[0]["metadata"], "events": [line["event"] for line in lines[1:]]}


def sound(data: Mapping[str, Any], place: Path) -> None:
    always = {"direction": one_of("input", "output"), "payload": is_object, "metadata": is_object}
    fits(data, {**always, "chunk_index": whole, "is_final": one_of(True, False)})
    fits(data["payload"], {"storage_ref": text, "mime_type": text, "size": whole})
    counts = dict.fromkeys(("sample_rate", "channels", "duration_ms"), whole)
    fits(data["metadata"], {**counts, "encoding": text})
    if name := data["payload"]["storage_ref"].removeprefix("file://"):
        blob = (place / "blobs" / name).read_bytes()
        assert len(blob) == data["payload"]["size"] > 0
        assert data["payload"]["checksum"] == "sha256:" + hashlib.sha256(blob).hexdigest()


def test_every_vcon_keeps_to_the_published_schema_and_to_what_no_schema_can_say(
    written: Mapping[str, list[tuple[Any, Path]]], fixtures_folder: Path
) -> None:
    formats = FormatChecker(("uuid",))
    formats.checks("date-time")(lambda value: not text(value) or instant(value))
    schema = json.loads((fixtures_folder / "vcon/vcon_json_schema.json").read_text())
    validator = Draft7Validator(schema, format_checker=formats)
    assert len(written["vcon"]) > 80
    for session, out in written["vcon"]:
        document = json.loads(out.read_text())
        if "ciphertext" in document:
            continue
        validator.validate(document)
        assert document["vcon"] == "0.4.0"
        refers(document, session.path.name)


def refers(document: dict[str, Any], name: str) -> None:
    """Every index points to something, and every digest is that of its body."""
    parties, dialogs = document.get("parties", []), document.get("dialog", [])
    for item in (*dialogs, *document.get("analysis", []), *document.get("attachments", [])):
        if "content_hash" in item and "body" in item and item.get("encoding") == "base64url":
            body = base64.urlsafe_b64decode(item["body"] + "=" * (-len(item["body"]) % 4))
            digest = base64.urlsafe_b64encode(hashlib.sha512(body).digest()).rstrip(b"=").decode()
            assert item["content_hash"].removeprefix("sha512-") == digest
        if item.get("encoding") in {"none", "base64url"} and "body" in item:
            assert text(item["body"])
    for place, dialog in enumerate(dialogs):
        if name not in DANGLING:
            assert all(index < len(parties) for index in flat(dialog.get("parties", []))), name
        for recording in dialog.get("recordings", []):
            assert dialogs[recording]["type"] == "recording"
            assert dialogs[recording]["recording_set"] == place
    for analysis in document.get("analysis", []):
        assert all(index < len(dialogs) for index in flat(analysis.get("dialog", [])))


def flat(value: Any) -> Iterator[int]:
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, list):
            yield from flat(each)
        elif each is not None:
            yield each
