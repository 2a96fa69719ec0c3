"""Every write about organisations, people, their roles, their keys and what they may look at."""

from accounts.services.access import end_access, grant_access, log_view
from accounts.services.links import make_link, redeem_link
from accounts.services.organisations import add_site, create_organisation
from accounts.services.people import add_person, change_profile, enrol_totp, reset_second_factor, set_active
from accounts.services.roles import end_role, grant_role
from accounts.tokens import issue_token as create_token
from accounts.tokens import revoke_token

__all__ = [
    "add_person",
    "add_site",
    "change_profile",
    "create_organisation",
    "create_token",
    "end_access",
    "end_role",
    "enrol_totp",
    "grant_access",
    "grant_role",
    "log_view",
    "make_link",
    "redeem_link",
    "reset_second_factor",
    "revoke_token",
    "set_active",
]
