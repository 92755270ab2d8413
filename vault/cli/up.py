"""`strongroom up`: worker and scheduler in one process, until it is interrupted."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING

from vault.cli.desk import Desk
from vault.errors import StrongroomError

if TYPE_CHECKING:
    from vault.operations.crew import Crew
    from vault.operations.room import Room

_IDLE_SECONDS = 1.0
_SCHEDULE_SECONDS = 30.0


def serve(desk: Desk, concurrency: int) -> int:
    """Do jobs as they come: through the broker if there is one, else from the catalogue."""
    # Worker processes open the archive themselves and have to find the same home.
    os.environ["STRONGROOM_HOME"] = str(desk.settings().folder)
    with desk.room() as room:
        room.keys.expect_current()
        if room.queue is not None:
            # Celery forks, which a thread of ours does not survive: a cron line with
            # `strongroom schedule run` keeps time there.
            desk.say("working through the broker; interrupt to stop")
            room.queue.serve(concurrency)
        else:
            desk.say("working without a broker; interrupt to stop")
            _without_broker(desk, room, concurrency)
    return 0


def _without_broker(desk: Desk, room: Room, concurrency: int) -> None:
    """Threads that take one job after the other; told to stop, each ends the one it has."""
    # Before there are threads: two that import the same at once may find half of it.
    from vault.operations import jobs, schedules, upkeep  # noqa: F401
    from vault.operations.crew import Crew

    for name in room.jobs:
        room.jobs[name]
    stop, crew = threading.Event(), Crew()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    threads = [
        threading.Thread(target=_work, args=(desk, room, stop, crew), name=f"worker-{n}")
        for n in range(concurrency)
    ]
    threads.append(threading.Thread(target=_keep_time, args=(desk, room, stop), name="schedule"))
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():  # a signal that another thread got is heard when this one wakes
            thread.join(_IDLE_SECONDS)


def _keep_time(desk: Desk, room: Room, stop: threading.Event) -> None:
    """See every half minute whether a report is due, and to what else waits."""
    from vault.operations import schedules, upkeep

    def reports() -> Iterator[str]:
        for ran in schedules.run_due(room):
            yield f"report {ran.name}: {ran.error or ran.path}"

    while not stop.is_set():
        for work in (reports, partial(upkeep.run, room)):
            try:
                for sentence in work():
                    desk.say(sentence)
            except StrongroomError as error:
                desk.say(f"not done in time: {error}")
            except Exception as error:  # noqa: BLE001  time goes on, whatever it was
                desk.say(f"not done in time: {type(error).__name__}")
        stop.wait(_SCHEDULE_SECONDS)


def _work(desk: Desk, room: Room, stop: threading.Event, crew: Crew) -> None:
    from vault.operations import jobs

    while not stop.is_set():
        try:
            done = jobs.run_next(room, stop, crew)
        except StrongroomError as error:
            desk.say(f"a job was given back: {error}")
            done = False
        except Exception as error:  # noqa: BLE001  a step of the user's own may raise anything
            desk.say(f"a job was given back: {type(error).__name__}")
            done = False
        if not done:
            stop.wait(_IDLE_SECONDS)
