"""Real VoiceMode logs as they grow, with their sound beside them, and with an error among them."""

from __future__ import annotations

import json
import shutil
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.recordings import noise
from tests.unit.test_conversation import LOGS, logged, needs_logs
from tests.unit.test_formats_voicemode_tail import append, steps
from tests.unit.test_formats_voicemode_tail import told as said
from vault import formats
from vault.formats import voicemode
from vault.formats.voicemode_append import append as add_row
from vault.replay import metrics
from vault.replay.conversation import Where, select
from vault.replay.conversation_counts import count

pytestmark = needs_logs
REAL_ROW = "real_entry_from_upstream_tests.jsonl"


def rows(folder: str) -> list[dict[str, Any]]:
    found = sorted((LOGS / folder).iterdir())
    return [json.loads(line) for path in found for line in path.open("rb")]


@pytest.mark.parametrize("schema", ["v1", "v2", "v3", "v3b", "v4"])
def test_the_sound_that_rows_of_a_real_log_name_is_theirs(tmp_path: Path, schema: str) -> None:
    shutil.copytree(LOGS / schema, tmp_path / "logs/conversations")
    named = [row["audio_file"] for row in rows(schema) if "audio_file" in row]
    assert all(name.startswith("audio/") for name in named)
    (tmp_path / "audio").mkdir()
    for number, name in enumerate(named):
        (tmp_path / name).write_bytes(noise(0.1 + number / 100))
    readings = formats.read(tmp_path)
    turns = [turn for reading in readings for turn in reading.timeline.segments]
    assert [turn.file for turn in turns if turn.file is not None] == named
    lengths = [turn.decoded_ns for turn in turns if turn.decoded_ns is not None]
    assert lengths == [100_000_000 + number * 10_000_000 for number in range(len(named))]
    told = {warning.code for reading in readings for warning in reading.warnings}
    assert not told & {"missing-file", "orphan-file", "unreadable-audio", "refused-path"}


def test_the_bare_name_of_a_real_row_is_sought_in_the_month_that_it_tells(tmp_path: Path) -> None:
    log = tmp_path / "exchanges_2025-07-13.jsonl"
    shutil.copyfile(LOGS / REAL_ROW, log)
    name = json.loads(log.read_bytes())["audio_file"]
    assert "/" not in name
    for where, is_there in (("audio/2025/08", False), ("audio/2025/07", True)):
        (tmp_path / where).mkdir(parents=True)
        (tmp_path / where / name).write_bytes(noise(0.1))
        (reading,) = formats.read(log)
        (segment,) = reading.timeline.segments
        assert segment.file == (f"{where}/{name}" if is_there else None)


def test_a_real_log_that_grows_by_halves_of_its_lines_is_followed_row_by_row(
    tmp_path: Path,
) -> None:
    whole = b"".join(path.read_bytes() for path in sorted((LOGS / "v4").iterdir()))
    log = tmp_path / "exchanges_2026-01-14.jsonl"
    log.write_bytes(whole[:100])
    pieces = (whole[at : at + 333] for at in range(100, len(whole), 333))
    found = said(voicemode.tail(log, steps(*(append(log, piece) for piece in pieces))))
    assert found == [row["text"] for row in rows("v4")]


def test_rows_of_a_real_log_are_added_as_voicemode_itself_wrote_them(tmp_path: Path) -> None:
    for row in rows("v4"):
        add_row(tmp_path, row)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_bytes() for path in (LOGS / "v4").iterdir()}


@pytest.mark.parametrize("schema", ["v3", "v3b", "v4"])
def test_how_long_a_user_of_a_real_log_waited_is_what_its_rows_say(schema: str) -> None:
    waits = [w for r in rows(schema) if (w := r["metadata"].get("time_to_first_audio"))]
    events = [e for r in formats.read(LOGS / schema) for e in r.timeline.events]
    found = metrics.latency(events)
    assert (found["count"], found["time_to_first_byte_seconds"]) == (len(waits), waits[0])
    assert found["avg_seconds"] == pytest.approx(statistics.fmean(waits))
    assert found["p50_seconds"] == statistics.median(waits)


def test_language_emotion_and_fallback_of_a_real_row_are_told_with_it() -> None:
    found = logged("v4")
    assert {str(row.metadata["language"]) for row in select(found, Where(kind="stt"))} == {"en"}
    spoken = list(select(found, Where(kind="tts")))
    assert [row.metadata.get("emotion") for row in spoken] == ["friendly", None, None]
    assert {row.metadata["fallback_reason"] for row in spoken} == {"kokoro unavailable"}


def test_an_error_among_real_rows_is_found_and_counted_and_no_other_row_is() -> None:
    found = logged("v4")
    wrong = replace(found[2], metadata={**found[2].metadata, "error": "no speech"})
    rows = [*found[:2], wrong, *found[3:]]
    assert list(select(rows, Where(error=True))) == [wrong]
    errors: Any = count(rows)["errors"]
    assert (errors["count"], errors["rate"]) == (1, 1 / 7)
    assert (errors["by_type"], errors["by_provider"]) == ({"stt": 1}, {"whisper": 1})
    none: Any = count(found)["errors"]
    assert none["count"] == 0
