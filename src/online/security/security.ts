import { RecsysError } from '../../errors.js';
import type { StageContext } from '../../types.js';
import { KeyRing } from './key-ring.js';
import type { SecurityConfig } from './schema.js';
import { readTls, type TlsPair } from './tls.js';

/** What guards a service: keys, TLS, limits. */
export interface Security {
  /** Absent: everyone is let in. */
  readonly keys?: KeyRing;
  /** Absent: HTTP. */
  readonly tls?: TlsPair;
  readonly limits: SecurityConfig['limits'];
}

/** Reads the files that the settings name. @throws what `KeyRing.open` and `readTls` throw */
export async function openSecurity(config: SecurityConfig, log: StageContext['log']): Promise<Security> {
  return {
    ...(config.keys === undefined ? {} : { keys: await KeyRing.open(config.keys, log) }),
    ...(config.tls === undefined ? {} : { tls: await readTls(config.tls, log) }),
    limits: config.limits,
  };
}

const LOOPBACK = /^(localhost|(::ffff:)?127(\.\d+){3}|\[?::1\]?)$/;

/** Whether a name or address is this machine's to itself. */
export const isLoopback = (host: string): boolean => LOOPBACK.test(host);

/**
 * Whether a service may listen on an address.
 * @throws RecsysError KEYS_REQUIRED beyond loopback without a key file
 */
export function checkExposure(host: string, security: Security | undefined, log: StageContext['log']): void {
  if (security?.keys?.size === 0)
    log(
      'warn',
      `no key in ${security.keys.file} is valid: every request will be refused; make one with \`recsys serve-online keys create\``,
    );
  if (isLoopback(host)) return;
  if (security?.keys === undefined)
    throw new RecsysError('KEYS_REQUIRED', `${host} can be reached from outside, and no key file is given`);
  if (security.tls === undefined)
    log(
      'warn',
      `${host} is served without TLS: keys and users' data can be read on the way, unless a proxy before it speaks TLS (\`security.tls\`)`,
    );
}
