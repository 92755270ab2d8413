"""What a session looked like at any instant, found without reading it again from the start.

Everything is sorted once; after that, an instant costs a few binary searches.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from vault.formats.promptkit_turns import AUDIO, MESSAGE, chunk_ns, message_role, message_text
from vault.model import Annotation, Event, Timeline
from vault.replay.annotations import Placed

#: An event this near to an instant happens at it; one within `RECENT_NS` before it is recent.
CURRENT_NS = 50_000_000
RECENT_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Message:
    """Something said; `role` is the source's own word for who said it, `truncated` as of a turn."""

    role: str
    text: str
    offset_ns: int
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """A session at one instant.

    `current_events` are at most 50 ms away on either side, `recent_events` at most two seconds
    old (an event of just two seconds ago is not), `messages` all that had been said.
    """

    position_ns: int
    current_events: Sequence[Event]
    recent_events: Sequence[Event]
    messages: Sequence[Message]
    audio_input_active: bool
    audio_output_active: bool
    annotations: Sequence[Annotation]


class Chronology:
    """A timeline sorted for looking things up by time; the order of equals is the source's."""

    def __init__(self, timeline: Timeline) -> None:
        self._events = sorted(timeline.events, key=lambda event: event.offset_ns)
        self._offsets = [event.offset_ns for event in self._events]
        self._messages = _messages(timeline, self._events)
        self._said = [message.offset_ns for message in self._messages]
        self._user, self._agent = _activity(timeline, self._events)
        by_seq = {event.seq: event.offset_ns for event in reversed(self._events)}
        self._annotations = Placed(timeline.annotations, by_seq)
        ends = [segment.end_ns for segment in timeline.segments]
        starts = [segment.start_ns for segment in timeline.segments]
        self.end_ns = max((*self._offsets[-1:], *ends), default=0)
        self._last_ns = max((*self._offsets[-1:], *starts), default=0)

    def length_ns(self, stated_ns: int | None) -> int:
        """How long there is something to go to: as stated, if nothing begins after that."""
        return self.end_ns if stated_ns is None or stated_ns < self._last_ns else stated_ns

    def at(self, at_ns: int) -> Moment:
        """What there was to see at an instant."""
        return Moment(
            position_ns=at_ns,
            current_events=self.between(at_ns - CURRENT_NS, at_ns + CURRENT_NS),
            recent_events=self.after(at_ns - RECENT_NS, at_ns),
            messages=self._messages[: bisect_right(self._said, at_ns)],
            audio_input_active=self._user.covers(at_ns),
            audio_output_active=self._agent.covers(at_ns),
            annotations=self._annotations.at(at_ns),
        )

    def between(self, start_ns: int, end_ns: int) -> tuple[Event, ...]:
        """The events from `start_ns` to `end_ns`, both included."""
        first = bisect_left(self._offsets, start_ns)
        return tuple(self._events[first : bisect_right(self._offsets, end_ns)])

    def after(self, start_ns: int, end_ns: int) -> tuple[Event, ...]:
        """The same without those at `start_ns`."""
        first = bisect_right(self._offsets, start_ns)
        return tuple(self._events[first : bisect_right(self._offsets, end_ns)])

    def of_type(self, kind: str) -> tuple[Event, ...]:
        """Every event of a type."""
        return tuple(event for event in self._events if event.type == kind)


class _Spans:
    """Stretches of time, the start included and the end not."""

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        ordered = sorted(spans)
        self._starts = [start for start, _ in ordered]
        #: How far the stretches up to each one reach.
        self._reach = list(accumulate((end for _, end in ordered), max))

    def covers(self, at_ns: int) -> bool:
        """Whether an instant lies in any of them."""
        begun = bisect_right(self._starts, at_ns)
        return begun > 0 and self._reach[begun - 1] > at_ns


def _messages(timeline: Timeline, events: Iterable[Event]) -> tuple[Message, ...]:
    """What was said: the messages a source recorded as such, else the text of its segments."""
    found = [
        Message(message_role(data), message_text(data) or "", event.offset_ns)
        for event in events
        if event.type == MESSAGE
        for data in (dict(event.data),)
    ]
    if not found:
        found = [
            Message(segment.role, segment.text, segment.start_ns, segment.truncated)
            for segment in sorted(timeline.segments, key=lambda segment: segment.start_ns)
            if segment.text
        ]
    return tuple(found)


def _activity(timeline: Timeline, events: Iterable[Event]) -> tuple[_Spans, _Spans]:
    """When the user and the agent were heard.

    By the chunks of audio where the source recorded them, each from its own time for its own
    length, else by the transport times of the segments.
    """
    spans: dict[str, list[tuple[int, int]]] = {"user": [], "agent": []}
    for event in events:
        if event.type in AUDIO:
            end = event.offset_ns + chunk_ns(dict(event.data))
            spans[AUDIO[event.type]].append((event.offset_ns, end))
    if not any(spans.values()):
        for segment in timeline.segments:
            if segment.role in spans:
                spans[segment.role].append((segment.start_ns, segment.end_ns))
    return _Spans(spans["user"]), _Spans(spans["agent"])
