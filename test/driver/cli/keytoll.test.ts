import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AgentServer } from '../../../driver/agent/agent-server.ts';
import { runKeytoll } from '../../../driver/cli/program.ts';
import { HostBench, pin, puk } from '../desk/host-bench.ts';
import { TestTerminal } from './test-terminal.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-cli-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function keytoll(args: string[], terminal = new TestTerminal(), environment = {}) {
  const exitCode = await runKeytoll(['--wallet', folder, ...args], terminal, environment);
  return { exitCode, terminal };
}

describe('a command line that says something impossible ends with 2 and one line', () => {
  it.each([
    [['nothing'], /unknown command 'nothing'/],
    [['buy'], /missing required argument 'lines'/],
    [['buy', '20'], /"20" is no order line: expected COUNTxVALUE such as 20x30/],
    [['buy', '0x30'], /no order line/],
    [['buy', '99999x1'], /"99999x1" is too much: an order is for at most 1000 coins/],
    [['buy', '1001x1'], /"1001x1" is too much: an order is for at most 1000 coins/],
    [['buy', ...Array<string>(17).fill('1x1')], /an order has at most 16 lines/],
    [['quote', 'bob'], /"bob" is no user name: expected name@station, such as bob@q3/],
    [['quote', 'bob@q3', '--avoid', 'Q 2'], /"Q 2" is no station name/],
    [['quote', 'bob@q3', '--minimum-suite', 'none'], /Allowed choices are aes, otp-secret, otp/],
    [['renew', '--within', 'soon'], /expected a number of days, 0 to 3650/],
    [['balance', '--renew-days', '3651'], /expected a number of days, 0 to 3650/],
    [['pay'], /name either a payee or, with --quote, a quote/],
    [['pay', 'bob@q3', '--quote', '00'.repeat(16)], /name either/],
    [['pay', 'bob@q3'], /use --yes/],
    [['pay', '--quote', 'x', '--yes'], /"x" is no quote ID: expected 32 hexadecimal digits/],
    [['pay', 'bob@q3', '--yes', '--wait', 'long'], /--wait takes 0 to 86400 seconds/],
    [['pay', 'bob@q3', '--yes', '--at-most', '0.30'], /--at-most takes a whole number of minor/],
    [['send', 'bob'], /"bob" is no user name/],
    [['send', '--message', 'hi'], /name a peer or, with --key, a payment/],
    [['send', '--key', '12', '--message', 'hi'], /"12" is no payment ID: expected 64/],
    [['send', 'bob@q3', '--message', 'a', '--in', 'b'], /--message and --in exclude each other/],
    [['receive', '--message', 'not base64!'], /this is no sealed text/],
    [['receive', '--in', '/nonexistent'], /the message cannot be read from \/nonexistent/],
    [['keys', '--pin-file', '/nonexistent'], /the PIN cannot be read from/],
    [['keys', '--reader', 'abacus'], /"abacus" names no reader; expected pcsc/],
    [['audit', '--peer', 'bob'], /expected a user name such as bob@q3/],
    [['payments', '--wallet', ''], /expected the name of a folder/],
    [
      ['card', 'info', '--reader', `virtual:/${'x'.repeat(107)}`],
      /^keytoll: \/x{107} is too long for a socket, of 107 bytes at most: name a shorter one$/,
    ],
    [['card', 'init', '--station', 'ws://x'], /required option '--ca <file>' not specified/],
    [['card', 'pin', 'unblock'], /PUK is needed and this is no terminal: use --puk/],
    [['card', 'puk', 'change'], /Old PUK is needed and this is no terminal: use --puk/],
    [['card', 'pin', 'change'], /Old PIN is needed and this is no terminal: use --pin/],
    [['agent', '--reader', 'virtual:127.0.0.1:0'], /use --pin, --pin-file or KEYTOLL_PIN/],
  ])('%j', async (args, words) => {
    const { exitCode, terminal } = await keytoll(args);
    expect(exitCode).toBe(2);
    expect(terminal.notes).toHaveLength(1);
    expect(terminal.notes[0]).toMatch(words);
    expect(terminal.out).toEqual([]);
  });

  it('and names a CA file without certificate', async () => {
    const ca = join(folder, 'ca.pem');
    writeFileSync(ca, 'nothing of use');
    const init = ['card', 'init', '--station', 'ws://127.0.0.1:1', '--ca', ca];
    const { exitCode, terminal } = await keytoll([...init, '--new-pin', '1234']);
    expect(exitCode).toBe(2);
    expect(terminal.notes[0]).toMatch(/the CA file holds no certificate/);
  });

  it('prints errors as one JSON object, too, where JSON is asked for', async () => {
    for (const args of [['quote', 'bob'], ['buy'], ['nothing'], ['quote', 'bob@q3', '--no']]) {
      const { exitCode, terminal } = await keytoll([...args, '--json']);
      expect(exitCode).toBe(2);
      expect(terminal.out).toHaveLength(1);
      expect(JSON.parse(terminal.out[0] ?? '')).toMatchObject({ error: { code: 'usage' } });
    }
  });
});

describe('card list', () => {
  it('lists the reader that is named', async () => {
    const path = join(folder, 'slot.sock');
    const named = ['--reader', `virtual:${path}`, 'card', 'list'];
    const { exitCode, terminal } = await keytoll([...named, '--json']);
    expect(exitCode).toBe(0);
    expect(JSON.parse(terminal.out[0] ?? '')).toMatchObject({
      readers: [{ cardPresent: false }],
      unavailable: [],
    });
    const { terminal: people } = await keytoll(named);
    expect(people.out.join()).toMatch(/^empty {2}.*slot\.sock/);
  });

  it('tells which kinds of readers this machine cannot look at, and what to do', async () => {
    const nowhere = join(folder, 'no-pcscd');
    vi.stubEnv('PCSCLITE_CSOCK_NAME', nowhere);
    const { exitCode, terminal } = await keytoll(['card', 'list', '--json']);
    vi.unstubAllEnvs();
    const [out = '{}'] = terminal.out;
    const { readers = [], unavailable = [] } = JSON.parse(out) as {
      readers?: { name: string }[];
      unavailable?: { reader: string; message: string }[];
    };
    // A machine without libusb has neither: the error is then the answer.
    if (exitCode === 0) {
      expect(readers.map(({ name }) => name)).toEqual(['hid']);
      expect(unavailable).toMatchObject([{ reader: 'pcsc' }]);
      expect(unavailable[0]?.message).not.toBe('');
    } else {
      expect(out).toMatch(/not-installed/);
    }
  });
});

describe('help', () => {
  it('tells commands, global options and exit codes', async () => {
    const { exitCode, terminal } = await keytoll(['--help']);
    expect(exitCode).toBe(0);
    expect(terminal.out.join('\n')).toMatch(/Exit codes: 0 done; 1 fault; 2 usage; 3 refused/);
  });
});

describe('commands with an agent', () => {
  let bench: HostBench;
  let server: AgentServer;

  beforeEach(async () => {
    bench = await HostBench.open();
    await bench.enrol();
    server = await AgentServer.listen(bench.folder, bench.runner, 'pcsc');
  });
  afterEach(async () => {
    await server.close();
    await bench.close();
  });

  const run = (args: string[], terminal = new TestTerminal(), environment = {}) =>
    keytoll(['--wallet', bench.folder, ...args], terminal, environment);

  it('refuse another reader than the agent’s, and take its own by any name of it', async () => {
    await server.close();
    const slot = join(bench.folder, 'slot.sock');
    server = await AgentServer.listen(bench.folder, bench.runner, `virtual:${slot}`);
    const { exitCode, terminal } = await run(['--reader', 'virtual:/else.sock', 'balance']);
    expect(exitCode).toBe(2);
    expect(terminal.notes).toEqual([
      `keytoll: an agent serves this wallet with the card in virtual:${slot}: leave --reader out ` +
        'to use that one, or end the agent first',
    ]);
    const named = await run(['--reader', `virtual:${relative('.', slot)}`, 'balance']);
    expect(named.exitCode).toBe(0);
    const ambient = await run(['balance'], new TestTerminal(), { KEYTOLL_READER: 'hid' });
    expect(ambient.exitCode).toBe(0);
  });

  it('buy, quote, pay and list, in words with major units', async () => {
    const bought = await run(['buy', '2x30']);
    expect(bought.terminal.out).toEqual(['Bought 2 coins worth EUR 0.60; account EUR 100.00.']);
    const paid = await run(['pay', 'bob@q2', '--yes']);
    expect(paid.exitCode).toBe(0);
    expect(paid.terminal.notes.join('\n')).toMatch(
      /q1 +EUR 0\.20\n +q2 +EUR 0\.10\n +total +EUR 0\.30/,
    );
    expect(paid.terminal.out[0]).toMatch(/^Delivered: you and bob@q2 share the key of payment/);
    const listed = await run(['payments']);
    expect(listed.terminal.out[0]).toMatch(/delivered +EUR 0\.30 +to bob@q2/);
    const held = await run(['balance']);
    expect(held.terminal.out[0]).toMatch(/Coins +EUR 0\.30 in 1 coin/);
  });

  it('print JSON of minor units and nothing else', async () => {
    await run(['buy', '1x30', '--json']);
    const { terminal } = await run(['pay', 'bob@q2', '--yes', '--json']);
    expect(terminal.notes).toEqual([]);
    expect(terminal.out).toHaveLength(1);
    expect(JSON.parse(terminal.out[0] ?? '')).toMatchObject({
      standing: 'delivered',
      total: '30',
      bill: [
        { station: 'q1', fee: '20' },
        { station: 'q2', fee: '10' },
      ],
    });
  });

  it('ask before they pay, and take a no for a no', async () => {
    await run(['buy', '1x30']);
    const asked = await run(['pay', 'bob@q2'], new TestTerminal('n'));
    expect(asked.exitCode).toBe(3);
    expect(asked.terminal.questions).toEqual(['Pay?']);
    expect(bench.desk.records).toEqual([]);
    const agreed = await run(['pay', 'bob@q2'], new TestTerminal('y'));
    expect(agreed.exitCode).toBe(0);
  });

  it('exchange coins near their end, and tell of those that are', async () => {
    bench.papers.coinLifeSeconds = 4_000n;
    await run(['buy', '2x30', '1x40']);
    const none = await run(['renew']);
    expect(none.terminal.out).toEqual(['No coin was exchanged.']);
    const all = await run(['renew', '--within', '1']);
    expect(all.terminal.out).toEqual(['New: EUR 1.00 in 3 coins.']);
    bench.desk.script.refuse.set('exchange', { code: 'no-coin-secrets', message: 'Not now.' });
    const { closed } = await bench.host.desk();
    bench.clock.advance(3_500_000);
    await closed;
    const { terminal } = await run(['balance']);
    expect(terminal.out[0]).toMatch(
      /^Ending {3}EUR 1\.00 in 3 coins, from \d{4}-\d\d-\d\d on: `keytoll renew` exchanges them/m,
    );
  });

  it('pay nothing that is dearer than allowed, and ask nobody about it', async () => {
    await run(['buy', '2x30']);
    for (const yes of [['--yes'], []]) {
      const terminal = new TestTerminal('y');
      const dear = await run(['pay', 'bob@q2', '--at-most', '29', ...yes], terminal);
      expect(dear.exitCode).toBe(3);
      expect(terminal.questions).toEqual([]);
      expect(terminal.notes.at(-1)).toMatch(
        /asks 30 minor units, more than the 29 allowed; no coin was used: `keytoll quote/,
      );
    }
    expect(bench.desk.records).toEqual([]);
    const { terminal } = await run(['balance', '--json']);
    expect(JSON.parse(terminal.out[0] ?? '')).toMatchObject({ coins: 2 });
    const paid = await run(['pay', 'bob@q2', '--at-most', '30', '--yes']);
    expect(paid.exitCode).toBe(0);
  });

  it('say what to do where no coin fits', async () => {
    await run(['buy', '1x40']);
    const { exitCode, terminal } = await run(['pay', 'bob@q2', '--yes']);
    expect(exitCode).toBe(3);
    expect(terminal.notes.at(-1)).toMatch(
      /no coin of exactly 30 minor units; the card holds coins of 40: `--exchange` or/,
    );
  });

  it('end with 4 where the outcome is unknown, and with 3 where no key was delivered', async () => {
    await run(['buy', '3x30']);
    bench.desk.script.cut.set('pay', 'after');
    const unknown = await run(['pay', 'bob@q2', '--yes']);
    expect(unknown.exitCode).toBe(4);
    expect(unknown.terminal.notes.at(-1)).toMatch(/`keytoll connect` finds out/);
    bench.desk.script.cut.clear();
    bench.desk.script.verdict = 'undelivered';
    const undelivered = await run(['pay', 'bob@q2', '--yes']);
    expect(undelivered.exitCode).toBe(3);
    expect(undelivered.terminal.out[0]).toMatch(/Not delivered \(deadline-passed\)/);
  });

  it('end with 1 where the station is down', async () => {
    await bench.desk.close();
    const gone = await bench.host.desk().then(
      (desk) => desk.closed,
      () => undefined,
    );
    expect(gone).toBeDefined();
    const { exitCode, terminal } = await run(['balance']);
    expect(exitCode).toBe(1);
    expect(terminal.notes[0]).toMatch(/^keytoll: ws:.*Try again later$/);
  });

  it('seal and open messages through files and standard output', async () => {
    await run(['buy', '1x30']);
    await run(['pay', 'bob@q2', '--yes']);
    const out = join(folder, 'sealed.txt');
    const sent = await run(['send', 'bob@q2', '--message', 'hello', '--out', out, '--json']);
    expect(JSON.parse(sent.terminal.out[0] ?? '')).toMatchObject({ peer: 'bob@q2', epoch: '1' });
    // Alice's own message is not one to Alice.
    const { exitCode, terminal } = await run(['receive', '--in', out]);
    expect(exitCode).toBe(3);
    expect(terminal.notes[0]).toMatch(/does not open under its key/);
  });

  it('say of a message that is cut anywhere that it is cut short', async () => {
    await run(['buy', '1x30']);
    await run(['pay', 'bob@q2', '--yes']);
    const { terminal: sent } = await run(['send', 'bob@q2', '--message', 'hello']);
    const [sealed = ''] = sent.out;
    for (const length of [4, 7, 40, 62, 100, sealed.length - 4, sealed.length - 1]) {
      const { exitCode, terminal } = await run(['receive', '--message', sealed.slice(0, length)]);
      expect(terminal.notes).toEqual([
        'keytoll: the message is cut short: ask for the whole of it; nothing of it was opened',
      ]);
      expect(exitCode).toBe(3);
    }
  });

  it('let no second agent serve, and need neither card nor PIN to say so', async () => {
    const { exitCode, terminal } = await run(['agent', '--reader', 'virtual:/none/such.sock']);
    expect(exitCode).toBe(1);
    expect(terminal.notes).toEqual([
      `keytoll: an agent serves ${bench.folder} already: commands use it by themselves; end it ` +
        'with Ctrl-C where it runs',
    ]);
  });

  it('do not open a message, which opens once, where there is no place for it', async () => {
    await run(['buy', '1x30']);
    await run(['pay', 'bob@q2', '--yes']);
    const sealed = join(folder, 'sealed.txt');
    await run(['send', 'bob@q2', '--message', 'hello', '--out', sealed]);
    const nowhere = await run(['receive', '--in', sealed, '--out', join(folder, 'no', 'where')]);
    expect(nowhere.exitCode).toBe(2);
    expect(nowhere.terminal.notes[0]).toMatch(/cannot be written/);
    const opened = join(folder, 'opened.txt');
    await expect(run(['receive', '--in', sealed, '--out', opened])).resolves.toMatchObject({
      exitCode: 3,
    });
    expect(existsSync(opened)).toBe(false);
  });

  it('take the PIN from a file, from the environment and from a person', async () => {
    await server.close();
    await bench.restart();
    server = await AgentServer.listen(bench.folder, bench.runner, 'pcsc');
    const none = await run(['keys']);
    expect(none.exitCode).toBe(2);
    expect(none.terminal.notes[0]).toMatch(/use --pin, --pin-file or KEYTOLL_PIN/);
    const wrong = await run(['keys'], new TestTerminal(), { KEYTOLL_PIN: '0000' });
    expect(wrong.exitCode).toBe(3);
    expect(wrong.terminal.notes[0]).toBe('keytoll: wrong PIN, 2 tries left');
    const asked = await run(['keys'], new TestTerminal(pin));
    expect(asked.exitCode).toBe(0);
    expect(asked.terminal.questions).toEqual(['PIN of the card']);
    const pinFile = join(folder, 'pin');
    writeFileSync(pinFile, `${pin}\n`);
    await expect(run(['keys', '--pin-file', pinFile])).resolves.toMatchObject({ exitCode: 0 });
  });

  it('show the card, and change its PIN', async () => {
    const shown = await run(['card', 'info']);
    expect(shown.terminal.out[0]).toMatch(/State +enrolled[\s\S]*Owner +alice@q1, network test/);
    const changed = await run(['card', 'pin', 'change', '--pin', pin, '--new-pin', '1357']);
    expect(changed.terminal.out).toEqual(['The PIN has been changed.']);
    await expect(run(['keys'])).resolves.toMatchObject({ exitCode: 0 });
  });

  it('change the PUK, and ask twice for a new one that nobody sees', async () => {
    const args = ['card', 'puk', 'change', '--puk', puk];
    const mistyped = await run(args, new TestTerminal('11112222', '11112223'));
    expect(mistyped.exitCode).toBe(2);
    expect(mistyped.terminal.notes[0]).toMatch(/New PUK: the two are not the same; nothing was/);
    const changed = await run(args, new TestTerminal('11112222', '11112222'));
    expect(changed.terminal.out).toEqual(['The PUK has been changed.']);
    expect(changed.terminal.questions).toEqual(['New PUK', 'New PUK, again']);
    const old = await run([...args, '--new-puk', '33334444']);
    expect(old.exitCode).toBe(3);
    expect(old.terminal.notes[0]).toBe('keytoll: wrong PUK, 9 tries left');
  });
});
