import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { messageOf, StandstillError, show } from '../base/errors.js';
import { type BundleManifest, canonicalJson } from './manifest.js';

/** Keeps a signature of a manifest from being one of anything else. */
const DOMAIN = 'standstill-patch-bundle-v1\n';
const KEY_ID_DIGITS = 16;

export const signatureSchema = z.strictObject({
  algorithm: z.literal('ed25519', "'ed25519'"),
  keyId: z.string('text').length(KEY_ID_DIGITS, `${KEY_ID_DIGITS} characters`),
  signature: z.string('text').max(200, 'a signature'),
});

/**
 * An Ed25519 signature over a manifest, and the key that made it.
 * @interface
 */
export type BundleSignature = z.output<typeof signatureSchema>;

/** A pair of Ed25519 keys in PEM: SPKI the public one, PKCS#8 the private one. */
export interface KeyPairPem {
  /** The first 16 hexadecimal digits of the SHA-256 of the public key. */
  keyId: string;
  publicKey: string;
  privateKey: string;
}

/** A new pair of Ed25519 keys. */
export function generateKeyPair(): KeyPairPem {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return {
    keyId: keyIdOf(publicKey),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function keyIdOf(key: KeyObject): string {
  const der = key.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('hex').slice(0, KEY_ID_DIGITS);
}

export function signManifest(manifest: BundleManifest, privateKey: KeyObject): BundleSignature {
  const signature = signBytes(null, signedBytes(manifest), privateKey).toString('base64');
  return { algorithm: 'ed25519', keyId: keyIdOf(createPublicKey(privateKey)), signature };
}

/** The trusted key that signed the manifest. Throws ERR_BUNDLE_UNTRUSTED where none did. */
export function assertTrusted(
  manifest: BundleManifest,
  signature: BundleSignature | undefined,
  trusted: readonly KeyObject[],
  what: string,
): string {
  if (signature === undefined) {
    throw new StandstillError('ERR_BUNDLE_UNTRUSTED', `Expected a signature for ${what} but it is not signed`);
  }
  const key = trusted.find((candidate) => keyIdOf(candidate) === signature.keyId);
  if (key === undefined) {
    const known = trusted.length === 0 ? 'no key is trusted' : `trusted: ${trusted.map(keyIdOf).join(', ')}`;
    const message = `Expected a signature by a trusted key for ${what} but received one by ${show(signature.keyId)} (${known})`;
    throw new StandstillError('ERR_BUNDLE_UNTRUSTED', message);
  }
  if (!verifyBytes(null, signedBytes(manifest), key, Buffer.from(signature.signature, 'base64'))) {
    const message = `Expected a signature of its manifest for ${what} but received one that does not match`;
    throw new StandstillError('ERR_BUNDLE_UNTRUSTED', message);
  }
  return signature.keyId;
}

/** A key from PEM text, or from a file that holds it. Rejects with ERR_KEY_INVALID. */
export async function readKey(source: string, kind: 'public' | 'private'): Promise<KeyObject> {
  const isText = source.includes('-----BEGIN');
  const name = isText ? 'the PEM text' : source;
  try {
    const pem = isText ? source : await readFile(source, 'utf8');
    // A private key would pass for its public one; that it lies where a public one is expected is a mistake to tell.
    if (kind === 'public' && pem.includes('PRIVATE KEY')) throw new Error('it is a private key');
    const key = kind === 'public' ? createPublicKey(pem) : createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
    throw new Error(`it is of type ${key.asymmetricKeyType}`);
  } catch (cause) {
    const message = `Expected a ${kind} Ed25519 key in PEM form for ${name} but: ${messageOf(cause)}`;
    throw new StandstillError('ERR_KEY_INVALID', message, { cause });
  }
}

const signedBytes = (manifest: BundleManifest): Buffer => Buffer.from(DOMAIN + canonicalJson(manifest));
