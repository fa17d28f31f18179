"""What counts as alarming, which alarms are open, and how people answer them.

It records through `events`; packages that measure, judge or watch report to it.
"""
