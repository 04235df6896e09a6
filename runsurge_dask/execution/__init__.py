"""Run graphs: the embedded cluster, the conversation with the driver, and what came of it."""
