import { EventLog, Fleet, type FleetEvent, type FleetOptions, type FleetVmOptions, generateKeyPair } from 'standstill';
import { describe, expect, it } from 'vitest';
import { withTemporaryFolder } from '../fixtures/cli.js';

const small: FleetVmOptions = { program: 'idle', memory: '1 MiB' };

describe('a fleet', () => {
  it('carries the VMs of its sets where the rules say, and shows it', async () => {
    await using fleet = await Fleet.create({ hosts: 5 });
    fleet.createAvailabilitySet({ name: 'web' });
    fleet.createAvailabilitySet({ name: 'db', updateDomains: 2 });
    for (let index = 0; index < 6; index += 1) await fleet.createVm({ ...small, availabilitySet: 'web' });
    await Promise.all([1, 2, 3].map(() => fleet.createVm({ ...small, availabilitySet: 'db' })));
    await fleet.createVm(small);
    expect(fleet.placement).toMatchObject([
      { vm: 'web-0', host: 'host-1', updateDomain: 0, faultDomain: 0 },
      { vm: 'web-1', host: 'host-2', updateDomain: 1, faultDomain: 1 },
      { vm: 'web-2', host: 'host-3', updateDomain: 2, faultDomain: 0 },
      { vm: 'web-3', host: 'host-4', updateDomain: 3, faultDomain: 1 },
      { vm: 'web-4', host: 'host-5', updateDomain: 4, faultDomain: 0 },
      { vm: 'web-5', host: 'host-1', updateDomain: 0, faultDomain: 0 },
      { vm: 'db-0', host: 'host-1', updateDomain: 0, availabilitySet: 'db' },
      { vm: 'db-1', host: 'host-2', updateDomain: 1, availabilitySet: 'db' },
      { vm: 'db-2', host: 'host-1', updateDomain: 0, availabilitySet: 'db' },
      { vm: 'idle-0', host: 'host-3', availabilitySet: null },
    ]);
    expect(fleet.hosts.map((host) => host.vms.length)).toEqual([4, 2, 2, 1, 1]);
    expect(fleet.vm('web-5')).toBe(fleet.hosts[0]?.vms[1]);
  });

  it('has hosts of the names it was given, with keys of their own', async () => {
    const keys = generateKeyPair();
    await using fleet = await Fleet.create({
      hosts: [{ name: 'left', trustedKeys: [keys.publicKey] }, { name: 'right' }],
    });
    expect(fleet.hosts.map(({ name }) => name)).toEqual(['left', 'right']);
    expect((await fleet.createVm(small)).name).toBe('idle-0');
    const hosts = [{ name: 'left' }, { name: 'left' }];
    await expect(Fleet.create({ hosts })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
  });

  it('places real programs as it places any VM', async () => {
    await using fleet = await Fleet.create({ hosts: 2 });
    fleet.createAvailabilitySet({ name: 'web' });
    await fleet.createVm({ ...small, availabilitySet: 'web' });
    const sleeper = { command: 'sleep', args: ['60'], availabilitySet: 'web' };
    const vm = await fleet.createProcessVm(sleeper);
    expect(fleet.placement).toMatchObject([
      { vm: 'web-0', host: 'host-1' },
      { vm: 'web-1', host: 'host-2' },
    ]);
    expect(fleet.vm('web-1')).toBe(vm);
    await expect(fleet.createProcessVm({ ...sleeper, name: 'web-1' })).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
    });
  });

  it('writes to a log that it is given', async () => {
    const log = new EventLog<FleetEvent>();
    await using _fleet = await Fleet.create({ hosts: 1, log });
    expect(log.entries.map(({ type }) => type)).toEqual(['fleet-opened', 'host-created']);
    await expect(Fleet.create({ log, directory: 'anywhere' })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
  });

  it('logs what happens on all of its hosts, in one order', async () => {
    const fleet = await Fleet.create({ hosts: 2 });
    fleet.createAvailabilitySet({ name: 'web' });
    for (const _ of [0, 1]) (await fleet.createVm({ ...small, availabilitySet: 'web' })).start();
    await fleet.close();
    await fleet.close();
    expect(fleet.log.entries.map((entry) => entry.type)).toEqual([
      'fleet-opened',
      'host-created',
      'host-created',
      'set-created',
      'vm-created',
      'vm-placed',
      'vm-started',
      'vm-created',
      'vm-placed',
      'vm-started',
      'vm-closed',
      'host-closed',
      'vm-closed',
      'host-closed',
      'fleet-closed',
    ]);
    expect(fleet.hosts[1]?.log.entries.map(({ type }) => type)).toEqual([
      'host-created',
      'vm-created',
      'vm-started',
      'vm-closed',
      'host-closed',
    ]);
  });

  it('takes the name of a VM that was closed again', async () => {
    await using fleet = await Fleet.create({ hosts: 1 });
    (await fleet.createVm({ ...small, name: 'a' })).close();
    await fleet.createVm({ ...small, name: 'a' });
    expect(fleet.placement).toHaveLength(1);
  });

  it('goes on with the log of its state folder, and with the components of its hosts', () =>
    withTemporaryFolder(async ({ path }) => {
      const directory = `${path}/state`;
      const first = await Fleet.create({ hosts: 2, directory });
      await first.close();
      await using second = await Fleet.create({ hosts: 2, directory });
      const opened = second.log.entries.filter(({ type }) => type === 'fleet-opened');
      expect(opened.map(({ seq }) => seq)).toEqual([1, first.log.lastSeq + 1]);
      expect(second.hosts.map((host) => host.directory)).toEqual(first.hosts.map((host) => host.directory));
    }));
});

describe('a fleet is refused', () => {
  it.each<[string, FleetOptions, RegExp]>([
    [
      'more update domains than the cloud has',
      { hosts: 30, updateDomains: 21 },
      /a whole number from 1 to 20 for 'updateDomains'/,
    ],
    ['more fault domains', { faultDomains: 4 }, /a whole number from 1 to 3 for 'faultDomains'/],
    ['more update domains than hosts', { hosts: 3, updateDomains: 4 }, /at most 3, one for each host/],
    ['no hosts', { hosts: 0 }, /a whole number from 1 to 1000 for 'hosts'/],
  ])('with %s', async (_, options, message) => {
    await expect(Fleet.create(options)).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringMatching(message),
    });
  });

  it('with an unknown option, of its own or of its hosts', async () => {
    await expect(Fleet.create({ domains: 5 } as FleetOptions)).rejects.toMatchObject({ code: 'ERR_UNKNOWN_OPTION' });
    await expect(Fleet.create({ host: { grace: 1 } } as FleetOptions)).rejects.toMatchObject({
      code: 'ERR_UNKNOWN_OPTION',
    });
  });

  it('on a state folder that another has open, or that was made for another shape', () =>
    withTemporaryFolder(async ({ path }) => {
      const fleet = await Fleet.create({ hosts: 2, directory: path });
      await expect(Fleet.create({ hosts: 2, directory: path })).rejects.toMatchObject({ code: 'ERR_STATE_LOCKED' });
      await fleet.close();
      await expect(Fleet.create({ hosts: 3, directory: path })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
      await (await Fleet.create({ hosts: 2, directory: path })).close();
    }));
});

describe('a VM or a set is refused', () => {
  it.each<[string, (fleet: Fleet) => Promise<unknown> | unknown, RegExp]>([
    [
      'in a set that is not there',
      (fleet) => fleet.createVm({ ...small, availabilitySet: 'wep' }),
      /an availability set of this fleet but received 'wep'; did you mean 'web'/,
    ],
    [
      'in two sets',
      (fleet) => fleet.createVm({ ...small, availabilitySet: ['web', 'db'] as never }),
      /one availability set .* received several/,
    ],
    [
      'of a name that is taken on another host',
      (fleet) => fleet.createVm({ ...small, name: 'web-0' }),
      /a name that no VM of this fleet has but received 'web-0'/,
    ],
    ['of a program that is not there', (fleet) => fleet.createVm({ program: 'nothing' }), /nothing/],
    [
      'that nobody has',
      async (fleet) => fleet.vm('web-1'),
      /a VM of this fleet but received 'web-1'; did you mean 'web-0'/,
    ],
    ['whose name a set has', async (fleet) => fleet.createAvailabilitySet({ name: 'web' }), /a name that no set has/],
    [
      'with more domains than the fleet',
      async (fleet) => fleet.createAvailabilitySet({ name: 'x', updateDomains: 3 }),
      /at most 2, one for each domain of the fleet/,
    ],
  ])('%s, and nothing is left of it', async (_, act, message) => {
    await using fleet = await Fleet.create({ hosts: 2 });
    fleet.createAvailabilitySet({ name: 'web' });
    await fleet.createVm({ ...small, availabilitySet: 'web' });
    await expect((async () => await act(fleet))()).rejects.toThrow(message);
    expect(fleet.placement).toHaveLength(1);
    await fleet.createVm({ ...small, availabilitySet: 'web' });
    expect(fleet.placement[1]).toMatchObject({ vm: 'web-1', host: 'host-2' });
  });

  it('once the fleet is closed', async () => {
    const fleet = await Fleet.create({ hosts: 1 });
    await fleet.close();
    await expect(fleet.createVm(small)).rejects.toMatchObject({ code: 'ERR_HOST_CLOSED' });
    expect(() => fleet.createAvailabilitySet({ name: 'web' })).toThrow(/ERR_HOST_CLOSED|open fleet/);
  });
});
