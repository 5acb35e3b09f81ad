"""python-binary-memcached over TLS, logging in. The arguments: the port, the authority, user and password."""

import ssl
import sys

import bmemcached

port, authority, user, password = sys.argv[1:]
server = ("localhost:%s" % port,)
context = ssl.create_default_context(cafile=authority)

client = bmemcached.Client(server, user, password, tls_context=context)
value = "v" * 300000
assert client.set("k", value) is True
assert client.get("k") == value
for i in range(300):
    assert client.set(str(i), i) is True
assert len(client.get_multi([str(i) for i in range(300)])) == 300
assert client.incr("n", 3, default=7) == 7
client.disconnect_all()

for name, secret in ((user, "guess"), ("eve", password)):
    stranger = bmemcached.Client(server, name, secret, tls_context=context)
    try:
        assert stranger.get("k") is None
    except bmemcached.exceptions.MemcachedException:
        pass
    stranger.disconnect_all()

print("done")
