"""All basic operations of pymemcache, whose default is noreply. The argument is the server's port."""

import sys
import time

from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient
from pymemcache.exceptions import MemcacheClientError, MemcacheIllegalInputError

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
    assert stats[b"curr_items"] >= 1, stats
    assert client.stats("settings")[b"maxconns"] == 1024
    client.flush_all(noreply=False)
    assert client.get("word") is None
    client.quit()


plain = Client(server, timeout=10, no_delay=True)
check_operations(plain)
check_noreply(plain)
check_expiry(plain)
check_errors(plain)
check_server(plain)
check_operations(PooledClient(server, timeout=10, no_delay=True, max_pool_size=2))
hashed = HashClient([server], timeout=10)
hashed.set("a", b"1")
assert hashed.get("a") == b"1"
print("done")
