"""Pictures of a conversation, as SVG made of numbers: when who spoke, how much, how fast.

Pure functions. No script, no style sheet, no reference to anything outside; the only words
are ours and the names of roles, which are escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from vault.export.escape import line, xml
from vault.model import Event, Segment

_SECOND_NS = 1_000_000_000
_WIDTH, _LEFT, _RIGHT = 720, 64, 12
_SPAN = _WIDTH - _LEFT - _RIGHT
_INK, _FAINT, _GRID = "#1f2933", "#6b7785", "#dde3e9"
COLOURS = {"user": "#2a6fb0", "agent": "#c2702e", "system": "#6b7785", "silence": "#e3e8ed"}
_LANES = 8
_CLOCK_SECONDS = (
    *(1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0),
    *(3600.0, 7200.0, 14_400.0, 21_600.0, 43_200.0, 86_400.0),
)
_DOTS, _BARS = 2_000, 20


def timeline(
    segments: Sequence[Segment], events: Sequence[Event], duration_ns: int | None
) -> str | None:
    """Who spoke when, a lane for each role, ticks below for events; None if there is nothing."""
    ends = [*(s.end_ns for s in segments), *(e.offset_ns for e in events), duration_ns or 0]
    total = max(ends, default=0)
    roles = list(dict.fromkeys(["user", "agent", *(s.role for s in segments)]))[:_LANES]
    if total <= 0 or not (segments or events):
        return None
    height = 34 * len(roles) + 52
    marks = [*_axis(total, 34 * len(roles) + 14)]
    for number, role in enumerate(roles):
        top = 34 * number + 8
        marks.append(_text(_LEFT - 10, top + 16, line(role)[:9], anchor="end", fill=_INK))
        marks.append(_box(_LEFT, top + 11, _SPAN, 2, _GRID))
        for start, end in _merged((s for s in segments if s.role == role), total):
            marks.append(_box(start, top, max(1.5, end - start), 24, _colour(role), 2))
    ticks = {round(_x(e.offset_ns, total), 1) for e in events if e.offset_ns >= 0}
    marks += [_box(x, 34 * len(roles) + 6, 1, 8, _FAINT) for x in sorted(ticks)]
    return _svg(height, marks)


def talk_time(role_seconds: Mapping[str, float], silence_seconds: float | None) -> str | None:
    """How the time was shared: a bar of every role's seconds and of silence."""
    shares = {role: value for role, value in role_seconds.items() if value > 0}
    if not shares:
        return None
    if silence_seconds:
        shares["silence"] = silence_seconds
    total, x = sum(shares.values()), 0.0
    marks: list[str] = []
    for number, (role, value) in enumerate(list(shares.items())[:_LANES]):
        width = (_WIDTH - _RIGHT) * value / total
        marks.append(_box(x, 8, max(0.5, width - 1), 26, _colour(role), 2))
        left = 176 * (number % 4)
        top = 46 + 22 * (number // 4)
        marks.append(_box(left, top, 11, 11, _colour(role), 2))
        label = f"{line(role)[:12]} {value:.1f} s ({100 * value / total:.0f} %)"
        marks.append(_text(left + 17, top + 10, label, fill=_INK))
        x += width
    return _svg(46 + 22 * ((min(len(shares), _LANES) + 3) // 4) + 4, marks)


def latency(points: Sequence[tuple[int, float]], lines: Mapping[str, float]) -> str | None:
    """Response times: a dot for each (offset in ns, seconds), a line for each named figure."""
    if not points:
        return None
    total = max(1, *(at for at, _ in points))
    step = _step(max(0.001, *(value for _, value in points), *lines.values()), 4)
    highest = step * 4.4
    bottom = 150.0

    def y(value: float) -> float:
        return bottom - 140 * value / highest

    marks = [*_axis(total, bottom)]
    for number in range(5):
        marks.append(_box(_LEFT, y(step * number) - 0.5, _SPAN, 1, _GRID))
        label = _short(step * number)
        marks.append(_text(_LEFT - 8, y(step * number) + 4, label, anchor="end"))
    marks += _figures({name: (value, y(value)) for name, value in lines.items()}, bottom)
    for at, value in points[:: max(1, len(points) // _DOTS)]:
        place = f'cx="{_x(at, total):.1f}" cy="{y(value):.1f}"'
        marks.append(f'<circle {place} r="3.5" fill="{COLOURS["agent"]}" stroke="#fff"/>')
    return _svg(178, marks)


def spread(seconds: Sequence[float]) -> str | None:
    """How many responses took how long: a bar for each twentieth of the scale below them."""
    if not seconds:
        return None
    step = _step(max(0.001, *seconds), 5)
    counts = [0] * _BARS
    for value in seconds:
        counts[min(_BARS - 1, int(_BARS * value / (5 * step)))] += 1
    most, bottom, width = max(counts), 130.0, _SPAN / _BARS
    marks = [_box(_LEFT, bottom, _SPAN, 1, _GRID), _text(_LEFT - 8, 20, f"{most:,}", anchor="end")]
    for number, count in enumerate(counts):
        height = 116 * count / most
        if count:
            tall = max(1.5, height)
            left = _LEFT + width * number
            marks.append(_box(left, bottom - tall, width - 1, tall, COLOURS["agent"], 2))
    for number in range(6):
        x = _LEFT + _SPAN * number / 5
        marks.append(_text(x, bottom + 18, _short(step * number), anchor="middle"))
    return _svg(158, marks)


def _figures(lines: Mapping[str, tuple[float, float]], bottom: float) -> Iterator[str]:
    """A dashed line and its name for each (value, height), highest first, left and right in turn.

    The highest has its name above it, the others below them: no line runs through a name.
    """
    top = min((height for _, height in lines.values()), default=0.0)
    for number, (name, (value, height)) in enumerate(
        sorted(lines.items(), key=lambda line: line[1][1])
    ):
        path = f'x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{height:.1f}" y2="{height:.1f}"'
        dashes = ("4 3", "1 3")[number % 2]
        yield f'<line {path} stroke="{_INK}" stroke-width="1" stroke-dasharray="{dashes}"/>'
        x, anchor = (_LEFT + 4.0, "start") if number % 2 else (_WIDTH - _RIGHT - 8.0, "end")
        below = number > 0 and height + 14 < bottom
        place = height + 13 if below else top - 5
        text = _text(x, place, f"{name} {_short(value)}", anchor=anchor, fill=_INK)
        yield f'<g stroke="#fff" stroke-width="3" paint-order="stroke">{text}</g>'


def _merged(segments: Iterable[Segment], total: int) -> Iterator[tuple[float, float]]:
    """The lane's bars, those that would touch drawn as one: never more than there are pixels."""
    spans = sorted((_x(s.start_ns, total), _x(s.end_ns, total)) for s in segments)
    start, end = None, 0.0
    for left, right in spans:
        if start is None:
            start, end = left, right
        elif left <= end + 0.6:
            end = max(end, right)
        else:
            yield start, end
            start, end = left, right
    if start is not None:
        yield start, end


def _axis(total: int, top: float) -> Iterator[str]:
    """A time axis with round steps, its labels below."""
    seconds = total / _SECOND_NS
    round_ones = _CLOCK_SECONDS if seconds >= 3 else ()
    step = next((size for size in round_ones if size >= seconds / 6), _step(seconds, 6))
    at = 0.0
    while at <= seconds * 1.0001:
        x = _LEFT + _SPAN * at / seconds
        yield _box(x, top, 1, 5, _FAINT)
        yield _text(x, top + 20, _label(at, step), anchor="middle")
        at += step


def _step(highest: float, parts: int) -> float:
    """A round step, so that about `parts` of them reach `highest`."""
    rough = highest / parts
    power = 10.0 ** (len(f"{int(rough)}") - 1) if rough >= 1 else 0.001
    while True:
        for factor in (1, 2, 2.5, 5):
            if power * factor >= rough * 0.999:
                return power * factor
        power *= 10


def _label(seconds: float, step: float) -> str:
    if step < 1:
        return f"{seconds:g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _short(seconds: float) -> str:
    """A time of response, in milliseconds below a second."""
    return f"{seconds * 1000:.3g} ms" if 0 < seconds < 0.9995 else f"{seconds:.3g} s"


def _x(offset_ns: int, total: int) -> float:
    return _LEFT + _SPAN * min(max(offset_ns / total, 0.0), 1.0)


def _colour(role: str) -> str:
    return COLOURS.get(role, "#7a8b4f")


def _box(  # noqa: PLR0917  four of a rectangle's numbers, then how it looks
    x: float, y: float, width: float, height: float, fill: str, corner_px: int = 0
) -> str:
    corner = f' rx="{corner_px}"' if corner_px else ""
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {place}{corner} fill="{fill}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", fill: str = _FAINT) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}"'
    return f"<text {place}>{xml(text)}</text>"


def _svg(height: float, marks: Iterable[str]) -> str:
    box = f'viewBox="0 0 {_WIDTH} {height:.0f}" width="{_WIDTH}" height="{height:.0f}"'
    font = 'font-family="Libertinus Serif, Georgia, serif" font-size="12"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box} {font}>{"".join(marks)}</svg>'
