"""Whatever claims to be a vCon is read or refused, and what is written is valid and comes back."""

from __future__ import annotations

import io
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.test_formats import LEAVES, SLOW_DISK, answers
from tests.recordings import noise
from tests.unit.test_formats_vcon import VCONS, document, recording
from tests.unit.test_formats_vcon_envelope import UUID, encrypted, signed, signer
from vault import formats
from vault.errors import BadInput
from vault.formats import Source, vcon
from vault.formats.fields import Fields, Notes
from vault.formats.rows import Rows
from vault.formats.vcon_content import BASE64
from vault.formats.vcon_dates import all_instants, instant
from vault.formats.vcon_dialogs import Said
from vault.formats.vcon_speech import Sound
from vault.formats.vcon_writer import rewrite, write
from vault.model import Event, Json, Participant, Reading, Segment, Timeline

WORDS = """
    vcon uuid created_at subject parties dialog analysis attachments critical must_support type
    start duration originator recordings recording_set mediatype mimetype filename body encoding
    url content_hash alg signature party_history party event time role meta tel mailto name
    vendor product schema purpose text words segments speaker message transcript end results
    channels alternatives punctuated_word events offset_ns transport_ns data annotations id key
    version where payload signatures protected header x5c ciphertext recipients iv tag
"""
TEXTS = """
    recording text transfer recording-set incomplete transcript timeline tags consent annotations
    0.4.0 base64url json none UklGRg sha512-AAAA 2026-01-01T00:00:00Z 9999-12-31T23:59:59-23:59
    1969-01-01T00:00:00Z multipart/mixed;boundary=x audio/x-wav bot agent user join RIFF {} [1]
"""
KEYS = st.sampled_from(WORDS.split())
ATOMS = LEAVES | st.sampled_from(TEXTS.split())
VALUES = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=8),
    max_leaves=30,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=8)
STAMPED = st.builds(
    lambda kind, more: {"type": kind, "start": "2026-01-01T00:00:00Z"} | more,
    st.sampled_from(["recording", "text", "transfer", "recording-set", "transcript", "timeline"]),
    OBJECTS,
)
LISTED = st.lists(STAMPED | OBJECTS, max_size=4)
SHAPED = st.fixed_dictionaries(
    {"vcon": st.just("0.4.0"), "parties": st.lists(OBJECTS, max_size=3)},
    optional={"dialog": LISTED, "analysis": LISTED, "attachments": LISTED, "created_at": ATOMS},
)
REAL = sorted(VCONS.rglob("*.vcon")) + sorted(VCONS.glob("*.json"))
FOR_URLS = str.maketrans("+/", "-_")
SMALL = [place for place in REAL if place.stat().st_size < 100_000]


@cache
def starts() -> list[Any]:
    """Documents to change one thing in."""
    own = document(
        dialog=[recording(noise(0.05)), *document()["dialog"]],  # type: ignore[misc]  # a list
        analysis=[{"type": "transcript", "dialog": 0, "vendor": "x", "body": {"text": "hi"}}],
        attachments=[{"purpose": "timeline", "body": {"events": [{"offset_ns": 1, "type": "x"}]}}],
    )
    return [own, signed(), encrypted(), *(json.loads(place.read_bytes()) for place in SMALL)]


def tried(data: bytes) -> None:
    """As a deposit does it, then as asked for by name, with and without keys; then the sound."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "call.vcon"
        place.write_bytes(data)
        answers(place)
        key, certificate = signer()
        for keys in ({}, {"decrypt_key": key}, {"signers": certificate}):
            try:
                (reading,) = vcon.read(Source(place), "vcon", **keys)
                for inside in vcon.recordings(reading.originals[0].open, decrypt_key=key):
                    assert len(inside.open().read()) == inside.size_bytes
                again = write(reading, uuid=UUID, created_at=datetime(2026, 1, 1, tzinfo=UTC))
                json.loads(again)
                rewritten(reading, keys.get("decrypt_key"))
            except BadInput as error:
                str(error).encode()


def rewritten(reading: Reading, key: bytes | None) -> None:
    """Written over what came, it says the same, and what does not fit is set aside, or refused."""
    file = reading.originals[0]
    document = vcon.contents(file.open, decrypt_key=key).document
    if document is None:
        return
    at = reading.started_at or datetime(2026, 1, 1, tzinfo=UTC)
    came = json.dumps(document)
    before = vcon.understood("vcon", document, file.name, file, Notes())
    assert json.dumps(document) == came
    data = rewrite(document, before, reading, uuid=UUID, created_at=at)
    written = json.loads(data)
    assert not lost(json.loads(came), written), (came, data)
    found = vcon.understood("vcon", written, file.name, file, Notes())
    assert [s.text for s in found.timeline.segments] == [
        s.text for s in reading.timeline.segments
    ], (came, data)
    assert found.tags == reading.tags
    assert noted(reading) <= noted(found), (came, data)
    if len(found.participants) == len(reading.participants):  # a party that is none is now empty
        assert turns(found) == turns(reading), (came, data)


def noted(reading: Reading) -> set[tuple[str, str, str]]:
    return {(a.id, a.type, json.dumps(a.value)) for a in reading.timeline.annotations}


def lost(came: Any, written: Any) -> Counter[str]:
    """The values that came and are nowhere in what was written, however often they came.

    The version is another, a date may be in another form, and base64 in the other alphabet. How
    a body is written is not said of JSON that stands as it is.
    """
    came.pop("vcon", None)
    gone = Counter(map(kept, leaves(came))) - Counter(map(kept, leaves(written)))
    return gone - Counter({repr(word): gone[repr(word)] for word in ("none", *BASE64)})


def kept(value: Any) -> str:
    if isinstance(value, str):
        at = instant(Fields({"at": value}, "", Notes()), "at")
        value = "".join(value.split()).translate(FOR_URLS).rstrip("=") if at is None else at
    return repr(value)


def leaves(value: Any) -> Iterator[Any]:
    """What is in there and holds nothing else; a null says nothing."""
    inner = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list):
        for each in inner:
            yield from leaves(each)
    elif value is not None:
        yield value


@SLOW_DISK
@given(SHAPED | VALUES)
def test_anything_of_the_shape_of_a_vcon_is_read_or_refused(value: Any) -> None:
    tried(json.dumps(value).encode())


@SLOW_DISK
@given(st.data())
def test_a_real_vcon_with_one_value_replaced_is_read_or_refused(data: st.DataObject) -> None:
    whole = json.loads(json.dumps(data.draw(st.sampled_from(starts()))))
    place = whole
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            place[key] = data.draw(VALUES)
            break
        place = place[key]
    tried(json.dumps(whole).encode())


SCHEMA = json.loads((Path(vcon.__file__).parent / "vcon.schema.json").read_text())
FIELDS = [
    (listed, field)
    for listed in ("parties", "dialog", "analysis", "attachments")
    for field in SCHEMA["definitions"][SCHEMA["properties"][listed]["items"]["$ref"][14:]][
        "properties"
    ]
]


@SLOW_DISK
@given(st.data())
def test_a_field_that_is_anything_costs_a_rewritten_vcon_no_more_than_itself(
    data: st.DataObject,
) -> None:
    plain = [start for start in starts() if "dialog" in start]
    whole = json.loads(json.dumps(data.draw(st.sampled_from(plain))))
    for listed, field in data.draw(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=4)):
        if whole.get(listed):
            data.draw(st.sampled_from(whole[listed]))[field] = data.draw(VALUES)
    tried(json.dumps(whole).encode())


CLOCKS = st.datetimes(timezones=st.timezones() | st.just(UTC)).map(datetime.isoformat)
DATES = (
    CLOCKS
    | CLOCKS.map(lambda text: text.replace("T", " "))
    | st.builds("{:.19}.{}{}".format, CLOCKS, st.integers(0, 10**9), st.sampled_from("Zz"))
    | st.datetimes(timezones=st.just(UTC)).map(format_datetime)
    | ATOMS
)


@given(st.lists(st.fixed_dictionaries({}, optional={"start": DATES}), max_size=4))
def test_dates_taken_in_at_once_are_those_taken_one_by_one(items: list[dict[str, Json]]) -> None:
    at_once, alone = Notes(), Notes()
    rows = Rows(Fields({"dialog": [*items]}, "", at_once), "dialog", Said)
    found = all_instants(rows, "start")
    dialogs = Fields({"dialog": [*items]}, "", alone).objects("dialog")
    assert found == [instant(item, "start") for _, item in dialogs or ()]
    assert Counter(at_once.all()) == Counter(alone.all())


@SLOW_DISK
@given(st.sampled_from(range(3)), st.integers(0), st.binary(max_size=8), st.integers(0, 8))
def test_a_vcon_with_bytes_changed_is_read_or_refused(
    which: int, at: int, put: bytes, drop: int
) -> None:
    text = json.dumps(starts()[which]).encode()
    at %= len(text) + 1
    tried(text[:at] + put + text[at + drop :])


@settings(SLOW_DISK, max_examples=30)
@given(st.integers(0), st.integers(1, 255))
def test_no_changed_byte_of_a_signed_payload_goes_unseen(at: int, change: int) -> None:
    made = signed()
    data = bytearray(made["payload"].encode())
    data[at % len(data)] ^= change
    made["payload"] = data.decode("latin-1")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "call.vcon"
        place.write_text(json.dumps(made))
        try:
            formats.read(place)
        except BadInput:
            return
        raise AssertionError("a changed payload was read")


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.none() | st.sampled_from(["Ann", "Bob", "user"])
TIMES = st.integers(0, 10**15)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
EVENTS = st.builds(Event, st.just(0), TEXT, TIMES, st.dictionaries(TEXT, JSON, max_size=3))


@st.composite
def sessions(draw: st.DrawFn) -> tuple[Reading, list[Sound]]:
    said, heard = [], []
    people = draw(st.lists(st.sampled_from(["user", "agent", "system"]), max_size=3, unique=True))
    for index in range(draw(st.integers(0, 4))):
        role, start = draw(st.sampled_from(["user", "agent", "system"])), draw(TIMES)
        file = f"segments/{index:02d}.wav" if draw(st.booleans()) else None
        text = draw(st.none() | TEXT) if file else draw(TEXT)
        end = start + draw(st.integers(0, 10**12))
        one = Segment(index, role, draw(NAMES), start, end, None, text, False, file)
        if file is not None:
            data = draw(st.sampled_from([noise(0.01, seed=index), noise(0.02, seed=index)]))
            length = (len(data) - 44) * 10**9 // 16000
            heard.append(Sound(file, "audio/wav", len(data), opener(data), decoded_ns=length))
            one = replace(
                one, decoded_ns=length, truncated=text is not None and draw(st.booleans())
            )
        said.append(one)
    events = sorted(draw(st.lists(EVENTS, max_size=4)), key=lambda event: event.offset_ns)
    timeline = Timeline(tuple(said), tuple(replace(e, seq=n) for n, e in enumerate(events)))
    reading = Reading(
        format="scenario",
        external_id=draw(st.none() | TEXT),
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        duration_ns=draw(st.none() | TIMES),
        participants=tuple(Participant(role) for role in people),
        timeline=timeline,
        originals=(),
        metrics={},
        title=draw(st.none() | TEXT),
    )
    return reading, heard


def opener(data: bytes) -> Callable[[], BinaryIO]:
    return lambda: io.BytesIO(data)


@SLOW_DISK
@given(sessions())
def test_what_is_written_is_read_again(session: tuple[Reading, list[Sound]]) -> None:
    reading, heard = session
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "call.vcon"
        created_at = datetime(2026, 1, 1, tzinfo=UTC)
        place.write_bytes(write(reading, uuid=UUID, created_at=created_at, sounds=heard))
        (found,) = formats.read(place)
    assert (found.started_at, found.title or None) == (reading.started_at, reading.title or None)
    assert found.duration_ns == reading.duration_ns
    assert turns(found) == turns(reading)
    silent = not (reading.participants or reading.timeline.segments)
    assert silent == (not found.participants)
    assert found.timeline.events == reading.timeline.events


def turns(reading: Reading) -> list[tuple[object, ...]]:
    return [
        (s.role, s.speaker, s.start_ns, s.end_ns, s.decoded_ns, s.text, s.truncated)
        for s in reading.timeline.segments
    ]
