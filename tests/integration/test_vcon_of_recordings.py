"""Real recordings of every family as vCons, signed and encrypted: opened again, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_formats_vcon_envelope import signer
from vault.formats.vcon_envelope import Envelope
from vault.formats.vcon_schema import validate
from vault.model import Segment
from vault.operations import retrieve
from vault.operations.admission import Terms
from vault.operations.deposit import deposit
from vault.operations.export import Request, export
from vault.operations.records import Choice
from vault.operations.retrieve import Opened
from vault.operations.room import Room

PLATFORM = "voice_agents_platform/recordings/sess_3a94975eb405"
FAMILIES = (
    "scenario/python/elevenlabs_branded",
    "voicemode/v4_long_line",
    PLATFORM,
    "promptkit/pk-dev-interruption/pk-dev-interruption.recording.json",
    "vcon/ab_call_int_rec.vcon",
)


def put(room: Room, place: Path, **terms: Any) -> Opened:
    (one,) = deposit(room, [place], Terms(**terms), wait=False).sessions
    return Opened(room, retrieve.session(room, one.id))


def said(opened: Opened) -> list[tuple[str, int, int, str | None]]:
    def told(turn: Segment) -> tuple[str, int, int, str | None]:
        return turn.role, turn.start_ns, turn.end_ns, turn.text

    return [told(turn) for turn in opened.timeline().segments]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_real_session_goes_out_signed_and_encrypted_and_comes_back_to_its_reader_alone(
    room: Room, fixtures_folder: Path, tmp_path: Path, name: str
) -> None:
    opened = put(room, fixtures_folder / name)
    (key, certificate), (other, stranger) = signer(), signer("two")
    out = tmp_path / "out.vcon"
    envelope = Envelope(sign_key=key, chain=certificate, recipient=certificate)
    export(room, Choice([opened.row.id]), Request("vcon", envelope=envelope), out)
    sealed = json.loads(out.read_bytes())
    for _, _, _, text in said(opened):
        assert text is None or text not in out.read_text()
    refusals: list[tuple[str, dict[str, Any]]] = [
        (sealed["ciphertext"], {"decrypt_key": other}),  # not for them
        (sealed["ciphertext"], {"decrypt_key": key, "signers": stranger}),  # not from them
        ("AAAA" + sealed["ciphertext"][4:], {"decrypt_key": key}),  # not what was sent
    ]
    for number, (ciphertext, keys) in enumerate(refusals):
        place = tmp_path / f"{number}.vcon"
        place.write_text(json.dumps(sealed | {"ciphertext": ciphertext}))
        outcome = deposit(room, [place], Terms(**keys), wait=False)
        assert (len(outcome.refused), outcome.sessions) == (1, []), number
    back = put(room, out, decrypt_key=key, signers=certificate)
    assert not {"untrusted-signer", "encrypted"} & {w.code for w in back.warnings()}
    assert said(back) == said(opened)


def test_what_a_real_recording_states_of_consent_is_an_attachment_of_its_vcon(
    room: Room, fixtures_folder: Path, tmp_path: Path
) -> None:
    opened, out = put(room, fixtures_folder / PLATFORM), tmp_path / "out.vcon"
    export(room, Choice([opened.row.id]), Request("vcon"), out)
    document = json.loads(out.read_bytes())
    validate(document)
    records = fixtures_folder / "voice_agents_platform/consent/consent_records.json"
    stated = json.loads(records.read_text())["user123"]
    found = [a["body"] for a in document["attachments"] if a.get("purpose") == "consent"]
    assert [json.loads(each) if isinstance(each, str) else each for each in found] == stated
