import { describe, expect, it } from 'vitest';
import {
  assertNotPublic,
  endpointOf,
  isLoopback,
  parseEndpoint,
  urlOf,
} from '../../../src/scheduled-events/addresses.js';
import { FaultPlaybook, parsePlaybook } from '../../../src/scheduled-events/faults.js';
import { instanceTree, nodeAt, textOf } from '../../../src/scheduled-events/instance.js';
import { RateLimit } from '../../../src/scheduled-events/rate-limit.js';

const invalid = expect.objectContaining({ code: 'ERR_INVALID_OPTION' });

describe('an endpoint', () => {
  it.each([
    ['127.0.0.1:8080', { address: '127.0.0.1', port: 8080 }, 'http://127.0.0.1:8080'],
    ['localhost:1', { address: '127.0.0.1', port: 1 }, 'http://127.0.0.1:1'],
    ['169.254.169.254:80', { address: '169.254.169.254', port: 80 }, 'http://169.254.169.254'],
    ['127.0.0.2', { address: '127.0.0.2', port: 0 }, 'http://127.0.0.2:0'],
    ['[::1]:8080', { address: '::1', port: 8080 }, 'http://[::1]:8080'],
  ])('%s', (text, endpoint, url) => {
    expect(parseEndpoint(text, 'a test')).toEqual(endpoint);
    expect(urlOf(endpoint)).toBe(url);
  });

  it.each(['', '8080', 'example.org:80', '127.0.0.1:65536', '127.0.0.1:', '::1', '[127.0.0.1]:80', '1.2.3.4:80:80'])(
    "refuses '%s'",
    (text) => {
      expect(() => parseEndpoint(text, 'a test')).toThrowError(invalid);
    },
  );

  it('is counted up by port or by address', () => {
    const first = { address: '127.0.0.255', port: 80 };
    expect(endpointOf(first, 2, 'port')).toEqual({ address: '127.0.0.255', port: 82 });
    expect(endpointOf({ ...first, port: 0 }, 2, 'port')).toEqual({ address: '127.0.0.255', port: 0 });
    expect(endpointOf(first, 2, 'address')).toEqual({ address: '127.0.1.1', port: 80 });
    expect(() => endpointOf({ ...first, port: 65_535 }, 1, 'port')).toThrowError(invalid);
    expect(() => endpointOf({ address: '::1', port: 80 }, 1, 'address')).toThrowError(invalid);
  });

  it.each([
    '127.0.0.1',
    '127.9.9.9',
    '::1',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.169.254',
    'fe80::1',
    'fd00::1',
  ])('%s is not public', (address) => {
    expect(() => assertNotPublic({ address, port: 80 }, 'the metadata service', 'reads')).not.toThrow();
  });

  it.each(['8.8.8.8', '0.0.0.0', '::', '172.32.0.1', '2001:db8::1', '::ffff:8.8.8.8'])('%s is public', (address) => {
    const refused = expect.objectContaining({ code: 'ERR_ADDRESS_PUBLIC' });
    expect(() => assertNotPublic({ address, port: 80 }, 'the metadata service', 'reads')).toThrowError(refused);
  });

  it('knows loopback', () => {
    expect(['127.0.0.1', '::1', '10.0.0.1', '169.254.169.254'].map(isLoopback)).toEqual([true, true, false, false]);
  });
});

describe('a fault playbook', () => {
  it('is steps, some of them several times, and then nothing', () => {
    const playbook = new FaultPlaybook();
    playbook.play(parsePlaybook(['500 x2', 'delay 5s', 404, 'truncated', 'Malformed', 'reset', 'ok'], 'a test'));
    expect(playbook.remaining).toBe(8);
    expect(Array.from({ length: 9 }, () => playbook.take())).toEqual([
      { kind: 'status', status: 500 },
      { kind: 'status', status: 500 },
      { kind: 'delay', delayMs: 5000 },
      { kind: 'status', status: 404 },
      { kind: 'truncated' },
      { kind: 'malformed' },
      { kind: 'reset' },
      { kind: 'ok' },
      { kind: 'ok' },
    ]);
    expect(playbook.remaining).toBe(0);
  });

  it.each(['', '200', '600', 'delay', 'delay soon', 'delay 1h', 'explode', '500 x0', '500 x99999', 'x2'])(
    "refuses '%s'",
    (step) => {
      expect(() => parsePlaybook([step], 'a test')).toThrowError(invalid);
    },
  );
});

describe('a rate limit', () => {
  it('admits so many in any second', () => {
    const limit = new RateLimit(2);
    expect([0, 400, 900, 999, 1000, 1399, 1400].map((atMs) => limit.admits(atMs))).toEqual([
      true,
      true,
      false,
      false,
      true,
      false,
      true,
    ]);
  });

  it('of 0 admits all', () => {
    expect(Array.from({ length: 100 }, () => new RateLimit(0).admits(0))).not.toContain(false);
  });
});

describe('instance metadata', () => {
  const tree = instanceTree('web-0', {
    vmId: 'id',
    location: 'here',
    platformUpdateDomain: '3',
    platformFaultDomain: '1',
    resourceGroupName: '',
    subscriptionId: '',
    tags: 'a:1;b:x:y',
    vmSize: '',
    zone: '',
  });

  it('has only text for leaves', () => {
    JSON.stringify(tree, (_key, value) => {
      expect(['string', 'object']).toContain(typeof value);
      return value;
    });
  });

  it.each([
    ['compute/name', 'web-0'],
    ['COMPUTE/NAME', 'web-0'],
    ['compute/platformUpdateDomain/', '3'],
    ['compute/zone', ''],
    ['compute/tagsList/1/value', 'x:y'],
    ['', 'compute/\nnetwork/'],
    ['network', 'interface/'],
  ])('%s is %j as text', (path, text) => {
    expect(textOf(nodeAt(tree, path) ?? 'nothing')).toBe(text);
  });

  it.each(['compute/nothing', 'compute/name/x', 'constructor', '__proto__', 'compute/publicKeys/length', 'compute/0'])(
    'has nothing at %s',
    (path) => {
      expect(nodeAt(tree, path)).toBeUndefined();
    },
  );
});
