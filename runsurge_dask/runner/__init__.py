"""The program that runs user code: one small single-threaded process that forks a killable child per task.

    client process            runner (single thread, warm imports)
      planning, Dask   <----> forks: one driver child   runs the script, one block after the other
                              forks: chunk children     run one stage on one chunk each

It ships into guests as it is, so it imports nothing of the rooms above it and neither dask nor distributed.
"""
