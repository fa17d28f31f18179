"""How users prove who they are beside their password, and how they get a new one."""

from __future__ import annotations

from tortoise import fields

from hive.models.accounts import User
from hive.models.fields import MomentField
from hive.models.table import Table


# The secret that a user's authenticator app shares with us; it counts once it is confirmed.
class Totp(Table):
    id = fields.IntField(primary_key=True)
    user: fields.OneToOneRelation[User] = fields.OneToOneField(
        "hive.User", related_name="totp", on_delete=fields.CASCADE
    )
    secret = fields.CharField(max_length=255)  # sealed: hive/services/secrets.py
    last_step = fields.BigIntField(null=True)  # of the last code taken: none is taken again
    created_at = MomentField()
    confirmed_at = MomentField(null=True)

    class Meta:
        table = "totp"

    user_id: int


# A code for the day when the second factor is lost, stored as its SHA-256 only.
class RecoveryCode(Table):
    id = fields.IntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "hive.User", related_name="recovery_codes", on_delete=fields.CASCADE
    )
    code_sha256 = fields.CharField(max_length=64)
    created_at = MomentField()
    used_at = MomentField(null=True)

    class Meta:
        table = "recovery_code"
        unique_together = (("user", "code_sha256"),)

    user_id: int


# The public half of a WebAuthn credential.
class Passkey(Table):
    id = fields.IntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "hive.User", related_name="passkeys", on_delete=fields.CASCADE
    )
    name = fields.CharField(max_length=150)
    credential_sha256 = fields.CharField(max_length=64, unique=True)  # of its id
    credential = fields.BinaryField()  # attested credential data: id and public key
    rp_id = fields.CharField(max_length=255)  # the host that it was made for
    sign_count = fields.BigIntField()
    created_at = MomentField()
    last_used_at = MomentField(null=True)

    class Meta:
        table = "passkey"

    user_id: int


# A browser that a user logged in with; its token is stored as its SHA-256 only.
class KnownBrowser(Table):
    id = fields.IntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "hive.User", related_name="known_browsers", on_delete=fields.CASCADE
    )
    token_sha256 = fields.CharField(max_length=64, db_index=True)
    created_at = MomentField()
    last_used_at = MomentField()

    class Meta:
        table = "known_browser"
        unique_together = (("user", "token_sha256"),)

    user_id: int


# A user who was invited and has not come yet; the token is stored as its SHA-256 only.
class Invitation(Table):
    id = fields.IntField(primary_key=True)
    user: fields.OneToOneRelation[User] = fields.OneToOneField(
        "hive.User", related_name="invitation", on_delete=fields.CASCADE
    )
    token_sha256 = fields.CharField(max_length=64, unique=True)
    created_at = MomentField()
    created_by = fields.CharField(max_length=150)
    expires_at = MomentField()
    mailed_to = fields.CharField(max_length=254, null=True)  # None: its link was shown

    class Meta:
        table = "invitation"

    user_id: int


# A link by which a user chooses a new password; its token is stored as its SHA-256 only.
class PasswordReset(Table):
    id = fields.IntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "hive.User", related_name="password_resets", on_delete=fields.CASCADE
    )
    token_sha256 = fields.CharField(max_length=64, unique=True)
    created_at = MomentField()
    expires_at = MomentField()

    class Meta:
        table = "password_reset"

    user_id: int
