import type { Clock } from '../../applet-spec/clock.ts';
import type { Reader } from './connection.ts';
import { HidReader } from './hid-reader.ts';
import { PcscReader } from './pcsc-reader.ts';
import { parseReaderSpec } from './reader-spec.ts';
import { VirtualReader } from './virtual-reader.ts';

export interface OpenReaderOptions {
  /** The compiled `pcsc-child.js`, for a program that runs from sources. */
  readonly pcscChildPath?: string;
}

/**
 * The reader that a specification names: `pcsc`, `pcsc:NAME`, `hid`, `hid:PATH`,
 * `virtual:HOST:PORT`, `virtual:/path/to/socket`. Throws ReaderError: bad-spec; not-installed; for
 * a virtual reader also reader-busy and access-denied. A reader, service or card that is not there
 * yet is `connect`'s to report. Whoever opens closes.
 */
export async function openReader(
  spec: string,
  clock: Clock,
  options: OpenReaderOptions = {},
): Promise<Reader> {
  const parsed = parseReaderSpec(spec);
  switch (parsed.kind) {
    case 'virtual':
      return VirtualReader.listen(parsed.address, clock);
    case 'hid':
      return HidReader.open({ clock, ...(parsed.path !== undefined && { path: parsed.path }) });
    case 'pcsc':
      return PcscReader.open({
        clock,
        ...(parsed.name !== undefined && { reader: parsed.name }),
        ...(options.pcscChildPath !== undefined && { childPath: options.pcscChildPath }),
      });
  }
}
