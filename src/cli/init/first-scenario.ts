/** What `standstill init` writes: a scenario that passes, and says in comments how it can be made to fail. */
export const FIRST_SCENARIO = `# yaml-language-server: $schema=./node_modules/standstill/schemas/scenario.schema.json
#
# A first scenario. Run it:  npx standstill run scenario.yaml
# docs/SCENARIOS.md of the package explains every key and every metric; an editor completes them by the schema above.

name: three web servers, patched one update domain at a time

# Decides the guests and everything that is drawn. Without it a seed is drawn, and printed.
seed: 7

# Longest freeze: when it is over, the VMs run again, whatever the patches are doing.
budget: 30s

# Each host is in an update domain of its own, and the VMs of a set are spread over the domains.
hosts: 3
updateDomains: 3
sets: [web]

vms:
  # web-0, web-1 and web-2: emulated guests, whose memory and invariants can be proved.
  - name: web
    count: 3
    set: web
    guest: { program: kv-store, memory: 32MiB }
  # A guest that reads its own clock, and so feels the freeze.
  - name: clock
    guest: { program: ticker, memory: 8MiB }
  # A real program, frozen with all of its descendants:
  # - name: cache
  #   guest: { process: redis-server --port 6390, ready: { port: 6390 } }

# The metadata service: guests learn of each maintenance by Scheduled Events, so long before it.
metadata: { notice: 500ms, settle: 200ms }

# What is done to the hosts behind the frozen VMs, in this order. Your own: - module: ./my-patch.mjs
patches:
  - builtin: decompress
  - builtin: verify
  - builtin: replace

# When what happens, since all guests run. jitter: 500ms draws a little more from the seed.
schedule:
  - at: 500ms
    freeze: { vms: [clock], duration: 200ms }
  - at: 1s
    rollout: { pauseBetween: 100ms }

# What is asked all the while. A service of your own: { name: api, http: 'http://127.0.0.1:8080/health' }
probes:
  - { name: store, check: web-0, kind: edge }

# What must hold; each is told with what was observed. To see one fail: blackout.max < 1us
expect:
  - memory: preserved
  - invariants: hold
  - rollout: done
  - updateDomains: oneAtATime
  - blackout.p99 < 10s
  - clock.lag.after < 100ms
  - events.completed >= 3

# What goes wrong on purpose: this one must make 'memory: preserved' fail.
# faults:
#   - { kind: flip-bit, vm: web-1 }
`;
