import { hashOf, type PageRoute, pageOf } from '../src/page-route.js';

const PAGES: readonly (readonly [string, PageRoute])[] = [
  ['#/', { page: 'overview' }],
  ['#/settings', { page: 'settings' }],
  ['#/new', { page: 'new' }],
  ['#/endpoints/web', { page: 'endpoint', name: 'web', tab: 'live' }],
  ['#/endpoints/web.2/configuration', { page: 'endpoint', name: 'web.2', tab: 'configuration' }],
  ['#/hosts/vm1', { page: 'host', id: 'vm1' }],
  ['#/hosts/a%2Fb%20c', { page: 'host', id: 'a/b c' }],
];

test.each(PAGES)('%s is a page and the page has that address', (hash, route) => {
  expect(pageOf(hash)).toEqual(route);
  expect(hashOf(route)).toBe(hash);
});

test.each(['', '#', '#/nothing', '#/endpoints', '#/endpoints/', '#/hosts/%E0%A4%A', '#/../x', '#/constructor'])(
  'whatever is no page, as %j, is the overview',
  (hash) => {
    expect(pageOf(hash)).toEqual({ page: 'overview' });
  },
);

test('an unknown part of an endpoint is its first', () => {
  expect(pageOf('#/endpoints/web/nothing')).toEqual({ page: 'endpoint', name: 'web', tab: 'live' });
});
