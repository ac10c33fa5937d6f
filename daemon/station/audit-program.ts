/**
 * The station's own audit as a program of its own, behind everything else that runs on the machine:
 * it recomputes all that is stored, and takes as long and as much memory as that needs.
 */
import { spawn } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { lastAuditOf } from './last-audit.ts';
import type { RunAudit } from './self-audit.ts';
import { StationError } from './station-error.ts';

/** Of what it says when it fails. */
const wordsMost = 1_000;

/** `keytolld` is the script of this program. */
export function auditByProgram(keytolld: string): RunAudit {
  return async (config, signal) => {
    const before = lastAuditOf(config);
    const words = await runToEnd([keytolld, 'audit', '--config', config.file], signal);
    const audit = lastAuditOf(config);
    // With findings it ends as with a fault, but only an audit that came to its end is noted.
    if (audit !== undefined && audit.at !== before?.at) return audit;
    throw new StationError('command-failed', words === '' ? 'it ended half way' : words);
  };
}

/** Resolves with the last that it said on standard error. */
function runToEnd(args: readonly string[], signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'], signal });
    if (child.pid !== undefined) yieldToOthers(child.pid);
    let words = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-wordsMost);
    });
    child.once('error', reject);
    child.once('close', () => {
      resolve(words.trim());
    });
  });
}

function yieldToOthers(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_LOW);
  } catch {
    // It is there no more.
  }
}
