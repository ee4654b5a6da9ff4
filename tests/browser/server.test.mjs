// The service is stopped and started while a tab is open.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { assert, root, test, until } from './support.mjs';

const freePort = () =>
	new Promise((resolve) => {
		const server = createServer().listen(0, '127.0.0.1', () => {
			const { port } = server.address();
			server.close(() => resolve(port));
		});
	});

const script = (name, ...args) =>
	execFileSync(`${root}scripts/${name}`, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, VIVARIUM_NO_BUILD: '1', LISTEN_ADDRESS: '127.0.0.1' } });

test('the service goes away and comes back; nothing written is lost', async (_, enter) => {
	const folder = mkdtempSync('/tmp/vivarium-away-');
	const port = await freePort();
	const up = () => script('up', '--detach', '--no-install', '--port', String(port), '--state-dir', `${folder}/state`);
	const down = () => script('down', '--state-dir', `${folder}/state`);
	execFileSync('chmod', ['755', folder]);
	up();
	try {
		const person = await enter({ base: `http://127.0.0.1:${port}` });
		person.expectErrors(/Failed to load resource|ERR_CONNECTION|ERR_EMPTY|502|404/);
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

		// A tab that is opened while it is away would have nothing to show; one that is open
		// and reloaded afterwards has its text.
		down();
		up();
		await person.page.reload();
		await person.ready();
		assert.equal((await person.editor.innerText()).trim(), 'print("written while it was away")');
		assert.match(await person.notice(), /session is gone/);
	} finally {
		down();
		rmSync(folder, { recursive: true, force: true });
	}
}, { alone: true });
