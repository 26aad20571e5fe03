"""What Alembic runs for each upgrade: our open connection, one transaction for all steps."""

from alembic import context

from studio.runs.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
