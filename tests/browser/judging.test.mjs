// The Tests tab.
import { assert, test, until } from './support.mjs';

async function addCase(person, input, expected) {
	await person.button('Add case').click();
	await person.page.keyboard.insertText(input);
	await person.page.keyboard.press('Tab');
	await person.page.keyboard.insertText(expected);
}

const verdict = (person, at) => person.page.locator('.cases > li').nth(at).locator('.verdict');

test('cases pass and fail, with what came and what should', async (person) => {
	await person.write('def divide(a, b=1):\n    print("dividing")\n    return a / b\n');
	await person.tab('Tests');
	await addCase(person, 'a=6, b=3', '2.0');
	await addCase(person, 'a=6, b=0', '0');
	await addCase(person, 'a=1, b=4', '"a quarter"');
	await person.button('Run all').click();
	await until(async () => (await person.page.locator('.summary').innerText()) === '1 of 3 cases pass.');
	assert.equal(await person.page.locator('#test-entry').inputValue(), 'divide'); // found by itself
	assert.match(await verdict(person, 0).innerText(), /^pass/);
	assert.match(await verdict(person, 1).innerText(), /^fail[\s\S]*ZeroDivisionError: division by zero/);
	assert.match(await verdict(person, 2).innerText(), /got\s*0\.25\s*expected\s*a quarter/);
	assert.equal(await person.page.locator('#tests-count').innerText(), '1/3');
	await person.screenshot('tests');
	await verdict(person, 1).getByRole('button', { name: 'line 3' }).click();
	assert.match(await person.page.locator('#position').innerText(), /^Line 3,/);

	await person.page.reload();
	await person.ready();
	await person.tab('Tests');
	assert.equal(await person.page.locator('.cases > li').count(), 3);
	await person.page.getByRole('button', { name: 'Remove case 3' }).click();
	await person.page.getByRole('button', { name: 'Remove case 2' }).click();
	await person.button('Run all').click();
	await until(async () => (await person.page.locator('.summary').innerText()) === 'All 1 cases pass.');
});

test('programs that read and print are judged as well', async (person) => {
	await person.write('n = int(input())\nprint(n * 2)');
	await person.tab('Tests');
	await person.page.getByLabel('Each case').selectOption('print');
	await addCase(person, '4', '8\n');
	await addCase(person, '5', '11\n');
	await person.button('Run all').click();
	await until(async () => (await person.page.locator('.summary').innerText()) === '1 of 2 cases pass.');
	assert.match(await verdict(person, 1).innerText(), /got\s*10/);
});

test('a program that does not compile is said to be it', async (person) => {
	await person.write('def f(:\n    pass\n');
	await person.tab('Tests');
	await person.page.locator('#test-entry').fill('f');
	await addCase(person, '1', '1');
	await person.button('Run all').click();
	await until(async () => (await person.page.locator('.summary').innerText()).startsWith('The program itself does not work: SyntaxError'));
});
