"""Settings of every instance. What differs between instances comes from the environment, nothing else."""

from psycopg.conninfo import conninfo_to_dict

from config import embedded, home
from config.environment import env_flag, env_int, env_list, env_path, env_text

BASE_DIR = home.BASE_DIR
DEBUG = env_flag("VIGIL_DEBUG", default=False)
SECRET_KEY = env_text("VIGIL_SECRET_KEY") or home.secret("django")
PSEUDONYM_KEY = env_text("VIGIL_PSEUDONYM_KEY") or home.secret("pseudonym")
BASE_URL = env_text("VIGIL_BASE_URL", default="http://127.0.0.1:8000").rstrip("/")
ALLOWED_HOSTS = env_list("VIGIL_ALLOWED_HOSTS", default=("127.0.0.1", "localhost", "[::1]"))
CSRF_TRUSTED_ORIGINS = [BASE_URL]

INSTALLED_APPS = [
    "config",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "records",
    "accounts",
    "assurance",
    "monitoring",
    "explainability",
    "generalizability",
    "vigilance",
    "reporting",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.request_id.RequestIdMiddleware",
    "accounts.rate_limits.RateLimitMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.sessions.SessionLimitMiddleware",
    "accounts.middleware.TenantMiddleware",
    "accounts.second_factor.SecondFactorMiddleware",
    "accounts.viewing.ViewLogMiddleware",
    "config.time_zone.TimeZoneMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.context.workplace",
                "config.menu.main_menu",
                "config.time_zone.zone_name",
            ],
        },
    }
]

# Database: PostgreSQL, nothing else. The embedded one answers on a Unix socket of this instance.


def postgres(url: str) -> dict[str, object]:
    parts = conninfo_to_dict(url)
    known = {"dbname", "user", "password", "host", "port"}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.get("dbname", ""),
        "USER": parts.get("user", ""),
        "PASSWORD": parts.get("password", ""),
        "HOST": parts.get("host", ""),
        "PORT": str(parts.get("port", "") or ""),
        "CONN_MAX_AGE": env_int("VIGIL_DATABASE_KEEP_S", default=60, at_least=0),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {key: value for key, value in parts.items() if key not in known},
    }


DATABASE_URL = env_text("DATABASE_URL") or embedded.database_url()
DATABASES = {"default": postgres(DATABASE_URL)}
DATABASE_APP_ROLE = env_text("VIGIL_DATABASE_APP_ROLE", default=embedded.APP)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env_text("REDIS_URL") or embedded.redis_url()
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}

# Background work: four queues; the broker carries keys only, the rows say what is to be done.
CELERY_BROKER_URL = env_text("REDIS_URL") or embedded.broker_url()
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_DEFAULT_QUEUE = "statistics"
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_TASK_TIME_LIMIT = env_int("VIGIL_TASK_LIMIT_S", default=3600, at_least=10)
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A request that starts a job does not wait for a broker that is away: the job is a row, and the beat sends it again.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 2 * CELERY_TASK_TIME_LIMIT, "socket_connect_timeout": 1, "max_retries": 1,
    "interval_start": 0, "interval_step": 0.05, "interval_max": 0.1,
}  # fmt: skip
CELERY_BEAT_SCHEDULE_FILENAME = str(home.var("beat-schedule"))
CELERY_BEAT_SCHEDULE = {
    "resend-lost-jobs": {"task": "assurance.resend_lost_jobs", "schedule": 15.0, "options": {"expires": 15}},
    "seal-trail": {"task": "records.seal_events", "schedule": 30.0, "options": {"expires": 30}},
    "submission-steps": {"task": "assurance.take_due_steps", "schedule": 300.0, "options": {"expires": 300}},
    "due-work": {"task": "monitoring.start_due_work", "schedule": 60.0, "options": {"expires": 60}},
    "weekly-mail": {"task": "reporting.send_weekly_summaries", "schedule": 3600.0, "options": {"expires": 3600}},
}

# People
AUTH_USER_MODEL = "accounts.Person"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
ACCOUNT_ADAPTER = "accounts.adapter.ClosedAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_RATE_LIMITS = {"login_failed": "30/5m/ip,5/5m/key"}  # a hospital's people share one address
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_ALLOW_UNVERIFIED_EMAIL = True  # administrators enter addresses; nothing is confirmed by mail
MFA_ADAPTER = "accounts.adapter.SecondFactorAdapter"
LOGIN_REDIRECT_URL = "/"
LOGIN_URL = "account_login"
SECOND_FACTOR_REQUIRED = True  # of everybody whose role may sign, before any other page
SESSION_COOKIE_AGE = env_int("VIGIL_SESSION_S", default=8 * 3600, at_least=60)
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_HTTPONLY = True
SESSION_IDLE_S = env_int("VIGIL_IDLE_S", default=3600, at_least=60)
SIGN_IN_PER_MINUTE = env_int("VIGIL_SIGN_IN_PER_MINUTE", default=30, at_least=1)  # posts from one address
API_PER_MINUTE = env_int("VIGIL_API_PER_MINUTE", default=1200, at_least=1)  # calls with one token or session
API_FAILURES_PER_MINUTE = env_int("VIGIL_API_FAILURES_PER_MINUTE", default=30, at_least=1)  # 401s for one address
EMAIL_HOST = env_text("VIGIL_EMAIL_HOST")
EMAIL_PORT = env_int("VIGIL_EMAIL_PORT", default=587, at_least=1)
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = env_text("VIGIL_EMAIL_USER"), env_text("VIGIL_EMAIL_PASSWORD")
EMAIL_USE_TLS = env_flag("VIGIL_EMAIL_TLS", default=True)
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env_text("VIGIL_EMAIL_FROM", default="vigil@localhost")
EMAIL_BACKEND = env_text(
    "VIGIL_EMAIL_BACKEND",
    default=f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'console'}.EmailBackend",  # without a host: the log
)

# An identity provider of the hospital, when one is configured: it opens accounts that exist and makes none.
SOCIALACCOUNT_ADAPTER = "accounts.adapter.ClosedSocialAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = True
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_STORE_TOKENS = False
OIDC_NAME = env_text("VIGIL_OIDC_NAME", default="Hospital sign-in")
OIDC_ISSUER = env_text("VIGIL_OIDC_ISSUER")
SOCIALACCOUNT_PROVIDERS: dict[str, dict[str, list[object]]] = {"openid_connect": {"APPS": []}}
if OIDC_ISSUER:
    SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"].append(
        {
            "provider_id": "oidc",
            "name": OIDC_NAME,
            "client_id": env_text("VIGIL_OIDC_CLIENT_ID"),
            "secret": env_text("VIGIL_OIDC_CLIENT_SECRET"),
            "settings": {"server_url": OIDC_ISSUER, "oauth_pkce_enabled": True},
        }
    )

# The edge
HTTPS = BASE_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
# Other services of a hospital share its domain, so the promise is made for this host alone (W005, W021).
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if env_flag("VIGIL_BEHIND_PROXY", default=False) else 0  # whose address counts
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env_flag("VIGIL_BEHIND_PROXY", default=False) else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],  # charts set their own sizes in style attributes
        "img-src": ["'self'", "data:", "blob:"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
        "base-uri": ["'self'"],
        "object-src": ["'none'"],
    }
}

# Files
ARTEFACT_DIR = env_path("VIGIL_ARTEFACT_DIR", default=home.var("artefacts"))
WEIGHTS_DIR = env_path("VIGIL_WEIGHTS_DIR", default=home.var("weights"))
KEY_DIR = env_path("VIGIL_KEY_DIR", default=home.var("keys"))
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = home.var("static")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(ARTEFACT_DIR)}},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
DATA_UPLOAD_MAX_MEMORY_SIZE = env_int("VIGIL_BODY_LIMIT_BYTES", default=64 * 2**20, at_least=1024)
# Deliveries of predictions are streamed to disk, so they may be larger; small ones are worked through at once.
WEIGHTS_LIMIT_BYTES = env_int("VIGIL_WEIGHTS_LIMIT_BYTES", default=4 * 2**30, at_least=1024)
INTAKE_LIMIT_BYTES = env_int("VIGIL_INTAKE_LIMIT_BYTES", default=2**30, at_least=1024)
INTAKE_AT_ONCE_BYTES = env_int("VIGIL_INTAKE_AT_ONCE_BYTES", default=2**20, at_least=0)
INTAKE_EMBED_IMAGES = env_flag("VIGIL_INTAKE_EMBED_IMAGES", default=False)
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 2**20

# Signatures on dossiers: the instance's own authority unless one of these is set
SIGN_PKCS12 = env_text("VIGIL_SIGN_PKCS12")
SIGN_PKCS12_PASSWORD = env_text("VIGIL_SIGN_PKCS12_PASSWORD")
SIGN_PKCS11_MODULE = env_text("VIGIL_SIGN_PKCS11_MODULE")
SIGN_PKCS11_TOKEN = env_text("VIGIL_SIGN_PKCS11_TOKEN")
SIGN_PKCS11_PIN = env_text("VIGIL_SIGN_PKCS11_PIN")
SIGN_PKCS11_CERTIFICATE = env_text("VIGIL_SIGN_PKCS11_CERTIFICATE")
SIGN_PKCS11_KEY = env_text("VIGIL_SIGN_PKCS11_KEY")
SIGN_TSA_URL = env_text("VIGIL_SIGN_TSA_URL")

# Words and times: kept in UTC, shown with their zone
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "config.logs.JsonFormatter"},
        "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "json" if env_flag("VIGIL_LOG_JSON", default=True) else "line",
        }
    },
    "root": {"handlers": ["stderr"], "level": env_text("VIGIL_LOG_LEVEL", default="WARNING")},
    "loggers": {
        "vigil.access": {"level": "INFO" if env_flag("VIGIL_LOG_ACCESS", default=True) else "WARNING"},
        "django.server": {"handlers": [], "propagate": True},
    },
}
