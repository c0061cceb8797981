"""Adds to a transcript what it tells of its call: signals, and a summary."""

from __future__ import annotations

import asyncio

from otokura.shared.insight import InsightRules, Signals, Summary
from otokura.shared.logs import get_logger
from otokura.shared.redacted import redacted, unredacted_signals
from otokura.shared.transcripts import Transcript
from otokura.transcribe.insight import instruments
from otokura.transcribe.insight.endpoint import SummaryEndpoint, SummaryFailed
from otokura.transcribe.insight.rules import Rules, rules_for
from otokura.transcribe.insight.signals import signals
from otokura.transcribe.insight.summary import summary
from otokura.transcribe.settings import Settings

log = get_logger(__name__)


class Insight:
    """Looks at redacted text alone.

    Args:
        endpoint: writes summaries; None where all are extractive.
    """

    def __init__(self, endpoint: SummaryEndpoint | None = None) -> None:
        self._endpoint = endpoint

    @classmethod
    def from_settings(cls, settings: Settings) -> Insight:
        """With the endpoint of the settings, if there is one. Connects with the first summary."""
        if settings.summary_url is None:
            return cls()
        key = settings.summary_key.get_secret_value() if settings.summary_key else None
        timeout = settings.summary_timeout_seconds
        return cls(SummaryEndpoint(settings.summary_url, settings.summary_model, key, timeout))

    async def close(self) -> None:
        """Closes the endpoint's connections."""
        if self._endpoint is not None:
            await self._endpoint.close()

    async def added_to(self, transcript: Transcript, tenant: InsightRules) -> Transcript:
        """`transcript` with its signals and summary; without them where a defect of ours prevents it.

        A transcript is worth more than what is said about it: it is never lost for that.
        """
        try:
            shown = redacted(transcript)
            rules = rules_for(transcript.language, tenant)
            # A call of hours takes a while: heartbeats and health checks must not wait for it.
            found, extract = await asyncio.to_thread(_look, shown, rules)
        except Exception as error:  # noqa: BLE001 - see above; it is counted, and told without its text
            instruments.INSIGHT_FAILURES.inc()
            log.error(  # noqa: TRY400 - an exception's words may quote the call
                "insight failed", call_id=str(transcript.call_id), defect=type(error).__name__
            )
            return transcript
        if rules.skipped:
            log.warning("rules not understood", call_id=str(transcript.call_id), rules=list(rules.skipped))
        written = await self._written(shown) if shown.turns else None
        chosen = written or extract
        instruments.SUMMARIES.labels(chosen.method.value).inc()
        return transcript.model_copy(
            update={"signals": unredacted_signals(found, transcript), "summary": chosen}
        )

    async def _written(self, shown: Transcript) -> Summary | None:
        """The endpoint's summary, if there is an endpoint and it makes one."""
        if self._endpoint is None:
            return None
        try:
            return await self._endpoint.summary(shown)
        except SummaryFailed as failed:
            instruments.SUMMARY_FAILURES.labels(failed.reason.value).inc()
            log.warning("summary not written", call_id=str(shown.call_id), reason=failed.reason.value)
            return None


def _look(shown: Transcript, rules: Rules) -> tuple[Signals, Summary]:
    found = signals(shown, rules)
    return found, summary(shown, found, rules)
