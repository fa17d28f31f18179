"""Months of many repositories, with a clock that the test moves."""
