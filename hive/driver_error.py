"""What the database's driver raises where no service has put it into words."""

from __future__ import annotations

from tortoise.exceptions import BaseORMException as DriverError

__all__ = ["DriverError"]
