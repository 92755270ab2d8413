"""The Celery application: it only wakes workers, the catalogue is the truth.

Messages carry a job's id and nothing else, as JSON. A message is acknowledged when its job
has ended, results are not kept, and nothing is ever scheduled in the broker: due dates live
in the catalogue, and the relay tells of them. Three queues, so that slow media never keeps
compliance waiting: `media`, `text`, `compliance`.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Sequence

from celery import Celery, signals
from kombu.exceptions import OperationalError

from vault import settings as configuration
from vault.bootstrap import open_room
from vault.errors import BackendError, StrongroomError, UsageError
from vault.operations import jobs
from vault.operations import upkeep as keeping
from vault.ports import Finding
from vault.rows import JobRow

QUEUES = ("compliance", "text", "media")
RELAY_SECONDS = 5.0
UPKEEP_SECONDS = 30.0
_TLS = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}

log = logging.getLogger("strongroom.workers")


def make_app(broker_url: str) -> Celery:
    """A Celery application for one broker, with every rule above set.

    Raises `UsageError` for an address that would have any certificate trusted.
    """
    if "ssl_cert_reqs" in broker_url and "ssl_cert_reqs=required" not in broker_url:
        raise UsageError("A broker's certificate is checked: leave ssl_cert_reqs out.")
    app = Celery("strongroom", broker=broker_url)
    app.conf.update(
        accept_content=["json"],
        broker_connection_retry_on_startup=True,
        broker_transport_options={"socket_timeout": 5, "socket_connect_timeout": 5},
        enable_utc=True,
        task_acks_late=True,
        task_create_missing_queues=True,
        task_default_queue="media",
        task_ignore_result=True,
        task_reject_on_worker_lost=True,
        task_serializer="json",
        task_store_eager_result=False,
        task_track_started=False,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        worker_hijack_root_logger=False,
        worker_prefetch_multiplier=1,
        worker_send_task_events=False,
        beat_schedule={
            "relay": {
                "task": "strongroom.relay",
                "schedule": RELAY_SECONDS,
                "options": {"queue": "compliance", "expires": RELAY_SECONDS},
            },
            "upkeep": {
                "task": "strongroom.upkeep",
                "schedule": UPKEEP_SECONDS,
                "options": {"queue": "compliance", "expires": UPKEEP_SECONDS},
            },
        },
    )
    if broker_url.startswith("rediss:"):
        app.conf.broker_use_ssl = _TLS  # kombu alone would trust any certificate
    app.task(name="strongroom.job")(run_job)
    app.task(name="strongroom.relay")(relay)
    app.task(name="strongroom.upkeep")(upkeep)
    return app


def run_job(job_id: str) -> None:
    """Do one job; a job that has ended or is held elsewhere is no error.

    Told to stop, the pool's process leaves by `SystemExit`, which gives the job back.
    """
    with open_room(configuration.load()) as room:
        try:
            job = jobs.run_one(room, job_id, threading.Event())
            if job is not None:
                log.info("job %s of session %s has ended: %s", job.id, job.session_id, job.name)
        except StrongroomError as error:
            log.warning("job %s was given back: %s", job_id, type(error).__name__)


def relay() -> None:
    """Tell the broker of what waits in the catalogue."""
    with open_room(configuration.load()) as room:
        jobs.relay(room)


def upkeep() -> None:
    """Finish what was cut off, and plan what has come due."""
    with open_room(configuration.load()) as room:
        for sentence in keeping.run(room):
            log.info("%s", sentence)


class CeleryQueue:
    """The port `Queue` over Celery: one message a job."""

    def __init__(self, broker_url: str) -> None:
        self._app = make_app(broker_url)

    def send(self, rows: Sequence[JobRow]) -> None:
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, timeout=5)
                with self._app.amqp.Producer(connection) as producer:
                    for row in rows:
                        self._app.send_task(
                            "strongroom.job", (row.id,), queue=row.queue, producer=producer
                        )
        except (OperationalError, OSError) as error:
            raise BackendError("The broker does not answer.", retryable=True) from error

    def serve(self, concurrency: int) -> None:
        """A worker on every queue with the scheduler beside it; keeps no file of its own.

        From here on what is printed goes to standard error, as logs do: Celery prints.
        """
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        self._app.worker_main(
            [
                "--quiet",  # no banner
                "worker",
                "--beat",
                "--scheduler=celery.beat:Scheduler",
                f"--queues={','.join(QUEUES)}",
                f"--concurrency={concurrency}",
                "--without-gossip",
                "--without-mingle",
                "--loglevel=INFO",
            ]
        )

    def probe(self) -> Sequence[Finding]:
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, timeout=5)
        except (OperationalError, OSError):
            return [Finding("queue", ok=False, detail="The broker does not answer; jobs wait.")]
        return [Finding("queue", ok=True, detail="The broker answers.")]


@signals.setup_logging.connect  # type: ignore[untyped-decorator]  # celery has no types
def _quiet(**_: object) -> None:
    """Log plain lines to standard error and never a message's arguments."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for name in ("celery", "boto3", "botocore", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
