"""What a deposit is told about whom it names, and about what is here already."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import recordings
from tests.homes import Home


def codes(home: Home, *arguments: str | Path) -> list[str]:
    (session,) = home.run("deposit", *arguments, "--no-wait").document["sessions"]
    return [w["code"] for w in session["warnings"]]


def test_a_source_that_names_its_subject_makes_consent_no_unknown(
    home: Home, fixtures_folder: Path
) -> None:
    found = fixtures_folder / "voice_agents_platform" / "recordings" / "sess_3a94975eb405"
    assert "consent-unknown" not in codes(home, found)
    (session,) = home.run("list").document["sessions"]
    assert home.run("show", session["id"]).document["subjects"]


def test_other_bytes_of_one_external_id_are_a_warning_and_the_same_bytes_none(
    home: Home, fixtures_folder: Path
) -> None:
    folder = fixtures_folder / "promptkit" / "pk-dev-interruption"
    first, second = (folder / f"pk-dev-interruption.recording.{kind}" for kind in ("json", "jsonl"))
    assert "same-external-id" not in codes(home, first)
    assert "same-external-id" not in codes(home, first)
    assert "same-external-id" in codes(home, second)
    shown = [home.run("show", s["id"]).document for s in home.run("list").document["sessions"]]
    assert len({one["id"] for one in shown}) == 2
    assert len({one["external_id"] for one in shown}) == 1


def test_an_agent_does_not_learn_of_sessions_of_others(home: Home, tmp_path: Path) -> None:
    home.run("actor", "add", "robot", "--role", "agent")
    first, second = (recordings.recording(tmp_path / f"{n}.wav", seed=n) for n in (1, 2))
    terms = ("--external-id", "call-1", "--subject", "x")
    assert codes(home, first, *terms) == []
    assert codes(home, second, *terms, "--actor", "robot") == []
    third = recordings.recording(tmp_path / "3.wav", seed=3)
    assert codes(home, third, *terms, "--actor", "robot") == ["same-external-id"]


def test_what_is_blank_names_nobody_and_stops_nobody_else(home: Home, tmp_path: Path) -> None:
    turn = {"role": "user", "message": "hello", "time_in_call_secs": 0}
    call = {"transcript": [turn], "metadata": {"start_time_unix_secs": 1_700_000_000}}
    blank = {"agent_id": "\u3000", "conversation_id": " ", "user_id": "\u2003"}
    named = {"agent_id": "desk", "conversation_id": "c-1", "user_id": "ann"}
    folder = tmp_path / "calls"
    folder.mkdir()
    for name, ids in (("blank", blank), ("named", named)):
        (folder / f"{name}.json").write_text(json.dumps(call | ids), encoding="utf-8")
    made = home.run("deposit", folder, "--no-wait").document
    assert (len(made["sessions"]), made["refused"]) == (2, [])
    by_name = {Path(s["path"]).stem: s for s in made["sessions"]}
    assert by_name["blank"]["external_id"] is None
    assert "consent-unknown" in [w["code"] for w in by_name["blank"]["warnings"]]
    shown = home.run("show", by_name["blank"]["id"]).document
    assert (shown["subjects"], shown["agent"]) == ([], None)
    found = home.run("list", "--subject", "ann").document["sessions"]
    assert [s["id"] for s in found] == [by_name["named"]["id"]]


@pytest.mark.parametrize("option", ["--subject", "--tag", "--agent", "--external-id"])
def test_a_blank_name_is_refused_before_anything_is_stored(
    home: Home, tmp_path: Path, option: str
) -> None:
    sound = recordings.recording(tmp_path / "a.wav")
    assert "not blank" in home.run("deposit", sound, option, " \u3000", code=2).err
    assert not home.objects()
