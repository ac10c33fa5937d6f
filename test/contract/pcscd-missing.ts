/** What a machine lacks for the tests on a real PC/SC stack. Nothing here needs the test runner. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { privatePcscdMissing } from '../../emulator/card/private-pcscd.ts';

/** The compiled child: a test that starts processes runs what was built. */
export const pcscChildPath = fileURLToPath(
  new URL('../../dist/driver/reader/pcsc-child.js', import.meta.url),
);

const pcscliteAddon = fileURLToPath(
  new URL('../../node_modules/pcsclite/build/Release/pcsclite.node', import.meta.url),
);

/**
 * What keeps the tests from a real pcscd, in one line with the remedy; undefined where nothing
 * does.
 */
export const pcscdMissing =
  privatePcscdMissing() ??
  (existsSync(pcscliteAddon)
    ? undefined
    : 'pcsclite not built (Debian: apt install libpcsclite-dev && npm install)') ??
  (existsSync(pcscChildPath) ? undefined : 'not built: npm run build');

export const openscToolMissing = existsSync('/usr/bin/opensc-tool')
  ? undefined
  : 'not installed: opensc-tool (Debian: apt install opensc)';

/** Of Debian's own Python, whichever comes first on PATH. */
export const pyscardMissing = existsSync('/usr/lib/python3/dist-packages/smartcard')
  ? undefined
  : 'not installed: pyscard (Debian: apt install python3-pyscard)';

/** Of the same Python. */
export const pythonCryptographyMissing = existsSync('/usr/lib/python3/dist-packages/cryptography')
  ? undefined
  : 'not installed: cryptography (Debian: apt install python3-cryptography)';
