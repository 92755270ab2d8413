"""What the fuzzer begins with: packaged samples, recordings of other programs, our own makings."""

from __future__ import annotations

import gzip as packing
import io
import json
import wave
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from tests import recordings, records
from tests.conftest import FIXTURES
from tests.fuzz import scratch, spoken
from tests.fuzz.readers import enveloped, key_pair
from vault import formats, samples
from vault.errors import BadInput
from vault.export.writers import WRITERS, Each, Whole
from vault.formats.fields import Notes
from vault.kms import keyring_file
from vault.model import Compartment, Json, Kind
from vault.seal.pack import Packer, dump

_DOCUMENT_BYTES = 24_000
_SOUND_BYTES = 2_000
_TEXT = {".json", ".jsonl", ".vcon", ".vtt", ".srt", ".txt", ".xml", ".gz"}


def files() -> list[bytes]:
    """Every small file there is that some reader may know, sound cut short."""
    found = [_text(path) for path in _paths() if path.suffix in _TEXT]
    found = [data for data in found if len(data) <= _DOCUMENT_BYTES]
    made = [*spoken.realtime(), *spoken.enclosed(), *spoken.variants()]
    return [*found, *sounds(), *_written(), *_vendor_texts(), *made]


def with_name() -> list[bytes]:
    """The same behind the byte that names their format, and some behind every other."""
    place = scratch.folder() / "seed"
    made = []
    for data in files():
        place.write_bytes(data)
        try:
            known = formats.detect(formats.Source(place))
        except BadInput:
            continue
        if known is not None:
            made.append(bytes([formats.FORMATS.index(known[1])]) + data)
    return [*made, *(bytes([n]) + b"{}" for n in range(len(formats.FORMATS)))]


def bundles() -> list[bytes]:
    """Folders: of scenario, of the platform, of VoiceMode, and recordings with sidecars."""
    roots = [*(samples.folder()).glob("*"), *FIXTURES.glob("scenario/*/*")]
    roots += [*FIXTURES.glob("voice_agents_platform/recordings/*"), *FIXTURES.glob("voicemode/v*")]
    roots += [*FIXTURES.glob("promptkit/*"), *FIXTURES.glob("other/*")]
    made = [_bundle(root) for root in sorted(roots) if root.is_dir()]
    sidecar = {"call.wav": recordings.noise(0.02), "call.json": _SIDECAR}
    beside = {"c.json": _SIDECAR, "c.dual.wav": recordings.noise(0.02)}
    made += [scratch.pack(sidecar), scratch.pack(beside), *spoken.packed()[:-2]]
    made += spoken.recordings()
    return [each for each in made if each and len(each) <= 2 * _DOCUMENT_BYTES]


def deposits() -> list[bytes]:
    """Lone files and folders."""
    return [*files()[::4], *bundles()]


def sounds() -> list[bytes]:
    """The beginnings of recordings in every container."""
    made = [recordings.noise(0.02), _wide_wav()]
    for suffix in ("mp3", "ogg", "opus", "flac", "wav", "m4a", "webm"):
        found = sorted(p for p in _paths() if p.suffix == f".{suffix}")
        made += [path.read_bytes()[:_SOUND_BYTES] for path in found[:4]]
    return [*made, b"fLaC\0\0\0\x22" + bytes(10) + b"\x0a\xc4\x42\xf0" + bytes(20)]


def vcons() -> list[bytes]:
    """Plain ones, and the same signed and encrypted for the key that the target has."""
    plain = [path.read_bytes() for path in _paths() if "vcon" in path.name]
    made = [data for data in plain if len(data) <= _DOCUMENT_BYTES]
    bare = [data for data in made if b'"parties"' in data and b"payload" not in data]
    bare.append(b'{"vcon":"0.4.0","uuid":"0","parties":[{"name":"A"}],"dialog":[]}')
    return [*made, *enveloped(min(bare, key=len))]


def pems() -> list[bytes]:
    """A key, a certificate and a public key, and those of other programs."""
    return [*key_pair(), *(p.read_bytes() for p in FIXTURES.rglob("*.pem"))]


def documents() -> list[bytes]:
    """Small documents of JSON."""
    small = [path.read_bytes() for path in _paths() if path.suffix == ".json"]
    made = [b'[1,-2.5e3,"\\ud83d\\ude00 \\ud800",{"a":null}]', b"\xef\xbb\xbf{}"]
    made.append(b"[" * 90 + b"]" * 90)
    return [*made, *(data for data in small if len(data) < 6000)]


def xmls() -> list[bytes]:
    """A recording session's metadata, with namespaces, and what is forbidden."""
    rs = b'<recording xmlns="urn:ietf:params:xml:ns:recording:1"><session session_id="a"/>'
    return [
        rs + b"<participant><nameID aor='sip:a@b.c'/></participant></recording>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        b"<a b='&#x1F600;'><![CDATA[x]]><?y z?><!-- n --></a>",
        *(path.read_bytes() for path in _paths() if path.suffix == ".xml"),
    ]


def dates() -> list[bytes]:
    """Instants in every form that a source has."""
    texts = """2026-05-07T10:16:25Z|2026-05-07T10:16:25.123456789+05:30|2026-05-07 10:16:25
        |20260507T101625Z|2026-W19-4|Thu, 07 May 2026 10:16:25 -0700|07 May 26 10:16 GMT
        |9999-12-31T23:59:59.999999999-23:59|1970-01-01T00:00:00+14:00|0001-01-01T00:00:00Z"""
    return [text.strip().encode() for text in texts.split("|")]


def numbers() -> list[bytes]:
    """Numbers at the ends of what a time may be."""
    return [b"0", b"1e-9", b"-1", b"31622400.0", b"253402300799", b"[{}]", b"9e15", b'"user"']


def gzips() -> list[bytes]:
    """One member, two, one with a name, and one that is cut."""
    one = packing.compress(b"something said " * 20)
    made = [one, one + one, packing.compress(bytes(100_000)), one[:-5], one + b"rest"]
    return [*made, *spoken.packed()[-2:]]


def unpacked() -> list[bytes]:
    """The same behind the steps in which they are read."""
    steps = (bytes(8), b"\x03\x10\xff\x02\x80\x09\x01\x64", b"\xff" * 8)
    return [each + one for each in steps for one in gzips()]


def manifests() -> list[bytes]:
    """The manifest of a pack with parts in one piece and in several."""
    packer = Packer(Compartment.ORIGINAL)
    for name in ("a", "b"):
        packer.begin(name, Kind.AUDIO, "audio/wav")
    for name, block in (("a", b"12"), ("b", b"3"), ("a", b"45")):
        packer.take(name, block)
    return [dump(packer.parts()), dump([]), b'{"version":2,"parts":[]}']


def homes() -> list[bytes]:
    """What a home says of itself."""
    return [b'{"settings":{"store_url":"file://objects"},"made_at":"2026-01-01"}', b"{}"]


def keyrings() -> list[bytes]:
    """A keyring in clear and one under a passphrase."""
    root = {"id": "00" * 16, "key": "11" * 32}
    clear = {"format": keyring_file._FORMAT, "version": 1, "kdf": None, "salt": None}
    sealed = {**clear, "kdf": keyring_file._KDF, "salt": "22" * 16}
    long = {"id": "00" * 16, "key": "11" * 60}
    both = ({**clear, "roots": [root]}, {**sealed, "roots": [long]})
    return [json.dumps(each).encode() for each in both]


def addresses() -> list[bytes]:
    """Addresses of key services."""
    return [b"keyring://", b"transit://h:8200/m/k?region=x", b"pkcs11://t/k%20?module=/a.so"]


def texts() -> list[bytes]:
    """Texts that want to do harm."""
    return [*(text.encode() for text in records.HOSTILE), b"CON.wav", b"\xed\xa0\x80", b"a" * 300]


def watched() -> list[bytes]:
    """Steps in which a file is read, some of which change it."""
    return [b"\x10\x08\x01\x02\x03" * 9, b"\x04\xff\x08" + bytes(60), b"\x04\xc9" + bytes(60), b""]


def folders() -> list[bytes]:
    """Lone files, and the smaller folders."""
    return [*files(), *(each for each in bundles() if len(each) < _DOCUMENT_BYTES)]


def logs() -> list[bytes]:
    """Pieces of a log as they are appended."""
    return [b"one\nt\xffwo\n\xffthree", b"\n\n\xff\n", b"a\xffb\xffc\n"]


def commands() -> list[bytes]:
    """Lines of the command line."""
    made = """list --from 2026-01-01T00:00:00+00:00 --limit 3|list --subject a@b.c --tag x
        |show ID|replay ID --at 1.5|replay ID --at -3|title ID Lost|tag ID --add red --remove blue
        |annotate ID --type label --key mood --value "calm" --target time_range
        --where {"start_ns":0,"end_ns":5}|annotate ID --correct x --value 1|list --state ready
        |list --limit 99999999999999999999|replay ID --at 1e300
        |annotate ID --type label --key k --value 1e999|annotate ID --type score --key k --value NaN
        |list --jurisdiction US-CA --class long --format wav --external-id x --agent y"""
    return ["\n".join(each.split()).encode() for each in made.split("|")]


_SIDECAR = json.dumps(
    {
        "external_id": "c-1",
        "started_at": "2026-01-05T10:00:00+01:00",
        "participants": [{"role": "agent", "name": "Ada"}],
        "segments": [{"start": 0, "end": 0.01, "text": "hello", "speaker": "Ada"}],
        "events": [{"time": 0, "type": "user_interrupt"}],
    }
).encode()


def _paths() -> Iterator[Path]:
    for root in (samples.folder(), FIXTURES):
        yield from sorted(path for path in root.rglob("*") if path.is_file())


def _text(path: Path) -> bytes:
    """A text; the sound in it cut short if it is a long one."""
    data = path.read_bytes()
    return spoken.shorter(data) if len(data) > _DOCUMENT_BYTES else data


def _bundle(root: Path) -> bytes:
    """A folder as one input: its texts first, and the beginnings of what sounds."""
    found = {}
    paths = sorted((p for p in root.rglob("*") if p.is_file()), key=lambda p: p.suffix == ".wav")
    for path in paths[:10]:
        name = path.relative_to(root).as_posix()
        found[name] = _text(path) if path.suffix in _TEXT else path.read_bytes()[:_SOUND_BYTES]
    return scratch.pack(found)


def _written() -> list[bytes]:
    """One session as our own writers write it."""
    made = []
    for name in ("json", "srt", "vtt", "vcon", "promptkit", "promptkit-jsonl", "voicemode"):
        writer, order = WRITERS[name], replace(records.order(), notes=Notes())
        if isinstance(writer, Whole):
            made.append(b"".join(writer.write([records.record()], order)))
        elif isinstance(writer, Each):
            made.append(b"".join(writer.write(records.record(), order)))
    return made


def _vendor_texts() -> list[bytes]:
    """The smallest documents of some vendors, for where no recordings of others are."""
    word: Json = {"word": "hi", "start": 0.1, "end": 0.2}
    said: Json = {"role": "bot", "message": "hi", "time": 1700000000000, "secondsFromStart": 0.5}
    turn: Json = {"role": "agent", "content": "hi", "words": [word]}
    vapi: Json = {"type": "end-of-call-report", "artifact": {"messages": [said]}}
    retell: Json = {"call_id": "c", "start_timestamp": 1700000000000, "transcript_object": [turn]}
    began = "Thu, 07 May 2026 10:16:25 +0000"
    twilio: Json = {"sid": "RE1", "call_sid": "CA1", "duration": "3", "start_time": began}
    realtime: list[Json] = [
        {"type": "session.created", "event_id": "event_1", "session": {"id": "sess_1"}},
        {"type": "response.created", "event_id": "event_2", "response": {"id": "resp_1"}},
    ]
    wholes: list[Json] = [{"message": vapi}, {"event": "call_analyzed", "call": retell}, twilio]
    return [
        b"\n".join(json.dumps(each).encode() for each in realtime),
        *(json.dumps(each).encode() for each in wholes),
        b"WEBVTT - x\n\n1\n00:01.000 --> 00:02.000 align:start\n<v Agent>Hello &amp; bye</v>\n",
    ]


def _wide_wav() -> bytes:
    """A WAVE file of two channels, and the same as RF64."""
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(3)
        file.setframerate(48_000)
        file.writeframes(bytes(60))
    data = made.getvalue()
    wide = b"ds64" + (28).to_bytes(4, "little") + (100).to_bytes(8, "little")
    wide += (60).to_bytes(8, "little") + (10).to_bytes(8, "little") + bytes(4)
    return b"RF64\xff\xff\xff\xffWAVE" + wide + data[12:40] + b"\xff\xff\xff\xff" + data[44:]


Seeds = Callable[[], list[bytes]]
