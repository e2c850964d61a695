import { createHash, randomBytes } from 'node:crypto';

/** What a client sends as `authorization: Bearer rsk_<id>.<secret>`. The prefix lets people and secret scanners recognise a key. */
export interface Token {
  /** 12 hexadecimal digits; no secret. */
  readonly id: string;
  /** 256 random bits as base64url: 43 characters. */
  readonly secret: string;
}

/** A fresh token from the operating system's generator: the one thing that must not repeat with a seed. */
export function newToken(): Token {
  return { id: randomBytes(6).toString('hex'), secret: randomBytes(32).toString('base64url') };
}

export const tokenText = ({ id, secret }: Token): string => `rsk_${id}.${secret}`;

/** The token in the value of an `authorization` header; undefined where there is none of our form. */
export function bearer(header: string | undefined): Token | undefined {
  const match = /^Bearer +rsk_([0-9a-f]{12})\.([\w-]{43})$/i.exec(header ?? '');
  return match ? { id: match[1]!, secret: match[2]! } : undefined;
}

/**
 * SHA-256 of a secret, in hexadecimal: what is stored of it.
 *
 * A slow, salted hash (scrypt, Argon2) protects passwords, which can be guessed. A secret of 256 random bits cannot: going through 2^255 of
 * them is out of reach at any speed, no table holds them, and no two are equal. So one fast hash is enough, and a request costs microseconds.
 */
export const digest = (secret: string): string => createHash('sha256').update(secret).digest('hex');
