// What an agent in a VM does: ask for Scheduled Events, make ready for each, and acknowledge it.
import { setTimeout as sleep } from 'node:timers/promises';

const url = `${process.env.STANDSTILL_METADATA_URL}/metadata/scheduledevents?api-version=2020-07-01`;
const headers = { Metadata: 'true' };
const isSlow = process.env.AGENT === 'slow';

for (let isFirst = true; ; isFirst = false) {
  const { Events } = await (await fetch(url, { headers })).json();
  if (isFirst) console.log('ready');
  const scheduled = Events.filter(({ EventStatus }) => EventStatus === 'Scheduled');
  if (scheduled.length > 0 && !isSlow) {
    // Here a service would leave its load balancer, flush, hand its work over.
    const StartRequests = scheduled.map(({ EventId }) => ({ EventId }));
    await fetch(url, { method: 'POST', headers, body: JSON.stringify({ StartRequests }) });
  }
  await sleep(100);
}
