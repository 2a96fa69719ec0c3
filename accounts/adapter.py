"""How signing in behaves here: accounts are made by administrators, secrets are encrypted, signers keep their codes."""

import base64
import hashlib
import time
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from accounts.permissions import may_sign_somewhere
from accounts.signing import has_totp


class ClosedAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_reauthentication_required(self, *, app: str, **more: Any) -> bool:
        """The set-up of codes right after signing in does not ask for the same password a second time."""
        request = context.request
        if app == "allauth.mfa" and not has_totp(request.user) and _just_signed_in(request):
            return False
        return bool(super().is_reauthentication_required(app=app, **more))


def _just_signed_in(request: HttpRequest) -> bool:
    records = get_authentication_records(request, request.user)
    return any(time.time() - one["at"] < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT for one in records)


class ClosedSocialAdapter(DefaultSocialAccountAdapter):
    """The hospital's identity provider opens existing accounts by their verified address, and makes none."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return False


class SecondFactorAdapter(DefaultMFAAdapter):
    """One-time-code secrets are encrypted at rest, so a copy of the database alone cannot sign."""

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return _cipher().decrypt(encrypted_text.encode()).decode()
        except InvalidToken as error:
            raise ImproperlyConfigured(
                "a one-time-code secret cannot be read: VIGIL_SECRET_KEY is not the one that it was stored with"
            ) from error

    def get_totp_issuer(self) -> str:
        return f"Vigil {settings.BASE_URL.partition('://')[2]}"

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """Who may sign cannot switch the codes off; an administrator replaces a lost device."""
        return authenticator.type != Authenticator.Type.TOTP or not may_sign_somewhere(authenticator.user)


def _cipher() -> Fernet:
    key = hashlib.sha256(b"vigil one-time codes:" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))
