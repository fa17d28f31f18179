"""A hive of made-up people and repositories, to be looked at and to be measured: `hive demo`.

shapes    what the repositories are like
timeline  what happened to one of them, day by day
rows      that as rows of the tables
people    users, keys, groups and channels
seeding   all of it, into an empty database
running   what makes sessions move while the server runs

Nothing but `hive demo`, tests and benchmarks calls it; it fills empty databases alone.
"""
