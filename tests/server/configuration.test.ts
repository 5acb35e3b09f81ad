import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { parseOptions } from "../../lib/cli/parse.ts";
import { PrefixCounts } from "../../lib/observe/prefixes.ts";
import { ExitError } from "../../lib/errors.ts";
import { type Configuration, configure } from "../../lib/server/configuration.ts";
import { serverOptions } from "../../lib/server/options.ts";
import { liveSettings, settingsOf } from "../../lib/server/settings.ts";

function configurationOf(line: string): Configuration {
  const args = line.split(" ").filter((arg) => arg !== "");
  return configure(parseOptions(serverOptions, args, new Map()).options);
}

function settings(line: string): Record<string, string> {
  const configuration = configurationOf(line);
  return Object.fromEntries(
    settingsOf(
      configuration,
      liveSettings(configuration),
      new PrefixCounts(":", configuration.prefixDelimiter !== undefined),
    )
      .map(([name, value]) => [name, String(value)]),
  );
}

const protocols: [line: string, protocol: string][] = [
  ["", "auto"],
  ["-B auto", "auto"],
  ["-B ascii", "ascii"],
  ["-B binary", "binary"],
  ["-Y users", "ascii"],
  ["-Y users -B ascii", "ascii"],
  ["--users users", "ascii"],
  ["-S -Y users", "auto"],
  ["-S -Y users -B binary", "binary"],
];
for (const [line, protocol] of protocols) {
  Deno.test(`the protocol of 'kvs-server ${line}' is ${protocol}`, () => {
    const { endpoints, ...configuration } = configurationOf(line);
    assertEquals([configuration.protocol, endpoints[0]!.protocol], [protocol, protocol]);
  });
}

const refusals: [line: string, says: RegExp][] = [
  ["-Y users -B binary", /-Y\/--auth-file and --users log in by the text protocol/],
  ["--users users -B auto", /-Y\/--auth-file and --users log in by the text protocol/],
  ["-Y users --users users", /-Y\/--auth-file and --users both say/],
  ["-S", /-S\/--enable-sasl needs users/],
  ["-S -B auto", /-S\/--enable-sasl/],
  ["-Y users -l proto[binary]:127.0.0.1", /no listener may be proto\[binary\]/],
  ["-S -Y users -B binary -l proto[ascii]:127.0.0.1", /no listener may be proto\[ascii\]/],
  ["-B http", /-B\/--protocol/],
  ["-U 11211", /-U\/--udp-port takes 0 alone, as kvs serves no UDP/],
  ["-U -1", /serves no UDP/],
  ["-Z", /-Z\/--enable-ssl needs a certificate and its key/],
  ["-p 65536", /--port/],
  ["-c -1", /--conn-limit/],
  ["-f 1", /--slab-growth-factor/],
  ["-n 0", /--slab-min-size/],
  ["-N 0", /--napi-ids/],
  ["-N 5 -t 4", /-N\/--napi-ids 5 is more than the 4 of/],
  ["-I 1023", /--max-item-size/],
  ["-I 2m -m 3", /-I\/--max-item-size 2m is more than half of the 3m/],
  ["-e memory --store redis", /-e\/--memory-file/],
  ["-e memory --data-dir data", /-e\/--memory-file/],
];
for (const [line, says] of refusals) {
  Deno.test(`'kvs-server ${line}' is refused in a sentence`, () => {
    const error = assertThrows(() => configurationOf(line), ExitError);
    assertEquals(error.code, 64);
    assertMatch(error.message, says);
  });
}

Deno.test("a listener that negotiates takes the protocol that users log in by", () => {
  const { endpoints } = configurationOf("-Y users -l proto[negotiating]:127.0.0.1");
  assertEquals(endpoints[0]!.protocol, "ascii");
});

Deno.test("getopt's short forms are read: -vU0, -p11211, -m64, -vvv", () => {
  const { verbose, udpPort, port, memoryLimit } = configurationOf("-vU0 -p11212 -m65 -vvv");
  assertEquals([verbose, udpPort, port, memoryLimit], [4, 0, 11212, 65 * 2 ** 20]);
});

Deno.test("-p 0 turns TCP off, also where -l names a port", () => {
  assertEquals(configurationOf("-p 0 -l 127.0.0.1:11212 -s /tmp/s").endpoints, []);
});

Deno.test("-e FILE is the disk store in a directory FILE", () => {
  const { store, dataDir } = configurationOf("-e /nonexistent/memory");
  assertEquals([store, dataDir], ["disk", "/nonexistent/memory"]);
});

for (const suffix of ["", ".meta"]) {
  Deno.test(`-e FILE is refused where a file FILE${suffix} lies, as memcached leaves it`, async () => {
    const directory = await Deno.makeTempDir();
    await Deno.writeTextFile(`${directory}/memory${suffix}`, "");
    const error = assertThrows(() => configurationOf(`-e ${directory}/memory`), ExitError);
    assertMatch(error.message, /which kvs cannot read/);
    await Deno.remove(directory, { recursive: true });
  });
}

Deno.test("-I may be more than half of -m where -m is not what values are kept in", () => {
  assertEquals(configurationOf("--store redis -I 100m").maxItemSize, 100 * 2 ** 20);
});

Deno.test("-o idle_timeout goes before --idle-timeout", () => {
  assertEquals(configurationOf("--idle-timeout 500ms").idleTimeout, 500);
  assertEquals(configurationOf("--idle-timeout 500ms -o idle_timeout=3").idleTimeout, 3000);
});

Deno.test("-o read_buf_mem_limit is shared out as memcached shares it among its threads", () => {
  assertEquals(configurationOf("").replyMemory, Infinity);
  assertEquals(configurationOf("-o read_buf_mem_limit=1").replyMemory, 2 ** 18);
  assertEquals(configurationOf("-o read_buf_mem_limit=1 -t 32").replyMemory, 2 ** 15);
});

/** All names of memcached 1.6.45, in its order. */
const NAMES =
  `maxbytes maxconns tcpport udpport inter verbosity oldest evictions domain_socket umask
  shutdown_command growth_factor chunk_size num_threads num_threads_per_udp stat_key_prefix
  detail_enabled reqs_per_event cas_enabled tcp_backlog binding_protocol auth_enabled_sasl
  auth_enabled_ascii item_size_max maxconns_fast hashpower_init slab_reassign slab_automove
  slab_automove_ratio slab_automove_window slab_chunk_max lru_crawler lru_crawler_sleep
  lru_crawler_tocrawl tail_repair_time flush_enabled dump_enabled hash_algorithm
  lru_maintainer_thread lru_segmented hot_lru_pct warm_lru_pct hot_max_factor warm_max_factor
  temp_lru temporary_ttl idle_timeout watcher_logbuf_size worker_logbuf_size read_buf_mem_limit
  track_sizes inline_ascii_response ext_item_size ext_item_age ext_low_ttl ext_recache_rate
  ext_wbuf_size ext_compact_under ext_drop_under ext_max_sleep ext_max_frag
  slab_automove_freeratio ext_drop_unread ssl_enabled ssl_chain_cert ssl_key ssl_verify_mode
  ssl_keyformat ssl_ciphers ssl_ca_cert ssl_wbuf_size ssl_session_cache ssl_kernel_tls
  ssl_min_version num_napi_ids memory_file client_flags_size`.split(/\s+/);

Deno.test("stats settings has memcached's 77 names in its order, each with a value of one word", () => {
  assertEquals(NAMES.length, 77);
  const shown = settings("");
  assertEquals(Object.keys(shown), NAMES);
  for (const [name, value] of Object.entries(shown)) assertMatch(value, /^\S+$/, name);
});

Deno.test("stats settings tells what the options said", () => {
  const line = "-p 11212 -l 127.0.0.1,::1 -C -D / -B ascii -b 8675 -f 1.5 -n 96 -R 5 -N 2 -a 640 " +
    "-e /nonexistent/memory -o idle_timeout=3,track_sizes,no_maxconns_fast,hot_lru_pct=30 -vv";
  const shown = settings(line);
  const expected = {
    tcpport: "11212",
    inter: "127.0.0.1,::1",
    verbosity: "2",
    cas_enabled: "no",
    stat_key_prefix: "/",
    detail_enabled: "yes",
    binding_protocol: "ascii",
    tcp_backlog: "8675",
    growth_factor: "1.50",
    chunk_size: "96",
    reqs_per_event: "5",
    num_napi_ids: "2",
    umask: "640",
    memory_file: "/nonexistent/memory",
    idle_timeout: "3",
    track_sizes: "yes",
    maxconns_fast: "no",
    hot_lru_pct: "30",
  };
  for (const [name, value] of Object.entries(expected)) assertEquals(shown[name], value, name);
});

Deno.test("stats settings tells how users log in", () => {
  const shown = (line: string) => {
    const { auth_enabled_sasl: sasl, auth_enabled_ascii: ascii } = settings(line);
    return [sasl, ascii];
  };
  assertEquals(shown(""), ["no", "no"]);
  assertEquals(shown("-Y users"), ["no", "users"]);
  assertEquals(shown("-S -Y users"), ["yes", "users"]);
  assertEquals(shown("-S -Y users -B binary"), ["yes", "no"]);
});
