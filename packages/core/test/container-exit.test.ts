import { describeExit } from '../src/container-exit.js';

describe('how a container ended, in plain words', () => {
  test.each<[number | null, boolean, string]>([
    [137, true, 'was killed: it needed more memory than mem_limit allows'],
    [0, false, 'ended by itself (exit code 0); the command must keep running'],
    [1, false, 'failed (exit code 1)'],
    [125, false, 'could not be run by Docker (exit code 125)'],
    [126, false, 'could not run its command: not executable or no permission (exit code 126)'],
    [127, false, 'could not run its command: no such file in the image (exit code 127)'],
    [137, false, 'was killed from outside (exit code 137, SIGKILL)'],
    [139, false, 'crashed (exit code 139, SIGSEGV: segmentation fault)'],
    [143, false, 'was ended by a signal (exit code 143, SIGTERM)'],
    [255, false, 'failed (exit code 255)'],
    [null, false, 'ended'],
  ])('exit code %p, out of memory %p', (code, oom, words) => {
    expect(describeExit(code, oom)).toBe(words);
  });
});
