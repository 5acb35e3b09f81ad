"""Settings for Django's own tests. The environment says which back end they try, and on which port."""

import os

# The tests take their settings from what is not the default, which they replace.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "tried": {
        "BACKEND": "django.core.cache.backends.memcached." + os.environ["KVS_DJANGO_BACKEND"],
        "LOCATION": "127.0.0.1:" + os.environ["KVS_PORT"],
    },
}
DATABASES = {name: {"ENGINE": "django.db.backends.sqlite3"} for name in ("default", "other")}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SECRET_KEY = "of tests"
USE_TZ = False
