"""Tests of the reading of borg repositories."""
