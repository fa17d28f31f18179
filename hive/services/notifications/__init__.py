"""Who is told of what, by which channel: rows first, sending after.

kinds        what is worth telling, how bad it is, and what its end ends
routes       from rules and quiet hours to channels and times, without the database
recipients   the people who may be told, with their rules and channels
texts        what is said
outbox       writes notifications and deliveries into the transaction of what they tell of
deliveries   the outbox' rows on their way: claimed, sent, tried again, given up
worker       sends what is due, each channel on its own
digests      how everything is, once a day or week
channels, rules, preferences, history   what people set and see
"""
