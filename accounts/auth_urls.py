"""Signing in and what belongs to it. Only these views of allauth have an address: nobody signs up, changes the address
that names them, or gets a password by mail."""

from allauth.account import views as account
from allauth.socialaccount import views as social
from django.db import transaction
from django.urls import include, path
from django.views.generic import TemplateView

urlpatterns = [
    path("login/", account.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("signup/", account.signup, name="account_signup"),
    path("help/", TemplateView.as_view(template_name="account/how_to_get_in.html"), name="account_reset_password"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("password/change/", transaction.atomic(account.password_change), name="account_change_password"),
    path("2fa/", include("allauth.mfa.urls")),
    path("oidc/cancelled/", social.login_cancelled, name="socialaccount_login_cancelled"),
    path("oidc/error/", social.login_error, name="socialaccount_login_error"),
    path("oidc/unknown/", social.signup, name="socialaccount_signup"),
    path("oidc/connections/", social.connections, name="socialaccount_connections"),
    path("", include("allauth.socialaccount.providers.openid_connect.urls")),
]
