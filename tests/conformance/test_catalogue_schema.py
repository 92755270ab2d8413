"""Making, migrating and naming a catalogue, on SQLite and on PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from tests.conformance.archived import (
    ROOT,
    TENANT,
    a_deposit,
    another_process,
    connected,
    stored,
)
from vault.catalogue import open_catalogue, schema, tables
from vault.errors import BackendError, UsageError
from vault.ports import Catalogue
from vault.rows import SessionFilter


class TestSchema:
    def test_a_database_without_tables_is_said_to_be_lost_and_not_made_anew(
        self, catalogue_url: str, tmp_path: Path
    ) -> None:
        catalogue = open_catalogue(catalogue_url, home=tmp_path)
        with pytest.raises(BackendError, match="from a backup") as used, catalogue.transaction():
            pass
        with pytest.raises(BackendError, match="from a backup") as migrated:
            catalogue.migrate()
        assert {used.value.retryable, migrated.value.retryable} == {False}
        assert not list(tmp_path.glob("*.db"))
        catalogue.create()
        catalogue.migrate()
        assert stored(catalogue, a_deposit()) == set()

    def test_an_older_schema_names_the_command_to_run(
        self,
        catalogue: Catalogue,
        catalogue_url: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(schema, "REVISIONS", (*schema.REVISIONS, "9999"))
        monkeypatch.setattr(schema, "HEAD", "9999")
        later = open_catalogue(catalogue_url, home=tmp_path)
        with pytest.raises(BackendError, match="strongroom upgrade"), later.transaction():
            pass

    def test_a_newer_schema_is_named_and_left_alone(
        self, catalogue: Catalogue, catalogue_url: str, tmp_path: Path
    ) -> None:
        with connected(catalogue) as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
            connection.commit()
        older = open_catalogue(catalogue_url, home=tmp_path)
        with pytest.raises(BackendError, match=r"9999.*newer"), older.transaction():
            pass
        with pytest.raises(BackendError, match=r"9999.*newer"):
            older.create()

    def test_making_it_twice_keeps_what_is_there(self, catalogue: Catalogue) -> None:
        stored(catalogue, a_deposit())
        catalogue.create()
        with catalogue.transaction() as tx:
            assert tx.count_sessions(TENANT, SessionFilter()) == 1

    def test_four_processes_may_make_it_together(self, catalogue_url: str, tmp_path: Path) -> None:
        makers = [another_process(catalogue_url, "catalogue.create()") for _ in range(4)]
        assert [maker.wait(60) for maker in makers] == [0, 0, 0, 0]
        assert stored(open_catalogue(catalogue_url, home=tmp_path), a_deposit()) == set()

    def test_the_migrations_make_exactly_the_tables(self, catalogue: Catalogue) -> None:
        with connected(catalogue) as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, tables.metadata) == []

    def test_every_text_is_ordered_by_code_point_whatever_the_server_prefers(
        self, database_url: str, tmp_path: Path
    ) -> None:
        catalogue = open_catalogue(database_url, home=tmp_path)
        catalogue.create()
        ours = (
            "SELECT table_name || '.' || column_name, collation_name"
            " FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name <> 'alembic_version'"
            " AND data_type IN ('text', 'character varying')"
        )
        with connected(catalogue) as connection:
            collations: dict[str, str] = dict(connection.execute(text(ours)).all())
        assert len(collations) > 20
        assert set(collations.values()) == {"C"}

    def test_the_revisions_known_are_those_on_disk(self) -> None:
        scripts = ScriptDirectory(str(ROOT / "vault/catalogue/migrations"))
        on_disk = [script.revision for script in scripts.walk_revisions()]
        assert tuple(reversed(on_disk)) == schema.REVISIONS

    def test_using_it_does_not_import_alembic_nor_naming_it_sqlalchemy(
        self, catalogue: Catalogue, catalogue_url: str
    ) -> None:
        code = (
            "import sys; from pathlib import Path; from vault.catalogue import open_catalogue\n"
            "assert 'sqlalchemy' not in sys.modules\n"
            "with open_catalogue(sys.argv[1], home=Path()).transaction() as tx: tx.keys()\n"
            "assert 'alembic' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code, catalogue_url], cwd=ROOT, check=True)

    def test_other_databases_are_a_usage_error(self, tmp_path: Path) -> None:
        for url in ("mysql://localhost/x", "catalogue.db", ""):
            with pytest.raises(UsageError):
                open_catalogue(url, home=tmp_path)

    def test_the_default_lies_in_the_home(self, tmp_path: Path) -> None:
        for url in ("sqlite://", "sqlite:///", "sqlite:///catalogue.db"):
            assert open_catalogue(url, home=tmp_path).url == f"sqlite:///{tmp_path}/catalogue.db"

    def test_a_url_never_shows_a_password(self, tmp_path: Path) -> None:
        url = "postgresql://someone:hunter2@127.0.0.1:1/nowhere"
        catalogue = open_catalogue(url, home=tmp_path)
        assert "hunter2" not in catalogue.url
        findings = catalogue.probe()
        assert not findings[0].ok
        assert "hunter2" not in str(findings)
