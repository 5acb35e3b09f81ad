import { DebianPackage } from "./debian.ts";
import { assertDone, beside, testClient } from "./stores.ts";

const jar = "/usr/share/java/spymemcached.jar";

// On one store only: it takes a compiler of Java's several seconds to come to it.
testClient(
  "Java's spymemcached does all that it can, in text and in binary",
  ({ port }) => {
    const args = ["-cp", jar, beside("SpymemcachedCheck.java"), String(port), "text", "binary"];
    return assertDone("/usr/bin/java", args);
  },
  [
    new DebianPackage("libspymemcached-java", jar),
    new DebianPackage("openjdk-17-jdk-headless", "/usr/lib/jvm/java-17-openjdk-amd64/bin/javac"),
  ],
  ["disk"],
);
