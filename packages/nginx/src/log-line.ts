import type { BackendSeries, TokenSeries, Traffic } from './traffic.js';
import { UsualLines } from './usual-line.js';

/**
 * The access log's lines, read byte by byte out of the chunk they came in: no string, no object per line. A line is
 *
 *     token \t msec \t status \t body bytes \t addresses \t statuses \t connect times \t response times \n
 *
 * where the last four list every attempt at a backend, "a, b" on a retry and "a : b" on an internal redirect, `-` for
 * nothing. Anything else is one bad line, counted and passed over. Each method that reads a field takes where it starts
 * and answers where it ended, or -1 for a bad line; none reads past the line's end, because a line feed fits no field.
 * The usual line takes a shorter way to the same sums (usual-line.ts).
 */
const TAB = 9;
const LF = 10;
const SPACE = 32;
const COMMA = 44;
const DASH = 45;
const DOT = 46;
const ZERO = 48;
const NINE = 57;
const COLON = 58;

/** We allow 3 attempts; internal redirects of a foreign configuration may add some. More of a line is not looked at. */
const ATTEMPT_LIMIT = 16;
/** Byte counts stay exact below 2^53. */
const DIGIT_LIMIT = 15;
/** Seconds, statuses and times in milliseconds stay 32-bit integers, which the engine keeps off the heap: 27 hours, the year 2038. */
const SMALL_DIGIT_LIMIT = 8;
/** nginx's own answers when it could not connect. */
const BAD_GATEWAY = 502;
const GATEWAY_TIMEOUT = 504;

export class LogLines {
  bad = 0;
  private readonly statuses = new Int32Array(ATTEMPT_LIMIT);
  private readonly connects = new Int32Array(ATTEMPT_LIMIT);
  private readonly times = new Int32Array(ATTEMPT_LIMIT);
  private readonly bytes = new Float64Array(1);
  private readonly backends: (BackendSeries | null)[] = Array<BackendSeries | null>(ATTEMPT_LIMIT).fill(null);
  /** Of the list read last. */
  private attempts = 0;
  private value = 0;
  private high = -1;
  private low = -1;
  private lastToken: TokenSeries | undefined;

  private readonly usual: UsualLines | null;

  /** `general` reads every line field by field: what the shorter way is compared with. */
  constructor(
    private readonly traffic: Traffic,
    general = false,
  ) {
    this.usual = general ? null : new UsualLines(traffic);
  }

  /** Counts the lines of `buffer[start, end)`, which ends with a line feed. */
  scan(buffer: Buffer, start: number, end: number, nowSecond: number): void {
    // The configuration may have changed since the last chunk.
    this.high = -1;
    const { usual } = this;
    usual?.begin(nowSecond);
    let at = start;
    while (at < end) {
      const behind = usual === null ? -1 : usual.read(buffer, at, end);
      if (behind >= 0) {
        at = behind;
        continue;
      }
      // After a crash a file may hold a block of NULs where lines were lost; a good line can follow it.
      while (at < end && buffer[at] === 0) at++;
      if (at >= end) return;
      const next = this.line(buffer, at, nowSecond);
      if (next >= 0) {
        at = next;
        continue;
      }
      this.bad++;
      const lf = buffer.indexOf(LF, at);
      at = lf < 0 ? end : lf + 1;
    }
  }

  private line(buffer: Buffer, start: number, nowSecond: number): number {
    let at = this.token(buffer, start);
    if (at < 0) return -1;
    at = this.second(buffer, at);
    if (at < 0) return -1;
    const second = this.value;
    at = this.whole(buffer, at);
    if (at < 0) return -1;
    at = this.whole(buffer, at);
    if (at < 0) return -1;
    at = this.addresses(buffer, at);
    if (at < 0) return -1;
    const attempts = this.attempts;
    at = this.list(buffer, at, this.statuses, false, TAB);
    if (at < 0 || this.attempts !== attempts) return -1;
    at = this.list(buffer, at, this.connects, true, TAB);
    if (at < 0 || this.attempts !== attempts) return -1;
    at = this.list(buffer, at, this.times, true, LF);
    if (at < 0 || this.attempts !== attempts) return -1;
    const place = this.traffic.placeOf(second, nowSecond);
    if (this.lastToken !== undefined && place !== null) this.count(this.lastToken, place, attempts);
    return at;
  }

  /** Every attempt counts for its backend, the request once, with the time and status of its last attempt. */
  private count(token: TokenSeries, second: number, attempts: number): void {
    const listed = Math.min(attempts, ATTEMPT_LIMIT);
    for (let i = 0; i < listed; i++) {
      const backend = this.backends[i]!;
      if (backend === null) continue;
      const status = this.statuses[i]!;
      const connected = this.connects[i]! >= 0;
      backend.count(second, connected && status >= 500);
      // Without a status the client left first, which says nothing about the backend.
      if (connected && status > 0) backend.refused = 0;
      else if (!connected && (status === BAD_GATEWAY || status === GATEWAY_TIMEOUT)) backend.refused += 1;
    }
    const last = listed - 1;
    const reached = last >= 0 && this.connects[last]! >= 0;
    const endpoint = last >= 0 ? (this.backends[last]?.endpoint ?? token.primary) : token.primary;
    endpoint.count(second, this.bytes[0]!, reached ? this.times[last]! : -1, reached && this.statuses[last]! >= 500);
  }

  /** 12 hex digits. */
  private token(buffer: Buffer, start: number): number {
    const high = hex(buffer, start);
    const low = hex(buffer, start + 6);
    if (high < 0 || low < 0 || buffer[start + 12] !== TAB) return -1;
    if (high !== this.high || low !== this.low) {
      this.high = high;
      this.low = low;
      this.lastToken = this.traffic.tokens.get(high, low);
    }
    return start + 13;
  }

  /** `seconds.milliseconds`; the seconds. */
  private second(buffer: Buffer, start: number): number {
    let at = start;
    let value = 0;
    let byte = buffer[at]! - ZERO;
    while (byte >= 0 && byte <= 9) {
      value = value * 10 + byte;
      byte = buffer[++at]! - ZERO;
    }
    if (at === start || at - start > DIGIT_LIMIT || buffer[at] !== DOT) return -1;
    do {
      byte = buffer[++at]! - ZERO;
    } while (byte >= 0 && byte <= 9);
    this.value = value;
    return buffer[at] === TAB ? at + 1 : -1;
  }

  /** Digits, or `-` for 0. */
  private whole(buffer: Buffer, start: number): number {
    let at = start;
    let value = 0;
    if (buffer[at] === DASH) {
      at++;
    } else {
      let byte = buffer[at]! - ZERO;
      while (byte >= 0 && byte <= 9) {
        value = value * 10 + byte;
        byte = buffer[++at]! - ZERO;
      }
      if (at === start || at - start > DIGIT_LIMIT) return -1;
    }
    this.bytes[0] = value;
    return buffer[at] === TAB ? at + 1 : -1;
  }

  private addresses(buffer: Buffer, start: number): number {
    let at = start;
    let count = 0;
    if (buffer[at] === DASH && buffer[at + 1] === TAB) {
      this.attempts = 0;
      return at + 2;
    }
    for (;;) {
      at = this.address(buffer, at, count < ATTEMPT_LIMIT ? count : ATTEMPT_LIMIT - 1);
      if (at < 0) return -1;
      count++;
      if (buffer[at] === TAB) break;
      at = separator(buffer, at);
      if (at < 0) return -1;
      if (buffer[at] === TAB) break;
    }
    this.attempts = count;
    return at + 1;
  }

  private address(buffer: Buffer, start: number, slot: number): number {
    let at = start;
    let key = 0;
    let part = 0;
    let parts = 0;
    for (;;) {
      const byte = buffer[at]!;
      if (byte >= ZERO && byte <= NINE) part = part * 10 + byte - ZERO;
      else if ((byte === DOT && parts < 3) || (byte === COLON && parts === 3)) {
        key = (key << 8) | part;
        part = 0;
        parts++;
      } else break;
      at++;
    }
    const end = buffer[at]!;
    if (parts === 4 && (end === TAB || end === COMMA || end === SPACE)) {
      this.backends[slot] = this.lastToken?.byNumber.get(key, part) ?? null;
      return at;
    }
    return this.addressText(buffer, start, slot);
  }

  /** IPv6, a unix socket, or the upstream's name when no backend was tried. Rare enough for a string. */
  private addressText(buffer: Buffer, start: number, slot: number): number {
    let at = start;
    for (let byte = buffer[at]!; byte > SPACE && byte !== COMMA && byte < 127; byte = buffer[++at]!);
    if (at === start) return -1;
    this.backends[slot] = this.lastToken?.byText.get(buffer.toString('latin1', start, at)) ?? null;
    return at;
  }

  /** Numbers of a list into `target`, -1 for `-`; `decimal` ones as thousandths. The field ends at `terminator`. */
  private list(buffer: Buffer, start: number, target: Int32Array, decimal: boolean, terminator: number): number {
    let at = start;
    let count = 0;
    // Without attempts nginx prints a lone dash, which is no attempt.
    if (buffer[at] === DASH && buffer[at + 1] === terminator && this.attempts === 0) return at + 2;
    for (;;) {
      at = this.listed(buffer, at, decimal);
      if (at < 0) return -1;
      if (count < ATTEMPT_LIMIT) target[count] = this.value;
      count++;
      if (buffer[at] === terminator) break;
      at = separator(buffer, at);
      if (at < 0) return -1;
      if (buffer[at] === terminator) break;
    }
    this.attempts = count;
    return at + 1;
  }

  private listed(buffer: Buffer, start: number, decimal: boolean): number {
    let at = start;
    if (buffer[at] === DASH) {
      this.value = -1;
      return at + 1;
    }
    let value = 0;
    let byte = buffer[at]! - ZERO;
    while (byte >= 0 && byte <= 9) {
      value = value * 10 + byte;
      byte = buffer[++at]! - ZERO;
    }
    if (at === start || at - start > SMALL_DIGIT_LIMIT) return -1;
    if (!decimal) {
      this.value = value;
      return at;
    }
    if (buffer[at] !== DOT) return -1;
    // nginx always prints three decimals.
    for (let digit = 0; digit < 3; digit++) {
      byte = buffer[++at]! - ZERO;
      if (!(byte >= 0 && byte <= 9)) return -1;
      value = value * 10 + byte;
    }
    this.value = value;
    return at + 1;
  }
}

/** Six hex digits, or -1. */
function hex(buffer: Buffer, start: number): number {
  let value = 0;
  for (let at = start; at < start + 6; at++) {
    const byte = buffer[at]!;
    if (byte >= ZERO && byte <= NINE) value = (value << 4) | (byte - ZERO);
    else if (byte >= 97 && byte <= 102) value = (value << 4) | (byte - 87);
    else return -1;
  }
  return value;
}

/** Behind ", " or " : ", which may also end a list: an internal redirect that reached no backend. */
function separator(buffer: Buffer, at: number): number {
  if (buffer[at] === COMMA && buffer[at + 1] === SPACE) return at + 2;
  if (buffer[at] === SPACE && buffer[at + 1] === COLON && buffer[at + 2] === SPACE) return at + 3;
  return -1;
}
