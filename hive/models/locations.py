"""Where repositories live."""

from __future__ import annotations

from tortoise import fields

from hive.models.fields import MomentField
from hive.models.table import Table


# A named place: host and port as clients see them, and the storage root on this server.
class Location(Table):
    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=100, unique=True)
    host = fields.CharField(max_length=255, null=True)  # None: this machine's own name
    port = fields.IntField(null=True)  # None: the port that the gate listens on
    root = fields.CharField(max_length=4096, null=True)  # None: storage.root of the settings
    is_default = fields.BooleanField(default=False)
    created_at = MomentField()
    uid = fields.CharField(max_length=36, null=True)  # what its marker carries, the same forever
    marked_at = MomentField(null=True)  # since when its root must carry a marker
    away_since = MomentField(null=True)  # None: it is there
    returned_at = MomentField(null=True)  # when it was away last

    class Meta:
        table = "location"
