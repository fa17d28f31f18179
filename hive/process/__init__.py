"""Start programs confined, signal and reap them, and find those that a former run left behind.

It knows neither services nor models; `confine.py` and its parts import almost nothing, because
they are loaded again for each program that starts.
"""
