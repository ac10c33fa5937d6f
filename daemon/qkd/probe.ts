import type { Check, Finding, ProbeCheck, ProbeOptions, ProbeReport } from './probe-check.ts';
import { ProbeDevice } from './probe-device.ts';
import { drawingChecks } from './probe-drawing.ts';
import { fetchingChecks } from './probe-fetching.ts';
import { tlsChecks } from './probe-tls.ts';
import { QkdError } from './qkd-error.ts';

/**
 * Tries a key manager against ETSI GS QKD 014 V1.1.1, one request after the other. It spends a few
 * keys.
 * @throws QkdError where the key manager cannot be reached or refuses our certificate.
 */
export async function probe(options: ProbeOptions): Promise<ProbeReport> {
  const device = new ProbeDevice(options);
  await device.connect();
  const checks: ProbeCheck[] = [];
  for (const check of [...tlsChecks(options.clock), ...drawingChecks, ...fetchingChecks]) {
    checks.push(await runCheck(check, device));
  }
  return { conforms: checks.every(({ result }) => result !== 'deviates'), checks };
}

async function runCheck({ id, clause, run }: Check, device: ProbeDevice): Promise<ProbeCheck> {
  const finding = await run(device).catch((error: unknown): Finding => {
    if (!(error instanceof QkdError)) throw error;
    return { deviates: error.message };
  });
  if (finding === undefined) return { id, clause, result: 'conforms' };
  if ('skipped' in finding) return { id, clause, result: 'skipped', detail: finding.skipped };
  if ('conforms' in finding) return { id, clause, result: 'conforms', detail: finding.conforms };
  return { id, clause, result: 'deviates', detail: finding.deviates };
}
