"""Runs revisions on the connection that `vault.catalogue.schema.upgrade` hands over."""

from alembic import context

from vault.catalogue.tables import metadata

# The caller's transaction stays open: it commits every revision at once, or none.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
