import { rules } from "./rules.ts";

const END = "version\r\n";
const ONLY = "VERSION 1.6.45-kvs-test\r\n";
const LONG = "k".repeat(251);

rules("noreply", {
  "hides what a command has done": [
    [`set k 0 0 1 noreply\r\n1\r\n${END}`, ONLY],
    [`add k 0 0 1 noreply\r\n1\r\n${END}`, ONLY],
    [`add l 0 0 1 noreply\r\n1\r\n${END}`, ONLY],
    [`replace l 0 0 1 noreply\r\n2\r\n${END}`, ONLY],
    [`append l 0 0 1 noreply\r\n3\r\n${END}`, ONLY],
    [`prepend l 0 0 1 noreply\r\n1\r\n${END}`, ONLY],
    [`cas k 0 0 1 1 noreply\r\n5\r\n${END}`, ONLY],
    [`incr k 2 noreply\r\n${END}`, ONLY],
    [`decr k 1 noreply\r\n${END}`, ONLY],
    [`touch k 0 noreply\r\n${END}`, ONLY],
    ["get k l\r\n", "VALUE k 0 1\r\n6\r\nVALUE l 0 3\r\n123\r\nEND\r\n"],
    [`delete l noreply\r\n${END}`, ONLY],
    [`delete k 0 noreply\r\n${END}`, ONLY],
    ["get k l\r\n", "END\r\n"],
    [`flush_all noreply\r\n${END}`, ONLY],
    [`verbosity 1 noreply\r\n${END}`, ONLY],
  ],
  "hides that nothing was there": [
    [`replace k 0 0 1 noreply\r\n1\r\n${END}`, ONLY],
    [`append k 0 0 1 noreply\r\n1\r\n${END}`, ONLY],
    [`cas k 0 0 1 1 noreply\r\n1\r\n${END}`, ONLY],
    [`incr k 1 noreply\r\n${END}`, ONLY],
    [`touch k 1 noreply\r\n${END}`, ONLY],
    [`delete k noreply\r\n${END}`, ONLY],
  ],
  "hides that a value is too large": [
    [`set k 0 0 1048576 noreply\r\n${"x".repeat(1048576)}\r\n${END}`, ONLY],
  ],
  "hides that a key is too long": [
    [`set ${LONG} 0 0 1 noreply\r\n1\r\n${END}`, ONLY],
    [`incr ${LONG} 1 noreply\r\n${END}`, ONLY],
    [`touch ${LONG} 1 noreply\r\n${END}`, ONLY],
    [`delete ${LONG} noreply\r\n${END}`, ONLY],
  ],
  "hides a bad chunk": [[`set k 0 0 1 noreply\r\nabc${END}`, ONLY]],
  "hides numbers that are none": [
    [`set k x 0 1 noreply\r\na\r\n${END}`, ONLY],
    [`incr k x noreply\r\n${END}`, ONLY],
    [`touch k x noreply\r\n${END}`, ONLY],
  ],
  "hides a value that is no number": [
    [`set k 0 0 1 noreply\r\na\r\nincr k 1 noreply\r\n${END}`, ONLY],
  ],
  "must be spelt so": [
    ["set k 0 0 1 NOREPLY\r\na\r\n", "STORED\r\n"],
    ["set k 0 0 1 noreply2\r\na\r\n", "STORED\r\n"],
    ["set k 0 0 1 norepl\r\na\r\n", "STORED\r\n"],
  ],
  "comes between requests that are answered": [
    [
      "set a 0 0 1 noreply\r\n1\r\nget a\r\ndelete a noreply\r\nget a\r\nset b 0 0 1\r\n2\r\n",
      "VALUE a 0 1\r\n1\r\nEND\r\nEND\r\nSTORED\r\n",
    ],
  ],
});
