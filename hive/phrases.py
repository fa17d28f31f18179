"""Words that services and commands say and pages translate: web/text/service_sentences.py finds
them.
"""

from __future__ import annotations


def phrase(text: str) -> str:
    """Mark what is said here, to be found for the catalogues; it stays as it is."""
    return text
