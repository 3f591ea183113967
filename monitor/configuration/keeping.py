"""How long what is stored is kept, as people configure it."""

from monitor.configuration.fields import AgeText
from monitor.configuration.section import Section


class RetentionSettings(Section):
    """How old what is stored may become; what has no age here is kept for ever."""

    checks: AgeText | None = None  # with all that belongs to them
    documents: AgeText | None = None  # a check without one is a line: verdict, headline, findings
    summaries: AgeText | None = None  # of the columns of each window, which `monitor diff` needs
    reports: AgeText | None = None  # the pages
    messages: AgeText | None = None  # sent, or given up
    audit: AgeText | None = None  # what people did
