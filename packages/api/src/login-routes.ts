import { ReactorError } from '@reactor/core';
import { readObject } from './request-form.js';
import { json, type Reply, type Route, type RouteRequest, route } from './route.js';
import { shape } from './shapes.js';

/** Logging in and out, for browsers: the key is shown once, and a cookie stands for it from then on. */
export const LOGIN_ROUTES: readonly Route[] = [
  route('GET', '/login', showLogin, {
    summary: 'Whether a login is needed, and there is one',
    gives: shape('Login'),
    open: true,
  }),
  route('POST', '/login', postLogin, {
    summary: 'Show the key once, for a cookie that stands for it',
    takes: shape('LoginKey'),
    open: true,
    fromLastView: true,
  }),
  route('POST', '/logout', postLogout, { summary: 'End the login', open: true }),
];

/** `{"keyNeeded": true, "loggedIn": false}` */
async function showLogin({ browser }: RouteRequest): Promise<Reply> {
  return json(await browser.standing());
}

async function postLogin({ body, browser }: RouteRequest): Promise<Reply> {
  const key = readObject(body, ['auth_key']).get('auth_key');
  if (typeof key !== 'string') throw new ReactorError('request_invalid', 'auth_key: expected a string');
  const cookie = await browser.logIn(key);
  return { ...json({}), ...(cookie === null ? {} : { headers: { 'set-cookie': cookie } }) };
}

/** Fine without a login. */
async function postLogout({ browser }: RouteRequest): Promise<Reply> {
  return { ...json({}), headers: { 'set-cookie': browser.logOut() } };
}
