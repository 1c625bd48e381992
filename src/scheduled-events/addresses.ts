import { BlockList, isIP } from 'node:net';
import { StandstillError, unexpected } from '../base/errors.js';

const PORT_MAX = 65_535;
const EXPECTED_ADDRESS = "an address such as '127.0.0.1:8080' or '[::1]:8080'";

export interface Endpoint {
  /** A literal IPv4 or IPv6 address. */
  readonly address: string;
  /** 0: one that is free. */
  readonly port: number;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Addresses that no packet from the internet reaches by themselves: loopback, link-local, private. */
const closed = new BlockList();
closed.addSubnet('127.0.0.0', 8, 'ipv4');
closed.addSubnet('10.0.0.0', 8, 'ipv4');
closed.addSubnet('172.16.0.0', 12, 'ipv4');
closed.addSubnet('192.168.0.0', 16, 'ipv4');
closed.addSubnet('169.254.0.0', 16, 'ipv4');
closed.addAddress('::1', 'ipv6');
closed.addSubnet('fc00::', 7, 'ipv6');
closed.addSubnet('fe80::', 10, 'ipv6');

const isIn = (list: BlockList, address: string): boolean => list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');

export const isLoopback = (address: string): boolean => isIn(loopback, address);

/** '127.0.0.1:8080', '127.0.0.1' (port 0), 'localhost:8080' or '[::1]:8080'. Throws ERR_INVALID_OPTION. */
export function parseEndpoint(text: string, what: string): Endpoint {
  const [, v6, name, portText = '0'] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text.trim()) ?? [];
  const address = v6 ?? (name === 'localhost' ? '127.0.0.1' : name);
  const port = Number(portText);
  if (address !== undefined && isIP(address) === (v6 === undefined ? 4 : 6) && port <= PORT_MAX) {
    return { address, port };
  }
  throw unexpected('ERR_INVALID_OPTION', EXPECTED_ADDRESS, what, text);
}

/**
 * Throws ERR_ADDRESS_PUBLIC for an address that others than this machine and its private network may reach, saying what
 * whoever reaches the service can do.
 */
export function assertNotPublic({ address }: Endpoint, service: string, consequence: string): void {
  if (isIn(closed, address)) return;
  const isWildcard = address === '0.0.0.0' || address === '::';
  throw new StandstillError(
    'ERR_ADDRESS_PUBLIC',
    `Expected a loopback, link-local or private address for ${service} but received '${address}', ` +
      `${isWildcard ? 'which is every address of this machine' : 'which is public'}: ` +
      `whoever reaches it ${consequence}. Allow public addresses to bind it all the same`,
  );
}

/** The endpoint of the n-th VM: the port counted up, or the last part of an IPv4 address. Throws ERR_INVALID_OPTION. */
export function endpointOf(first: Endpoint, index: number, spread: 'port' | 'address'): Endpoint {
  if (spread === 'port') {
    const port = first.port === 0 ? 0 : first.port + index;
    if (port <= PORT_MAX) return { ...first, port };
    throw unexpected('ERR_INVALID_OPTION', `ports up to ${PORT_MAX}`, 'the metadata service', port);
  }
  if (isIP(first.address) !== 4) {
    throw unexpected('ERR_INVALID_OPTION', 'an IPv4 address', 'an address for each VM', first.address);
  }
  const [a = 0, b = 0, c = 0, d = 0] = first.address.split('.').map(Number);
  const value = a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d + index;
  const address = [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
  return { ...first, address };
}

export const urlOf = ({ address, port }: Endpoint): string => {
  const host = isIP(address) === 6 ? `[${address}]` : address;
  return port === 80 ? `http://${host}` : `http://${host}:${port}`;
};
