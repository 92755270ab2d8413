"""The demo tells the truth and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.homes import Home, ended


def test_the_demo_seals_gives_back_refuses_and_cleans_up(tmp_path: Path) -> None:
    home = Home(tmp_path / "untouched")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    story = home.script("demo", TMPDIR=str(scratch))
    told = story.document
    assert len(told["sessions"]) == 6
    assert {s["state"] for s in told["sessions"]} == {"ready"}
    assert [each["warnings"] for each in told["sessions"]] == [[]] * 6
    _is_one_call_in_four_formats(told)
    assert told["sealed"]["phrases"] > 0
    assert told["sealed"]["phrases_in_clear"] == 0
    assert told["compared"]
    assert all(row["same"] for row in told["compared"])
    assert told["tampering_refused"] is True
    assert list(scratch.iterdir()) == []
    assert not home.folder.exists()


FAMILIES = ["scenario", "voicemode", "voice-agents-platform", "promptkit"]


def _is_one_call_in_four_formats(told: dict[str, Any]) -> None:
    """Side by side stands what is the same of the call, and what only some systems tell."""
    beside, instants = told["side_by_side"], told["instants"]
    assert [each["format"] for each in beside] == FAMILIES
    assert [each["format"] for each in instants] == FAMILIES
    for each in beside:
        assert (each["turns"], each["words"], each["speakers"]) == (5, 40, ["agent", "user"])
        assert each["measured_latency"]["p50_seconds"] == pytest.approx(0.8, abs=0.001)
        assert each["measured_latency"]["p95_seconds"] == pytest.approx(0.9, abs=0.001)
        assert each["stated_latency"]["p95_seconds"] == 0.9
        assert each["interruptions"] == 1
        assert 13 < each["speech_seconds"] < 14
    assert [each["interruptions_stated"] for each in beside] == [1, 0, 0, 1]
    assert [each["tool_calls"] for each in beside] == [1, 0, 0, 1]
    for each in instants:
        assert each["audio_input_active"]
        assert each["audio_output_active"]
        # PromptKit makes a message of it only when the caller has ended.
        early = each["format"] == "promptkit"
        expected = "I found it. You have two" if early else "Sorry, could it be today?"
        assert each["messages"][-1]["text"].startswith(expected)


def test_the_demo_speaks_to_people_on_standard_output(tmp_path: Path) -> None:
    # Settings of whoever tries it must not matter, nor be touched.
    process = Home(tmp_path / "untouched").start(
        "demo", STRONGROOM_STORE_URL="s3://nowhere", STRONGROOM_CONSENT="required"
    )
    answer = ended(process)
    assert "refused" in answer.out
    assert "NOT NOTICED" not in answer.out
    assert "DIFFERENT" not in answer.out
    assert "strongroom init" in answer.out
    assert "None" not in answer.out
    table = answer.out.partition("3. One call")[2].partition("4. The same")[0].splitlines()
    assert table[1].split() == FAMILIES
    assert max(len(line) for line in answer.out.splitlines() if "/home" not in line) <= 120
