"""What data subjects consented to and asked for; evidence that waits to be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select, update

from vault.catalogue.rows import Rows, found, values
from vault.catalogue.tables import consents, evidence, lookups, requests
from vault.rows import ConsentRow, EvidenceRow, RequestRow


class Consents(Rows):
    """The consent of the Transaction port: rows are added, and that is all."""

    def add_consent(self, row: ConsentRow) -> None:
        self._run(consents.insert(), values(row))

    def consents(self, tenant: str, subject: bytes) -> Sequence[ConsentRow]:
        these = (consents.c.tenant == tenant) & (consents.c.subject == subject)
        return self._select_all(ConsentRow, select(consents).where(these).order_by(consents.c.id))

    def all_consents(
        self, tenant: str, *, limit: int, after: str | None = None
    ) -> Sequence[ConsentRow]:
        these = select(consents).where(consents.c.tenant == tenant)
        if after is not None:
            these = these.where(consents.c.id > after)
        return self._select_all(ConsentRow, these.order_by(consents.c.id).limit(limit))


class Requests(Rows):
    """The requests of the Transaction port."""

    def add_request(self, row: RequestRow) -> None:
        self._run(requests.insert(), values(row))

    def set_request(self, row: RequestRow) -> None:
        this = update(requests).where(requests.c.id == row.id)
        self._change(this.values(**values(row)), "request")

    def request(self, request_id: str) -> RequestRow:
        this = select(requests).where(requests.c.id == request_id).with_for_update()
        return found(self._select_one(RequestRow, this), "request")

    def requests(self, tenant: str) -> Sequence[RequestRow]:
        these = select(requests).where(requests.c.tenant == tenant)
        return self._select_all(RequestRow, these.order_by(requests.c.id))

    def requests_on(self, session_id: str) -> Sequence[RequestRow]:
        named = (lookups.c.session_id == session_id) & (lookups.c.kind == "subject")
        these = requests.c.subject.in_(select(lookups.c.hash).where(named))
        return self._select_all(RequestRow, select(requests).where(these).order_by(requests.c.id))

    def asked_among(self, session_ids: Sequence[str]) -> Mapping[str, int]:
        same = (lookups.c.kind == "subject") & (lookups.c.hash == requests.c.subject)
        asked = select(requests.c.id, func.count()).join(lookups, same)
        asked = asked.where(self._among(lookups.c.session_id, session_ids))
        return dict(self._run(asked.group_by(requests.c.id)).all())

    def requests_of(self, tenant: str, subjects: Sequence[bytes]) -> Sequence[RequestRow]:
        these = (requests.c.tenant == tenant) & requests.c.subject.in_(subjects)
        return self._select_all(RequestRow, select(requests).where(these).order_by(requests.c.id))


class Evidence(Rows):
    """What waits to be told to the ledger."""

    def add_evidence(self, rows: Sequence[EvidenceRow]) -> None:
        if rows:
            self._run(evidence.insert(), [values(row) for row in rows])

    def evidence(self, *, limit: int) -> Sequence[EvidenceRow]:
        return self._select_all(EvidenceRow, select(evidence).order_by(evidence.c.id).limit(limit))

    def drop_evidence(self, ids: Sequence[str]) -> None:
        self._run(evidence.delete().where(self._among(evidence.c.id, ids)))
