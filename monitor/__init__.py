"""Drift Monitor: watches the data a machine-learning model lives on.

The story, and the room of each sentence:

    sample    production rows of a window          sources/, tables/
    validate  them against an expectation suite    validation/
    compare   them with the training data          core/comparison.py, core/drift/,
              all columns together                 core/dataset_drift/,
              and as windows vary over time        core/over_time/
    decide    what that means                      core/verdict.py, core/episodes.py
    report    it on one page                       reports/, explorers/
    remember  it with all that follows             stores/, by archive.py and ledger.py
    alert     the people and systems who must act  notifiers/, slack/, through delivery.py
    show      everything, and do what people ask   web/, desk.py, deeds/
    backtest  the rules on past windows            backtest.py, core/replay/
    diff      one stored window with another       diff.py, core/summaries/

`check.py` tells it in six steps: read that first. `ports.py` lists the sockets, `wiring.py` and
`channels.py` join them to adapters, `scheduler.py` says when. `core/` is pure: arrays and records
in, records out.
"""
