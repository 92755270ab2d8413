"""What a session came with, held against its export in its own format: the raw JSON of both.

No reader of ours stands between the two. Every difference has to be one that is listed here with
its reason, and every reason listed has to be needed by some recording.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from tests import recordings
from tests.acceptance.test_round_trips import FOLDERS
from tests.homes import made
from vault.operations import fetch
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.export import Request, export
from vault.operations.records import Choice
from vault.operations.room import Room

FAMILIES = ("scenario", "voicemode", "promptkit", "vcon")


@dataclass(frozen=True)
class Difference:
    """One place where two documents differ; `MISSING` where there is nothing on that side.

    `place` is written as in JSON Path, with `[]` for any index; `was` and `now` are what holds
    the two values.
    """

    place: str
    before: Any
    after: Any
    was: Any
    now: Any


@dataclass(frozen=True)
class Pair:
    """What came, by file, and what an export made of it, with what that said."""

    session: Any
    came: Mapping[str, bytes]
    out: Mapping[str, bytes]
    said: Sequence[str]


MISSING = object()


def differences(
    before: Any, after: Any, place: str = "$", was: Any = None, now: Any = None
) -> Iterator[Difference]:
    """Every place where two JSON values differ, the type of a number included."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before.keys() | after.keys():
            values = before.get(key, MISSING), after.get(key, MISSING)
            yield from differences(*values, f"{place}.{key}", before, after)
    elif isinstance(before, list) and isinstance(after, list):
        for values in zip_longest(before, after, fillvalue=MISSING):
            yield from differences(*values, f"{place}[]", before, after)
    elif type(before) is not type(after) or before != after:
        yield Difference(place, before, after, was, now)


def strange(value: Any) -> Any:
    """The same with a field in every object that no version of any format has."""
    if isinstance(value, dict):
        return {key: strange(inner) for key, inner in value.items()} | {"x-new": {"a": [1.5, None]}}
    return [strange(inner) for inner in value] if isinstance(value, list) else value


def made_strange(data: bytes) -> bytes:
    """A document, or lines of them, with such fields; what is no JSON, or sealed, as it is."""
    try:
        whole = json.loads(data)
    except ValueError:
        return b"".join(map(_strange_line, data.splitlines(keepends=True)))
    sealed = isinstance(whole, dict) and {"payload", "ciphertext"} & whole.keys()
    return data if sealed else json.dumps(strange(whole)).encode()


def _strange_line(line: bytes) -> bytes:
    try:
        return json.dumps(strange(json.loads(line))).encode() + line[len(line.rstrip(b"\n")) :]
    except ValueError:
        return line


@pytest.fixture(scope="module", params=["as they are", "with unknown fields"])
def pairs(
    request: pytest.FixtureRequest,
    fixtures_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Mapping[str, list[Pair]]:
    """Every outside recording of a format that has a writer, before and after."""
    place, source = tmp_path_factory.mktemp("raw"), fixtures_folder
    if request.param != "as they are":
        source = place / "source"
        for family in FAMILIES:
            shutil.copytree(fixtures_folder / family, source / family)
        for file in (f for f in source.rglob("*") if f.suffix in {".json", ".jsonl", ".vcon"}):
            data = made_strange(file.read_bytes())
            file.chmod(0o600)
            file.write_bytes(data)
    found: dict[str, list[Pair]] = {family: [] for family in FAMILIES}
    with made(place / "home").room() as room:
        for folder in (f for f in FOLDERS if f.partition("/")[0] in FAMILIES):
            for session in deposit(room, [source / folder], Terms(), wait=False).sessions:
                family = session.format.partition("-")[0]
                if family in FAMILIES:
                    found[family].append(pair(room, session, family, place / session.id))
    return found


def pair(room: Room, session: Any, family: str, place: Path) -> Pair:
    """A session as it came and as it is exported in its own format."""
    lines = session.format == "promptkit" and session.path.suffix == ".jsonl"
    out = place / "out"
    if family != "scenario":  # that one is a folder
        out.mkdir(parents=True)
    place.mkdir(exist_ok=True)
    target = out if family == "scenario" else out / "one"
    asked = Request("promptkit-jsonl" if lines else family)
    said = [w.code for w in export(room, Choice([session.id]), asked, target).warnings]
    fetch.originals(room, session.id, place / "came")
    written = recordings.files(out)
    ours = [name for name in written if name.endswith("strongroom.json")]
    assert len(ours) == (len(written) > 1), session.path  # the manifest of what is more than one
    kept = {name: data for name, data in written.items() if name not in ours}
    return Pair(session, recordings.files(place / "came"), kept, said)


@dataclass(frozen=True)
class Allowed:
    """A difference that may be: where, when, and why."""

    place: str
    why: str
    when: Callable[[Difference], bool] = lambda _: True

    def takes(self, found: Difference) -> bool:
        return bool(re.fullmatch(self.place, found.place) and self.when(found))


def held(found: Iterator[Difference], allowed: Sequence[Allowed], needed: set[str]) -> None:
    for one in found:
        reason = next((each for each in allowed if each.takes(one)), None)
        assert reason is not None, one
        needed.add(reason.why)


# --- the scenario bundle -----------------------------------------------------------------


#: What is no part of a bundle, so that an export of it leaves it out and says so.
PART = re.compile(r"manifest\.json|full\.wav|segments/.*")


def test_a_scenario_bundle_has_every_file_byte_for_byte(pairs: Mapping[str, list[Pair]]) -> None:
    assert len(pairs["scenario"]) == 19
    for pair in pairs["scenario"]:
        foreign = {name for name in pair.came if not PART.fullmatch(name)}
        assert ("originals-left-out" in pair.said) == bool(foreign), pair.session.path
        kept = {name: data for name, data in pair.came.items() if name not in foreign}
        added = pair.out.keys() - kept.keys()
        assert {name: pair.out.get(name) for name in kept} == kept, pair.session.path
        # A bundle that came without a manifest, or a whole recording, has one now.
        assert added <= {"manifest.json", "full.wav"}, pair.session.path


# --- VoiceMode ---------------------------------------------------------------------------


def test_every_row_of_a_voicemode_log_comes_out_as_it_came_in(
    pairs: Mapping[str, list[Pair]],
) -> None:
    assert pairs["voicemode"]
    for pair in pairs["voicemode"]:
        rows, lost = [], 0
        for name, data in sorted(pair.came.items()):
            for line in data.splitlines() if name.endswith(".jsonl") else ():
                try:
                    rows.append(json.loads(line))
                except ValueError:
                    lost += bool(line.strip())
        written = [json.loads(line) for line in pair.out["one"].splitlines()]
        assert not list(differences(rows, written)), pair.session.path
        assert ("rows-left-out" in pair.said) == bool(lost), pair.session.path


# --- PromptKit ---------------------------------------------------------------------------

RECORDING = [
    Allowed(
        r"\$(\[\])?\.metadata\.event_count",
        "an event that could not be read is not counted",
        lambda found: found.after < found.before,
    ),
    Allowed(
        r"\$\.metadata\.session_id",
        "no id that could lead a path elsewhere is written",
        lambda found: ".." in found.before,
    ),
]
STORE = [
    Allowed(r"\$\[\]\.event\.offset", "an event store has none: it follows from the instants"),
]


def test_a_promptkit_recording_is_the_same_json_and_has_its_blobs(
    pairs: Mapping[str, list[Pair]],
) -> None:
    needed: set[str] = set()
    media: set[str] = set()
    for pair in pairs["promptkit"]:
        (name,) = [n for n in pair.came if n.rpartition("/")[2] == pair.session.path.name]
        data, written = pair.came[name], pair.out["one"]
        if pair.session.path.suffix == ".json":
            before, after = json.loads(data), json.loads(written)
            held(differences(before, after), RECORDING, needed)
            assert after["metadata"]["event_count"] == len(after["events"])
        else:
            before = list(lines(data))
            after = [json.loads(line) for line in written.splitlines()]
            assert ("rows-left-out" in pair.said) == (len(before) < len(data.splitlines()))
            if "metadata" in before[0]:
                held(differences(before, after), RECORDING, needed)
                assert after[0]["metadata"]["event_count"] == len(after) - 1
            else:
                # A recording has them in the order of time, a store as they were written.
                stored = sorted(map(unstored, before), key=numbered)
                held(differences(stored, sorted(after[1:], key=numbered)), STORE, needed)
        beside = {key: value for key, value in pair.came.items() if key != name}
        assert {key: value for key, value in pair.out.items() if key != "one"} == beside
        media |= beside.keys()
    assert needed == {each.why for each in (*RECORDING, *STORE)}
    assert {name.partition("/")[0] for name in media} == {"blobs", "annotations"}


def numbered(line: dict[str, Any]) -> int:
    number: int = line["event"]["seq"]
    return number


def lines(data: bytes) -> Iterator[Any]:
    for line in data.splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def unstored(line: dict[str, Any]) -> dict[str, Any]:
    """A line of a store as a line of a recording has it, by the two Go types."""
    event = dict(line["event"])
    event["seq"] = line["seq"]
    unknown = {key: line[key] for key in line.keys() - {"seq", "parent_id", "event"}}
    event.pop("sequence", None)
    if "parent_id" in line:
        event["parent_seq"] = line["parent_id"]
    if "execution_id" in event:
        event["run_id"] = event.pop("execution_id")
    return {**unknown, "event": event, "type": "event"}


# --- the vCon ----------------------------------------------------------------------------

RENAMED = {
    "mimetype": "mediatype",
    "appended": "amended",
    "must_support": "critical",
    "transfer-target": "transfer_target",
    "vendor_schema": "schema",
    "vendor_product": "product",
}


def is_renamed(found: Difference) -> bool:
    """Whether the value is still there under the name that 0.4.0 has for it."""
    new = RENAMED.get(found.place.rpartition(".")[2])
    return found.after is MISSING and new is not None and found.now.get(new) == found.before


def modern(place: str) -> str:
    """A place by the name that 0.4.0 has for its last step."""
    above, dot, last = place.rpartition(".")
    return above + dot + RENAMED.get(last, last)


def is_new_name(found: Difference) -> bool:
    names = [old for old, new in RENAMED.items() if new == found.place.rpartition(".")[2]]
    return found.before is MISSING and any(found.was.get(old) == found.after for old in names)


def same_instant(found: Difference) -> bool:
    if MISSING in (found.before, found.after):
        return False
    after = datetime.fromisoformat(found.after)
    try:
        before = datetime.fromisoformat(found.before)
    except ValueError:
        before = parsedate_to_datetime(found.before)
    return (before if before.tzinfo else before.replace(tzinfo=UTC)) == after


def says_nothing(found: Difference) -> bool:
    return found.after is MISSING and found.before in (None, {})


def has_signature(found: Difference) -> bool:
    return added(found) and {"alg", "signature"} <= found.was.keys()


def fits_body(found: Difference) -> bool:
    """JSON that said it was text, and text that said nothing; the body is as it was."""
    is_text = isinstance(found.now["body"], str)
    return (
        bool(found.after == ("none" if is_text else "json"))
        and found.was["body"] == found.now["body"]
    )


def added(found: Difference) -> bool:
    return found.before is MISSING


VCON = [
    Allowed(r"\$\.vcon", "a vCon of any version becomes one of 0.4.0"),
    Allowed(r"\$\.(uuid|created_at)", "0.4.0 asks for both", added),
    Allowed(r"\$\.redacted\.type", "0.4.0 asks for it", added),
    Allowed(r"\$\.analysis\[\]\.vendor", "0.4.0 asks for it", added),
    Allowed(r"\$\.attachments\[\]\.(start|party|dialog)", "0.4.0 asks for all three", added),
    Allowed(r"\$.*", "null and {} say nothing", says_nothing),
    Allowed(r"\$.*\.encoding", "it says how the body beside it is written", fits_body),
    Allowed(r"\$.*", "0.4.0 has another name for it", is_renamed),
    Allowed(r"\$.*", "the new name of what had another", is_new_name),
    Allowed(
        r"\$\.(dialog|analysis|attachments)\[\]\.content_hash", "alg with signature", has_signature
    ),
    Allowed(
        r"\$(\..*)?\.(start|created_at|updated_at|time)",
        "dates of RFC 3339, UTC where none is said",
        same_instant,
    ),
]


def test_a_vcon_keeps_every_field_and_what_does_not_fit_is_told(
    pairs: Mapping[str, list[Pair]],
) -> None:
    needed: set[str] = set()
    assert len(pairs["vcon"]) >= 17
    for pair in pairs["vcon"]:
        (data,), document = pair.came.values(), json.loads(pair.out["one"])
        before = json.loads(data)
        if "ciphertext" in before:
            assert pair.out["one"] == data
            assert pair.said == ["still-encrypted"]
            continue
        assert ("signature-left-out" in pair.said) == ("payload" in before)
        if "payload" in before:
            text = before["payload"]
            before = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        moved = unfit(document, before)
        found = (
            one
            for one in differences(before, document)
            if (modern(one.place), json.dumps(one.before, default=str)) not in moved
        )
        held(found, VCON, needed)
    assert needed == {each.why for each in VCON}


def unfit(document: dict[str, Any], before: dict[str, Any]) -> set[tuple[str, str]]:
    """What was moved into the last attachment, which is taken off: (place, its value)."""
    attachments = document.get("attachments") or []
    if not attachments or attachments[-1].get("purpose") != "unfit":
        return set()
    body = attachments.pop()["body"]
    if "attachments" not in before:
        assert not document.pop("attachments")
    return {(re.sub(r"\[\d+\]", "[]", each["path"]), json.dumps(each["value"])) for each in body}
