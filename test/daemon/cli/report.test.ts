/** What there may be millions of is printed as it is read. */
import { Command, CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { printPages, reporting, type PrintedRow } from '../../../daemon/cli/report.ts';
import { StoreError } from '../../../daemon/store/store-error.ts';

const rowOf = (name: string): PrintedRow => ({ json: { name }, line: `row ${name}` });
const shown = { head: { station: 'q1' }, name: 'payments' };

interface Printed {
  out: string;
  error: string;
  exitCode: number;
  rows: number;
}

async function printed(
  json: boolean,
  pages: (said: () => string) => AsyncGenerator<readonly PrintedRow[], void>,
): Promise<Printed> {
  const said: Printed = { out: '', error: '', exitCode: 0, rows: 0 };
  const command = new Command('payments').option('--json').exitOverride();
  command.configureOutput({
    writeOut: (text) => (said.out += text),
    writeErr: (text) => (said.error += text),
  });
  command.action((options: { json?: boolean }) =>
    reporting(command, async () => {
      said.rows = await printPages(
        command,
        options,
        shown,
        pages(() => said.out),
      );
    }),
  );
  try {
    await command.parseAsync(json ? ['--json'] : [], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    said.exitCode = error.exitCode;
  }
  return said;
}

async function* twoPages(): AsyncGenerator<readonly PrintedRow[], void> {
  yield await Promise.resolve([rowOf('a'), rowOf('b')]);
  yield [];
  yield [rowOf('c')];
}

async function* aPageAndAFault(): AsyncGenerator<readonly PrintedRow[], void> {
  yield await Promise.resolve([rowOf('a')]);
  throw new StoreError('corrupt', 'a page is damaged');
}

async function* nothing(): AsyncGenerator<readonly PrintedRow[], void> {
  yield await Promise.resolve([]);
}

describe('rows without number', () => {
  it('are lines', async () => {
    expect(await printed(false, twoPages)).toMatchObject({ out: 'row a\nrow b\nrow c\n', rows: 3 });
  });

  it('are a list in one JSON object', async () => {
    const { out, rows } = await printed(true, twoPages);
    const payments = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];
    expect([JSON.parse(out), rows]).toEqual([{ station: 'q1', payments }, 3]);
    const { out: none } = await printed(true, nothing);
    expect(JSON.parse(none)).toEqual({ station: 'q1', payments: [] });
  });

  it('are printed before the next ones are read', async () => {
    const { out } = await printed(false, async function* (said) {
      yield await Promise.resolve([rowOf('a')]);
      yield [rowOf(`behind ${said().length} letters`)];
    });
    expect(out).toBe('row a\nrow behind 6 letters\n');
  });

  it('end with a fault in a JSON object that is whole', async () => {
    const { out, error, exitCode } = await printed(true, aPageAndAFault);
    const fault = { code: 'corrupt', message: 'a page is damaged' };
    const payments = [{ name: 'a' }];
    expect(JSON.parse(out)).toEqual({ station: 'q1', payments, error: fault });
    expect([error, exitCode]).toEqual(['payments: a page is damaged\n', 1]);
    const lines = await printed(false, aPageAndAFault);
    expect(lines).toMatchObject({ out: 'row a\n', error, exitCode: 1 });
  });
});
