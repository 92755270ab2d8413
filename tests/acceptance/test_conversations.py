"""What was said in VoiceMode's logs, found and counted from the command line."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FIXTURES
from tests.homes import Home, ended
from vault import samples

LOGS = FIXTURES / "voicemode"


@pytest.fixture
def logged(home: Home) -> Home:
    if not LOGS.is_dir():
        pytest.skip("the recordings are not here")
    home.run("deposit", LOGS / "v4", samples.folder() / "voicemode", "--no-wait")
    return home


def rows() -> list[dict[str, Any]]:
    """Every row of the logs, as they lie on the disk."""
    files = [*(LOGS / "v4").glob("*.jsonl"), *(samples.folder() / "voicemode").glob("*.jsonl")]
    return [json.loads(line) for file in sorted(files) for line in file.read_text().splitlines()]


def found(home: Home, *asked: str | Path) -> list[dict[str, Any]]:
    talks = home.run("exchanges", *asked).document["conversations"]
    return [each for talk in talks for each in talk["exchanges"]]


def test_everything_said_is_listed_under_the_conversation_its_log_names(logged: Home) -> None:
    expected: dict[str, list[str]] = {}
    for row in rows():
        expected.setdefault(row["conversation_id"], []).append(row["text"])
    talks = logged.run("exchanges").document["conversations"]
    assert {t["id"]: [e["text"] for e in t["exchanges"]] for t in talks} == expected


@pytest.mark.parametrize(
    ("asked", "meets"),
    [
        (("--type", "tts"), lambda r: r["type"] == "tts"),
        (("--provider", "OpenAI"), lambda r: r["metadata"].get("provider") == "openai"),
        (("--voice", "af_sky"), lambda r: r["metadata"].get("voice") == "af_sky"),
        (("--model", "whisper-1"), lambda r: r["metadata"].get("model") == "whisper-1"),
        (("--transport", "speak-only"), lambda r: r["metadata"]["transport"] == "speak-only"),
        (("--text", "ORDER"), lambda r: "order" in r["text"].lower()),
        (("--pattern", r"\d-\d-\d"), lambda r: "4-5-5-1" in r["text"]),
        (("--project", "/srv/"), lambda r: "/srv/" in r["project_path"]),
        (("--from", "2026-03-01T00:00:00Z"), lambda r: r["timestamp"] >= "2026-03-01"),
        (("--to", "2026-01-15T00:00:00+10:00"), lambda r: r["timestamp"] < "2026-01-15"),
        (("--audio",), lambda r: "audio_file" in r),
        (("--no-audio",), lambda r: "audio_file" not in r),
        (("--shortest", "2.3"), lambda r: r.get("duration_ms", -1) >= 2300),
        (("--longest", "1.5"), lambda r: 0 <= r.get("duration_ms", -1) <= 1500),
        (("--type", "stt", "--silence"), lambda r: "silence_detection" in r["metadata"]),
    ],
)
def test_a_filter_finds_the_rows_that_meet_it(
    logged: Home, asked: tuple[str, ...], meets: Any
) -> None:
    expected = sorted(row["text"] for row in rows() if meets(row))
    assert expected
    assert len(expected) < len(rows())
    assert sorted(each["text"] for each in found(logged, *asked)) == expected


def test_statistics_count_what_the_filters_leave(logged: Home) -> None:
    spoken = [row for row in rows() if row["type"] == "tts"]
    stats = logged.run("exchanges", "--stats", "--type", "tts").document
    assert stats["exchanges"] == len(spoken)
    assert stats["conversations"] == len({row["conversation_id"] for row in spoken})
    providers = [row["metadata"]["provider"] for row in spoken]
    assert stats["by_provider"] == {p: providers.count(p) for p in sorted(set(providers))}
    assert stats["daily"]["2026-03-02"] == 3
    waits = [row["metadata"]["time_to_first_audio"] for row in spoken]
    assert stats["timing"]["time_to_first_audio"]["count"] == len(waits)
    assert stats["timing"]["time_to_first_audio"]["max_seconds"] == max(waits)


def test_one_session_or_those_of_a_tag_are_searched_alone(logged: Home) -> None:
    (talk,) = logged.run("exchanges", "--text", "Birch Lane").document["conversations"]
    (session,) = talk["sessions"]
    assert len(found(logged, session)) == 5
    logged.run("tag", session, "--add", "Pharmacy")
    assert found(logged, "--tag", "pharmacy") == found(logged, session)
    logged.run("exchanges", session, "--tag", "pharmacy", code=2)


def test_a_document_is_whole_or_not_there_and_people_see_what_there_is(logged: Home) -> None:
    listed = logged.run("list").document["sessions"]
    conversations = logged.run("exchanges").document["conversations"]
    assert [talk["sessions"] for talk in conversations] == [[each["id"]] for each in listed]
    with contextlib.closing(sqlite3.connect(logged.folder / "catalogue.db")) as tables, tables:
        damaged = (listed[-1]["id"],)
        tables.execute("UPDATE sessions SET timeline = zeroblob(200) WHERE id = ?", damaged)
    answer = logged.run("exchanges", code=5)
    assert answer.out == ""
    logged.run("exchanges", listed[-1]["id"], code=5)
    told = ended(logged.start("exchanges"), 5).out
    assert all(talk["id"] in told for talk in conversations[:-1])


def test_where_nothing_was_said_there_is_a_whole_document(logged: Home) -> None:
    asked = ("--text", "nobody ever said this")
    assert logged.run("exchanges", *asked).document == {"conversations": []}
    assert ended(logged.start("exchanges", *asked)).out == ""


def test_regrouping_follows_the_pause_of_300_seconds_and_not_the_log(
    home: Home, tmp_path: Path
) -> None:
    log = tmp_path / "exchanges_2026-03-02.jsonl"
    row = {"version": 4, "type": "stt", "project_path": "/p", "conversation_id": "conv_a"}
    at = ("10:00:00", "10:04:59", "10:09:59", "10:10:00")
    ids = ("conv_a", "conv_b", "conv_b", "conv_b")
    lines = (
        json.dumps({**row, "conversation_id": name, "timestamp": f"2026-03-02T{t}Z", "text": t})
        for t, name in zip(at, ids, strict=True)
    )
    log.write_text("\n".join(lines) + "\n")
    home.run("deposit", log, "--no-wait")

    def grouped(*more: str) -> set[tuple[str, ...]]:
        talks = home.run("exchanges", *more).document["conversations"]
        return {tuple(each["text"] for each in talk["exchanges"]) for talk in talks}

    assert grouped() == {at[:1], at[1:]}
    assert grouped("--regroup") == {at[:2], at[2:]}


def test_what_cannot_be_asked_is_a_usage_error(logged: Home) -> None:
    logged.run("exchanges", "--pattern", "(", code=2)
    logged.run("exchanges", "--from", "yesterday", code=2)
    logged.run("exchanges", "--shortest", "nan", code=2)
    logged.run("exchanges", "no-such-session", code=3)


def test_an_agent_hears_only_what_it_deposited(logged: Home) -> None:
    logged.run("actor", "add", "robot", "--role", "agent")
    assert found(logged, "--actor", "robot") == []


def test_people_read_who_said_what_when(logged: Home) -> None:
    told = ended(logged.start("exchanges", "--provider", "kokoro")).out
    assert "2026-03-02T10:15:14  tts  Yes. Today, after five." in told
    counted = ended(logged.start("exchanges", "--stats")).out
    assert f"{len(rows())} exchanges in 5 conversations" in counted
    assert "None" not in counted
