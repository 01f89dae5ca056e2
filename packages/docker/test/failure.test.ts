import { plainWords, refusal } from '../src/failure.js';

const answer = (status: number, message: string) => ({ status, message, json: { message } });

describe('a refusal of Docker', () => {
  test.each([
    'driver failed programming external connectivity on endpoint x: Bind for 10.0.0.1:20001 failed: port is already allocated',
    'driver failed: Error starting userland proxy: listen tcp4 10.0.0.1:20001: bind: address already in use',
  ])('about a taken port asks for another one: %s', (message) => {
    expect(refusal(answer(500, message), 'start container x').code).toBe('port_taken');
  });

  test('about a full disk says so', () => {
    const error = refusal(answer(500, 'write /x: no space left on device'), 'create container x');
    expect(error).toMatchObject({ code: 'docker_refused', message: expect.stringContaining('its disk is full') });
  });

  test('is told on one line without control characters, and cut', () => {
    const { message } = refusal(answer(400, `bad\r\n\u001b[31m\tthing\u202e${'x'.repeat(5_000)}`), 'create container x');
    expect(message).toMatch(/^Docker refused to create container x: bad \[31m thing x+…$/u);
    expect(message.length).toBeLessThan(400);
    expect(plainWords('')).toBe('');
  });
});
