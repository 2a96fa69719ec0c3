from django.urls import path

from accounts.views import invitation, organisations, people, profile, tokens

app_name = "accounts"
urlpatterns = [
    path("profile", profile.profile, name="profile"),
    path("profile/sessions/<int:session_id>/end", profile.end_session, name="end_session"),
    path("invitation/<str:secret>", invitation.invitation, name="invitation"),
    path("organisations", organisations.organisation_list, name="organisation_list"),
    path("organisations/<slug:slug>", organisations.organisation, name="organisation"),
    path("organisations/<slug:slug>/sites", organisations.site_add, name="site_add"),
    path("organisations/<slug:slug>/roles", people.role_grant, name="role_grant"),
    path("organisations/<slug:slug>/roles/<int:membership_id>/end", people.role_end, name="role_end"),
    path("organisations/<slug:slug>/people/<int:person_id>/<slug:what>", people.person_key, name="person_key"),
    path("organisations/<slug:slug>/tokens", tokens.token_make, name="token_make"),
    path("organisations/<slug:slug>/tokens/<int:token_id>/revoke", tokens.token_revoke, name="token_revoke"),
]
