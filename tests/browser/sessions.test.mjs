// The session of a tab: made, kept, shared, lost; the text outlives all of it.
import { api, assert, test, until } from './support.mjs';

test('a session is made by the first run and named in the address', async (person) => {
	assert.equal(person.session(), '');
	await person.run('x = 5');
	assert.match(person.session(), /^[0-9a-f-]{36}$/);
	assert.equal((await api('GET', `/api/v1/sessions/${person.session()}`)).json.executions, 1);
});

test('text and variables outlive a reload', async (person) => {
	await person.run('kept = [1, 2]\n# ä ö 🐍');
	await person.page.reload();
	await person.ready();
	assert.equal((await person.editor.innerText()).trim(), 'kept = [1, 2]\n# ä ö 🐍');
	await person.run('kept');
	assert.equal(await person.lastRun.locator('.result pre').innerText(), '[1, 2]');
});

test('what was typed a moment before a reload is there', async (person) => {
	await person.write('print("almost lost")');
	await person.page.reload();
	await person.ready();
	assert.equal((await person.editor.innerText()).trim(), 'print("almost lost")');
});

test('two tabs at once have a session and a text each', async (person) => {
	const first = person.page;
	await person.run('who = "first"');
	const one = person.session();
	const second = await person.window();
	assert.match(await person.editor.innerText(), /Hello/); // not the first one's text
	await person.run('who = "second"');
	assert.notEqual(person.session(), one);
	person.page = first;
	await person.run('who');
	assert.equal(await person.lastRun.locator('.result pre').innerText(), "'first'");
	person.page = second;
	await person.run('who');
	assert.equal(await person.lastRun.locator('.result pre').innerText(), "'second'");
	await second.reload();
	await person.ready();
	assert.equal((await person.editor.innerText()).trim(), 'who');
});

test('the text of a closed tab comes back in the next one', async (person) => {
	await person.run('left = "behind"');
	const id = person.session();
	await person.page.close();
	await person.window();
	assert.equal((await person.editor.innerText()).trim(), 'left = "behind"');
	assert.equal(person.session(), id);
});

test('a link shares the session, and shows what ran last', async (person, enter) => {
	await person.run('shared = "both see it"');
	await person.page.locator('#share').click();
	const link = await person.page.getByRole('dialog').locator('input').inputValue();
	assert.ok(link.endsWith(`#session=${person.session()}`));
	await person.page.keyboard.press('Escape');
	const other = await enter({ at: new URL(link).pathname + new URL(link).hash });
	await until(async () => (await other.editor.innerText()).includes('both see it'));
	await other.run('shared');
	assert.equal(await other.lastRun.locator('.result pre').innerText(), "'both see it'");
});

test('a lost session says so and starts anew with the text unharmed', async (person) => {
	person.expectErrors(/404 \(Not Found\)/); // Chromium reports the answer itself
	await person.run('gone = 1');
	const id = person.session();
	assert.equal((await api('DELETE', `/api/v1/sessions/${id}`)).status, 204);
	await person.run('gone');
	assert.match(await person.notice(), /session is gone/);
	assert.match(await person.outcome(), /^NameError/);
	assert.notEqual(person.session(), id);
	assert.equal((await person.editor.innerText()).trim(), 'gone');
	await person.run('3 * 3');
	assert.equal(await person.lastRun.locator('.result pre').innerText(), '9');
});

test('a link to a session that is gone says so', async (_, enter) => {
	const person = await enter({ at: '/#session=11111111-2222-4333-8444-555555555555' });
	person.expectErrors(/404 \(Not Found\)/);
	assert.match(await person.notice(), /session is gone/);
	await person.run('1 + 1');
	assert.equal(await person.lastRun.locator('.result pre').innerText(), '2');
});

test('variables are listed', async (person) => {
	await person.run('import math\nanswer = 42\nwords = ["a", "<b>x</b>"]\ndef f(): pass');
	await person.tab('Variables');
	const row = (name) => person.page.getByRole('row', { name: new RegExp(`^${name}\\b`) });
	await row('answer').waitFor();
	assert.deepEqual((await row('answer').locator('th, td').allInnerTexts()).slice(0, 3), ['answer', 'int', '42']);
	assert.equal((await row('words').locator('td').nth(1).innerText()), "['a', '<b>x</b>']");
	assert.equal(await person.page.locator('#variables-count').innerText(), '4');
	await person.screenshot('variables');
	// It follows the runs while it is seen.
	await person.write('answer = 43');
	await person.page.keyboard.press('Control+Enter');
	await person.ended();
	await person.tab('Variables');
	await until(async () => (await row('answer').innerText()).includes('43'));
});

test('past runs are looked at, run again and put into the editor', async (person) => {
	await person.run('n = 10\nprint("ten")');
	await person.run('n += 1\nn');
	await person.run('1/0');
	await person.tab('Runs');
	const runs = person.page.locator('.past');
	await runs.nth(2).waitFor();
	assert.equal(await runs.count(), 3);
	await runs.nth(1).locator('summary').click();
	assert.equal(await runs.nth(1).locator('.code').innerText(), 'n += 1\nn');
	await until(async () => (await runs.nth(1).locator('.result pre').innerText()) === '11');
	await person.screenshot('runs');
	await runs.nth(1).getByRole('button', { name: 'Put into the editor' }).click();
	assert.equal((await person.editor.innerText()).trim(), 'n += 1\nn');
	await runs.nth(1).getByRole('button', { name: 'Run again' }).click();
	await until(async () => (await person.lastRun.locator('.result pre').allInnerTexts())[0] === '12');
	// The text before is one undo away.
	await person.editor.focus();
	await person.page.keyboard.press('Control+z');
	assert.equal((await person.editor.innerText()).trim(), '1/0');
});
