"""Settings of the suite: the owner's role, so that a test database can be made, and work done at once."""

import os
from pathlib import Path

os.environ.setdefault("VIGIL_HOME", str(Path(__file__).resolve().parent.parent / "var" / "tests"))
os.environ.setdefault("VIGIL_LOG_ACCESS", "0")

from config import embedded

OWN_DATABASE = not os.environ.get("DATABASE_URL")
if OWN_DATABASE:
    os.environ["DATABASE_URL"] = embedded.database_url(role=embedded.OWNER)

from config.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"  # noqa: F405
SECOND_FACTOR_REQUIRED = False  # tests that sign a person in by force meet it only where they ask for it
MFA_TOTP_TOLERANCE = 1  # a slow machine may cross half a minute between making a code and checking it
