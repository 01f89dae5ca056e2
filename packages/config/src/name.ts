import { fault, type Parsed, parsed } from '@reactor/core';
import { quote } from './mistake.js';

const NAME_SHAPE = '1–64 of a–z A–Z 0–9 . _ -, starting with a letter or digit';
/** Members of every object: such a name would work today and break whatever map it meets first. */
const RESERVED = ['constructor', 'prototype'];

/** The name of an endpoint. Files and containers are named after an id derived from it, never after the name itself. */
export function parseEndpointName(text: string): Parsed<string> {
  if (RESERVED.includes(text)) return fault(1, `name: ${quote(text)} is reserved`);
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text) ? parsed(text) : fault(1, `name: ${NAME_SHAPE}; got ${quote(text)}`);
}
