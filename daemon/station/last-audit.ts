/** When this station was audited last, by itself or by its operator, and what came of it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { replaceFile } from '../ca/durable-file.ts';
import type { StationConfig } from './config.ts';

const lastAudit = z.object({
  /** ISO 8601: of the moment that was audited. */
  at: z.iso.datetime(),
  findings: z.int().nonnegative(),
});
export type LastAudit = z.output<typeof lastAudit>;

/** Beside the database, since it says something of that one. */
export async function noteAudit(config: StationConfig, audit: LastAudit): Promise<void> {
  await replaceFile(fileOf(config), `${JSON.stringify(audit)}\n`, 0o600);
}

/** Undefined where there was none, or nobody knows any more. */
export function lastAuditOf(config: StationConfig): LastAudit | undefined {
  try {
    return lastAudit.parse(JSON.parse(readFileSync(fileOf(config), 'utf8')));
  } catch {
    return undefined;
  }
}

function fileOf(config: StationConfig): string {
  return join(config.path(config.data), 'last-audit.json');
}
