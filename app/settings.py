"""The only reader of the environment."""

import re
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from sync.days import DAY_BEGINS

_ORIGIN = re.compile(r"https?://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")
"""As a browser writes it in `Origin`: no wildcard, no path, no `null`."""


class Settings(BaseSettings):
    """Every variable begins with QIAOMEN_; see the README for the list."""

    model_config = SettingsConfigDict(env_prefix="QIAOMEN_", extra="ignore")

    database_url: str = "sqlite:///qiaomen.db"
    """`sqlite:///FILE` or `postgresql://…`."""
    key: str | None = None
    """At least 32 characters. Required on PostgreSQL; beside an SQLite file it is generated into `FILE.key`."""
    password: str | None = None
    """The terminal phone's password, where it can't be asked for."""
    log_level: str = "INFO"
    pool_size: int = 8
    """Connections a worker keeps to PostgreSQL; twice as many requests work at once, on either store."""
    day_begins: int = Field(DAY_BEGINS, ge=0, le=12)
    """At which hour, in China, a day of work begins: what is before it counts for the day before."""
    requests_per_minute: int = Field(600, ge=1)
    """Of one sign-in, which is one phone, in each worker."""
    cors_origins: Annotated[list[str], NoDecode] = []
    """Web pages of other sites that may call: exact origins, between commas. None by default, and never all."""
    forwarded_allow_ips: str = "127.0.0.1"
    """Proxies, by address or network, whose X-Forwarded-For and X-Forwarded-Proto are believed."""

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _exact_origins(cls, said: str | list[str]) -> list[str]:
        origins = [part.strip() for part in said.split(",")] if isinstance(said, str) else said
        for origin in filter(None, origins):
            if not _ORIGIN.fullmatch(origin):
                raise ValueError("an origin is exactly https://host or http://host:port, in lower case, without more")
        return [origin for origin in origins if origin]

    @property
    def embedded(self) -> bool:
        """Is it the SQLite store that needs no configuration?"""
        return self.database_url.startswith("sqlite")

    @property
    def database_file(self) -> Path | None:
        """The SQLite file; None on PostgreSQL and in memory."""
        name = self.database_url.removeprefix("sqlite:///")
        return Path(name) if self.embedded and name not in ("sqlite://", "") else None


@cache
def settings() -> Settings:
    """Read once a process."""
    return Settings()
