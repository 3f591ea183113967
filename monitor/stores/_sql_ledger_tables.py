"""The tables of the ledger: deeds, silences, access, and which process is at what."""

from sqlalchemy import Column, Index, Table

from monitor.stores._sql_tables import Moment, Plain, Words, key, must, tables

audit = Table(
    "audit",
    tables,
    key("id"),
    must("at", Moment),
    must("who", Words),
    must("via", Words),
    must("deed", Words),
    must("subject", Words),
    must("why", Words),
    Column("monitor", Words),
    must("details", Plain),
    Index("audit_by_time", "at", "id"),
    Index("audit_of_monitor", "monitor", "at"),
)

acknowledgements = Table(
    "acknowledgements",
    tables,
    key("episode"),
    must("at", Moment),
    must("who", Words),
    must("why", Words),
)

silences = Table(
    "silences",
    tables,
    key("id"),
    must("kind", Words),
    must("start", Moment),
    must("end", Moment),
    must("who", Words),
    must("why", Words),
    Column("monitor", Words),
    Column("lifted_at", Moment),
    Index("silences_by_end", "end"),
)

check_requests = Table(
    "check_requests",
    tables,
    key("id"),
    must("monitor", Words),
    must("window_start", Moment),
    must("window_end", Moment),
    must("requested_at", Moment),
    must("who", Words),
    must("state", Words),
    Column("check", Words),
    must("error", Words),
    Column("claimed_until", Moment),
    Index("check_requests_line", "state", "requested_at"),
)

tokens = Table(
    "tokens",
    tables,
    key("id"),
    must("name", Words),
    must("scopes", Plain),
    must("digest", Words),
    must("made_at", Moment),
    must("made_by", Words),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
    Column("used_at", Moment),
)

sessions = Table(
    "sessions",
    tables,
    key("digest"),
    must("token", Words),
    must("made_at", Moment),
    must("expires_at", Moment),
)

answers = Table(  # to writes under an idempotency key
    "answers",
    tables,
    key("key"),
    key("asker"),
    must("asked", Words),
    must("answer", Plain),
    must("at", Moment),
    Index("answers_by_time", "at"),
)

claims = Table(
    "claims",
    tables,
    key("monitor"),
    Column("window_start", Moment, primary_key=True),
    Column("window_end", Moment, primary_key=True),
    must("holder", Words),
    must("until", Moment),
)

replicas = Table(
    "replicas",
    tables,
    key("id"),
    must("host", Words),
    must("started_at", Moment),
    must("seen_at", Moment),
    must("parts", Plain),
    Column("moved_at", Moment),
)
