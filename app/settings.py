"""The only reader of the environment."""

from functools import cache
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


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
    """Connections a worker keeps to PostgreSQL."""

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
