"""The verb `exchanges`: what was said, chosen utterance by utterance, and what it adds up to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vault.cli import choosing
from vault.cli.choosing import MANY, Filters
from vault.cli.desk import Desk
from vault.cli.exporting import chosen

if TYPE_CHECKING:
    from vault.operations.conversations import Said
    from vault.replay.conversation import Exchange

_WORD = str | None
Sessions = Annotated[MANY, typer.Argument(metavar="[ID]...", help="Sessions; all by default.")]
Kind = Annotated[_WORD, typer.Option("--type", help="stt (user), tts (agent), or the source's.")]
Text = Annotated[_WORD, typer.Option(help="Part of what was said.")]
Pattern = Annotated[_WORD, typer.Option(help="A regular expression in it (RE2 syntax).")]
Conversation = Annotated[_WORD, typer.Option(help="The conversation's id.")]
Transport = Annotated[_WORD, typer.Option(help="local, livekit, …")]
Provider = Annotated[_WORD, typer.Option(help="Who spoke or listened, as in kokoro.")]
Voice = Annotated[_WORD, typer.Option(help="The voice.")]
Model = Annotated[_WORD, typer.Option(help="The model.")]
Project = Annotated[_WORD, typer.Option(help="Part of the project's path.")]
Since = Annotated[_WORD, typer.Option("--from", help="Said then or later.")]
Until = Annotated[_WORD, typer.Option("--to", help="Said before then.")]
Audio = Annotated[bool | None, typer.Option("--audio/--no-audio", help="With a recording.")]
Error = Annotated[bool | None, typer.Option("--error/--no-error", help="With an error.")]
Silence = Annotated[
    bool | None, typer.Option("--silence/--no-silence", help="With silence detection on.")
]
Shortest = Annotated[float | None, typer.Option(min=0, help="At least so many seconds.")]
Longest = Annotated[float | None, typer.Option(min=0, help="At most so many seconds.")]
Regroup = Annotated[
    bool, typer.Option("--regroup", help="Conversations end after 300 s, whatever the log says.")
]
Stats = Annotated[bool, typer.Option("--stats", help="Counts and times instead of the text.")]
_TALLIES = ("by_type", "by_provider", "by_voice", "by_transport", "silence_detection")


def register(app: typer.Typer) -> None:
    """Add this verb."""
    app.command("exchanges")(exchanges)


def exchanges(
    context: typer.Context,
    sessions: Sessions = None,
    type: Kind = None,
    text: Text = None,
    pattern: Pattern = None,
    conversation: Conversation = None,
    transport: Transport = None,
    provider: Provider = None,
    voice: Voice = None,
    model: Model = None,
    project: Project = None,
    since: Since = None,
    until: Until = None,
    audio: Audio = None,
    error: Error = None,
    silence: Silence = None,
    shortest: Shortest = None,
    longest: Longest = None,
    subject: choosing.Subjects = None,
    agent: choosing.Agents = None,
    tag: choosing.Tags = None,
    format: choosing.SourceFormat = None,
    regroup: Regroup = False,
    stats: Stats = False,
) -> None:
    """List what was said, by conversation; with --stats count it. Conditions add up.

    Sessions are opened one by one, and what they hold is printed as it is found; with --json
    it is one document, printed when it is whole.
    """
    from vault.operations import conversations
    from vault.replay.conversation import Where
    from vault.replay.conversation_counts import count

    desk: Desk = context.obj
    where = Where(
        kind=type,
        text=text,
        pattern=pattern,
        conversation_id=conversation,
        transport=transport,
        provider=provider,
        voice=voice,
        model=model,
        project=project,
        since=choosing.instant("--from", since),
        until=choosing.instant("--to", until),
        audio=audio,
        error=error,
        silence=silence,
        shortest_ns=_ns(shortest),
        longest_ns=_ns(longest),
    )
    filters = Filters(subject=subject, agent=agent, tag=tag, format=format)
    with desk.room() as room:
        choice = chosen(room, sessions, filters, everything=not (sessions or filters))
        found = conversations.said(room, choice, where, regroup=regroup)
        if stats:
            document = count(one for _, every in found for one in every)
            desk.answer(document, _counted(document))
        elif regroup:
            desk.answer_each("conversations", _talks(found), _lines)
        else:
            talks = (talk for one in found for talk in _talks([one]))
            desk.answer_each("conversations", talks, _lines)


def _ns(seconds: float | None) -> int | None:
    from vault.errors import UsageError

    if seconds is None:
        return None
    if not isfinite(seconds * 1e9):
        raise UsageError("--shortest and --longest are numbers of seconds.")
    return round(seconds * 1_000_000_000)


def _talks(found: Iterable[Said]) -> list[dict[str, Any]]:
    """The conversations by first appearance, each with the sessions it is in."""
    talks: dict[str | None, dict[str, Any]] = {}
    for session, every in found:
        for one in every:
            name = one.conversation_id
            talk = talks.setdefault(name, {"id": name, "sessions": [], "exchanges": []})
            if session not in talk["sessions"]:
                talk["sessions"].append(session)
            talk["exchanges"].append(_entry(session, one))
    return list(talks.values())


def _entry(session: str, one: Exchange) -> dict[str, Any]:
    return {
        "session": session,
        "type": one.kind,
        "text": one.text,
        "at": None if one.at is None else one.at.isoformat(),
        "duration_ns": one.duration_ns,
        "project_path": one.project_path,
        "audio_file": one.audio_file,
        "metadata": dict(one.metadata),
    }


def _lines(talk: Mapping[str, Any]) -> list[str]:
    rows = talk["exchanges"]
    head = f"{talk['id']}  {len(rows)} exchanges  in {', '.join(talk['sessions'])}"
    return [
        head,
        *(f"  {str(row['at'] or '')[:19]:<19}  {row['type']:<4} {row['text']}" for row in rows),
    ]


def _counted(document: Mapping[str, Any]) -> list[str]:
    """The counts for people: what there is, by whom, when, how long it took, what went wrong."""
    errors = document["errors"]
    models = {f"{k} {m}": n for k, each in document["by_model"].items() for m, n in each.items()}
    return [
        f"{document['exchanges']} exchanges in {document['conversations']} conversations",
        *(_tally(name, document[name]) for name in _TALLIES),
        _tally("by_model", models),
        _tally("by_hour", document["hourly"]),
        _tally("by_day", document["daily"]),
        f"  {'errors':<22} {errors['count']}, fallbacks {document['fallbacks']}",
        *(
            f"  {name:<22} {_times(each)}"
            for name, each in (*document["timing"].items(), _length(document))
            if each["count"]
        ),
    ]


def _length(document: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    return "conversation", document["conversation_seconds"]


def _tally(name: str, counts: Mapping[str, int]) -> str:
    told = ", ".join(f"{word} {number}" for word, number in counts.items())
    return f"  {name:<22} {told or '–'}"


def _times(each: Mapping[str, Any]) -> str:
    return (
        f"p50 {each['p50_seconds']:.2f} s, from {each['min_seconds']:.2f} "
        f"to {each['max_seconds']:.2f} s of {each['count']}"
    )
