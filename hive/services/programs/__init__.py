"""The programs that the server runs: which there are, how they are confined, as which account.

It builds on `storage`; `upkeep` and the doctor ask it.
"""
