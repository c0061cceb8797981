"""What the routes of tenants take and give."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from otokura.access.identity.views import Body, Credentials, Name
from otokura.access.tenancy.insight_rules import InsightRulesBody
from otokura.access.tenancy.leak_rules import LeakRulesBody
from otokura.shared.events import TenantSettings
from otokura.shared.publication import Company, Contact
from otokura.shared.redactions import RedactionKind, RedactionPolicy


class TenantBody(Body):
    """A new tenant."""

    name: Name


class TenantView(BaseModel):
    """A tenant."""

    id: UUID
    name: str
    disabled: bool
    created_at: datetime


class TenantCreated(BaseModel):
    """A new tenant and its first administrator, whose secret is shown once."""

    tenant: TenantView
    admin: Credentials


class TenantList(BaseModel):
    """All tenants."""

    items: list[TenantView]


class CompanyBody(Company):
    """Who answers for the recordings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ContactBody(Contact):
    """Whom to ask."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RedactionPolicyBody(RedactionPolicy):
    """The kinds of personal data that are left in redacted transcripts: none unless named here."""

    # A name that does not exist would turn nothing off, and nobody would know.
    off: frozenset[RedactionKind] = frozenset()  # pyright: ignore[reportIncompatibleVariableOverride]

    model_config = ConfigDict(frozen=True, extra="forbid")


class SettingsBody(TenantSettings):
    """A tenant's settings. Purposes are what callers are told that recordings are used for.

    Company, contact, retention and how to make requests are published, with the purposes, at
    `GET /notice/{tenant}` of ingest.
    """

    # Frozen, so that nothing of the base's type is ever assigned.
    company: CompanyBody | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    contact: ContactBody | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    redaction: RedactionPolicyBody = RedactionPolicyBody()  # pyright: ignore[reportIncompatibleVariableOverride]
    insight_rules: InsightRulesBody = InsightRulesBody()  # pyright: ignore[reportIncompatibleVariableOverride]
    leak_rules: LeakRulesBody = LeakRulesBody()  # pyright: ignore[reportIncompatibleVariableOverride]

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "require_notice": True,
                    "require_purpose": True,
                    "purposes": [
                        {
                            "name": "quality",
                            "label_ja": "応対品質の向上",
                            "label_en": "To improve our service",
                        }
                    ],
                    "notice_version": "2026-04",
                    "retention_days": 180,
                    "company": {
                        "name": "株式会社みどり通販",
                        "name_en": "Midori Mail Order Co., Ltd.",
                        "address": "東京都千代田区丸の内1-1-1",
                        "representative": "代表取締役 緑川 一郎",
                    },
                    "contact": {
                        "name": "個人情報お問い合わせ窓口",
                        "name_en": "Privacy desk",
                        "email": "privacy@midori.example",
                        "phone": "0120-000-000",
                    },
                    "requests_ja": "窓口までお申し出ください。ご本人を確認のうえ回答します（無料）。",
                    "requests_en": "Ask the contact above. We check who you are first; it costs nothing.",
                    "language": "ja",
                    "vocabulary": ["オトクラ"],
                    "live_transcripts": True,
                    "audiohook_transcripts": "quality",
                    "redaction": {"off": ["postal-code"]},
                    "insight_rules": {
                        "add": [
                            {
                                "id": "trial-ends",
                                "kind": "reason",
                                "label": "trial",
                                "language": "ja",
                                "roles": ["customer"],
                                "phrases": ["お試し(期間|)*(終わ|解約|やめ)"],
                            }
                        ],
                        "disable": ["ja.abuse.long-call"],
                    },
                    "break_glass_minutes": 30,
                    "leak_rules": {
                        "add": [
                            {
                                "id": "many-calls",
                                "kind": "breadth",
                                "at_least": 60,
                                "minutes": 60,
                                "pause": True,
                            }
                        ],
                        "disable": ["otokura.breadth"],
                    },
                }
            ]
        },
    )
