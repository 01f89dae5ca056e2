/** Whether a thrown thing is the operating system saying that, e.g. `ENOENT`. By its shape: a test runner has several `Error` classes. */
export function hasCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}
