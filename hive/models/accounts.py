"""People: users, groups, memberships and the browser sessions of users."""

from __future__ import annotations

from tortoise import fields

from hive.kinds import Role
from hive.models.fields import MomentField
from hive.models.table import Table


class User(Table):
    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=150, unique=True)
    email = fields.CharField(max_length=254, null=True)
    password_hash = fields.CharField(max_length=255, null=True)
    role = fields.CharEnumField(
        Role, description="Role", max_length=20, default=Role.MEMBER, db_default=Role.MEMBER.value
    )
    enabled = fields.BooleanField(default=True)  # they can log in to the pages
    keys_enabled = fields.BooleanField(default=True, db_default=True)  # their keys open something
    expires_at = MomentField(null=True)  # both end then
    created_at = MomentField()
    last_login_at = MomentField(null=True)
    timezone = fields.CharField(max_length=64, null=True)  # IANA; None: that of the next browser
    language = fields.CharField(max_length=10, null=True)  # None: as the browser asks
    theme = fields.CharField(max_length=10, null=True)  # None: as the system has it
    quota_bytes = fields.BigIntField(null=True)  # for all repositories that they own
    max_repositories = fields.IntField(null=True)

    @property
    def is_disabled(self) -> bool:
        """Whether they cannot log in, and their keys open nothing."""
        return not (self.enabled or self.keys_enabled)

    class Meta:
        table = "user"

    @property
    def is_admin(self) -> bool:
        return self.role == Role.ADMINISTRATOR


class Group(Table):
    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=150, unique=True)
    created_at = MomentField()
    quota_bytes = fields.BigIntField(null=True)  # for all repositories that its members own
    max_repositories = fields.IntField(null=True)  # of all its members together
    # Its members must have a second factor before they can do anything else.
    requires_second_factor = fields.BooleanField(default=False, db_default=False)

    class Meta:
        table = "group"


class Membership(Table):
    id = fields.IntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "hive.User", related_name="memberships", on_delete=fields.CASCADE
    )
    group: fields.ForeignKeyRelation[Group] = fields.ForeignKeyField(
        "hive.Group", related_name="memberships", on_delete=fields.CASCADE
    )
    created_at = MomentField()
    is_lead = fields.BooleanField(default=False, db_default=False)  # manages members and shares
    expires_at = MomentField(null=True)

    class Meta:
        table = "membership"
        unique_together = (("user", "group"),)

    user_id: int
    group_id: int


# A browser that is logged in; the cookie's token is stored as its SHA-256 only.
class WebSession(Table):
    id = fields.IntField(primary_key=True)
    token_sha256 = fields.CharField(max_length=64, unique=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "hive.User", related_name="web_sessions", on_delete=fields.CASCADE
    )
    address = fields.CharField(max_length=64)
    user_agent = fields.CharField(max_length=300)
    created_at = MomentField()
    last_seen_at = MomentField()
    expires_at = MomentField()

    class Meta:
        table = "web_session"

    user_id: int


# A link that shows the wall, and nothing else, to anyone who has it. The token is not stored.
class WallLink(Table):
    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=150)  # where the screen hangs
    token_sha256 = fields.CharField(max_length=64, unique=True)
    created_at = MomentField()
    created_by = fields.CharField(max_length=150)
    last_used_at = MomentField(null=True)

    class Meta:
        table = "wall_link"
