import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;
import net.spy.memcached.AddrUtil;
import net.spy.memcached.CASMutation;
import net.spy.memcached.CASMutator;
import net.spy.memcached.CASResponse;
import net.spy.memcached.CASValue;
import net.spy.memcached.ConnectionFactoryBuilder;
import net.spy.memcached.ConnectionFactoryBuilder.Locator;
import net.spy.memcached.ConnectionFactoryBuilder.Protocol;
import net.spy.memcached.MemcachedClient;
import net.spy.memcached.transcoders.SerializingTranscoder;

/** All that Java's spymemcached does. The arguments are the server's port, and `text`, `binary` or both. */
public class SpymemcachedCheck {
  static void is(String what, Object got, Object expected) {
    if (!Objects.deepEquals(got, expected)) {
      throw new AssertionError(what + ": got " + got + ", not " + expected);
    }
  }

  static <T> T now(Future<T> future) throws Exception {
    return future.get(20, TimeUnit.SECONDS);
  }

  public static void main(String[] args) throws Exception {
    System.setProperty("net.spy.log.LoggerImpl", "net.spy.memcached.compat.log.SunLogger");
    Logger.getLogger("net.spy.memcached").setLevel(Level.OFF);
    for (String protocol : Arrays.copyOfRange(args, 1, args.length)) {
      boolean binary = protocol.equals("binary");
      MemcachedClient client = connect(args[0], binary ? Protocol.BINARY : Protocol.TEXT);
      try {
        check(client, binary);
      } catch (Throwable error) {
        throw new AssertionError("over " + protocol, error);
      } finally {
        client.shutdown(10, TimeUnit.SECONDS);
      }
    }
    System.out.println("done");
    System.exit(0);
  }

  static MemcachedClient connect(String port, Protocol protocol) throws Exception {
    SerializingTranscoder transcoder = new SerializingTranscoder(64 << 20);
    transcoder.setCompressionThreshold(10_000);
    return new MemcachedClient(
        new ConnectionFactoryBuilder()
            .setProtocol(protocol)
            .setLocatorType(Locator.CONSISTENT)
            .setUseNagleAlgorithm(false)
            .setOpTimeout(20_000)
            .setTranscoder(transcoder)
            .build(),
        AddrUtil.getAddresses("127.0.0.1:" + port));
  }

  static void check(MemcachedClient client, boolean binary) throws Exception {
    is("flush", now(client.flush()), true);
    is("a miss", client.get("a"), null);
    is("set", now(client.set("a", 0, "one")), true);
    is("get", client.get("a"), "one");
    is("asyncGet", now(client.asyncGet("a")), "one");
    is("add there", now(client.add("a", 0, "two")), false);
    is("add", now(client.add("b", 0, "two")), true);
    is("replace", now(client.replace("b", 0, "three")), true);
    is("replace none", now(client.replace("none", 0, "x")), false);
    is("append", now(client.append("b", "!")), true);
    is("prepend", now(client.prepend("b", "=")), true);
    is("appended", client.get("b"), "=three!");
    is("append none", now(client.append("none", "!")), false);

    is("incr from", client.incr("n", 5, 100L, 1000), 100L);
    is("incr", client.incr("n", 5), 105L);
    is("decr", client.decr("n", 200), 0L);
    is("incr none", client.incr("none", 1), -1L);
    is("asyncIncr", now(client.asyncIncr("n", 7)), 7L);
    // As of what is not there.
    is("incr a word", client.incr("a", 1), -1L);
    is("touch", now(client.touch("a", 100)), true);
    is("touch none", now(client.touch("none", 100)), false);
    // Text had no get and touch when the client was written.
    if (binary) {
      is("getAndTouch", client.getAndTouch("a", 100).getValue(), "one");
      is("getAndTouch none", client.getAndTouch("none", 100), null);
    }

    is("gets none", client.gets("none"), null);
    CASValue<Object> found = client.gets("a");
    is("gets", found.getValue(), "one");
    is("cas", client.cas("a", found.getCas(), "two"), CASResponse.OK);
    is("cas again", client.cas("a", found.getCas(), "three"), CASResponse.EXISTS);
    is("cas none", client.cas("none", found.getCas(), "x"), CASResponse.NOT_FOUND);
    is("after cas", client.get("a"), "two");
    if (binary) {
      is("append by cas", now(client.append(found.getCas(), "a", "!")), false);
      is("append by cas", now(client.append(client.gets("a").getCas(), "a", "!")), true);
      is("delete by cas", now(client.delete("a", found.getCas())), false);
      is("delete by cas", now(client.delete("a", client.gets("a").getCas())), true);
      is("set again", now(client.set("a", 0, "two")), true);
    }
    // Several counters, none of whose steps may be lost.
    CASMutation<Object> step = was -> String.valueOf(Integer.parseInt((String) was) + 1);
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      Thread thread = new Thread(() -> {
        CASMutator<Object> mutator = new CASMutator<>(client, client.getTranscoder(), 10_000);
        for (int j = 0; j < 25; j++) {
          try {
            mutator.cas("counted", "1", 0, step);
          } catch (Exception error) {
            throw new RuntimeException(error);
          }
        }
      });
      threads.add(thread);
      thread.start();
    }
    for (Thread thread : threads) thread.join();
    is("counted", client.get("counted"), "100");

    // Flags tell the client what it has stored.
    byte[] bytes = new byte[1_000_000];
    new Random(1).nextBytes(bytes);
    Object[] values = {"", "über", "word ".repeat(100_000), 0, -5, 1L << 40, true, false, 1.5, (byte) 7, 'c',
        new byte[] {0, 13, 10, -1}, bytes, new HashMap<>(Map.of("list", Arrays.asList(1, "ü")))};
    for (Object value : values) {
      is("set typed", now(client.set("typed", 0, value)), true);
      is("get typed", client.get("typed"), value);
    }
    byte[] longer = new byte[2 << 20];
    new Random(2).nextBytes(longer);
    try {
      is("set too long", now(client.set("typed", 0, longer)), false);
    } catch (ExecutionException error) {
      is("set too long", binary, false);
    }
    is("after that", client.get("a"), "two");

    Map<String, Object> many = new HashMap<>();
    List<Future<Boolean>> stores = new ArrayList<>();
    for (int i = 0; i < 500; i++) {
      many.put("key-" + i, "value " + i);
      stores.add(client.set("key-" + i, 1000, "value " + i));
    }
    for (Future<Boolean> store : stores) is("set one of many", now(store), true);
    List<String> keys = new ArrayList<>(many.keySet());
    keys.add("none");
    is("getBulk", client.getBulk(keys), many);
    is("asyncGetBulk", now(client.asyncGetBulk("key-1", "none")), Map.of("key-1", "value 1"));
    is("waitForQueues", client.waitForQueues(20, TimeUnit.SECONDS), true);

    is("set later", now(client.set("later", (int) (System.currentTimeMillis() / 1000) + 1000, "x")), true);
    is("get later", client.get("later"), "x");
    is("set past", now(client.set("past", 2592001, "x")), true);
    is("get past", client.get("past"), null);
    // A negative time has gone by already; over binary it is the year 2106.
    is("set gone", now(client.set("gone", -1, "x")), true);
    is("get gone", client.get("gone"), binary ? "x" : null);

    String longest = String.join("", Collections.nCopies(250, "k"));
    is("longest key", now(client.set(longest, 0, "x")), true);
    is("get it", client.get(longest), "x");
    is("key of other letters", now(client.set("über", 0, "x")), true);
    is("get it", client.get("über"), "x");
    if (binary) {
      is("key of two words", now(client.set("two words", 0, "x")), true);
      is("get it", client.get("two words"), "x");
      is("get it with others", client.getBulk("two words", "none"), Map.of("two words", "x"));
    }

    for (String version : client.getVersions().values()) is("version", version.matches("1\\.6\\.\\d+.*"), true);
    for (Map<String, String> stats : client.getStats().values()) {
      is("stats", Integer.parseInt(stats.get("curr_items")) > 500, true);
    }
    for (Map<String, String> settings : client.getStats("settings").values()) {
      is("settings", settings.get("maxconns"), "1024");
    }
    is("delete", now(client.delete("b")), true);
    is("delete none", now(client.delete("b")), false);
    // Over binary it leaves the time out.
    if (!binary) {
      is("flush later", now(client.flush(1000)), true);
      is("before that", client.get("a"), "two");
    }
    is("flush", now(client.flush()), true);
    is("flushed", client.get("a"), null);
  }
}
