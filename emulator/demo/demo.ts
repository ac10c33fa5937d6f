/** The demo's beginning and end: a folder, processes and recorders, of which nothing stays. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DemoError } from './demo-error.ts';
import { openReaders } from './demo-readers.ts';
import { tellStory, type DemoOptions, type DemoReport } from './demo-story.ts';
import { Programs } from './program-process.ts';
import { WireRecorder } from './recorder.ts';

const complaintsMost = 20;

/** Rejects with DemoError that says where it went wrong; nothing it started is left behind. */
export async function runDemo(options: DemoOptions): Promise<DemoReport> {
  const { clock, signal } = options;
  const folder = mkdtempSync(join(tmpdir(), 'keytoll-demo-'));
  const readers = await openReaders(options.reader, folder, clock).catch((error: unknown) => {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  });
  const programs = new Programs(clock, readers.environment);
  const recorder = new WireRecorder();
  const interrupt = (): void => {
    void programs.endAll();
  };
  signal.addEventListener('abort', interrupt);
  try {
    if (signal.aborted) interrupt();
    return await tellStory(options, { folder, programs, readers, recorder });
  } catch (error) {
    if (!(error instanceof DemoError)) throw error;
    if (signal.aborted) throw new DemoError('interrupted; nothing is left running');
    const complaints = programs.complaints().slice(-complaintsMost);
    if (complaints.length === 0) throw error;
    const said = ['The programs said:', ...complaints].join('\n');
    throw new DemoError(`${error.message}\n${said}`, { cause: error });
  } finally {
    signal.removeEventListener('abort', interrupt);
    await programs.endAll();
    await recorder.close();
    await readers.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
