import { hasReplicas, RedisNodes } from '../src/redis-nodes.js';

const NODES = [
  'aaa 10.0.0.1:7000@17000 myself,master - 0 1 1 connected 0-5460',
  'bbb 10.0.0.2:7000@17000,two.example,shard-id=x master - 0 1 2 connected 5461-10922',
  'ccc 10.0.0.3:7000@17000,,shard-id=y slave,fail aaa 1 1 1 disconnected',
  'ddd :0@0 master,noaddr - 0 1 3 disconnected',
  'eee fd00::5:7000@17000 slave bbb 0 1 2 connected',
  '',
].join('\n');

/** The next so many nodes to try, when none of them answers. */
function tries(nodes: RedisNodes, count: number): readonly string[] {
  return Array.from({ length: count }, () => {
    const node = nodes.current();
    nodes.left(node);
    return `${node.host}:${node.port}`;
  });
}

test('nodes are tried in turn, those of the URL and those the cluster told of, each by the name it announces', () => {
  const nodes = new RedisNodes([
    { host: 'seed', port: 1 },
    { host: '10.0.0.1', port: 7000 },
  ]);
  nodes.learn(NODES);
  const all = ['seed:1', '10.0.0.1:7000', 'two.example:7000', '10.0.0.3:7000', 'fd00::5:7000'];
  expect(tries(nodes, 7)).toEqual([...all, 'seed:1', '10.0.0.1:7000']);
  nodes.learn(NODES.split('\n').slice(0, 2).join('\n'));
  expect(new Set(tries(nodes, 3))).toEqual(new Set(['seed:1', '10.0.0.1:7000', 'two.example:7000']));
});

test('what a node says that was put out of the cluster is not believed', () => {
  const nodes = new RedisNodes([{ host: 'seed', port: 1 }]);
  nodes.learn(NODES);
  nodes.learn('zzz 10.0.0.9:7000@17000 myself,master - 0 1 1 connected');
  expect(tries(nodes, 2)).toEqual(['seed:1', '10.0.0.1:7000']);
});

test.each([
  ['MOVED 866 10.0.0.7:7001', '10.0.0.7:7001'],
  ['MOVED 866 fd00::7:7001', 'fd00::7:7001'],
  ['MOVED 866 :7001', 'seed:7001'],
])('%s leads to %s', (refusal, expected) => {
  const nodes = new RedisNodes([{ host: 'seed', port: 1 }]);
  nodes.current();
  nodes.moved(refusal);
  expect(tries(nodes, 1)).toEqual([expected]);
});

test('the end of a connection to another node does not give up the node that was named', () => {
  const nodes = new RedisNodes([{ host: 'seed', port: 1 }]);
  const first = nodes.current();
  nodes.moved('MOVED 866 10.0.0.7:7001');
  nodes.left(first);
  expect(nodes.current()).toEqual({ host: '10.0.0.7', port: 7001 });
  nodes.left({ host: '10.0.0.7', port: 7001 });
  expect(nodes.current()).toEqual({ host: 'seed', port: 1 });
});

test('a master may be replaced while the cluster knows a replica of it, in reach or not', () => {
  expect(hasReplicas(NODES)).toBe(true);
  expect(hasReplicas(NODES.replace('slave,fail aaa', 'slave,fail bbb'))).toBe(false);
});
