"""Speech as a vCon has it: dialogs with their sound, transcripts of them, and who speaks.

    dialog[0]    recording-set, the whole session (only where there is sound, or nothing else)
    dialog[1…]   a recording for each sound, a text for each turn without one
    analysis[]   a transcript for each recording

Source: draft-ietf-vcon-vcon-core.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from vault.errors import BadInput
from vault.formats import instants
from vault.formats.fields import speakers
from vault.formats.sound import RECORDING_NS
from vault.model import Json, Participant, Reading, Segment

_MEDIA_TYPES = {"audio/wav": "audio/x-wav", "audio/mpeg": "audio/x-mp3", "audio/mp4": "audio/x-mp4"}


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording that goes into the vCon.

    The segments whose `file` is `name` were said in it; a lone one that no segment names holds
    them all. `open` gives `size_bytes` bytes, `start_ns` is where it lies in the session and
    `channels` are the roles in the order of its channels, where there are several.
    """

    name: str
    media_type: str
    size_bytes: int
    open: Callable[[], BinaryIO]
    start_ns: int = 0
    decoded_ns: int | None = None
    channels: Sequence[str] = ()


class Speech:
    """What is said in a session, from `start_ns` on, as the lists of a vCon.

    `people` are the parties in their order, `transcripts` pairs of a dialog's index and what was
    said in it, and `spans` how long the transport carried a dialog (ns), where it has one turn.
    """

    def __init__(self, reading: Reading, start_ns: int, sounds: Sequence[Sound]) -> None:
        self._reading, self._start_ns = reading, start_ns
        self.people = _people(reading, sounds)
        self._places: dict[object, int] = {}
        for place, person in enumerate(self.people):
            self._places.setdefault((person.role, person.name), place)
            self._places.setdefault(person.role, place)
        self.dialog: list[Json] = []
        self.transcripts: list[tuple[int, Json]] = []
        self.spans: list[Json] = []
        self._recordings: list[Json] = []
        self._speech(sounds)

    def at(self, offset_ns: int) -> str:
        """An instant of the session as a vCon writes it."""
        return instants.write(self._start_ns + offset_ns)

    def _speech(self, sounds: Sequence[Sound]) -> None:
        segments = self._reading.timeline.segments
        whole = len(sounds) == 1 and all(segment.file != sounds[0].name for segment in segments)
        if sounds or not any(segment.text for segment in segments):
            self.dialog.append(self._whole())
        heard = {sound.name: sound for sound in sounds}
        said: dict[str, list[Segment]] = defaultdict(list)
        for segment in segments:
            if segment.file in heard:
                said[segment.file].append(segment)
        for segment in () if whole else segments:
            if segment.file not in heard:
                self._written(segment)
            elif segment is said[segment.file][0]:
                self._recorded(heard[segment.file], said[segment.file])
        for sound in sounds:
            if sound.name not in said:
                self._recorded(sound, segments if whole else ())

    def _whole(self) -> dict[str, Json]:
        length = self._reading.duration_ns
        return {
            "type": "recording-set",
            "start": self.at(0),
            **({"duration": length / 1e9} if length is not None else {}),
            "parties": list(range(len(self.people))),
            "recordings": self._recordings,
        }

    def _recorded(self, sound: Sound, said: Sequence[Segment]) -> None:
        """A recording with what was said in it."""
        one = said[0] if len(said) == 1 and said[0].file == sound.name else None
        if one is not None:
            sound = replace(sound, start_ns=one.start_ns)
        length = sound.decoded_ns
        if length is None and one is not None:
            length = one.decoded_ns if one.decoded_ns is not None else one.end_ns - one.start_ns
        body, digest = _inside(sound)
        index = len(self.dialog)
        self._recordings.append(index)
        self.dialog.append(
            {
                "type": "recording",
                "start": self.at(sound.start_ns),
                **({"duration": length / 1e9} if length is not None else {}),
                "parties": self._heard(sound, said),
                "recording_set": 0,
                "mediatype": _MEDIA_TYPES.get(sound.media_type, sound.media_type),
                "filename": sound.name.rpartition("/")[2],
                "encoding": "base64url",
                "body": body,
                "content_hash": digest,
            }
        )
        if one is not None:
            self.spans.append({"dialog": index, "transport_ns": one.end_ns - one.start_ns})
            if one.text is not None:
                self.transcripts.append((index, _words(one, self._called(one))))
            return
        turns = [self._turn(segment, sound) for segment in said if segment.text is not None]
        if turns:
            self.transcripts.append((index, {"segments": list(turns)}))
        for segment in said:
            if segment.text is None:  # no transcript has a place for it
                self._written(segment)

    def _heard(self, sound: Sound, said: Sequence[Segment]) -> Json:
        """The parties of a recording: by its channels, else those who speak in it."""
        if sound.channels:
            roles = [person.role for person in self.people]
            return [roles.index(role) if role in roles else None for role in sound.channels]
        places = list(dict.fromkeys(self._who(segment) for segment in said))
        return places[0] if len(places) == 1 else (list(places) or list(range(len(self.people))))

    def _turn(self, segment: Segment, sound: Sound) -> Json:
        start = max(0, segment.start_ns - sound.start_ns)
        times: dict[str, Json] = {
            "speaker": segment.speaker or segment.role,
            "party": self._who(segment),
            "start": start / 1e9,
            "end": max(start, segment.end_ns - sound.start_ns) / 1e9,
        }
        return _words(segment, self._called(segment)) | times

    def _written(self, segment: Segment) -> None:
        """A turn without sound: its text, or that there was a recording which is not in here."""
        index = len(self.dialog)
        dialog: dict[str, Json] = {
            "start": self.at(segment.start_ns),
            "duration": (segment.end_ns - segment.start_ns) / 1e9,
            "parties": self._who(segment),
        }
        if segment.text is None:
            self.dialog.append({"type": "recording", **dialog})
            return
        text: dict[str, Json] = {"mediatype": "text/plain", "encoding": "none"}
        self.dialog.append({"type": "text", **dialog, **text, "body": segment.text})
        words = _words(segment, self._called(segment))
        if words.keys() - {"text"}:
            self.transcripts.append((index, words))

    def _who(self, segment: Segment) -> int:
        """The party who speaks: the one of that role and name, else the first of that role."""
        return self._places.get((segment.role, segment.speaker), self._places[segment.role])

    def _called(self, segment: Segment) -> dict[str, Json]:
        """What the source calls a speaker who has another name among the parties."""
        known = segment.speaker is None or (segment.role, segment.speaker) in self._places
        return {} if known else {"speaker": segment.speaker}


def _people(reading: Reading, sounds: Sequence[Sound]) -> Sequence[Participant]:
    """Everyone who takes part or speaks; nobody, where nobody is known: a vCon needs no parties.

    The only participant of a role who has a name is who speaks in it, whatever a lone speaker of
    that role is called there.
    """
    people = list(reading.participants)
    roles = Counter(person.role for person in people)
    known = {(person.role, person.name) for person in people}
    named = {person.role for person in people if person.name}
    spoken = speakers(reading.timeline.segments)
    voices = Counter(one.role for one in spoken)
    for one in spoken:
        lone = one.name is None or (one.role in named and voices[one.role] == 1)
        if not (lone and roles[one.role] == 1) and (one.role, one.name) not in known:
            people.append(one)
    heard = dict.fromkeys(role for sound in sounds for role in sound.channels)
    there = {person.role for person in people}
    return [*people, *(Participant(role) for role in heard if role not in there)]


def _words(segment: Segment, called: dict[str, Json]) -> dict[str, Json]:
    own = {"dialog", RECORDING_NS}
    rest = called | {key: value for key, value in segment.data.items() if key not in own}
    cut: dict[str, Json] = {"transcript_truncated": True} if segment.truncated else {}
    words = {"words": rest.pop("words")} if "words" in rest else {}
    more = {"data": rest} if rest else {}
    return {"text": segment.text, **cut, **plain(words), **plain(more)}


def _inside(sound: Sound) -> tuple[str, str]:
    """A recording as the text that carries it, and its digest as a `content_hash` is written."""
    with sound.open() as stream:
        data = stream.read(sound.size_bytes + 1)
    if len(data) != sound.size_bytes:
        raise BadInput(f"{sound.name!a} changed while it was read.")
    return _base64url(data), f"sha512-{_base64url(hashlib.sha512(data).digest())}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """The same with every mapping in it a dictionary and every sequence a list."""
    made: dict[str, Any] = json.loads(json.dumps(value))
    return made
