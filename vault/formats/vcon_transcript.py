"""What was said, from the many shapes that transcripts have inside a vCon.

A vCon says that an analysis is a transcript, and leaves its shape to the vendor. Read are: text;
text in paragraphs that begin with a party's name; `{text, words}`; a list of turns, alone or
under `segments`; the channels of Deepgram. Anything else stays in the original, unread.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import msgspec

from vault.formats.fields import Fields, Notes
from vault.formats.rows import Flag, Number, Rows, Shape, Value
from vault.model import Json

_TEXT = ("text", "message", "transcript", "content")
_SPEAKER = ("speaker", "role", "name", "channel")
_START, _END = ("start", "start_time"), ("end", "end_time")
_READ = {*_TEXT, *_SPEAKER, *_START, *_END, "party", "transcript_truncated"}


class Turn(msgspec.Struct, frozen=True):
    """What one speaker said at a stretch; times count from the start of the dialog.

    `speaker` is a name, a position among the dialog's parties, or None; `party` is the index of
    a party, which tells more.
    """

    speaker: str | int | None
    text: str
    start_ns: int | None = None
    end_ns: int | None = None
    truncated: bool = False
    data: dict[str, Json] = msgspec.field(default_factory=dict)
    party: int | None = None


class Transcript(msgspec.Struct, frozen=True):
    """All that was said in a dialog: as turns where the source tells them apart, else as text."""

    text: str | None = None
    turns: Sequence[Turn] = ()
    truncated: bool = False
    data: dict[str, Json] = msgspec.field(default_factory=dict)


def transcript(body: Json, where: str, notes: Notes, names: Collection[str]) -> Transcript | None:
    """The transcript that `body` is, or None where it is in no shape known here.

    `names` are those of the parties, to tell turns apart in plain text.
    """
    if isinstance(body, str):
        return Transcript(body, tuple(_paragraphs(body, names)))
    if isinstance(body, list):
        return _listed(Fields({"segments": body}, where, notes), "segments")
    if not isinstance(body, dict):
        return None
    inner, results = body.get("transcript"), body.get("results")
    if isinstance(results, dict):
        return _deepgram(Fields(results, where, notes))
    found = None
    if isinstance(body.get("segments"), list):
        found = _listed(Fields(body, where, notes), "segments")
    elif isinstance(inner, list) or (isinstance(inner, dict) and "transcript" not in inner):
        found = transcript(inner, where, notes, names)
    return found or _plain(Fields(body, where, notes))


def _plain(fields: Fields) -> Transcript | None:
    """A text with what else is said of it."""
    text = fields.text("text") if "text" in fields.value else None
    if text is None and isinstance(fields.value.get("transcript"), str):
        text = fields.text("transcript")
    if text is None:
        return None
    known = {"text", "transcript", "transcript_truncated", "segments"}
    rest = {key: value for key, value in fields.value.items() if key not in known}
    return Transcript(text, (), fields.flag("transcript_truncated"), _merged(rest))


def _paragraphs(text: str, names: Collection[str]) -> Iterator[Turn]:
    """The paragraphs as turns, if each begins with the name of a party and a colon."""
    paragraphs = [each.partition(": ") for each in text.split("\n\n") if each.strip()]
    if paragraphs and all(colon and name.strip() in names for name, colon, _ in paragraphs):
        for name, _, said in paragraphs:
            yield Turn(name.strip(), said)


class _Told(Shape):
    """What is asked of each turn in a list."""

    text: Value = None
    start: Number = None
    end: Number = None
    party: Value = None
    transcript_truncated: Flag = None


def _listed(parent: Fields, key: str) -> Transcript | None:
    """A list of turns; those without a text are passed over."""
    rows = Rows(parent, key, _Told)
    turns = []
    columns = rows.items, rows.shapes, _times(rows, *_START), _times(rows, *_END)
    for n, (item, told, start, end) in enumerate(zip(*columns, strict=True)):
        text = told.text if type(told.text) is str else rows.fields(n).text(*_TEXT)
        if text is None:
            continue
        rest: dict[str, Json] = {}
        if not _READ.issuperset(item):
            rest = _merged({k: v for k, v in item.items() if k not in _READ})
        party = told.party if type(told.party) is int else None
        cut = told.transcript_truncated is True
        turns.append(Turn(_speaker(item), text, start, end, cut, rest, party))
    return Transcript(None, tuple(turns)) if turns else None


def _times(rows: Rows[_Told], name: str, another: str) -> list[int | None]:
    """The times of that name; under the other, where they have none of the first."""
    found = rows.ns(name)
    for n, item in enumerate(rows.items):
        if found[n] is None and another in item:
            found[n] = rows.fields(n).ns(another)
    return found


def _merged(rest: dict[str, Json]) -> dict[str, Json]:
    """With what strongroom puts under `data` beside it, where it was before."""
    data = rest.get("data")
    if not isinstance(data, dict):
        return rest
    return data | {key: value for key, value in rest.items() if key != "data"}


def _speaker(item: dict[str, Json]) -> str | int | None:
    for key in _SPEAKER:
        value = item.get(key)
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            return value
    return None


def _deepgram(results: Fields) -> Transcript | None:
    """Turns by speaker with their words; where there are several channels, a speaker is a channel.

    Source: Deepgram's documentation of the answer for pre-recorded audio.
    """
    channels = list(results.objects("channels") or ())
    texts: list[str] = []
    turns: list[Turn] = []
    for number, channel in channels:
        _, best = next(iter(channel.objects("alternatives") or ()), (0, None))
        if best is None:
            continue
        texts.append(best.text("transcript") or "")
        turns += _spoken(best, number if len(channels) > 1 else None)
    if not texts:
        return None
    turns.sort(key=lambda turn: turn.start_ns or 0)
    return Transcript("\n".join(texts), tuple(turns))


def _spoken(best: Fields, channel: int | None) -> Iterator[Turn]:
    """The turns of one alternative: words of the same speaker put together."""
    run: list[Fields] = []
    for _, word in best.objects("words") or ():
        if run and word.value.get("speaker") != run[-1].value.get("speaker"):
            yield _run(run, channel)
            run = []
        run.append(word)
    if run:
        yield _run(run, channel)


def _run(words: list[Fields], channel: int | None) -> Turn:
    said = [word.value.get("punctuated_word") or word.value.get("word") for word in words]
    text = " ".join(each for each in said if isinstance(each, str))
    speaker = channel if channel is not None else _speaker(words[0].value)
    start, end = words[0].ns("start"), words[-1].ns("end")
    return Turn(speaker, text, start, end, data={"words": [word.value for word in words]})
