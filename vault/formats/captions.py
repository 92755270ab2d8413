"""WebVTT and SRT: what was said, between two times, by whom if the file says so.

    WEBVTT [title]                 1                                  (SRT: number first)
    00:01.997 --> 00:02.599        00:00:01,997 --> 00:00:02,599      (comma or dot)
    <v Agent>Hello.</v>            Agent: Hello.

Hours may be missing or of any length; some tools write seconds since 1970 as hours, so times a
year past 0 count from the first cue, which is then also when the session began. A byte order
mark, any line ending, notes, styles and regions are taken as they come.

Source: W3C WebVTT, sections 4 and 6; SRT has no specification.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import unescape

from vault.errors import BadInput
from vault.formats import single
from vault.formats.fields import EPOCH_NS_LIMIT, NS_LIMIT, ROLES, Fields, Notes
from vault.formats.single import MS, Told, turn
from vault.formats.source import Source
from vault.model import Json, Reading, Segment

NAMES = ("webvtt", "srt")
EXTENSIONS = frozenset({".vtt", ".srt"})
CUES_LIMIT = 500_000

_TIME = r"(?:(\d{1,9}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMING = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s+(.*))?", re.ASCII)
_HEADER = re.compile(r"WEBVTT(?:[ \t]+(.*))?")
_SRT_HEAD = re.compile(rf"\s*(?:\d+[ \t]*[\r\n]+)?\s*{_TIME}\s*-->", re.ASCII)
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?[ \t]([^<>]*)>")
_TAG = re.compile(r"</?[a-zA-Z0-9:.][^<>]*>|</v>")
_NAMED = re.compile(r"([^\W\d_][^:\n]{0,39}):[ \t]+(?=\S)")
_LINES = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Cue:
    """One cue; times are of the file, before anything is made relative."""

    start_ns: int
    end_ns: int
    text: str
    data: dict[str, Json]


def detect(source: Source) -> str | None:
    """`webvtt` by its first word, `srt` by a number and a timing line."""
    if source.is_folder:
        return None
    head = source.head(source.name).removeprefix(b"\xef\xbb\xbf")
    if re.match(rb"WEBVTT(?:[ \t\r\n]|$)", head):
        return "webvtt"
    return "srt" if _SRT_HEAD.match(head[:512].decode("ascii", "replace")) else None


def read(source: Source, name: str) -> list[Reading]:
    """The one session of the file; `BadInput` where it holds no cue at all."""
    single.require_file(source, name)
    notes = Notes()
    text = source.whole(source.name).decode("utf-8-sig", "replace")
    if "\ufffd" in text:
        notes.add("bad-encoding", "Some of it is not UTF-8 and cannot be told.", source.name)
    header = _HEADER.match(text) if name == "webvtt" else None
    if name == "webvtt" and header is None:
        raise BadInput(f"{source.name!a} does not begin with WEBVTT.")
    cues = list(_cues(_LINES.split(text), notes))
    if not cues and (name == "srt" or "-->" in text):
        raise BadInput(f"{source.name!a} holds no cue that can be read.")
    cues, zero_ns = _relative(cues, notes)
    title = (header[1] or "").strip(" \t-") if header else ""
    told = Told(
        zero_ns=zero_ns,
        segments=list(_segments(cues, notes)),
        title=title or None,
    )
    return [single.reading(source, name, told, notes)]


def _cues(lines: list[str], notes: Notes) -> Iterator[Cue]:
    """Every block with a timing line; the line before it is the cue's own name."""
    found = 0
    block: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line)
            continue
        at = next((n for n, each in enumerate(block[:2]) if "-->" in each), None)
        if at is not None:
            cue = _cue(block, at)
            found += 1
            if found > CUES_LIMIT:
                raise BadInput(f"The file holds more than {CUES_LIMIT} cues.")
            if cue is None:
                notes.add("bad-cue", f"Cue {found} has no times that can be read; left out.")
            else:
                if cue.end_ns < cue.start_ns:
                    notes.add("bad-interval", f"Cue {found} ends before it starts.")
                yield cue
        block = []


def _cue(block: list[str], at: int) -> Cue | None:
    timing = _TIMING.fullmatch(block[at])
    if timing is None:
        return None
    start, end = _ns(timing, 1), _ns(timing, 5)
    if max(start, end) > EPOCH_NS_LIMIT:
        return None
    data: dict[str, Json] = {"timing": block[at].strip()}
    if at:
        data["id"] = block[0].strip()
    return Cue(start, end, "\n".join(block[at + 1 :]), data)


def _ns(timing: re.Match[str], first: int) -> int:
    hours, minutes, seconds, fraction = timing.group(first, first + 1, first + 2, first + 3)
    whole = (int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)
    return (whole * 1000 + int(fraction.ljust(3, "0"))) * MS


def _relative(cues: list[Cue], notes: Notes) -> tuple[list[Cue], int | None]:
    """The cues from 0 on, and the instant of 0 where the file counts from 1970."""
    first = min((cue.start_ns for cue in cues), default=0)
    if first > NS_LIMIT:
        notes.add("epoch-times", "The times count from 1970; they are made relative.")
        cues = [replace(c, start_ns=c.start_ns - first, end_ns=c.end_ns - first) for c in cues]
    near = [cue for cue in cues if max(cue.start_ns, cue.end_ns) <= NS_LIMIT]
    if len(near) < len(cues):
        notes.add("bad-cue", f"{len(cues) - len(near)} cues lie a year away; left out.")
    return near, first if first > NS_LIMIT else None


def _segments(cues: list[Cue], notes: Notes) -> Iterator[Segment]:
    """A segment for every voice of every cue."""
    named = bool(cues) and all(_VOICE.search(c.text) or _NAMED.match(c.text) for c in cues)
    nameless = False
    for cue in cues:
        for speaker, text in _voices(cue.text, named=named):
            nameless |= speaker is None
            who = ("system", None) if speaker is None else _role(speaker, notes)
            end = max(cue.start_ns, cue.end_ns)
            yield turn(who, cue.start_ns, end, text, cue.data)
    if nameless:
        notes.add("no-speaker", "Some cues do not say who speaks; they are read as system.")


def _role(speaker: str, notes: Notes) -> tuple[str, str | None]:
    role, label = Fields({"voice": speaker}, "cue", notes).role("voice")
    return role, label


def _voices(text: str, *, named: bool) -> Iterator[tuple[str | None, str]]:
    """(speaker or None, what was said) of a cue; `named` if all cues of the file name one."""
    voices = list(_VOICE.finditer(text))
    if voices:
        ends = [*(v.start() for v in voices[1:]), len(text)]
        if before := _plain(text[: voices[0].start()]):
            yield None, before
        for voice, end in zip(voices, ends, strict=True):
            yield _unescaped(voice[1]).strip() or None, _plain(text[voice.end() : end])
        return
    prefix = _NAMED.match(text)
    if prefix and (named or prefix[1].lower() in ROLES):
        yield prefix[1].strip(), _plain(text[prefix.end() :])
    else:
        yield None, _plain(text)


def _plain(text: str) -> str:
    return _unescaped(_TAG.sub("", text)).strip()


def _unescaped(text: str) -> str:
    try:
        return unescape(text)
    except ValueError:  # what int() says of a character number of thousands of digits
        return text
