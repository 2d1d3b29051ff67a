/** Makes a failing input smaller while it still fails. */

const MOST_TRIES = 600;

/** Removes ever smaller parts, lines first, for as long as `fails` stays true; at most 600 tries. */
export async function shrunken(bytes: Buffer, fails: (bytes: Buffer) => Promise<boolean>): Promise<Buffer> {
  let smallest = bytes;
  let tries = 0;
  const without = async (parts: readonly Buffer[]): Promise<Buffer[]> => {
    let kept = [...parts];
    for (let size = Math.ceil(kept.length / 2); size >= 1 && tries < MOST_TRIES; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let at = 0; at < kept.length && tries < MOST_TRIES; ) {
        const rest = kept.toSpliced(at, size);
        tries++;
        if (rest.length < kept.length && (await fails(Buffer.concat(rest)))) kept = rest;
        else at += size;
      }
    }
    return kept;
  };
  smallest = Buffer.concat(await without(partsOf(smallest, 0x0a)));
  smallest = Buffer.concat(await without(partsOf(smallest, 0x2c)));
  return Buffer.concat(await without(Array.from(smallest, (byte) => Buffer.from([byte]))));
}

/** Parts that each end behind the byte. */
function partsOf(bytes: Buffer, byte: number): Buffer[] {
  const parts: Buffer[] = [];
  for (let start = 0; start < bytes.length; ) {
    const at = bytes.indexOf(byte, start);
    const end = at < 0 ? bytes.length : at + 1;
    parts.push(bytes.subarray(start, end));
    start = end;
  }
  return parts;
}
