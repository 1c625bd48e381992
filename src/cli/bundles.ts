import { Option } from 'commander';
import { collect } from './flags.js';

/** What the commands that apply or plan bundles share. */
export interface BundleFlags {
  trust?: string[];
  host?: string;
  allowReboot?: true;
}

export const bundleOptions = (): Option[] => [
  new Option('--trust <file>', 'public key whose bundles are applied, repeatable').argParser(collect),
  new Option('--host <folder>', 'state folder of the host, kept (default: a temporary one)'),
  new Option('--allow-reboot', 'let a bundle of class reboot restart the VMs; their memory is lost'),
];
