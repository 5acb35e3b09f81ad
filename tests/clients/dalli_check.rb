# frozen_string_literal: true

# All that Ruby's Dalli does. The arguments are the server's port, and `binary` or `meta`. Dalli 3.0 has binary alone,
# Dalli 3.2 has both, Dalli 5 has meta alone.
require "dalli"

# Dalli 5 is for Ruby 3.3, but this is all that Debian 12's Ruby 3.1 lacks of it.
unless "".respond_to?(:byteindex)
  class String
    def byteindex(part, offset = 0) = b.index(part.b, offset)
  end
end

PORT, PROTOCOL = ARGV
SERVER = "127.0.0.1:#{PORT}"
Dalli.logger.level = Logger::FATAL

def is(what, got, expected)
  raise "#{what}: got #{got.inspect}, not #{expected.inspect}" unless got == expected
end

def client(**options)
  options[:protocol] = PROTOCOL.to_sym if Dalli::VERSION.start_with?("3.2")
  Dalli::Client.new(SERVER, socket_timeout: 10, socket_max_failures: 0, **options)
end

def failure
  yield
  nil
rescue Dalli::DalliError, ArgumentError => e
  e.class
end

def check_operations(dc)
  is "flush", dc.flush, [true]
  is "a miss", dc.get("a"), nil
  is "set", dc.set("a", "one").is_a?(Integer), true
  is "get", dc.get("a"), "one"
  is "add there", dc.add("a", "two"), false
  is "add", dc.add("b", "two", nil, raw: true) ? true : false, true
  is "replace", dc.replace("b", "three", nil, raw: true) ? true : false, true
  # 0 where it has no unique to tell, in Dalli 3.0.
  is "replace none", [nil, false, 0].include?(dc.replace("none", "x")), true
  is "append", dc.append("b", "!"), true
  is "prepend", dc.prepend("b", "="), true
  is "appended", dc.get("b", raw: true), "=three!"
  is "append none", dc.append("none", "!") || false, false
  is "incr none", dc.incr("n", 5), nil
  is "incr from", dc.incr("n", 5, 1000, 100), 100
  is "incr", dc.incr("n", 5), 105
  is "decr", dc.decr("n", 200), 0
  is "incr far", dc.incr("n", 2**63 - 1), 2**63 - 1
  is "incr past 63 bits", dc.incr("n", 5), 2**63 + 4
  is "touch", dc.touch("a", 100), true
  is "touch none", dc.touch("none", 100) || false, false
  is "gat", dc.gat("a", 100), "one"
  is "gat none", dc.gat("none", 100), nil
  is "delete", dc.delete("b"), true
  is "delete none", dc.delete("b") || false, false
  is "fetch", dc.fetch("f") { "made" }, "made"
  is "fetch again", dc.fetch("f") { raise "made again" }, "made"
end

def check_cas(dc)
  dc.set("c", "one")
  value, cas = dc.get_cas("c")
  is "get_cas", value, "one"
  is "set_cas", dc.set_cas("c", "two", cas).is_a?(Integer), true
  is "set_cas again", dc.set_cas("c", "three", cas), false
  is "cas", dc.cas("c") { |was| "#{was}!" }.is_a?(Integer), true
  is "cas none", dc.cas("none") { raise "there is none" }, nil
  is "cas!", dc.cas!("new") { |was| was.inspect }.is_a?(Integer), true
  is "cas! of none", dc.get("new"), "nil"
  is "cas in a race", dc.cas("c") { dc.set("c", "other") && "mine" }, false
  is "the other's", dc.get("c"), "other"
  _, cas = dc.get_cas("c")
  is "replace_cas", dc.replace_cas("c", "four", cas).is_a?(Integer), true
  is "replace_cas again", dc.replace_cas("c", "five", cas), false
  is "delete_cas again", dc.delete_cas("c", cas) || false, false
  is "delete_cas", dc.delete_cas("c", dc.get_cas("c")[1]), true
  is "delete_cas none", dc.delete_cas("c", cas) || false, false
end

def check_several(dc)
  keys = Array.new(500) { |i| "key-#{i}" }
  dc.multi { keys.each { |key| dc.set(key, "value of #{key}") } }
  is "get_multi", dc.get_multi(keys + ["none"]), keys.to_h { |key| [key, "value of #{key}"] }
  found = []
  dc.get_multi(*keys) { |key, value| found << [key, value] }
  is "get_multi, one by one", found.length, 500
  values = dc.get_multi_cas("key-1", "none")
  is "get_multi_cas", values.keys, ["key-1"]
  is "its cas", dc.set_cas("key-1", "changed", values["key-1"][1]).is_a?(Integer), true

  # What nobody answers is done all the same, in its order.
  dc.multi do
    dc.set("n", "10", nil, raw: true)
    dc.incr("n", 5)
    dc.decr("n", 1)
    dc.append("n", "0")
    dc.prepend("n", "1")
    dc.add("n", "no")
    dc.replace("none", "no")
    dc.delete("key-2")
    dc.delete("none")
  end
  is "after quiet ones", dc.get("n", raw: true), "1140"
  is "deleted quietly", dc.get("key-2"), nil
  is "replaced quietly", dc.get("none"), nil
  return unless dc.respond_to?(:set_multi)

  dc.set_multi({ "x" => 1, "two words" => "2" }, 100)
  is "set_multi", dc.get_multi("x", "two words"), { "x" => 1, "two words" => "2" }
  dc.delete_multi(["x", "two words", "none"])
  is "delete_multi", dc.get_multi("x", "two words"), {}
end

def check_values(dc)
  # Flags tell the client what it has stored.
  bytes = (0..255).map(&:chr).join.b
  # Dalli 3.2 over meta takes the first line end for the end of the value.
  line_ends = !(PROTOCOL == "meta" && Dalli::VERSION.start_with?("3.2"))
  ["", 0, nil, true, 1.5, 2**80, :symbol, { "list" => [1, "ü"] }, bytes, line_ends ? "\r\nEND\r\n" : "", "word " * 100_000].each do |value|
    dc.set("typed", value)
    is "typed", dc.get("typed"), value
    dc.set("raw", value.to_s, nil, raw: true, compress: false)
    is "raw", dc.get("raw", raw: true).b, value.to_s.b
  end
  long = Random.new(1).bytes(1_000_000)
  long.gsub!("\r\n".b, "") unless line_ends
  is "set long", dc.set("long", long, nil, raw: true, compress: false) ? true : false, true
  is "get long", dc.get("long", raw: true).b, long
  refused = failure { dc.set("long", Random.new(1).bytes(2 << 20), nil, raw: true) }
  is "set too long", refused, Dalli::ValueOverMaxSize
  large = client(value_max_bytes: 1 << 30, compress: false)
  is "the server's refusal", failure { large.set("long", "x" * (2 << 20), nil, raw: true) }.nil?, false
  is "after that", dc.get("typed"), "word " * 100_000

  packed = client(compress: true, compression_min_size: 100)
  packed.set("packed", "word " * 100_000)
  is "packed", packed.get("packed"), "word " * 100_000
  spaced = client(namespace: "space", expires_in: 1000)
  spaced.set("a", "in it")
  is "in a namespace", dc.get("space:a"), "in it"
  nils = client(cache_nils: true)
  nils.set("nil", nil)
  is "nil kept", nils.fetch("nil") { raise "made again" }, nil
end

def check_keys(dc)
  # Over meta the odd ones travel as base64. The client shortens those of over 250 bytes.
  ["two words", "line\r\nend", "über", "k" * 250, "ü" * 90, "k" * 300].each do |key|
    dc.set(key, "x")
    is "odd key", dc.get(key), "x"
    is "odd key among several", dc.get_multi(key, "none").values, ["x"]
    is "odd key counted", [dc.delete(key), dc.incr(key, 1, 100, 7), dc.incr(key, 1)], [true, 7, 8]
    is "odd key deleted", dc.delete(key), true
  end
end

def check_time(dc)
  dc.set("brief", "x", 1)
  dc.set("later", "x", Time.now.to_i + 1000)
  dc.set("forever", "x", 0)
  is "later", dc.get("later"), "x"
  is "forever", dc.get("forever"), "x"
  # A negative time has gone by already; over binary it is the year 2106.
  gone = PROTOCOL == "meta" ? nil : "x"
  dc.set("gone", "x", -1)
  is "gone", dc.get("gone"), gone
  is "touch into the past", dc.touch("later", -1), true
  is "touched into the past", dc.get("later"), gone
  sleep 0.05 until dc.get("brief").nil?
end

# Dalli 5: what only meta can say.
def check_metadata(dc)
  dc.set("m", "one", 1000)
  found = dc.get_with_metadata("m", return_hit_status: true, return_last_access: true, return_ttl_remaining: true)
  is "metadata", found.slice(:value, :miss, :hit_before), { value: "one", miss: false, hit_before: false }
  is "its time", (990..1000).cover?(found[:ttl_remaining]), true
  is "its last access", (0..60).cover?(found[:last_access]), true
  is "hit before", dc.get_with_metadata("m", return_hit_status: true)[:hit_before], true
  dc.set("m", "two")
  unseen = 2.times.map { dc.get_with_metadata("m", return_hit_status: true, skip_lru_bump: true)[:hit_before] }
  is "hit unseen", unseen, [false, false]
  is "no time", dc.get_with_metadata("m", return_ttl_remaining: true)[:ttl_remaining], -1
  is "metadata of none", dc.get_with_metadata("none")[:miss], true

  # One makes the value again, and the others are not to.
  made = 0
  value = dc.fetch_with_lock("lock", ttl: 1000, lock_ttl: 100) do
    made += 1
    other = client
    seen = other.get_with_metadata("lock", vivify_ttl: 100)
    is "while it is made", seen.slice(:value, :won_recache, :lost_recache),
       { value: "", won_recache: false, lost_recache: true }
    other.close
    "made"
  end
  is "made", [value, made], ["made", 1]
  is "made already", dc.fetch_with_lock("lock", ttl: 1000) { raise "made again" }, "made"
  remade = dc.fetch_with_lock("lock", ttl: 2000, recache_threshold: 1500) { "made early" }
  is "made early", [remade, dc.get("lock")], ["made early", "made early"]

  # A marker in the place of what is deleted: the first to see it makes it again.
  is "invalidate", dc.delete("lock", invalidate: true, tombstone_ttl: 100), true
  winner, loser = 2.times.map { dc.get_with_metadata("lock") }
  is "the first", winner.slice(:stale, :won_recache, :lost_recache),
     { stale: true, won_recache: true, lost_recache: false }
  is "the second", loser.slice(:value, :stale, :won_recache, :lost_recache),
     { value: "made early", stale: true, won_recache: false, lost_recache: true }
  # Its value can go at once. memcached knows that from 1.6.27 on.
  is "without its value", dc.delete("lock", invalidate: true, tombstone_ttl: 100, drop_value: true), true
  is "an empty marker", dc.get_with_metadata("lock").slice(:value, :stale), { value: "", stale: true }
  dc.set("lock", "made anew")
  is "anew", dc.get_with_metadata("lock").slice(:value, :stale), { value: "made anew", stale: false }
end

def check_server(dc)
  is "alive", dc.alive! ? true : false, true
  is "version", dc.version[SERVER].match?(/\A1\.6\.\d+/), true
  is "stats", dc.stats[SERVER]["cmd_set"].to_i.positive?, true
  is "settings", dc.stats(:settings)[SERVER]["maxconns"], "1024"
  is "items", dc.stats(:items)[SERVER].is_a?(Hash), true
  is "reset_stats", dc.reset_stats, [true]
  is "after that", dc.stats[SERVER]["get_hits"], "0"
  dc.set("b", "x")
  # In Dalli 3.0 the time is what one server waits for the other.
  unless Dalli::VERSION.start_with?("3.0")
    is "flush later", dc.flush(1000), [true]
    is "before that", dc.get("b"), "x"
  end
  is "flush", dc.flush, [true]
  is "flushed", dc.get("b"), nil
  dc.close
  dc.set("b", "x")
  is "connected again", dc.get("b"), "x"
end

plain = client
check_operations(plain)
check_cas(plain)
check_several(plain)
check_values(plain)
check_keys(plain)
check_time(plain)
check_metadata(plain) if plain.respond_to?(:get_with_metadata)
check_server(plain)
puts "done"
