import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ReactorError } from '@reactor/core';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { quoted } from './offending-value.js';

/**
 * The web pages, as they were built. They hold no data, so they need no key; everything they show they ask for like any other
 * client. Nothing may come from elsewhere, no script or style stands in a page itself, and no other page may frame one.
 */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
};

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

const HOME = 'index.html';

interface Page {
  readonly plain: Buffer;
  readonly packed: Buffer;
  readonly type: string;
}

/** Everything below /ui; `directory` is null where the pages were not built. */
export function servePages(directory: string | null): RequestHandler {
  // Read when first asked for: most daemons show no pages, and new ones come with a restart.
  let pages: ReadonlyMap<string, Page> | null = null;
  return (request: Request, response: Response, next: NextFunction) => {
    const { path } = request;
    if (path !== '/ui' && !path.startsWith('/ui/')) return next();
    if (path === '/ui') return response.redirect(308, '/ui/');
    pages ??= directory === null ? new Map() : readPages(directory);
    const name = path.slice('/ui/'.length) || HOME;
    const page = pages.get(name);
    if (page === undefined) {
      const why = pages.size === 0 ? 'the web pages are not part of this installation' : `no such page: ${quoted(path)}`;
      throw new ReactorError('not_found', why);
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      throw new ReactorError('method_not_allowed', `${quoted(request.method)} is not allowed here; GET, HEAD is`);
    }
    send(name, page, request, response);
  };
}

function send(name: string, page: Page, request: Request, response: Response): void {
  const packs = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
  const bytes = packs ? page.packed : page.plain;
  for (const [header, value] of Object.entries(HEADERS)) response.setHeader(header, value);
  response.setHeader('content-type', page.type);
  response.setHeader('vary', 'accept-encoding');
  // All others carry a hash of their content in their name.
  response.setHeader('cache-control', name === HOME ? 'no-cache' : 'public, max-age=31536000, immutable');
  if (packs) response.setHeader('content-encoding', 'gzip');
  response.setHeader('content-length', bytes.length);
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

function readPages(directory: string): ReadonlyMap<string, Page> {
  if (!existsSync(directory)) return new Map();
  const files = readdirSync(directory).filter((file) => extensionOf(file) in TYPES);
  return new Map(
    files.map((file) => {
      const plain = readFileSync(join(directory, file));
      return [file, { plain, packed: gzipSync(plain, { level: 9 }), type: TYPES[extensionOf(file)]! }] as const;
    }),
  );
}

const extensionOf = (file: string): string => file.slice(file.lastIndexOf('.') + 1);
