"""Every answer that the outside recordings come with is compared by some test."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import FIXTURES

TESTS = Path(__file__).resolve().parent.parent
SCENARIO, PLAYER = "acceptance/test_fixtures.py", "unit/test_player.py"
COUNTS = f"{SCENARIO}::test_counts_and_durations_are_those_measured_elsewhere"
LATENCIES = f"{SCENARIO}::test_latencies_are_those_measured_elsewhere"
WARNINGS = f"{SCENARIO}::test_warnings_are_those_found_elsewhere"
BYTES = f"{SCENARIO}::test_every_recording_comes_back_byte_for_byte"
PLAYS = f"{PLAYER}::test_a_real_recording_plays_as_expected"
STATE = f"{PLAYER}::_compare"
DESCRIBED = f"{PLAYER}::test_a_real_recording_is_described_as_its_own_library_describes_it"
TRACKS = f"{PLAYER}::test_each_track_is_the_expected_wav"
IDS = "unit/test_conversation.py::test_ids_derived_anew_are_those_that_the_original_wrote"
COMMITS = (
    "unit/test_formats_voicemode.py::test_every_log_is_read_as_what_its_commit_of_voicemode_writes"
)

#: Which function compares what, by family. `*` stands for any file or item; what is below an
#: answer in `WHOLE` is compared with it.
COMPARED = {
    "scenario": {
        **dict.fromkeys(["segment_count", "manifest_duration_s", "event_counts"], COUNTS),
        **dict.fromkeys(["overlap_s", "speech_coverage_s", "silence_s", "role_time_s"], COUNTS),
        "latency": LATENCIES,
        **{f"latency.{k}": LATENCIES for k in ("n", "avg", "p50", "p95", "p50_js_lower_median")},
        **dict.fromkeys(["missing_segment_files", "orphan_segment_files"], WARNINGS),
        **dict.fromkeys(["audio_len_mismatch", "has_events_key"], WARNINGS),
        **{f"audio_len_mismatch.*.{k}": WARNINGS for k in ("file", "manifest_s", "wav_s")},
        **dict.fromkeys(["full_wav_s", "full_wav_rate", "segment_rates"], BYTES),
    },
    "voicemode": {
        "*.conversation_ids_in_order": IDS,
        **{f"*.{k}": COMMITS for k in ("schema", "commit", "voice_mode_version")},
    },
    "promptkit": {
        **{f"*.{k}": PLAYS for k in ("event_count", "duration_ns", "by_type", "iterator_1s_4s")},
        **{f"*.{k}": PLAYS for k in ("advance_from_2s_by_3s", "advance_to_backwards_returns")},
        **{f"*.{k}": PLAYS for k in ("format_position_after", "format_position_back")},
        **{f"*.{k}": PLAYS for k in ("seek_high_ns", "seek_low_ns", "states")},
        **{f"*.states.*.{k}": STATE for k in ("offset_ns", "timestamp", "audio_in", "audio_out")},
        **{f"*.states.*.{k}": STATE for k in ("current_seqs", "recent_seqs", "messages")},
        "*.states.*.active_annotations": STATE,
        **{f"*.states.*.messages.*.{k}": STATE for k in ("Role", "Content", "Offset", "Timestamp")},
        **{f"*.{k}": DESCRIBED for k in ("string", "run_ids", "provider", "typed_data_lost_seqs")},
        "*.tracks": TRACKS,
        **{f"*.tracks.{k}": TRACKS for k in ("audio_input", "audio_output")},
        **{f"*.tracks.audio_input.{k}": TRACKS for k in ("segments", "total_ns")},
        **{f"*.tracks.audio_output.{k}": TRACKS for k in ("segments", "total_ns")},
    },
}
WHOLE = {"event_counts", "role_time_s", "*.by_type", "*.run_ids"}
#: Answers whose first keys are the names of the files they are about.
BY_FILE = {"promptkit"}


def answers(value: object, above: tuple[str, ...] = ()) -> Iterator[str]:
    """The path of every key below `value`, an item of a list as `*`."""
    if isinstance(value, list):
        for item in value:
            yield from answers(item, (*above, "*"))
    elif isinstance(value, dict) and ".".join(above) not in WHOLE:
        for key, inner in value.items():
            yield ".".join((*above, key))
            yield from answers(inner, (*above, key))


def given(family: str) -> set[str]:
    """Every answer that comes with the recordings of a family."""
    found: set[str] = set()
    for path in (FIXTURES / family).rglob("expected*.json"):
        value = json.loads(path.read_text())
        found.update(answers(list(value.values()) if family in BY_FILE else value))
    return found


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="the recordings are not here")
def test_every_answer_that_came_with_a_recording_is_compared() -> None:
    families = {p.relative_to(FIXTURES).parts[0] for p in FIXTURES.rglob("expected*.json")}
    assert families == COMPARED.keys()
    for family, compared in COMPARED.items():
        assert given(family) == compared.keys(), family


def test_what_is_said_to_compare_an_answer_names_it() -> None:
    for compared in COMPARED.values():
        for answer, where in compared.items():
            file, name = where.split("::")
            key = answer.rpartition(".")[2]
            assert key in words(TESTS / file, name), f"{where} does not look at {key}"


def words(path: Path, name: str) -> set[object]:
    """Every constant in a function of a module."""
    (found,) = (
        node
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name == name
    )
    return {node.value for node in ast.walk(found) if isinstance(node, ast.Constant)}
