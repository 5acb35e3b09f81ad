"""pymemcache over TLS, with a certificate of its own. The arguments: the port, the authority, certificate, key."""

import ssl
import sys

from pymemcache.client.base import Client, PooledClient

port, authority, certificate, key = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
context.load_cert_chain(certificate, key)

for kind in (Client, PooledClient):
    client = kind(("localhost", int(port)), tls_context=context)
    value = b"v" * 300000
    assert client.set("k", value, noreply=False) is True
    assert client.get("k") == value
    assert client.set_many({str(i): b"%d" % i for i in range(500)}, noreply=False) == []
    assert len(client.get_many([str(i) for i in range(500)])) == 500
    assert client.incr("7", 3) == 10
    client.close()

unknown = ssl.create_default_context(cafile=authority)
client = Client(("localhost", int(port)), tls_context=unknown, timeout=20)
try:
    client.set("k", b"w", noreply=False)
    raise AssertionError("a client without a certificate was let in")
except (OSError, EOFError) as error:
    pass
except Exception as error:
    assert "MemcacheUnexpectedCloseError" in type(error).__name__, error

print("done")
