"""A session replayed on the command line: its events, its own time, and instants past its end."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.homes import Home, ended, made

#: The recordings that are replayed, by where they lie.
TOOLS = "scenario/produced_1.6.0/overlap_tools"
PLATFORM = "voice_agents_platform/recordings/sess_3a94975eb405"


@pytest.fixture(scope="module")
def replayed(fixtures_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = made(tmp_path_factory.mktemp("replaying") / "home")
    home.run("deposit", fixtures_folder / TOOLS, fixtures_folder / PLATFORM, "--no-wait")
    return home


def named(home: Home, source_format: str) -> str:
    (session,) = home.run("list", "--format", source_format).document["sessions"]
    name: str = session["id"]
    return name


def events(fixtures_folder: Path) -> list[tuple[int, str]]:
    """What the manifest of the first one says there was, in order."""
    manifest = json.loads((fixtures_folder / TOOLS / "manifest.json").read_text())
    return sorted((round(e["time"] * 1e9), e["type"]) for e in manifest["events"])


def test_events_are_listed_from_one_instant_to_another_both_included(
    replayed: Home, fixtures_folder: Path
) -> None:
    session, every = named(replayed, "scenario"), events(fixtures_folder)
    first, last = every[3], every[7]
    start, stop = (str(at / 1e9) for at, _ in (first, last))
    answer = replayed.run("replay", session, "--at", start, "--until", stop).document
    found = [(e["offset_ns"], e["type"]) for e in answer["events"]]
    assert found == [e for e in every if first[0] <= e[0] <= last[0]]
    assert {first, last} <= set(found)
    assert "events" not in replayed.run("replay", session).document


def test_events_of_a_type_are_listed_with_all_they_hold(replayed: Home) -> None:
    session = named(replayed, "scenario")
    found = replayed.run("replay", session, "--type", "tool_call").document["events"]
    assert [e["type"] for e in found] == ["tool_call"]
    assert found[0]["data"].keys() >= {"name", "args"}
    both = ("--type", "tool_call", "--type", "tool_result", "--until", "1")
    assert replayed.run("replay", session, *both).document["events"] == []


def test_playing_tells_everything_once_in_order_and_takes_its_time(
    replayed: Home, fixtures_folder: Path
) -> None:
    session, every = named(replayed, "scenario"), events(fixtures_folder)
    began = time.monotonic()
    told = [
        json.loads(line)
        for line in replayed.run("replay", session, "--play", "--speed", "20").out.splitlines()
    ]
    assert time.monotonic() - began >= 14.08 / 20
    found = [(t["event"]["offset_ns"], t["event"]["type"]) for t in told if "event" in t]
    assert found == every
    assert [t["message"]["role"] for t in told if "message" in t] == ["user", "agent", "agent"]
    offsets = [(t.get("event") or t["message"])["offset_ns"] for t in told]
    assert offsets == sorted(offsets)


def test_what_was_cut_off_is_marked(replayed: Home, fixtures_folder: Path) -> None:
    manifest = json.loads((fixtures_folder / TOOLS / "manifest.json").read_text())
    cut = [turn["transcript"] for turn in manifest["segments"] if turn.get("transcript_truncated")]
    session = named(replayed, "scenario")
    told = replayed.run("replay", session, "--at", "14").document["messages"]
    assert [message["text"] for message in told if message["truncated"]] == cut
    for line in (("--at", "14"), ("--play", "--speed", "100")):
        said = ended(replayed.start("replay", session, *line)).out
        assert said.count(" […]\n") == len(cut) == 1
        assert f"{cut[0]} […]\n" in said


def test_playing_begins_and_ends_where_it_is_told_to(replayed: Home) -> None:
    session = named(replayed, "scenario")
    part = ("--play", "--speed", "100", "--at", "10", "--until", "11")
    lines = replayed.run("replay", session, *part).out.splitlines()
    assert [json.loads(line)["position"] for line in lines] == ["00:10.272"]
    assert replayed.run("replay", session, *part, "--type", "x").out == ""


def test_what_was_said_after_the_stated_end_can_be_gone_to(replayed: Home) -> None:
    session = named(replayed, "voice-agents-platform")
    (entry,) = replayed.run("list", "--format", "voice-agents-platform").document["sessions"]
    assert entry["duration_ns"] < 10**9
    state = replayed.run("replay", session, "--at", "5").document
    assert state["position"] == "00:05.000 / 00:10.236"
    assert len(state["messages"]) == 2


@pytest.mark.parametrize(
    "line",
    [
        ("--at", "5", "--until", "4"),
        ("--until", "nan"),
        ("--speed", "2"),
        ("--play", "--speed", "0"),
        ("--play", "--speed", "nan"),
        ("--play", "-o", "sound.opus"),
        ("--part", "playback/full.wav.opus"),
    ],
)
def test_what_cannot_be_played_is_refused(replayed: Home, line: tuple[str, ...]) -> None:
    assert replayed.run("replay", named(replayed, "scenario"), *line, code=2).out == ""
