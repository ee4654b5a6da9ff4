// Services of the test's own: one that is stopped and started while a tab is open, and one with
// packages.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { assert, root, test, until } from './support.mjs';

const freePort = () =>
	new Promise((resolve) => {
		const server = createServer().listen(0, '127.0.0.1', () => {
			const { port } = server.address();
			server.close(() => resolve(port));
		});
	});

/** Call `body` with a service that is up() and down() as it likes, and a folder. */
async function withService(body) {
	const folder = mkdtempSync('/tmp/vivarium-browser-');
	const state = `${folder}/state`;
	const port = String(await freePort());
	const environment = { ...process.env, VIVARIUM_NO_BUILD: '1', LISTEN_ADDRESS: '127.0.0.1', EXECUTOR_ENVIRONMENTS: `${folder}/environments` };
	const script = (name, ...args) => execFileSync(`${root}scripts/${name}`, args, { cwd: root, stdio: 'pipe', env: environment });
	chmodSync(folder, 0o755);
	mkdirSync(`${folder}/environments`);
	const service = {
		folder,
		base: `http://127.0.0.1:${port}`,
		script,
		up: () => script('up', '--detach', '--no-install', '--port', port, '--state-dir', state),
		down: () => script('down', '--state-dir', state),
	};
	try {
		service.up();
		await body(service);
	} finally {
		service.down();
		rmSync(folder, { recursive: true, force: true });
	}
}

test('the service goes away and comes back; nothing written is lost', (_, enter) => withService(async ({ base, up, down }) => {
	const person = await enter({ base });
	person.expectErrors(/Failed to load resource/);
	await person.run('before = 1');
	const id = person.session();
	down();
	await person.write('print("written while it was away")');
	await person.page.keyboard.press('Control+Enter');
	await until(async () => (await person.notice()).includes('cannot be reached'));
	assert.equal(await person.page.locator('#state').innerText(), 'service away');
	await person.screenshot('service-away');
	up();
	await until(async () => (await person.notice()).includes('The session is gone'));
	assert.equal((await person.editor.innerText()).trim(), 'print("written while it was away")');
	await person.run();
	assert.equal(await person.printed(), 'written while it was away\n');
	assert.notEqual(person.session(), id);

	// A tab that is reloaded afterwards has its text, too.
	down();
	up();
	await person.page.reload();
	await person.ready();
	assert.equal((await person.editor.innerText()).trim(), 'print("written while it was away")');
	await until(async () => (await person.notice()).includes('session is gone'));
}), { alone: true });

/** A package of one module, as pip takes it. */
const WHEEL = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1] + "/terrarium-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("terrarium.py", "plants = 3\\n")
    wheel.writestr("terrarium-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: terrarium\\nVersion: 1.0\\n")
    wheel.writestr("terrarium-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr("terrarium-1.0.dist-info/RECORD", "terrarium.py,,\\nterrarium-1.0.dist-info/METADATA,,\\nterrarium-1.0.dist-info/WHEEL,,\\nterrarium-1.0.dist-info/RECORD,,\\n")
open(sys.argv[1] + "/requirements.txt", "w").write("terrarium\\n")
`;

test('packages that a program lacks are offered where a set has them', (_, enter) => withService(async ({ base, folder, script }) => {
	execFileSync('/usr/bin/python3', ['-c', WHEEL, folder]);
	script('vivarium-env', '--folder', `${folder}/environments`, 'add', 'garden', `${folder}/requirements.txt`, '--wheels', folder);
	const person = await enter({ base });
	await until(async () => (await (await fetch(`${base}/api/v1/info`)).json()).environments.garden);
	await person.page.reload();
	await person.ready();
	assert.deepEqual(await person.page.locator('#packages option').allInnerTexts(), ['base', 'garden']);
	await person.run('import terrarium\nterrarium.plants');
	assert.match(await person.outcome(), /^ModuleNotFoundError/);
	await person.page.getByRole('button', { name: 'Use “garden”' }).click();
	await until(async () => (await person.lastRun.locator('.result pre').allInnerTexts())[0] === '3');
	assert.equal(await person.page.locator('#packages').inputValue(), 'garden');
	// Another set is another session, after a question.
	const id = person.session();
	await person.page.locator('#packages').selectOption('base');
	await person.page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
	await until(async () => (await person.page.locator('#packages').inputValue()) === 'garden');
	assert.equal(person.session(), id);
}), { alone: true });
