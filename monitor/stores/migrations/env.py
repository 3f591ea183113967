"""Alembic's door: runs the numbered steps on the connection that the store hands over."""

from alembic import context

given = context.config.attributes
context.configure(connection=given["connection"], version_table=given["version_table"])
with context.begin_transaction():  # the store's own, which holds the lock
    context.run_migrations()
