"""A vCon that came as one, written again as a vCon 0.4.0 with everything in it that came.

Every field stays where it was, known here or not, and so does every body, byte for byte. Only
this changes:

    names, dates   those of 0.4.0; dates of older versions become those of RFC 3339
    additions      what the schema asks for and older versions did not have to say
    unfit          a field that the schema refuses is moved, with its place, into an attachment
    the archive    its title, tags and annotations, where they are others than those that came

Source: draft-ietf-vcon-vcon-core; `vcon.schema.json` beside this file is its schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict
from typing import Any

from vault.formats import instants
from vault.formats.fields import Fields, Notes
from vault.formats.vcon_dates import instant
from vault.formats.vcon_schema import VERSION, Missing, complete, fit, listed
from vault.model import Annotation, Json, Reading

#: What an analysis or attachment is called that became an annotation of its own.
_PLACED = re.compile(r"(analysis|attachment)-(\d{1,9})", re.ASCII)


def again(
    document: dict[str, Json], before: Reading, now: Reading, *, uuid: str, created_at: str
) -> dict[str, Json]:
    """The vCon as it came, with what the archive says of it now.

    `document` has the names of 0.4.0 and is changed. `before` is what was read from it, and may
    share its values, `now` what the archive has; of the annotations of both only those that hold.
    `uuid` and `created_at` are for a vCon that has none of its own. The caller holds it against the
    schema.
    """
    at = now.started_at
    zero = created_at if at is None else instants.write(instants.from_datetime(at))
    document["vcon"] = VERSION
    missing = Missing(zero, uuid, created_at)
    came = [_plain(each) for each in before.timeline.annotations]
    hold = [_plain(each) for each in now.timeline.annotations]
    unfit = [*fit(document, missing), *_dated(document)]
    _say(document, before, now, zero)
    _note(document, came, hold, zero)
    if unfit:
        _attach(document, "unfit", unfit, zero)
    complete(document, missing)
    return document


# --- what the schema wants -------------------------------------------------------------------


def _dated(document: dict[str, Json]) -> Iterator[Json]:
    """Write the dates as RFC 3339 has them; what is no date is taken out."""
    dated = [(document, "$", key) for key in ("created_at", "updated_at")]
    for name in ("dialog", "attachments"):
        for place, item in listed(document, name):
            dated.append((item, f"$.{name}[{place}]", "start"))
            for number, each in listed(item, "party_history"):
                dated.append((each, f"$.{name}[{place}].party_history[{number}]", "time"))
    for item, where, key in dated:
        text = item.get(key)
        if not isinstance(text, str) or instants.parse(text) is not None:
            continue
        at = instant(Fields(item, where, Notes()), key)
        if at is not None:
            item[key] = instants.write(at)
        else:
            yield {"path": f"{where}.{key}", "value": item.pop(key)}


# --- what the archive says -------------------------------------------------------------------


def _say(document: dict[str, Json], before: Reading, now: Reading, zero: str) -> None:
    """Title and tags, as far as they are others than those that came."""
    if (now.title or None) != (before.title or None):
        document.pop("subject", None)
        if now.title:
            document["subject"] = now.title
    if list(now.tags) != list(before.tags):
        tagged = [n for n, item in listed(document, "attachments") if _is(item, "tags")]
        _empty(document, tagged)
        if now.tags:
            _attach(document, "tags", list(now.tags), zero)


def _note(
    document: dict[str, Json], came: list[dict[str, Any]], hold: list[dict[str, Any]], zero: str
) -> None:
    """Annotations, as far as they are others than those that came."""
    gone = [str(each["id"]) for each in came if each not in hold]
    new = [each for each in hold if each not in came]
    if not all(map(_PLACED.fullmatch, gone)):  # those that came in a list go out in a list
        lists = [n for n, item in listed(document, "attachments") if _is(item, "annotations")]
        _empty(document, lists)
        new = [each for each in hold if each in new or not _PLACED.fullmatch(str(each["id"]))]
    _empty(document, _numbers(gone, "attachment"))
    removed = _numbers(gone, "analysis")
    if isinstance(analysis := document.get("analysis"), list):
        document["analysis"] = [each for n, each in enumerate(analysis) if n not in removed]
    if new:
        _attach(document, "annotations", list(new), zero)


def _is(item: dict[str, Json], purpose: str) -> bool:
    return (item.get("purpose") or item.get("type")) == purpose


def _numbers(ids: Iterable[str], kind: str) -> set[int]:
    """Which analyses, or attachments, have these ids."""
    found = filter(None, map(_PLACED.fullmatch, ids))
    return {int(each[2]) for each in found if each[1] == kind}


def _empty(document: dict[str, Json], places: Collection[int]) -> None:
    """Leave of these attachments their places, which others count on, and nothing else."""
    for place, item in listed(document, "attachments"):
        if place in places:
            for key in item.keys() - {"start", "party", "dialog"}:
                del item[key]


def _attach(document: dict[str, Json], purpose: str, body: Json, zero: str) -> None:
    attachments = document.setdefault("attachments", [])
    if isinstance(attachments, list):
        place: dict[str, Json] = {"start": zero, "party": 0, "dialog": 0}
        form: dict[str, Json] = {"mediatype": "application/json", "encoding": "json"}
        attachments.append({"purpose": purpose, **place, **form, "body": body})


def _plain(annotation: Annotation) -> dict[str, Any]:
    """The same as JSON, however it is held in memory."""
    made: dict[str, Any] = json.loads(json.dumps(asdict(annotation)))
    return made
