"""How pylibmc logs in. The arguments are the server's port, the user and the password."""

import sys

import pylibmc

port, user, password = sys.argv[1:]


def outcome(**login):
    mc = pylibmc.Client(["127.0.0.1:" + port], binary=True, **login)
    try:
        mc.set("key", "value")
        return mc.get("key")
    except pylibmc.Error as error:
        return type(error).__name__


assert outcome(username=user, password=password) == "value"
assert outcome(username=user, password="guess") != "value"
assert outcome(username="eve", password=password) != "value"
assert outcome() != "value"
print("done")
