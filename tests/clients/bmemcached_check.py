"""All that python-binary-memcached does, which speaks binary. The argument is the server's port."""

import sys
import time
import zlib

import bmemcached

server = "127.0.0.1:" + sys.argv[1]

# It has no append, no prepend, no touch, and no quiet form but that of its get and set of several keys.
client = bmemcached.Client([server], socket_timeout=10, compression=zlib)
assert client.flush_all() is True
assert client.get("a") is None
assert client.get("a", "default") == "default"
assert client.set("a", "one") is True
assert client.get("a") == "one"
assert client.add("a", "two") is False
assert client.add("b", "two") is True
assert client.replace("b", "three") is True
assert client.replace("none", "x") is False

value, unique = client.gets("b")
assert value == "three"
assert client.cas("b", "four", unique) is True
assert client.cas("b", "five", unique) is False
assert client.get("b", get_cas=True)[0] == "four"
assert client.delete("b", cas=unique) is False
assert client.delete("b") is True
# What is not there is as good as deleted.
assert client.delete("b") is True
assert client.cas("b", "six", unique) is False

assert client.incr("n", 5, default=100) == 100
assert client.incr("n", 5) == 105
assert client.decr("n", 200) == 0

# Flags tell the client what it has stored, and whether it is compressed.
for value in ["", "über", b"\x00\r\nEND\r\n", bytes(range(256)), 5, 2**70, 1.5, {"list": [1, (2,)]}, "word " * 100_000]:
    assert client.set("typed", value) is True
    got = client.get("typed")
    assert (got, type(got)) == (value, type(value)), (got, value)

many = {"key %d" % i: "value %d" % i for i in range(500)}
assert client.set_multi(many, time=1000) == []
assert client.get_multi(list(many) + ["none"]) == many
assert client.get_multi(["key 1"], get_cas=True)["key 1"][0] == "value 1"
assert client.delete_multi(list(many)) is True
assert client.get_multi(list(many)) == {}

assert client.set("past", "x", time=2592001) is True
assert client.get("past") is None
assert client.set("later", "x", time=int(time.time()) + 1000) is True
assert client.get("later") == "x"
assert client.set("k" * 250, "x") is True
assert client.get("k" * 250) == "x"

[stats] = client.stats().values()
assert int(stats["cmd_set"]) >= 500, stats
assert stats["version"].startswith(b"1.6."), stats
[settings] = client.stats("settings").values()
assert settings["maxconns"] == b"1024", settings
assert client.flush_all(time=1000) is True
assert client.get("a") == "one"
assert client.flush_all() is True
assert client.get("a") is None
client.disconnect_all()
assert client.set("a", "again") is True
print("done")
