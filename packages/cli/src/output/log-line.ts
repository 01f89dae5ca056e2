import type { LogRow, OutputRow } from '@reactor/client';
import { printable } from './printable.js';

// Bright colours of 2013; other severities stay plain.
const COLOURS: Readonly<Record<string, number>> = { ERROR: 91, WARNING: 93, INFO: 94 };

/** `<seconds> <severity> <message>`, the severity coloured if asked; with `clock`, local date and time instead of seconds. */
export function logLine(row: LogRow, style: { readonly color: boolean; readonly clock: boolean }): string {
  const [seconds, rawSeverity, message] = row;
  const severity = printable(rawSeverity);
  const colour = COLOURS[severity];
  const shown = style.color && colour !== undefined ? `\u001b[${colour}m${severity}\u001b[0m` : severity;
  return `${style.clock ? clockTime(seconds * 1000) : seconds.toFixed(3)} ${shown} ${printable(message)}`;
}

/** Told apart at a glance, and readable on light and dark; red is left to errors. */
const HOST_COLOURS = [36, 33, 32, 35, 34];

/** `<instance>@<host> | <text>`, in a colour per host if asked; with `clock`, after local date and time. */
export function outputLine(row: OutputRow, style: { readonly color: boolean; readonly clock: boolean }): string {
  const [seconds, instance, , text, host] = row;
  const writer = printable(`${instance}@${host}`);
  const sum = [...host].reduce((total, character) => (total * 31 + (character.codePointAt(0) ?? 0)) % 65_536, 0);
  const shown = style.color ? `\u001b[${HOST_COLOURS[sum % HOST_COLOURS.length]}m${writer}\u001b[0m` : writer;
  return `${style.clock ? `${clockTime(seconds * 1000)} ` : ''}${shown} | ${printable(text)}`;
}

/** Local time as `2026-11-21 03:02:07.250`: the same digits in every locale. */
export function clockTime(ms: number): string {
  const at = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return `${day} ${time}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}
