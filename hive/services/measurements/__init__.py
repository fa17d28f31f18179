"""Sizes of repositories over time, and changes that did not come through the gate.

It builds on `sessions` and `repositories`; charts, forecasts and alarms read its numbers.
"""
