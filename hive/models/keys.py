"""Public keys and what they open."""

from __future__ import annotations

from typing import Any

from tortoise import fields

from hive.kinds import Access, ShareLevel
from hive.models.accounts import Group, User
from hive.models.fields import MomentField
from hive.models.repositories import Repository
from hive.models.table import Table


# A public key in canonical form: type and blob; the rest is derived or said by its owner.
class Key(Table):
    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=150)
    owner: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "hive.User", related_name="keys", on_delete=fields.RESTRICT
    )
    type = fields.CharField(max_length=64)
    blob = fields.TextField()  # base64, as in authorized_keys
    bits = fields.IntField()
    fingerprint = fields.CharField(max_length=64, db_index=True)
    comment = fields.CharField(max_length=255, default="")
    enabled = fields.BooleanField(default=True)
    expires_at = MomentField(null=True)
    networks: fields.Field[list[Any]] = fields.JSONField(default=list)  # CIDR; empty: from anywhere
    last_used_at = MomentField(null=True)
    created_at = MomentField()

    class Meta:
        table = "key"
        unique_together = (("owner", "fingerprint"), ("owner", "name"))

    owner_id: int


class KeyShare(Table):
    id = fields.IntField(primary_key=True)
    key: fields.ForeignKeyRelation[Key] = fields.ForeignKeyField(
        "hive.Key", related_name="shares", on_delete=fields.CASCADE
    )
    group: fields.ForeignKeyRelation[Group] = fields.ForeignKeyField(
        "hive.Group", related_name="key_shares", on_delete=fields.CASCADE
    )
    level = fields.CharEnumField(
        ShareLevel, description="ShareLevel", max_length=10, default=ShareLevel.MANAGE
    )
    expires_at = MomentField(null=True)

    class Meta:
        table = "key_share"
        unique_together = (("key", "group"),)

    key_id: int
    group_id: int


# One key's access to one repository; one row a pair.
class Grant(Table):
    id = fields.IntField(primary_key=True)
    repository: fields.ForeignKeyRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="grants", on_delete=fields.CASCADE
    )
    key: fields.ForeignKeyRelation[Key] = fields.ForeignKeyField(
        "hive.Key", related_name="grants", on_delete=fields.CASCADE
    )
    access = fields.CharEnumField(Access, description="Access", max_length=20, default=Access.FULL)
    created_at = MomentField()

    class Meta:
        table = "grant"
        unique_together = (("repository", "key"),)

    repository_id: int
    key_id: int


# A key that knocked at a repository's login and had no access: to be added without copying it.
class RefusedKey(Table):
    id = fields.IntField(primary_key=True)
    repository: fields.ForeignKeyRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="refused_keys", on_delete=fields.CASCADE
    )
    type = fields.CharField(max_length=64)
    blob = fields.TextField()  # base64, as in authorized_keys
    fingerprint = fields.CharField(max_length=64)
    peer = fields.CharField(max_length=64)  # of the last time
    first_seen_at = MomentField()
    last_seen_at = MomentField()
    count = fields.IntField(default=1)

    class Meta:
        table = "refused_key"
        unique_together = (("repository", "fingerprint"),)

    repository_id: int
