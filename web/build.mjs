// build.mjs [FOLDER] - build the page into FOLDER (dist).
//
// What is built is kept in the tree, so that a machine that only runs the service needs
// neither node nor npm; `scripts/test browser` proves it equal to these sources. The same
// versions of the packages give the same bytes, whatever version node has.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
const folder = process.argv[2] ?? `${here}dist`;

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const { metafile } = await build({
	absWorkingDir: here,
	entryPoints: { app: 'src/main.ts', theme: 'src/look/first.ts', page: 'src/look/page.css' },
	outdir: folder,
	bundle: true,
	minify: true,
	format: 'esm',
	target: ['es2021', 'chrome100', 'firefox100', 'safari15.4'],
	charset: 'utf8',
	logLevel: 'warning',
	metafile: true,
});
for (const file of ['index.html', 'icon.svg']) cpSync(`${here}src/${file}`, `${folder}/${file}`);

// The licences of what went in: they ask to come along with every copy.
const names = Object.keys(metafile.inputs)
	.map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1])
	.filter((name) => name !== undefined);
const licences = [...new Set(names)].sort().map((name) => {
	const at = `${here}node_modules/${name}`;
	const { version } = JSON.parse(readFileSync(`${at}/package.json`, 'utf8'));
	const file = readdirSync(at).find((entry) => /^licen[cs]e/i.test(entry));
	if (!file) throw new Error(`${name} has no licence file`);
	return `${name} ${version}\n\n${readFileSync(`${at}/${file}`, 'utf8').trim()}\n`;
});
writeFileSync(`${folder}/licences.txt`, licences.join(`\n${'-'.repeat(72)}\n\n`));
