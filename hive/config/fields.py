"""The types of settings, and the base of their sections."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr

from hive.config import values

Flag = Annotated[bool, BeforeValidator(values.flag)]
Whole = Annotated[int, BeforeValidator(values.whole_number)]
Size = Annotated[int, BeforeValidator(values.size)]
SizeLimit = Annotated[int | None, BeforeValidator(values.size_limit)]
PathSetting = Annotated[Path, AfterValidator(values.absolute_path)]
PathList = Annotated[tuple[PathSetting, ...], BeforeValidator(values.path_list)]
NetworkList = Annotated[tuple[str, ...], BeforeValidator(values.network_list)]
Listen = Annotated[tuple[str, ...], BeforeValidator(values.listen)]
Name = Annotated[str, AfterValidator(values.one_line)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(values.database_url)]
Commands = Annotated[
    dict[str, tuple[str, ...]],
    BeforeValidator(values.commands),
    AfterValidator(values.check_commands),
]
PublicUrl = Annotated[str, AfterValidator(values.public_url)]
MailAddress = Annotated[str, AfterValidator(values.mail_address)]

KIB = 1024
MIB = 1024**2
GIB = 1024**3


class Section(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        defer_build=True,  # the whole tree builds one validator, not one for each section as well
    )
