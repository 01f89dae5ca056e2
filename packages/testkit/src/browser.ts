import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';

/** A real Chromium without a window, and what its pages did besides what they were told to. */
export interface RunningBrowser {
  /** A page of its own, with cookies of its own. */
  open(options?: { readonly width?: number; readonly dark?: boolean }): Promise<WatchedPage>;
  close(): Promise<void>;
}

export interface WatchedPage {
  readonly page: Page;
  /** Errors of scripts, refusals by the page's policy, windows that popped up. */
  readonly complaints: readonly string[];
  /** Every address that was asked. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

const CHROMIUM = '/usr/bin/chromium';
/** Its own errands would be refused by a network that is not there, many at a time. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const HEIGHT = 900;
/** A status that is not 2xx is told as an error, too; the page answers for what it makes of it. */
const STATUS = /^Failed to load resource: the server responded with a status of/;

export async function openBrowser(): Promise<RunningBrowser> {
  const { chromium } = await import('playwright-core');
  const directory = mkdtempSync(join(tmpdir(), 'chromium-'));
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS, env: { ...process.env, HOME: directory } });
  return {
    async open({ width = 1280, dark = false } = {}) {
      const context = await browser.newContext({
        viewport: { width, height: HEIGHT },
        colorScheme: dark ? 'dark' : 'light',
        reducedMotion: 'reduce',
        ignoreHTTPSErrors: true,
      });
      const page = await context.newPage();
      const complaints: string[] = [];
      const requests: string[] = [];
      page.on('console', (message) => {
        if (message.type() === 'error' && !STATUS.test(message.text())) complaints.push(message.text());
      });
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('dialog', (dialog) => {
        complaints.push(`a window popped up: ${dialog.message()}`);
        void dialog.dismiss();
      });
      page.on('request', (request) => requests.push(request.url()));
      return { page, complaints, requests, close: () => context.close() };
    },
    async close() {
      await browser.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
