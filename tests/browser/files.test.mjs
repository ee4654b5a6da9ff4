// Saved files, and the files of the session's workspace.
import { readFileSync } from 'node:fs';
import { api, assert, test, until } from './support.mjs';

const unique = () => `t${Date.now().toString(36)}${Math.random().toString(36).slice(2, 7)}.py`;
const dialog = (person) => person.page.getByRole('dialog');

async function saveAs(person, name) {
	await person.button('Save as…').click();
	await dialog(person).getByRole('textbox').fill(name);
	await dialog(person).getByRole('button', { name: 'Save' }).click();
}

const entry = (person, name) => person.page.locator('.files li', { hasText: name });

test('save, change, save again, open, delete', async (person) => {
	const name = unique();
	await person.write('a = 1\n');
	assert.equal(await person.page.locator('#doc-state').innerText(), '● unsaved');
	await person.page.keyboard.press('Control+s');
	await dialog(person).getByRole('textbox').fill(name);
	await person.page.keyboard.press('Enter');
	await until(async () => (await person.page.locator('#doc-state').innerText()) === 'saved');
	assert.equal((await api('GET', `/api/load/${name}`)).json.code, 'a = 1\n');
	assert.match(await person.page.title(), new RegExp(`^${name}`));

	await person.write('a = 2\n');
	assert.match(await person.page.title(), /^● /);
	await person.page.keyboard.press('Control+s');
	await until(async () => (await api('GET', `/api/load/${name}`)).json.code === 'a = 2\n');
	await until(async () => (await person.page.locator('#doc-state').innerText()) === 'saved');

	await person.button('New').click();
	assert.equal((await person.editor.innerText()).trim().replace('Write Python here', ''), '');
	await person.button('Open').click();
	await entry(person, name).locator('.name').click();
	await until(async () => (await person.editor.innerText()).includes('a = 2'));
	assert.equal(await person.page.locator('#doc-name').innerText(), name);

	await entry(person, name).getByRole('button', { name: 'Delete' }).click();
	await dialog(person).getByRole('button', { name: 'Delete' }).click();
	await entry(person, name).waitFor({ state: 'detached' });
	assert.equal((await api('GET', `/api/load/${name}`)).status, 404);
	// The text is still there, and is unsaved now.
	assert.match(await person.editor.innerText(), /a = 2/);
	assert.equal(await person.page.locator('#doc-state').innerText(), '● unsaved');
});

test('nothing is replaced without a question', async (person) => {
	const name = unique();
	await person.write('first');
	await saveAs(person, name);
	await until(async () => (await person.page.locator('#doc-state').innerText()) === 'saved');
	await person.button('New').click();
	await person.write('second');
	await saveAs(person, name);
	await person.page.getByRole('heading', { name: `Replace ${name}?` }).waitFor();
	await dialog(person).getByRole('button', { name: 'Cancel' }).click();
	assert.equal((await api('GET', `/api/load/${name}`)).json.code, 'first');
	await person.button('New').click();
	await person.page.getByRole('heading', { name: 'Save untitled first?' }).waitFor();
	await person.page.keyboard.press('Escape');
	assert.equal((await person.editor.innerText()).trim(), 'second');
	await api('DELETE', `/api/delete/${name}`);
});

test('a name that cannot be one is refused before it is sent', async (person) => {
	await person.write('x');
	await saveAs(person, '../etc/passwd');
	assert.equal(await dialog(person).getByRole('textbox').evaluate((field) => field.validity.customError), true);
	await person.page.keyboard.press('Escape');
	assert.equal(await person.page.locator('#doc-state').innerText(), '● unsaved');
});

test('what a program writes is listed, opened, renamed, downloaded, deleted', async (person) => {
	await person.run('import os\nos.makedirs("data/raw")\nopen("data/raw/a.csv", "w").write("x,y\\n1,2\\n")\nopen("note ä.txt", "w").write("hello")\nopen("binary", "wb").write(bytes(range(256)))');
	await person.tab('Files');
	await entry(person, 'note ä.txt').waitFor();
	await person.screenshot('files');

	await entry(person, 'note ä.txt').getByRole('button', { name: 'Rename' }).click();
	await dialog(person).getByRole('textbox').fill('texts/renamed.txt');
	await person.page.keyboard.press('Enter');
	await entry(person, 'texts').locator('.name').click();
	await entry(person, 'renamed.txt').waitFor();

	const [download] = await Promise.all([person.page.waitForEvent('download'), entry(person, 'renamed.txt').getByRole('link', { name: 'Download' }).click()]);
	assert.equal(download.suggestedFilename(), 'renamed.txt');
	assert.equal(readFileSync(await download.path(), 'utf8'), 'hello');

	// It opens in the editor, and saving writes it back.
	await entry(person, 'renamed.txt').locator('.name').click();
	await dialog(person).getByRole('button', { name: 'Don’t save' }).click();
	await until(async () => (await person.editor.innerText()).trim() === 'hello');
	await person.write('hello again');
	await person.page.keyboard.press('Control+s');
	await until(async () => (await api('GET', `/api/v1/sessions/${person.session()}/files/texts/renamed.txt`)).text === 'hello again');

	await person.page.getByRole('button', { name: 'workspace' }).click();
	await entry(person, 'binary').locator('.name').click();
	await until(async () => (await person.notice()).includes('is not a text'));
	await entry(person, 'binary').getByRole('button', { name: 'Delete' }).click();
	await dialog(person).getByRole('button', { name: 'Delete' }).click();
	await entry(person, 'binary').waitFor({ state: 'detached' });
});

test('files are uploaded by choosing and by dropping', async (person) => {
	await person.tab('Files');
	await person.page.locator('#panel-files input[type=file]').setInputFiles([
		{ name: 'chosen.txt', mimeType: 'text/plain', buffer: Buffer.from('chosen') },
		{ name: 'large.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(3_000_000, 7) },
	]);
	await entry(person, 'chosen.txt').waitFor();
	await entry(person, 'large.bin').waitFor();
	await person.tab('Output');
	const data = await person.page.evaluateHandle(() => {
		const transfer = new DataTransfer();
		transfer.items.add(new File(['dropped'], 'dropped.txt', { type: 'text/plain' }));
		return transfer;
	});
	await person.page.dispatchEvent('#main', 'drop', { dataTransfer: data });
	await entry(person, 'dropped.txt').waitFor();
	await person.run('import os\nprint(open("chosen.txt").read(), open("dropped.txt").read(), os.path.getsize("large.bin"))');
	assert.equal(await person.printed(), 'chosen dropped 3000000\n');
});

test('the draft of a tab that crashed can be opened', async (person) => {
	await person.write('# from the first tab');
	const first = person.page;
	const second = await person.window();
	await person.write('# from the second tab');
	await person.page.waitForTimeout(400); // both drafts are kept by now
	await first.close();
	person.page = second;
	await person.tab('Files');
	await entry(person, '# from the first tab').locator('.name').click();
	await dialog(person).getByRole('button', { name: 'Don’t save' }).click();
	await until(async () => (await person.editor.innerText()).trim() === '# from the first tab');
});
