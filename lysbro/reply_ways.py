"""Takes a signed reply the further ways of its site: HL7, FHIR, a webhook, a notice by mail.

Each gives what the receiver answered, or raises with what happened and what to do; when to try
again is the outbox's. No name of a patient goes into a log or a notice.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import smtplib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import certifi
import urllib3

from casework.access import Scope
from casework.errors import Refused, Unavailable
from casework.findings import canonical_json
from casework.model import CaseDossier, Report
from casework.reply_channels import URGENT, ReplyChannel, Way
from lysbro.reply_pdf import pdf_of
from lysbro.wiring import Parts
from pacs_bridge import mllp_sender, oru
from viewer import reply_view
from viewer.fhir.bundle import reply_bundle
from viewer.texts import mark, translate

SIGNATURE = "Lysbro-Signature"
"""Header of a webhook: `sha256=` and the HMAC of the body under the channel's secret."""

_TOLD = 300  # characters of what a receiver answers that are kept


@dataclass(frozen=True)
class ReplyWays:
    """The further ways of one exchange."""

    parts: Parts

    def go(self, channel: ReplyChannel, dossier: CaseDossier, report: Report) -> str:
        """Take a signed version to a channel's receiver; return what it answered."""
        ways: Mapping[Way, Callable[[ReplyChannel, CaseDossier, Report], str]] = {
            Way.HL7: self._hl7,
            Way.FHIR: self._fhir,
            Way.WEBHOOK: self._webhook,
            Way.MAIL: self._mail,
        }
        return ways[channel.way](channel, dossier, report)

    def _hl7(self, channel: ReplyChannel, dossier: CaseDossier, report: Report) -> str:
        settings = self.parts.settings
        envelope = oru.Envelope(
            sending_application="LYSBRO",
            sending_facility=settings.ae_title,
            receiving_application=channel.option("application"),
            receiving_facility=channel.option("facility"),
            charset=channel.option("charset"),
            timezone=settings.timezone,
        )
        pdf = self._pdf(dossier, report) if channel.option("pdf") == "yes" else None
        message = oru.result(dossier, _standing(dossier, report), report, envelope, pdf=pdf)
        host, port = channel.host_and_port
        tls = self._trust() if channel.option("tls") == "yes" else None
        receiver = mllp_sender.Receiver(host, port, tls, settings.reply_timeout)
        return mllp_sender.send(message, receiver)

    def _fhir(self, channel: ReplyChannel, dossier: CaseDossier, report: Report) -> str:
        everything = Scope(sites=None, specialties=None, own_site=dossier.case.site)
        found = [
            row
            for study in dossier.studies
            if study.instance_count
            for row in self.parts.index.studies(everything, study_uid=study.study_uid)
            if row.site == study.site
        ]
        pdf = self._pdf(dossier, report) if channel.option("pdf") == "yes" else None
        bundle = reply_bundle(dossier, _up_to(dossier, report), found, pdf=pdf)
        headers = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
        if secret := _secret(channel):
            headers["Authorization"] = f"Bearer {secret}"
        return self._post(channel.address, json.dumps(bundle).encode(), headers)

    def _webhook(self, channel: ReplyChannel, dossier: CaseDossier, report: Report) -> str:
        case = dossier.case
        told = {
            "event": "reply-signed",
            "case_id": case.id,
            "site": case.site,
            "report_uid": report.uid,
            "version": report.version,
            "kind": report.kind,
            "urgent": report.content.get("urgency") in URGENT,
            "signed_at": report.signed_at.isoformat(),
            "sha256": report.sha256,
            "address": self._address(case.id),
        }
        if channel.option("content") == "whole":
            told |= {"patient_id": case.patient.id, "content": dict(report.content)}
        body = canonical_json(told)
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": f"{report.uid}/{report.version}",
        }
        if secret := _secret(channel):
            mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
            headers[SIGNATURE] = f"sha256={mac}"
        return self._post(channel.address, body, headers)

    def remind(self, channel: ReplyChannel, dossier: CaseDossier, report: Report) -> str:
        """Say by mail that an urgent reply is unread; not when it has been read meanwhile."""
        if dossier.case.read_at is not None:
            return "read meanwhile"
        subject = mark("Unread urgent answer in case {case}")
        return self._notice(channel, dossier, report, subject, part="reminder.")

    def _mail(self, channel: ReplyChannel, dossier: CaseDossier, report: Report) -> str:
        urgent = report.content.get("urgency") in URGENT
        subject = mark("Urgent answer in case {case}") if urgent else mark("Answer in case {case}")
        return self._notice(channel, dossier, report, subject)

    def _notice(
        self,
        channel: ReplyChannel,
        dossier: CaseDossier,
        report: Report,
        subject: str,
        *,
        part: str = "",
    ) -> str:
        settings = self.parts.settings
        if not settings.smtp_host or not settings.smtp_from:
            raise Unavailable(
                "No mail server is set. Set LYSBRO_SMTP_HOST and LYSBRO_SMTP_FROM.", code="no-smtp"
            )
        language = channel.option("language") or settings.language
        notice = EmailMessage()
        notice["Subject"] = translate(subject, language).format(case=dossier.case.id)
        notice["From"], notice["To"] = settings.smtp_from, channel.address
        notice["Message-ID"] = f"<{part}{report.uid}.{report.version}@lysbro>"
        said = translate(mark("There is an answer. Sign in to read it: {address}"), language)
        notice.set_content(said.format(address=self._address(dossier.case.id)))
        return self._hand_over(notice)

    def _hand_over(self, notice: EmailMessage) -> str:
        settings = self.parts.settings
        try:
            kind = smtplib.SMTP_SSL if settings.smtp_tls == "tls" else smtplib.SMTP
            with kind(settings.smtp_host, settings.smtp_port, timeout=settings.reply_timeout) as at:
                if settings.smtp_tls == "starttls":
                    at.starttls(context=self._trust())
                if settings.smtp_user:
                    at.login(settings.smtp_user, settings.smtp_password)
                at.send_message(notice)
        except smtplib.SMTPResponseException as error:
            words = error.smtp_error
            said = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
            raise Refused(
                f"The mail server answered {error.smtp_code}: {said[:_TOLD]}", code="not-accepted"
            ) from error
        except (OSError, smtplib.SMTPException) as error:
            raise Unavailable(
                f"The mail server {settings.smtp_host} cannot be reached: {error}. Look at "
                "LYSBRO_SMTP_HOST, _PORT and _TLS.",
                code="unreachable",
            ) from error
        return "250"

    def _post(self, address: str, body: bytes, headers: Mapping[str, str]) -> str:
        wait = urllib3.Timeout(total=self.parts.settings.reply_timeout)
        try:
            with urllib3.PoolManager(ssl_context=self._trust(), retries=False) as pool:
                answer = pool.request(
                    "POST", address, body=body, headers=dict(headers), timeout=wait, redirect=False
                )
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(
                f"{address} cannot be reached: {error}. See that it runs and can be reached from "
                "here.",
                code="unreachable",
            ) from error
        told = f"HTTP {answer.status}"
        if 200 <= answer.status < 300:
            return told
        words = " ".join(answer.data[:_TOLD].decode("utf-8", "replace").split())
        kind = Unavailable if answer.status >= 500 or answer.status in (408, 429) else Refused
        raise kind(
            f"{address} answered {answer.status}{f': {words}' if words else ''}. Ask its operator "
            "what it finds wrong.",
            code="not-accepted",
        )

    def _trust(self) -> ssl.SSLContext:
        settings = self.parts.settings
        return ssl.create_default_context(cafile=str(settings.reply_ca or certifi.where()))

    def _pdf(self, dossier: CaseDossier, report: Report) -> bytes:
        return pdf_of(self.parts, dossier, report)

    def _address(self, case_id: str) -> str:
        return f"{self.parts.settings.web_url.rstrip('/')}/cases/{case_id}"


def _standing(dossier: CaseDossier, report: Report) -> list[Report]:
    reply = reply_view.reply_as_of(dossier, report)
    return [report] if reply is None else [reply.answer, *reply.addenda]


def _up_to(dossier: CaseDossier, report: Report) -> list[Report]:
    return [each for each in dossier.reports if each.version <= report.version]


def _secret(channel: ReplyChannel) -> str:
    name = channel.option("secret_file")
    if not name:
        return ""
    try:
        return Path(name).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(
            f"The secret of the channel {channel.name} cannot be read from {name}: {error}.",
            code="no-secret",
        ) from error
