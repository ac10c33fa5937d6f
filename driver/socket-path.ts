/** `sun_path` of unix(7), less its final zero: a longer path the system cuts off, silently. */
const bytesMost = 107;

/** Why no Unix socket can be there; undefined where one can. */
export function socketPathFault(path: string): string | undefined {
  if (Buffer.byteLength(path) <= bytesMost) return undefined;
  return `${path} is too long for a socket, of ${bytesMost} bytes at most`;
}
