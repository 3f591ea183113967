"""Words and choices of pages that more than one file needs."""

from monitor.core.consequences import Cause
from monitor.core.messages import cause_text

CAUSES = {cause: cause_text(cause).capitalize() for cause in Cause}

LASTS_DAYS = {"30": "30 days", "90": "90 days", "365": "1 year", "": "no end"}  # of a token

# What a page says after a deed, by the name of its form.
DONE = {
    "acknowledge": "Acknowledged. Everybody who heard of it hears that you look after it.",
    "resolve": "Resolved. The next breach opens another episode.",
    "mute": "Muted. Checks go on; alerts are kept back.",
    "maintain": "Maintenance is set. Windows that touch it open no episode.",
    "lift": "Lifted.",
    "check-again": "Asked for. The window is looked at as soon as the scheduler is free.",
    "retrain": "Asked for. The training system hears of it in a moment.",
    "promote": "Promoted. The next check is held against this reference.",
    "resend": "On its way again.",
    "make-token": "Made already. Its secret was shown once and is kept nowhere.",
    "rotate-token": "Rotated already. Its secret was shown once and is kept nowhere.",
    "revoke-token": "Revoked. It opens nothing any more.",
}
