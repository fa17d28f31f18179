"""The whole product as its users start it: one process, commands, stock clients."""
