/** The version of this program; a test compares it with package.json, so that printing it needs no file. */
export const VERSION = '0.1.0';

/** The version of the HTTP routes it speaks. */
export const API_VERSION = '1.1';

export const versionText = (): string => `reactor ${VERSION}`;
