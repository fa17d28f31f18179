"""Addresses that clients connect from: what administrators decided, and what went wrong."""

from __future__ import annotations

from tortoise import fields

from hive.kinds import AddressRuling, AddressTrouble
from hive.models.fields import MomentField, SentenceField
from hive.models.table import Table


# A network that is banned from the gate, or that no limit of one address holds for.
class AddressRule(Table):
    id = fields.IntField(primary_key=True)
    network = fields.CharField(max_length=64, unique=True)  # CIDR
    ruling = fields.CharEnumField(AddressRuling, description="AddressRuling", max_length=10)
    reason = fields.CharField(max_length=300, default="")
    created_by = fields.CharField(max_length=150)
    created_at = MomentField()
    expires_at = MomentField(null=True)

    class Meta:
        table = "address_rule"


# What went wrong with connections from an address before a login; a bounded number of rows.
class AddressRecord(Table):
    id = fields.IntField(primary_key=True)
    address = fields.CharField(max_length=64)  # IPv6: the /64
    trouble = fields.CharEnumField(AddressTrouble, description="AddressTrouble", max_length=30)
    count = fields.IntField()
    reason = SentenceField(max_length=1000)  # of the last time, as is `client`
    client = fields.CharField(max_length=255, default="")
    first_at = MomentField()
    last_at = MomentField(db_index=True)
    told_at = MomentField(null=True)  # when administrators were notified

    class Meta:
        table = "address_record"
        unique_together = (("address", "trouble"),)
