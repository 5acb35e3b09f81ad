/**
 * The names in a destination. FORMAT.md, "What is in a destination".
 *
 * @module
 */

/** The name of the one object that is replaced. */
export const HEAD = "head";
/** What stands before the names of manifests, and of pieces. */
export const MANIFESTS = "manifests/";
export const PIECES = "pieces/";

/** A run of bytes of one segment. */
export interface Piece {
  readonly epoch: number;
  readonly segment: number;
  /** The first byte, and how many there are. */
  readonly from: number;
  readonly length: number;
  readonly crc32c: number;
}

/** What a manifest's name says. */
export interface ManifestName {
  readonly name: string;
  readonly number: number;
  readonly epoch: number;
  /** Milliseconds since 1970. */
  readonly time: number;
}

/** The name of a piece. */
export function pieceName({ epoch, segment, from, length, crc32c }: Piece): string {
  return `${segmentPrefix(epoch, segment)}${digits(from, 12)}-${digits(length, 12)}-` +
    crc32c.toString(16).padStart(8, "0");
}

/** What stands before the names of all pieces of a segment, in one epoch. */
export function segmentPrefix(epoch: number, segment: number): string {
  return `${PIECES}${digits(epoch, 8)}/${digits(segment, 10)}-`;
}

/** The piece of that name; `undefined` where it is no piece's. */
export function pieceOf(name: string): Piece | undefined {
  const match = /^pieces\/(\d{8})\/(\d{10})-(\d{12})-(\d{12})-([0-9a-f]{8})$/.exec(name);
  if (match === null) return undefined;
  const [epoch, segment, from, length] = match.slice(1, 5).map(Number);
  return {
    epoch: epoch!,
    segment: segment!,
    from: from!,
    length: length!,
    crc32c: parseInt(match[5]!, 16),
  };
}

/** The name of a manifest. */
export function manifestName(number: number, epoch: number, time: number): string {
  const text = new Date(time).toISOString().replaceAll(/[-:.]/g, "");
  return `${MANIFESTS}${digits(number, 12)}-${digits(epoch, 8)}-${text}`;
}

/** What a manifest's name says; `undefined` where it is no manifest's. */
export function readManifestName(name: string): ManifestName | undefined {
  const match = /^manifests\/(\d{12})-(\d{8})-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z$/.exec(
    name,
  );
  if (match === null) return undefined;
  const [number, epoch, year, month, day, hour, minute, second, ms] = match.slice(1).map(Number);
  const time = Date.UTC(year!, month! - 1, day, hour, minute, second, ms);
  return { name, number: number!, epoch: epoch!, time };
}

function digits(value: number, count: number): string {
  return String(value).padStart(count, "0");
}
