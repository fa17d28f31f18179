"""Where repositories live."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model


# A named place: host and port as clients see them, and the storage root on this server.
class Location(Model):
    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=100, unique=True)
    host = fields.CharField(max_length=255, null=True)  # None: this machine's own name
    port = fields.IntField(null=True)  # None: the port that the gate listens on
    root = fields.CharField(max_length=4096, null=True)  # None: storage.root of the settings
    is_default = fields.BooleanField(default=False)
    created_at = fields.DatetimeField()

    class Meta:
        table = "location"
