import type { Rules } from "../rules.ts";

/** What `mg` answers. */
export const getRules: Rules = {
  "mg without flags tells only whether there is an item": [
    ["mg k\r\n", "EN\r\n"],
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["mg k\r\n", "HD\r\n"],
  ],
  "mg v brings the value, whatever its bytes": [
    ["set k 0 0 5\r\na\r\n\x00\xff\r\n", "STORED\r\n"],
    ["mg k v\r\n", "VA 5\r\na\r\n\x00\xff\r\n"],
    ["set k 0 0 0\r\n\r\n", "STORED\r\n"],
    ["mg k v\r\n", "VA 0\r\n\r\n"],
  ],
  "mg returns flags in the order in which they are asked for": [
    ["set k 5 100 3\r\nabc\r\n", "STORED\r\n"],
    ["mg k k f c t s v\r\n", "VA 3 kk f5 c#1 t100 s3\r\nabc\r\n"],
    ["mg k s t c f k\r\n", "HD s3 t100 c#1 f5 kk\r\n"],
  ],
  "mg f of an item without flags is 0": [
    ["set k 0 0 1\r\na\r\nset l 4294967295 0 1\r\na\r\n", "STORED\r\nSTORED\r\n"],
    ["mg k f\r\nmg l f\r\n", "HD f0\r\nHD f4294967295\r\n"],
  ],
  "mg t of an item that does not expire is -1": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["mg k t\r\n", "HD t-1\r\n"],
  ],
  "mg t counts down": [
    ["set k 0 100 1\r\na\r\n", "STORED\r\n"],
    30,
    ["mg k t\r\n", "HD t70\r\n"],
  ],
  "mg h tells whether the item was read before": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["mg k h\r\nmg k h\r\n", "HD h0\r\nHD h1\r\n"],
    ["set k 0 0 1\r\nb\r\n", "STORED\r\n"],
    ["mg k h\r\n", "HD h0\r\n"],
  ],
  "a get is a read that mg h tells of": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n"],
    ["mg k h\r\n", "HD h1\r\n"],
  ],
  "mg l counts the seconds since the item was last read or stored": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    7,
    ["mg k l\r\n", "HD l7\r\n"],
    3,
    ["mg k l\r\nmg k l\r\n", "HD l3\r\nHD l0\r\n"],
  ],
  "mg u leaves no trace of the read": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    5,
    ["mg k u h l\r\nmg k u l h\r\n", "HD h0 l5\r\nHD l5 h0\r\n"],
    ["mg k u v\r\n", "VA 1\r\na\r\n"],
    ["mg k h l\r\nmg k h\r\n", "HD h0 l5\r\nHD h1\r\n"],
  ],
  "mg k and O are returned on a miss too, in their order": [
    ["mg k k O123\r\n", "EN kk O123\r\n"],
    ["mg k Oabc v k c t s f h l\r\n", "EN Oabc kk\r\n"],
  ],
  "mg O returns the opaque as it came": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    [
      "mg k O\r\nmg k O0123456789012345678901234567890\r\n",
      "HD O\r\n" +
      "HD O0123456789012345678901234567890\r\n",
    ],
    ["mg k v O\x01\xff=\r\n", "VA 1 O\x01\xff=\r\na\r\n"],
  ],
  "mg q hides a miss and nothing else": [
    ["mg k q\r\nmg k v q k O1\r\nmn\r\n", "MN\r\n"],
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["mg k q\r\nmg k q v\r\nmg l v q\r\nmn\r\n", "HD\r\nVA 1\r\na\r\nMN\r\n"],
  ],
  "mg T sets another time to live": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["mg k T50\r\nmg k t\r\n", "HD\r\nHD t50\r\n"],
    ["mg k T0 v\r\nmg k t\r\n", "VA 1\r\na\r\nHD t-1\r\n"],
    ["mg k T-1\r\nmg k\r\n", "HD\r\nEN\r\n"],
  ],
  "mg T counts from where it stands": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["mg k t T100\r\n", "HD t-1\r\n"],
    ["mg k T200 t\r\n", "HD t200\r\n"],
    ["mg k t T30 O1\r\n", "HD t200 O1\r\n"],
  ],
  "mg T leaves the cas unique as it is": [
    ["ms k 1 c\r\na\r\n", "HD c#1\r\n"],
    ["mg k T50 c\r\nmg k c\r\n", "HD c#1\r\nHD c#1\r\n"],
  ],
  "mg T of nothing is a miss": [["mg k T50\r\nmg k T50 v k\r\n", "EN\r\nEN kk\r\n"]],
  "mg T counts as an access, but with u": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["mg k T50 u h\r\nmg k T50 h\r\nmg k h\r\n", "HD h0\r\nHD h0\r\nHD h1\r\n"],
  ],
  "mg C leaves out the value that the client has": [
    ["ms k 1 c\r\na\r\n", "HD c#1\r\n"],
    ["mg k v c C{1}\r\n", "HD c#1\r\n"],
    ["mg k v c C{1+1}\r\n", "VA 1 c#1\r\na\r\n"],
    ["mg k v C0\r\nmg l v C0\r\n", "VA 1\r\na\r\nEN\r\n"],
  ],
  "mg takes flags that have no meaning for it": [
    ["set k 5 0 1\r\na\r\n", "STORED\r\n"],
    ["mg k I x MX F9 D5 J6 P L1 v f t\r\n", "VA 1 f5 t-1\r\na\r\n"],
    ["mg k P L v\r\n", "VA 1\r\na\r\n"],
  ],
  "mg takes one key, and reads what follows as flags": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["mg k kfoo\r\n", "HD kk\r\n"],
  ],
  "mg of an item that has expired is a miss": [
    ["set k 0 10 1\r\na\r\n", "STORED\r\n"],
    9,
    ["mg k v\r\n", "VA 1\r\na\r\n"],
    1,
    ["mg k v\r\n", "EN\r\n"],
  ],
  "mg in a batch with other commands is answered in its place": [
    [
      "set k 0 0 1\r\na\r\nmg k v\r\nversion\r\nget k\r\nmn\r\nmg l\r\n",
      "STORED\r\nVA 1\r\na\r\nVERSION\r\nVALUE k 0 1\r\na\r\nEND\r\nMN\r\nEN\r\n",
    ],
  ],
};

/** What `me` answers. */
export const describeRules: Rules = {
  "me tells what is known of an item": [
    ["set k 0 100 3\r\nabc\r\n", "STORED\r\n"],
    10,
    ["me k\r\n", "ME k exp=90 la=10 cas=#1 fetch=no cls=1 size=63\r\n"],
  ],
  "me of an item that does not expire has exp=-1": [
    ["set k 7 0 3\r\nabc\r\n", "STORED\r\n"],
    ["me k\r\n", "ME k exp=-1 la=0 cas=#1 fetch=no cls=1 size=67\r\n"],
  ],
  "me tells of a read, and is none": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    4,
    ["me k\r\nme k\r\n", "ME k exp=-1 la=4 cas=#1 fetch=no cls=1 size=61\r\n".repeat(2)],
    ["get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n"],
    2,
    ["me k\r\n", "ME k exp=-1 la=2 cas=#1 fetch=yes cls=1 size=61\r\n"],
  ],
  "me of nothing, and of what has expired, is EN": [
    ["me k\r\n", "EN\r\n"],
    ["set k 0 10 1\r\na\r\n", "STORED\r\n"],
    10,
    ["me k\r\n", "EN\r\n"],
  ],
  "me reads a key in base64 where a word follows the b": [
    ["ms YWI= 1 b\r\na\r\n", "HD\r\n"],
    ["me YWI=\r\nme YWI= b\r\n", "EN\r\nEN\r\n"],
    ["me YWI= b x\r\n", "ME YWI= exp=-1 la=0 cas=#1 fetch=no cls=1 size=62\r\n"],
    ["me ab\r\n", "ME YWI= exp=-1 la=0 cas=#1 fetch=no cls=1 size=62\r\n"],
  ],
};
