"""Measurements: `script/bench NAME` runs one, `script/bench` all."""
