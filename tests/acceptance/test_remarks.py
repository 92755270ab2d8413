"""Titles, tags, annotations and the state at an instant, as a user says and sees them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests import recordings
from tests.homes import Home

PHRASES = ("I lost my card", "I will block it", "Thank you")


def deposited(home: Home, tmp_path: Path) -> str:
    bundle = recordings.bundle(tmp_path / "call", PHRASES)
    session: str = home.run("deposit", bundle).document["sessions"][0]["id"]
    return session


def stored(home: Home) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in home.objects()}


def test_remarks_never_touch_sealed_bytes(home: Home, tmp_path: Path) -> None:
    session = deposited(home, tmp_path)
    before = stored(home)
    home.run("title", session, "Lost card")
    home.run("tag", session, "--add", "Fraud", "--add", "cards")
    home.run("annotate", session, "--type", "score", "--key", "quality", "--value", "0.5")
    assert stored(home) == before
    shown = home.run("show", session).document
    assert (shown["title"], shown["tags"]) == ("Lost card", ["Fraud", "cards"])


def test_a_session_is_found_by_a_tag_until_the_tag_is_taken_away(
    home: Home, tmp_path: Path
) -> None:
    session = deposited(home, tmp_path)
    home.run("tag", session, "--add", "Fraud")
    found = home.run("list", "--tag", "FRAUD").document["sessions"]
    assert [s["id"] for s in found] == [session]
    home.run("tag", session, "--remove", "fraud")
    assert home.run("list", "--tag", "fraud").document["sessions"] == []


def test_only_the_newest_version_of_an_annotation_holds(home: Home, tmp_path: Path) -> None:
    session = deposited(home, tmp_path)
    first = home.run(
        "annotate", session, "--type", "label", "--key", "intent", "--value", "cancel"
    ).document["annotations"][0]
    second = home.run("annotate", session, "--correct", first["id"], "--value", '"block"')
    newest = second.document["annotations"][0]
    assert (newest["version"], newest["previous_id"]) == (2, first["id"])
    held = home.run("annotate", session).document["annotations"]
    assert [(a["id"], a["value"]) for a in held] == [(newest["id"], "block")]
    home.run("annotate", session, "--delete", newest["id"])
    assert home.run("annotate", session).document["annotations"] == []


def test_what_was_replaced_or_deleted_is_neither_corrected_nor_deleted_again(
    home: Home, tmp_path: Path
) -> None:
    session = deposited(home, tmp_path)

    def made(*line: str) -> str:
        found: str = home.run("annotate", session, *line).document["annotations"][0]["id"]
        return found

    def held() -> list[object]:
        return [a["value"] for a in home.run("annotate", session).document["annotations"]]

    first = made("--type", "label", "--key", "intent", "--value", "1")
    second = made("--correct", first, "--value", "2")
    for line in (("--correct", first, "--value", "3"), ("--delete", first)):
        assert "any more" in home.run("annotate", session, *line, code=3).err
    assert held() == [2]
    made("--delete", second)
    for line in (("--correct", second, "--value", "3"), ("--delete", second)):
        home.run("annotate", session, *line, code=3)
    assert held() == []


@pytest.mark.parametrize("value", ["NaN", "1e999", "[" * 5000, '{"a": 1, "a": 2}'])
def test_a_value_that_no_json_can_hold_is_text_and_every_export_still_works(
    home: Home, tmp_path: Path, value: str
) -> None:
    session = deposited(home, tmp_path)
    home.run("annotate", session, "--type", "label", "--key", "k", "--value", value)
    half = home.run("annotate", session, "--type", "label", "--key", "k", "--value", r'"\ud800"')
    assert half.document["annotations"][0]["value"] == "\ufffd"
    for name in ("json", "vcon"):
        home.run("export", session, "--format", name, "-o", tmp_path / "out")
    home.run("replay", session, "--at", "0")
    kept = home.run("annotate", session).document["annotations"]
    assert [a["value"] for a in kept] == [value, "\ufffd"]


def test_what_cannot_be_an_annotation_is_refused_and_nothing_kept(
    home: Home, tmp_path: Path
) -> None:
    session = deposited(home, tmp_path)
    home.run("annotate", session, "--type", "mood", "--key", "k", "--value", "1", code=2)
    home.run("annotate", session, "--type", "score", code=2)
    event = ("--type", "score", "--key", "k", "--value", "1", "--target", "event")
    home.run("annotate", session, *event, code=2)
    home.run("annotate", session, "--delete", "nothing", code=3)
    home.run("title", session, " ", code=7)
    for tag in (" ", "x" * 501):
        home.run("tag", session, "--add", tag, code=7)
    assert home.run("show", session).document["tags"] == []
    assert home.run("annotate", session).document["annotations"] == []


@pytest.mark.parametrize(
    ("target", "key", "last"), [("turn", "turn_index", 2), ("message", "message_index", 2)]
)
def test_what_is_said_of_a_turn_or_message_needs_one(
    home: Home, tmp_path: Path, target: str, key: str, last: int
) -> None:
    session = deposited(home, tmp_path)
    said = ("annotate", session, "--type", "flag", "--key", "k", "--value", "1", "--target", target)
    home.run(*said, "--where", json.dumps({key: last}))
    missing = home.run(*said, "--where", json.dumps({key: last + 1}), code=3)
    assert f"no such {target}" in missing.err
    event = (*said[:-1], "event", "--where", '{"seq": 10000}')
    assert "no such event" in home.run(*event, code=3).err
    assert len(home.run("annotate", session).document["annotations"]) == 1


def test_the_state_at_an_instant_is_what_had_been_said_by_then(home: Home, tmp_path: Path) -> None:
    session = deposited(home, tmp_path)
    home.run("annotate", session, "--type", "flag", "--key", "vip", "--value", "true")
    state = home.run("replay", session, "--at", "0.6").document
    assert state["position"] == "00:00.600 / 00:01.500"
    assert [m["text"] for m in state["messages"]] == list(PHRASES[:2])
    assert (state["audio_input_active"], state["audio_output_active"]) == (False, True)
    assert state["annotations"] == [{"type": "flag", "key": "vip", "value": True, "version": 1}]
    assert home.run("replay", session, "--at", "99").document["position"].startswith("00:01.500")
    home.run("replay", session, "--at", "nan", code=2)
