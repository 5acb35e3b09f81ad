"""All that pylibmc does. The arguments are the server's port, and `text` or `binary`."""

import pickle
import sys
import time

import pylibmc

server = "127.0.0.1:" + sys.argv[1]
binary = sys.argv[2] == "binary"


def client(**behaviors):
    behaviors = {"cas": True, "tcp_nodelay": True, "receive_timeout": 10_000_000, **behaviors}
    return pylibmc.Client([server], binary=binary, behaviors=behaviors)


def raises(error, call, *args, **options):
    try:
        result = call(*args, **options)
    except error:
        return True
    raise AssertionError("%r%r gave %r" % (call, args, result))


def check_operations(mc):
    assert mc.flush_all()
    assert mc.get("a") is None
    assert mc.get("a", "default") == "default"
    assert mc.set("a", "one") is True
    assert mc.get("a") == "one"
    assert mc["a"] == "one"
    assert "a" in mc and "none" not in mc
    assert mc.add("a", "two") is False
    assert mc.add("b", b"two") is True
    assert mc.replace("b", b"three") is True
    # Text has one word for "not there" and "there already", binary has two.
    if binary:
        assert raises(pylibmc.NotFound, mc.replace, "none", b"x")
    else:
        assert mc.replace("none", b"x") is False
    assert mc.append("b", b"!") is True
    assert mc.prepend("b", b"=") is True
    assert mc.get("b") == b"=three!"
    assert mc.append("none", b"!") is False
    assert mc.set("n", 10) is True
    assert mc.incr("n", 5) == 15
    assert mc.decr("n", 20) == 0
    assert raises(pylibmc.NotFound, mc.incr, "none")
    assert raises(pylibmc.NotFound, mc.decr, "none")
    assert raises(pylibmc.Error, mc.incr, "b")
    assert mc.set("n", 2**63 - 2) is True
    assert mc.incr("n") == 2**63 - 1
    assert mc.touch("n", 100) is True
    assert mc.touch("none", 100) is False
    assert mc.delete("n") is True
    assert mc.delete("n") is False
    assert raises(KeyError, mc.__getitem__, "n")


def check_several(mc):
    many = {"key-%d" % i: i for i in range(500)}
    assert mc.set_multi(many) == []
    assert mc.get_multi(list(many) + ["none"]) == many
    assert mc.incr_multi(["key-1", "key-2"], delta=10) is None
    assert mc.get_multi(["key-1", "key-2"]) == {"key-1": 11, "key-2": 12}
    assert mc.add_multi({"key-1": 0, "new": 1}) == ["key-1"]
    assert mc.delete_multi(list(many) + ["new"]) is True
    assert mc.get_multi(list(many)) == {}
    assert mc.set_multi({"x": 1, "y": "2"}, key_prefix="pre:") == []
    assert mc.get("pre:x") == 1
    assert mc.get_multi(["x", "y"], key_prefix="pre:") == {"x": 1, "y": "2"}
    assert mc.delete_multi(["x", "y"], key_prefix="pre:") is True


def check_cas(mc):
    assert mc.gets("none") == (None, None)
    mc.set("c", "one")
    value, unique = mc.gets("c")
    assert value == "one"
    assert mc.cas("c", "two", unique) is True
    assert mc.cas("c", "three", unique) is False
    assert mc.get("c") == "two"
    assert raises(pylibmc.NotFound, mc.cas, "none", "x", unique)
    # A failed cas must not leave its unique behind for what comes after.
    assert mc.set("c", "four") is True
    assert mc.gets("c")[1] != unique


def check_values(mc):
    # Flags tell the client what it has stored.
    bytes_of_all_kinds = bytes(range(256)) + b"\r\nEND\r\n"
    # True comes back as 1: the client takes it for the number.
    values = [0, -5, None, 2**80, 1.5, "über", b"", "", bytes_of_all_kinds, {"list": [1, (2,)]}]
    for value in values:
        assert mc.set("typed", value) is True
        got = mc.get("typed")
        assert (got, type(got)) == (value, type(value)), (got, value)
    packed = "word " * 50_000
    assert mc.set("packed", packed, min_compress_len=1000) is True
    assert mc.get("packed") == packed
    assert mc.set("packed", packed, min_compress_len=1000, compress_level=9) is True
    assert mc.get_multi(["packed"]) == {"packed": packed}
    long = b"0123456789" * 100_000
    assert mc.set("long", long) is True
    assert mc.get("long") == long
    assert raises(pylibmc.Error, mc.set, "long", b"x" * (2 << 20))
    assert mc.get("typed") == {"list": [1, (2,)]}
    assert mc.set("pickled", pickle.dumps(packed)) is True
    longest = "k" * 250
    assert mc.set(longest, "x") is True
    assert mc.get(longest) == "x"
    assert mc.get_multi([longest]) == {longest: "x"}


def check_expiry(mc):
    mc.set("brief", "x", time=1)
    mc.set("gone", "x", time=-1)
    mc.set("past", "x", time=int(time.time()) - 100)
    mc.set("long", "x", time=int(time.time()) + 1000)
    # The client's own word for "now or never", of 32 bits.
    mc.set("touched", "x", time=100)
    # Over binary -1 is the year 2106.
    assert mc.get("gone") == ("x" if binary else None)
    assert mc.get("past") is None
    assert mc.get("long") == "x"
    while mc.get("brief") is not None:
        time.sleep(0.05)
    assert mc.touch("touched", int(time.time()) - 100) is True
    assert mc.get("touched") is None


def check_keys(mc):
    # Over text it sends keys as they are: with a blank or a line end in them they are no request at all.
    for key in ["über"] + (["two words", "line\r\nend", "nul\0"] if binary else []):
        assert mc.set(key, key) is True
        assert mc.get(key) == key
        assert mc.get_multi([key, "none"]) == {key: key}
        assert mc.delete(key) is True
    assert raises(ValueError, mc.set, "k" * 251, "x")


def check_server(mc):
    [(name, stats)] = mc.get_stats()
    assert name.startswith(server.encode()), name
    assert int(stats["curr_items"]) >= 1, stats
    assert stats["version"].startswith(b"1.6."), stats
    # It shows the general statistics alone: other groups have none of the names that it knows.
    assert mc.flush_all()
    assert mc.get("long") is None
    mc.disconnect_all()
    assert mc.set("again", "x") is True


def check_quiet():
    # Requests that are held back, and that nobody answers.
    for behavior in ("buffer_requests", "_noreply", "no_block"):
        mc = client(**{behavior: True})
        for i in range(200):
            try:
                mc.set("quiet-%d" % i, i)
            except pylibmc.Error as error:
                # So it says that it holds the request back.
                assert (behavior, error.args[0]) == ("buffer_requests", "error 32 from memcached_set"), error
        # A get takes what is held back with it.
        assert mc.get("quiet-0") == 0
        got = client().get_multi(["quiet-%d" % i for i in range(200)])
        assert got == {"quiet-%d" % i: i for i in range(200)}, (behavior, got)
        assert client().delete_multi(list(got)) is True


def check_pool():
    pool = pylibmc.ClientPool(client(), 4)
    for i in range(20):
        with pool.reserve() as mc:
            assert mc.set("pooled", i) is True
            assert mc.get("pooled") == i


plain = client()
check_operations(plain)
check_several(plain)
check_cas(plain)
check_values(plain)
check_expiry(plain)
check_keys(plain)
check_server(plain)
check_operations(client(ketama=True, remove_failed=1))
# Binary has no keys that it must verify.
check_several(client(ketama_weighted=True, **({} if binary else {"verify_keys": True})))
check_several(client(hash="md5", distribution="consistent"))
check_quiet()
check_pool()
print("done")
