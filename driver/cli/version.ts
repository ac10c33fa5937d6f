import { createRequire } from 'node:module';

/** Of the package that this program is part of, built or not. */
export function programVersion(): string {
  const manifest: unknown = createRequire(import.meta.url)('keytoll/package.json');
  const isNamed = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
  return isNamed ? String(manifest.version) : 'unknown';
}
