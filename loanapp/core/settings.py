"""The settings: ``LOANAPP_*`` variables and ``.env``, read once at the edges."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from loanapp.core.access import ROLES, Role, Token, parse_tokens

FeaturePolicy = Literal["all", "lawful"]
Promotion = Literal["always", "better", "manual"]
Language = Literal["fr", "en"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
MODEL_NAME_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"


class Settings(BaseSettings):
    """Everything an operator can set. Units are in the names."""

    model_config = SettingsConfigDict(
        env_prefix="LOANAPP_",
        env_file=".env",
        frozen=True,
        extra="ignore",
        validate_by_name=True,
        validate_by_alias=True,
    )

    home: Path = Field(
        Path(),
        validate_default=True,
        description="Folder of all state; default: the working directory.",
    )
    data_schema: Path | None = Field(
        None, validation_alias="LOANAPP_SCHEMA", description="Contract that replaces the built-in."
    )
    features: FeaturePolicy = Field("all", description="Which columns feed the model.")
    language: Language = Field("fr", description="Language where none is asked for.")

    model_name: str = Field("loanapp", pattern=MODEL_NAME_PATTERN)
    experiment: str = Field("loanapp", description="MLflow experiment of the trainings.")
    tracking_uri: str | None = Field(
        None, pattern="^https?://", description="MLflow server; default: SQLite in home."
    )

    promotion: Promotion = Field("always", description="When a finished training goes live.")
    promotion_margin_pct: float = Field(
        2.0, ge=0, description="How much worse `better` tolerates, in % of the champion's MAE."
    )
    holdout_share: float = Field(0.2, gt=0, lt=0.9)
    seed: int = Field(0, ge=0, lt=2**31)
    training_time_limit_s: float = Field(3600, gt=0)
    training_memory_limit_mb: int = Field(0, ge=0, description="0: no limit.")
    training_threads: int = Field(0, ge=0, description="0: all cores.")

    max_upload_mb: float = Field(100, gt=0)
    max_decompressed_mb: float = Field(1000, gt=0)
    max_rows: int = Field(20_000_000, gt=0)
    max_columns: int = Field(2_000, gt=0)
    max_line_mb: float = Field(1, gt=0)
    max_cells: int = Field(400_000_000, gt=0)

    alias_check_s: float = Field(1.0, gt=0, description="How often the registry's alias is read.")

    api_url: str | None = Field(
        None,
        pattern="^https?://",
        description="API that the app works with; default: one in its own process.",
    )
    remote_urls: Annotated[tuple[str, ...], NoDecode] = Field(
        ("http://localhost:8000", "http://api:8000"),
        description="Addresses of remote APIs that the app may call, separated by commas.",
    )
    remote_timeout_s: float = Field(600, gt=0)
    api_token: SecretStr | None = Field(None, description="Token that the client sends.")

    api_tokens: Annotated[tuple[Token, ...], NoDecode] = Field(
        (),
        repr=False,
        description="Who may do what: lines name:role:sha256, or the file that holds them.",
    )
    allow_anonymous: bool = Field(
        False, description="Answer others than this machine where there are no tokens."
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        ("api", "app"),  # Compose's; a name without a dot is none that a stranger can have
        description="Names this server answers to beside localhost, separated by commas.",
    )
    login_claim: str = Field("roles", description="Claim of a login that names its roles.")
    login_roles: Annotated[Mapping[str, Role], NoDecode] = Field(
        {role: role for role in ROLES},
        validate_default=True,
        description="Roles by value of the claim: value=role, separated by commas; *: any login.",
    )
    requests_per_s: float = Field(
        500, ge=0, description="Requests a second of one token, or of one address. 0: no limit."
    )
    header_timeout_s: float = Field(10, gt=0, description="In which a request's head must arrive.")
    body_timeout_s: float = Field(10, gt=0, description="In which a body must have moved on.")
    body_least_kb_s: float = Field(1, ge=0, description="How fast a body must arrive on average.")

    mlflow_url: str = Field("http://localhost:5000", description="Where users find MLflow's UI.")
    log_json: bool = Field(False, description="One JSON object a line, for containers.")
    log_level: LogLevel = "INFO"

    @field_validator("remote_urls", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
        return value

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().lower() for part in value.split(",") if part.strip())
        return value

    @field_validator("api_tokens", mode="before")
    @classmethod
    def _read_tokens(cls, value: object) -> object:
        if not isinstance(value, str) or not value.strip():
            return value or ()
        if not re.search(r":[0-9a-fA-F]{64}\b", value):
            try:
                value = Path(value.strip()).expanduser().read_text("utf-8")
            except OSError as error:
                raise ValueError(f"the file cannot be read: {error.strerror}") from error
        if not (tokens := parse_tokens(value)):
            raise ValueError("the file holds no token")
        return tokens

    @field_validator("login_roles", mode="before")
    @classmethod
    def _read_roles(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = (part.partition("=") for part in value.split(",") if part.strip())
        return {claimed.strip(): role.strip() for claimed, _, role in pairs}

    @field_validator("api_url")
    @classmethod
    def _without_slash(cls, value: str | None) -> str | None:
        return value.rstrip("/") if value else None

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()
