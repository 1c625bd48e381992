// A rollout with a metadata service in front: each domain's event is seen by the whole set, and acknowledged by anyone.
import { assertOneDomainAtATime, MetadataServer } from 'standstill';
import { expect, it } from 'vitest';
import { appends, runningFleet } from '../fixtures/fleets.js';
import { acknowledge, ask, documentOf } from '../fixtures/metadata.js';

const NOTICE_MS = 3_600_000;

it('a set hears of each of its domains in turn, and one VM starts them all', { timeout: 60_000 }, async () => {
  await using metadata = new MetadataServer({ noticeMs: NOTICE_MS, settleMs: 10 });
  await using fleet = await runningFleet(3, { hosts: 3, updateDomains: 3, faultDomains: 2, host: { metadata } });
  const [web0, , web2] = fleet.vms.map((vm) => vm.metadataUrl ?? '');
  const compute = JSON.parse((await ask(`${web2}/metadata/instance/compute?api-version=2021-02-01`)).body);
  expect(compute).toMatchObject({ name: 'web-2', platformUpdateDomain: '2', platformFaultDomain: '0' });

  const rollout = fleet.rollout({ patches: [appends()] });
  const named: unknown[] = [];
  while (named.length < 3) {
    // web-2 speaks for the others; what it sees is what web-0 sees.
    const { Events: seen } = await documentOf(web2 ?? '');
    expect(seen.length).toBeLessThanOrEqual(1);
    const [event] = seen;
    if (event?.EventStatus !== 'Scheduled') continue;
    expect((await documentOf(web0 ?? '')).Events).toEqual(seen);
    named.push('Resources' in event ? event.Resources : undefined);
    expect((await acknowledge(web2 ?? '', event.EventId)).status).toBe(200);
    await expect
      .poll(async () => (await documentOf(web2 ?? '')).Events.map(({ EventId }) => EventId), { timeout: 20_000 })
      .not.toContain(event.EventId);
  }
  expect(named).toEqual([['web-0'], ['web-1'], ['web-2']]);
  expect(await rollout).toMatchObject({ ok: true, status: 'done' });
  assertOneDomainAtATime(fleet.log);
});
