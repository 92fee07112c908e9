"""Links for people without an account: signed by this lab, made for one purpose, useless for any other.

A confirmation link carries the job's current nonce. When it expires and whether it was used is in metadata.json,
so that a page tells the link of a reverted, resent or confirmed job from a forged one.
"""

from __future__ import annotations

from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

from printsys.errors import TokenInvalid


class Tokens:
    def __init__(self, secret_key: str) -> None:
        self._status = URLSafeSerializer(secret_key, salt="status-link")
        self._resubmit = URLSafeSerializer(secret_key, salt="resubmit-link")
        self._calendar = URLSafeSerializer(secret_key, salt="calendar-link")
        self._confirm = URLSafeSerializer(secret_key, salt="confirm-link")

    def status(self, job_id: str) -> str:
        return str(self._status.dumps(job_id))

    def read_status(self, token: str) -> str:
        """The job's id. TokenInvalid for anything that this lab did not sign for this purpose."""
        return str(self._read(self._status, token))

    def confirm(self, job_id: str, nonce: str) -> str:
        return str(self._confirm.dumps([job_id, nonce]))

    def read_confirm(self, token: str) -> tuple[str, str]:
        """(job id, nonce). TokenInvalid as above."""
        job_id, nonce = self._read(self._confirm, token)
        return str(job_id), str(nonce)

    def resubmit(self, job_id: str, key: str) -> str:
        """`key`: which rejection of the job it answers (see domain/links.py: resubmission_key)."""
        return str(self._resubmit.dumps([job_id, key]))

    def read_resubmit(self, token: str) -> tuple[str, str]:
        """(job id, key). TokenInvalid as above."""
        job_id, key = self._read(self._resubmit, token)
        return str(job_id), str(key)

    def calendar(self, secret: str) -> str:
        return str(self._calendar.dumps(secret))

    def read_calendar(self, token: str) -> str:
        """The secret that it was made with. TokenInvalid as above."""
        return str(self._read(self._calendar, token))

    @staticmethod
    def _read(serializer: URLSafeSerializer, token: str) -> Any:
        try:
            return serializer.loads(token)
        except BadSignature as error:
            raise TokenInvalid(
                "This link is not valid. Please use the link from the lab's newest e-mail, whole and unchanged."
            ) from error
