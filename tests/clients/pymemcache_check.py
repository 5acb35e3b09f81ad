"""All basic operations of pymemcache, whose default is noreply. The argument is the server's port."""

import sys
import time
import zlib

from pymemcache import serde
from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient
from pymemcache.client.retrying import RetryingClient
from pymemcache.exceptions import MemcacheClientError, MemcacheIllegalInputError, MemcacheServerError, MemcacheUnknownError

server = ("127.0.0.1", int(sys.argv[1]))


def check_operations(client):
    client.flush_all(noreply=False)
    assert client.get("a") is None
    assert client.get("a", "default") == "default"
    assert client.set("a", b"one", noreply=False) is True
    assert client.get("a") == b"one"
    assert client.set("a", b"\r\n\x00\xff", flags=4294967295, noreply=False) is True
    assert client.get("a") == b"\r\n\x00\xff"
    assert client.add("a", b"two", noreply=False) is False
    assert client.add("b", b"two", noreply=False) is True
    assert client.replace("b", b"2", noreply=False) is True
    assert client.replace("none", b"2", noreply=False) is False
    assert client.append("b", b"!", noreply=False) is True
    assert client.prepend("b", b"=", noreply=False) is True
    assert client.get("b") == b"=2!"
    assert client.append("none", b"!", noreply=False) is False
    assert client.get_many(["a", "b", "none"]) == {"a": b"\r\n\x00\xff", "b": b"=2!"}
    value, unique = client.gets("b")
    assert value == b"=2!"
    assert client.cas("b", b"three", unique, noreply=False) is True
    assert client.cas("b", b"four", unique, noreply=False) is False
    assert client.cas("none", b"five", unique, noreply=False) is None
    assert client.set("n", b"10", noreply=False) is True
    assert client.incr("n", 5) == 15
    assert client.decr("n", 20) == 0
    assert client.incr("none", 1) is None
    assert client.touch("n", 100, noreply=False) is True
    assert client.touch("none", 100, noreply=False) is False
    assert client.delete("n", noreply=False) is True
    assert client.delete("n", noreply=False) is False
    assert client.set_many({"x": b"1", "y": b"2"}, noreply=False) == []
    assert client.get_many(["x", "y"]) == {"x": b"1", "y": b"2"}
    assert client.delete_many(["x", "y"], noreply=False) is True
    assert client.get_many(["x", "y"]) == {}


def check_noreply(client):
    for i in range(200):
        client.set("k%d" % i, b"v%d" % i)
        client.append("k%d" % i, b"+")
        client.add("k%d" % i, b"no")
        client.touch("k%d" % i, 100)
    for i in range(200):
        assert client.get("k%d" % i) == b"v%d+" % i
        client.delete("k%d" % i)
        assert client.get("k%d" % i) is None


def check_expiry(client):
    client.set("brief", b"x", expire=1, noreply=False)
    client.set("gone", b"x", expire=-1, noreply=False)
    client.set("long", b"x", expire=int(time.time()) + 1000, noreply=False)
    assert client.get("gone") is None
    assert client.get("long") == b"x"
    time.sleep(1.1)
    assert client.get("brief") is None


class Compressed:
    """Flags tell what is stored, and whether it is compressed, which this version leaves to its user."""

    COMPRESSED = 1 << 31

    def serialize(self, key, value):
        data, flags = serde.pickle_serde.serialize(key, value)
        if isinstance(data, str):
            data = data.encode()
        return (data, flags) if len(data) < 1000 else (zlib.compress(data), flags | self.COMPRESSED)

    def deserialize(self, key, data, flags):
        if flags & self.COMPRESSED:
            data = zlib.decompress(data)
        return serde.pickle_serde.deserialize(key, data, flags & ~self.COMPRESSED)


def check_values():
    client = Client(server, timeout=10, no_delay=True, serde=Compressed())
    packed = "word " * 100_000
    for value in [b"", "", "über", 5, 2**70, {"list": [1, (2,)]}, bytes(range(256)), b"\r\nEND\r\n", packed]:
        assert client.set("typed", value, noreply=False) is True
        got = client.get("typed")
        assert (got, type(got)) == (value, type(value))
        got, unique = client.gets("typed")
        assert got == value
        assert client.cas("typed", "other", unique, noreply=False) is True
    plain = Client(server, timeout=10, no_delay=True)
    assert client.set("typed", packed, noreply=False) is True
    assert len(plain.get("typed")) < len(packed) / 10
    many = {"many-%d" % i: b"%d" % i for i in range(500)}
    assert plain.set_many(many, expire=1000, noreply=False) == []
    assert plain.get_many(list(many) + ["none"]) == many
    found = plain.gets_many(["many-1", "none"])
    assert [(key, value) for key, (value, _) in found.items()] == [("many-1", b"1")]
    assert plain.cas("many-1", b"new", found["many-1"][1], noreply=False) is True
    long = b"0123456789" * 100_000
    assert plain.set("long", long, noreply=False) is True
    assert plain.get("long") == long
    try:
        plain.set("long", long + long, noreply=False)
        raise AssertionError("a value of 2,000,000 bytes was taken")
    except MemcacheServerError as error:
        assert b"too large" in error.args[0], error
    assert plain.get("long") is None
    prefixed = Client(server, timeout=10, key_prefix=b"pre:", allow_unicode_keys=True)
    prefixed.set("\u00fcber", b"x", noreply=False)
    assert prefixed.get("\u00fcber") == b"x"
    assert plain.get("pre:\u00fcber".encode()) == b"x"
    retrying = RetryingClient(Client(server, timeout=10), attempts=2)
    retrying.set("retried", b"x", noreply=False)
    assert retrying.get("retried") == b"x"


def check_errors(client):
    try:
        client.set("k" * 251, b"x", noreply=False)
        raise AssertionError("a key of 251 bytes was taken")
    except MemcacheIllegalInputError:
        pass
    client.set("word", b"text", noreply=False)
    try:
        client.incr("word", 1)
        raise AssertionError("a word was counted up")
    except MemcacheClientError as error:
        assert b"non-numeric value" in error.args[0], error
    assert client.get("word") == b"text"


def check_server(client):
    assert client.version().startswith(b"1.6."), client.version()
    stats = client.stats()
    assert stats[b"cmd_set"] >= 1, stats
    assert client.stats("settings")[b"maxconns"] == 1024
    # A store in Redis counts its items from time to time only, and may say nothing of them yet.
    assert client.stats("items").get(b"items:1:number", 1) >= 1
    try:
        assert client.cache_memlimit(64) is True
    except MemcacheUnknownError as error:
        # Of a store that keeps no values in the server's memory.
        assert error.args[0].startswith(b"MEMLIMIT_ADJUST_FAILED"), error
    client.flush_all(delay=1000, noreply=False)
    assert client.get("word") == b"text"
    client.flush_all(noreply=False)
    assert client.get("word") is None
    client.quit()


plain = Client(server, timeout=10, no_delay=True)
check_operations(plain)
check_noreply(plain)
check_expiry(plain)
check_values()
check_errors(plain)
check_server(plain)
check_operations(PooledClient(server, timeout=10, no_delay=True, max_pool_size=2))
hashed = HashClient([server], timeout=10)
hashed.set("a", b"1")
assert hashed.get("a") == b"1"
hashed.set_many({"b": b"2", "c": b"3"}, noreply=False)
assert hashed.get_many(["a", "b", "c", "none"]) == {"a": b"1", "b": b"2", "c": b"3"}
print("done")
