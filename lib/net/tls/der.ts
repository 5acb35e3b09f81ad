/**
 * The names in a certificate and its purposes, read from its bytes (RFC 5280, DER). The texts that libraries make of them
 * put several names in one line, where a name that has a comma in it can look like two.
 *
 * @module
 */

/** Tags of DER that matter here. */
const Tag = {
  objectIdentifier: 0x06,
  octetString: 0x04,
  sequence: 0x30,
  set: 0x31,
  extensions: 0xa3,
  version: 0xa0,
  email: 0x81,
  dns: 0x82,
  uri: 0x86,
  ip: 0x87,
} as const;

/** Object identifiers 2.5.4.3, 2.5.29.17 and 2.5.29.37, as their bytes in hexadecimal. */
const COMMON_NAME = "550403";
const ALTERNATIVE_NAMES = "551d11";
const PURPOSES = "551d25";
/** The purposes 1.3.6.1.5.5.7.3.2, a client of TLS, and 2.5.29.37.0, any. */
const CLIENT = "2b06010505070302";
const ANY = "551d2500";

/** One value of DER: its tag, and where its content stands. */
interface Value {
  readonly tag: number;
  readonly content: Uint8Array;
}

/**
 * The names that a certificate is good for: the common name of its subject and its alternative names
 * (DNS, mail, URI; IP addresses in their usual text). Bytes that are no certificate have none.
 */
export function namesOf(certificate: Uint8Array): string[] {
  return read(certificate, [], (subject, extensions) => {
    const alternatives = extensionOf(extensions, ALTERNATIVE_NAMES);
    return [...new Set([...commonNames(subject), ...alternativeNames(alternatives)])];
  });
}

/** Whether a certificate is good for clients: it says so, or nothing of what it is good for. */
export function isForClients(certificate: Uint8Array): boolean {
  return read(certificate, false, (_, extensions) => {
    const purposes = extensionOf(extensions, PURPOSES);
    if (purposes === undefined) return true;
    const [list] = valuesIn(purposes);
    return valuesIn(expect(list, Tag.sequence))
      .map((purpose) => hex(expect(purpose, Tag.objectIdentifier)))
      .some((purpose) => purpose === CLIENT || purpose === ANY);
  });
}

/** Reads subject and extensions of a certificate; `other` where the bytes are none. */
function read<T>(
  certificate: Uint8Array,
  other: T,
  reader: (subject: Value | undefined, extensions: Value | undefined) => T,
): T {
  try {
    const [outer] = valuesIn(certificate);
    const [signed] = valuesIn(expect(outer, Tag.sequence));
    let fields = valuesIn(expect(signed, Tag.sequence));
    if (fields[0]?.tag === Tag.version) fields = fields.slice(1);
    // serial number, algorithm, issuer, validity, subject, public key, then what is optional
    const [, , , , subject] = fields;
    return reader(subject, fields.find(({ tag }) => tag === Tag.extensions));
  } catch (error) {
    if (error instanceof RangeError) return other;
    throw error;
  }
}

/** The content of an extension, if there is that one. */
function extensionOf(extensions: Value | undefined, wanted: string): Uint8Array | undefined {
  if (extensions === undefined) return undefined;
  const [list] = valuesIn(extensions.content);
  for (const extension of valuesIn(expect(list, Tag.sequence))) {
    const parts = valuesIn(expect(extension, Tag.sequence));
    if (hex(expect(parts[0], Tag.objectIdentifier)) === wanted) {
      return expect(parts.at(-1), Tag.octetString);
    }
  }
  return undefined;
}

function commonNames(subject: Value | undefined): string[] {
  const names: string[] = [];
  for (const set of valuesIn(expect(subject, Tag.sequence))) {
    for (const attribute of valuesIn(expect(set, Tag.set))) {
      const [type, value] = valuesIn(expect(attribute, Tag.sequence));
      if (hex(expect(type, Tag.objectIdentifier)) !== COMMON_NAME || value === undefined) continue;
      names.push(textOf(value.content));
    }
  }
  return names;
}

function alternativeNames(extension: Uint8Array | undefined): string[] {
  if (extension === undefined) return [];
  const names: string[] = [];
  const [sequence] = valuesIn(extension);
  for (const { tag, content } of valuesIn(expect(sequence, Tag.sequence))) {
    if (tag === Tag.dns || tag === Tag.email || tag === Tag.uri) names.push(textOf(content));
    else if (tag === Tag.ip) names.push(addressOf(content));
  }
  return names;
}

/** The values that stand one after the other. */
function valuesIn(bytes: Uint8Array): Value[] {
  const values: Value[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at]!;
    let length = bytes[at + 1];
    let start = at + 2;
    if (length === undefined) throw new RangeError("cut short");
    if (length >= 0x80) {
      const digits = length & 0x7f;
      if (digits === 0 || digits > 3) throw new RangeError("no length of DER");
      length = 0;
      for (let i = 0; i < digits; i++) length = length * 256 + (bytes[start + i] ?? NaN);
      start += digits;
    }
    if (!(start + length <= bytes.length)) throw new RangeError("cut short");
    values.push({ tag, content: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return values;
}

function expect(value: Value | undefined, tag: number): Uint8Array {
  if (value?.tag !== tag) throw new RangeError("another value was expected");
  return value.content;
}

function textOf(content: Uint8Array): string {
  return new TextDecoder().decode(content);
}

function addressOf(content: Uint8Array): string {
  if (content.length === 4) return content.join(".");
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const groups = Array.from(
    { length: content.length >> 1 },
    (_, i) => view.getUint16(2 * i).toString(16),
  );
  return groups.join(":");
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
