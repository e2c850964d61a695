/** A protocol-buffer writer for the few messages a SavedModel needs. */
export class Message {
  private readonly parts: Uint8Array[] = [];

  private varint(value: number | bigint): this {
    let n = BigInt.asUintN(64, BigInt(value));
    const bytes: number[] = [];
    while (n > 127n) {
      bytes.push(Number(n & 127n) | 128);
      n >>= 7n;
    }
    bytes.push(Number(n));
    this.parts.push(Uint8Array.from(bytes));
    return this;
  }

  private tag(field: number, wire: number): this {
    return this.varint(field * 8 + wire);
  }

  int(field: number, value: number): this {
    return this.tag(field, 0).varint(value);
  }

  float(field: number, value: number): this {
    this.tag(field, 5);
    this.parts.push(new Uint8Array(Float32Array.of(value).buffer));
    return this;
  }

  bytes(field: number, value: Uint8Array | string): this {
    const data = typeof value === 'string' ? new TextEncoder().encode(value) : value;
    this.tag(field, 2).varint(data.byteLength);
    this.parts.push(data);
    return this;
  }

  message(field: number, value: Message): this {
    return this.bytes(field, value.encode());
  }

  encode(): Uint8Array {
    return Buffer.concat(this.parts);
  }
}
