"""Many models, unattended: what is to be painted, who paints it, and what is remembered of it.

    scan / manifest ─► summaries ─► plan ─► engine (run_job in worker processes) ─► placing ─► journal
    which models       what         jobs    outcomes, as they come                  files      what is done
                       they are

`run_batch` is the way in. `types` has what the parts hand to each other.
"""
