"""The last part of the demo: what is due goes, what is held stays, and an outsider can check it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vault.operations.room import Room

_LONG_AGO = timedelta(days=60)


def play(tell: Callable[[str], None], room: Room, second: Room, public_key: str) -> dict[str, Any]:
    """Deposit two calls whose time is over, hold one, and sweep.

    `second` is the room of another person, who agrees to the sweep.
    """
    from vault.operations import disposition, holds
    from vault.operations.hold_scope import Scope

    tell("\n8. Two old calls, to be kept for 30 days; a court asks for one of them.")
    due, wanted = _old_calls(room)
    held = holds.place(room, holds.Matter("Case 26-104"), Scope(sessions=[wanted]))
    tell(f"   hold {held.hold} is {held.state}, on {held.sessions} session")
    plan = disposition.plan(room)
    tell(f"   the sweep finds {len(plan.session_ids)} to destroy, {plan.document['kept']} is kept")
    for why in plan.breaker.why:
        tell(f"   breaker: {why}")
    disposition.approve(second, plan.row.id, override=True, reason="the demo is a small archive")
    swept = disposition.run(room, plan.row.id)
    (certificate,) = [done.certificate for done in swept.done if done.certificate]
    return {
        "destroyed": due,
        "held": wanted,
        "certificate": certificate,
        **_checked(tell, room, due, wanted, certificate, public_key),
    }


def _old_calls(room: Room) -> tuple[str, str]:
    from vault.operations.admission import Terms
    from vault.operations.deposit import deposit

    terms = Terms(class_name="medium", started_at=room.clock.now() - _LONG_AGO)
    with tempfile.TemporaryDirectory(prefix="strongroom-demo-") as folder:
        paths = [Path(folder, f"call-{n}.srt") for n in (1, 2)]
        for n, path in enumerate(paths, 1):
            path.write_text(f"1\n00:00:01,000 --> 00:00:03,000\nThis is call number {n}.\n")
        taken = deposit(room, paths, terms).sessions
    by_name = {answer.path.name: answer.id for answer in taken}
    return by_name["call-1.srt"], by_name["call-2.srt"]


def _checked(
    tell: Callable[[str], None], room: Room, due: str, wanted: str, issued: str, public: str
) -> dict[str, Any]:
    """Nobody can open the one, everybody the other, and the certificate needs no archive."""
    from vault.errors import NotFound
    from vault.ledger import certificate
    from vault.operations import retrieve

    try:
        retrieve.session(room, due)
        gone = False
    except NotFound as error:
        tell(f"   the first: {error}")
        gone = True
    text = retrieve.Opened(room, retrieve.session(room, wanted)).timeline().segments[0].text
    tell(f"   the second, held: {text}")
    stated = certificate.verify(room.ledger.certificate(issued), public)
    size, _ = room.ledger.verify()
    tell(
        f"   its certificate verifies with the public key alone: {stated['certificate'] == issued}"
    )
    tell(f"   the ledger has {size} entries, and its tree is sound")
    return {"gone": gone, "still_there": text is not None, "ledger_entries": size}
