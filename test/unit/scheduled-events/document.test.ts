import { expect, it } from 'vitest';
import { renderDocument } from '../../../src/scheduled-events/document.js';
import type { ScheduledEvent } from '../../../src/scheduled-events/event.js';

const FREEZE: ScheduledEvent = {
  id: '4CAEA225-A741-474D-A72E-428C86FCD853',
  status: 'Scheduled',
  type: 'Freeze',
  resources: ['web-0'],
  notBeforeMs: Date.UTC(2016, 8, 19, 18, 29, 47, 999),
  description: 'Host server is undergoing maintenance.',
  source: 'Platform',
  durationSeconds: 9,
};

it('equals the capture of the contract, and cuts NotBefore to its second', () => {
  expect(renderDocument(2, [FREEZE], '2020-07-01')).toBe(
    '{"DocumentIncarnation":2,"Events":[{"EventId":"4CAEA225-A741-474D-A72E-428C86FCD853","EventStatus":"Scheduled","EventType":"Freeze","ResourceType":"VirtualMachine","Resources":["web-0"],"NotBefore":"Mon, 19 Sep 2016 18:29:47 GMT","Description":"Host server is undergoing maintenance.","EventSource":"Platform","DurationInSeconds":9}]}',
  );
});

it('has no NotBefore once started', () => {
  expect(JSON.parse(renderDocument(3, [{ ...FREEZE, status: 'Started' }], '2017-11-01')).Events[0]).toEqual({
    EventId: FREEZE.id,
    EventStatus: 'Started',
    EventType: 'Freeze',
    ResourceType: 'VirtualMachine',
    Resources: ['web-0'],
    NotBefore: '',
  });
});

it('without events is a list', () => {
  expect(renderDocument(1, [], '2017-03-01')).toBe('{"DocumentIncarnation":1,"Events":[]}');
});
