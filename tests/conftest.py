"""How the tests run: seeded, and without a stopwatch, so that a busy machine changes nothing."""

from hypothesis import settings

settings.register_profile("seeded", derandomize=True, deadline=None)
settings.load_profile("seeded")
