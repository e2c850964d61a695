import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { RecsysError } from '../../errors.js';
import type { StageContext } from '../../types.js';
import { readPrivate, unreadable } from './private-file.js';

/** PEM files: the certificate with those that lead from it to an authority, and its private key. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** What an HTTPS server is given. */
export interface TlsPair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/**
 * Reads a certificate and its key, and checks that they parse, belong together, and are valid today.
 * @throws RecsysError FILE_MISSING · SECRETS_EXPOSED · TLS_INVALID
 */
export async function readTls(files: TlsFiles, log: StageContext['log'], now = Date.now()): Promise<TlsPair> {
  const cert = await readFile(files.cert).catch((error) => {
    throw unreadable(error, files.cert, 'the certificate');
  });
  const key = await readPrivate(files.key, 'the private key');
  const certificate = parsed(() => new X509Certificate(cert), files.cert, 'no PEM certificate');
  const secret: KeyObject = parsed(
    () => createPrivateKey(key),
    files.key,
    'no PEM private key without a passphrase',
  );
  if (!certificate.checkPrivateKey(secret))
    throw new RecsysError(
      'TLS_INVALID',
      `${files.key} is not the private key of the certificate ${files.cert}`,
    );
  const { validFrom, validTo } = certificate;
  if (now < Date.parse(validFrom) || now > Date.parse(validTo))
    log(
      'warn',
      `the certificate ${files.cert} is valid from ${validFrom} to ${validTo}: clients will refuse it today`,
    );
  return { cert, key };
}

function parsed<T>(parse: () => T, file: string, otherwise: string): T {
  try {
    return parse();
  } catch {
    // The parser's own words may quote the file.
    throw new RecsysError('TLS_INVALID', `${file}: ${otherwise}`);
  }
}
