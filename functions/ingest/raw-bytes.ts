/** Raw chunks of an object, one at a time, with the possibility to look ahead and to give bytes back. */

export class RawBytes {
  private readonly iterator: AsyncIterator<Uint8Array>;
  private readonly onRaw: (chunk: Uint8Array) => void;
  private returned: Uint8Array | null = null;

  /** `onRaw` sees each chunk once, when it comes from the object. */
  constructor(raw: AsyncIterable<Uint8Array>, onRaw: (chunk: Uint8Array) => void) {
    this.iterator = raw[Symbol.asyncIterator]();
    this.onRaw = onRaw;
  }

  /** The next chunk, never an empty one; null at the end. */
  async next(): Promise<Uint8Array | null> {
    if (this.returned !== null) {
      const chunk = this.returned;
      this.returned = null;
      return chunk;
    }
    for (;;) {
      const { done, value } = await this.iterator.next();
      if (done === true) return null;
      if (value.length === 0) continue;
      this.onRaw(value);
      return value;
    }
  }

  /** Bytes that the next call of next() gives first. */
  giveBack(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.returned = this.returned === null ? bytes : Buffer.concat([bytes, this.returned]);
  }

  /** The next `count` bytes, or all that are left, without taking them: a magic number is never split. */
  async look(count: number): Promise<Uint8Array> {
    let head: Uint8Array = new Uint8Array(0);
    while (head.length < count) {
      const chunk = await this.next();
      if (chunk === null) break;
      // Copied when there is more to read, because that ends the chunk.
      head = head.length === 0 && chunk.length >= count ? chunk : Buffer.concat([head, Buffer.from(chunk)]);
    }
    this.giveBack(head);
    return head.subarray(0, count);
  }

  async skipZeros(): Promise<void> {
    for (let chunk = await this.next(); chunk !== null; chunk = await this.next()) {
      const at = chunk.findIndex((byte) => byte !== 0);
      if (at < 0) continue;
      this.giveBack(chunk.subarray(at));
      return;
    }
  }

  /** Releases the object, also when it was not read to its end. */
  async close(): Promise<void> {
    await this.iterator.return?.();
  }
}
