/**
 * What tsc leaves undone in dist/: removes what has no source any more, copies the assets that run
 * beside the programs, and makes the programs executable. Prints nothing, so that a program run
 * by `npm run --silent` has standard output to itself.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

const root = dirname(import.meta.dirname);
const dist = join(root, 'dist');
const programFolders = ['applet-spec', 'driver', 'daemon', 'emulator'];
/** Vectors, migrations, udev rules, the service's unit, configuration templates. */
const asset = /\.(json|sql|rules|service|toml|pem|c)$/;
const emitted = /\.(d\.ts|js|js\.map)$/;

function filesUnder(folder) {
  const inside = join(root, folder);
  if (!existsSync(inside)) return [];
  return readdirSync(inside, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
}

/** A module whose source was removed must not go on working until the next clean build. */
function removeOrphans() {
  for (const path of filesUnder('dist')) {
    const source = path.slice('dist/'.length);
    if (source === '.tsbuildinfo') continue;
    const origin = emitted.test(source) ? source.replace(emitted, '.ts') : source;
    if (!existsSync(join(root, origin))) rmSync(join(root, path));
  }
}

function copyAssets() {
  for (const path of programFolders.flatMap(filesUnder)) {
    if (!asset.test(path)) continue;
    const copy = join(dist, path);
    const fresh = existsSync(copy) && statSync(copy).mtimeMs >= statSync(join(root, path)).mtimeMs;
    if (fresh) continue;
    mkdirSync(dirname(copy), { recursive: true });
    copyFileSync(join(root, path), copy);
  }
}

function makeProgramsExecutable() {
  const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const program of Object.values(bin)) {
    const path = join(root, program);
    if (existsSync(path)) chmodSync(path, 0o755);
  }
}

removeOrphans();
copyAssets();
makeProgramsExecutable();
