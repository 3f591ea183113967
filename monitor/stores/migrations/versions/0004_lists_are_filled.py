"""What lists show of older checks is filled in: a mark, set when `_sql_filling.py` was through."""

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No table changes."""
