import { resolve } from 'node:path';
import { ReaderError } from './reader-error.ts';
import type { VirtualAddress } from './virtual-reader.ts';

export type ReaderSpec =
  | { readonly kind: 'pcsc'; readonly name?: string }
  | { readonly kind: 'hid'; readonly path?: string }
  | { readonly kind: 'virtual'; readonly address: VirtualAddress };

const forms = 'pcsc, pcsc:NAME, hid, hid:PATH, virtual:HOST:PORT or virtual:/path/to/socket';

/** What `--reader` takes. Throws ReaderError bad-spec, naming all the forms. */
export function parseReaderSpec(spec: string): ReaderSpec {
  const colon = spec.indexOf(':');
  const kind = colon < 0 ? spec : spec.slice(0, colon);
  const rest = colon < 0 ? undefined : spec.slice(colon + 1);
  if (rest !== '') {
    if (kind === 'pcsc') return { kind, ...(rest !== undefined && { name: rest }) };
    if (kind === 'hid') return { kind, ...(rest !== undefined && { path: rest }) };
    if (kind === 'virtual' && rest !== undefined) {
      const address = parseVirtualAddress(rest);
      if (address !== undefined) return { kind, address };
    }
  }
  throw new ReaderError('bad-spec', `"${spec}" names no reader; expected ${forms}`);
}

/**
 * The same words for the same reader, wherever they are said: a path counts from the working
 * folder. Throws ReaderError bad-spec.
 */
export function wholeReaderSpec(spec: string): string {
  const parsed = parseReaderSpec(spec);
  const isPath = parsed.kind === 'virtual' && parsed.address.kind === 'unix';
  return isPath ? `virtual:${resolve(parsed.address.path)}` : spec;
}

/** A path is told from a host by its slash; an IPv6 address stands in brackets. */
function parseVirtualAddress(text: string): VirtualAddress | undefined {
  if (text.includes('/')) return { kind: 'unix', path: text };
  const match = /^(?:\[(?<six>[0-9a-f:.]+)\]|(?<host>[^:]+)):(?<port>\d{1,5})$/i.exec(text);
  const host = match?.groups?.['six'] ?? match?.groups?.['host'];
  const port = Number(match?.groups?.['port']);
  if (host === undefined || port > 65_535) return undefined;
  return { kind: 'tcp', host, port };
}
