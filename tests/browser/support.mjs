// support.mjs - what the browser tests share: a browser, a page that notices every error, and
// the words for what a person does.
//
// VIVARIUM_URL names the service, VIVARIUM_ARTEFACTS the folder for screenshots.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

export { assert };
export const root = fileURLToPath(new URL('../../', import.meta.url));
export const url = process.env.VIVARIUM_URL ?? 'http://127.0.0.1:5000';
const artefacts = process.env.VIVARIUM_ARTEFACTS ?? `${root}build/browser`;
const { chromium } = createRequire(`${root}web/`)('playwright-core');

export const PATIENCE = 30_000; // ms that a busy machine may need for anything

const tests = [];

/** A test: its name, and a function that gets a fresh `Person` and may make more. */
export function test(name, body, options = {}) {
	tests.push({ name, body, options });
}

/** Run what the file has registered, one line a test. */
export async function runTests(prefix, only = '') {
	const browser = await chromium.launch({
		executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
		args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
	});
	let bad = 0;
	for (const { name, body, options } of tests) {
		if (only && !name.includes(only)) continue;
		const started = performance.now();
		const time = () => `(${((performance.now() - started) / 1000).toFixed(1)} s)`;
		const people = [];
		const enter = async (more = {}) => {
			const person = await Person.enter(browser, { ...options, ...more });
			people.push(person);
			return person;
		};
		try {
			const said = await body(options.alone ? null : await enter(), enter);
			for (const person of people) person.sawNoError();
			console.log(`PASS: ${prefix} ${name} ${time()}${said ? `: ${said}` : ''}`);
		} catch (error) {
			bad++;
			console.log(`FAIL: ${prefix} ${name} ${time()}`);
			console.log('    ' + String(error.stack ?? error).replaceAll('\n', '\n    '));
			for (const [at, { page }] of people.entries())
				await page.screenshot({ path: `${artefacts}/failed-${prefix.replaceAll('/', '-')}-${tests.findIndex((each) => each.name === name)}-${at}.png`, caret: 'initial' }).catch(() => {});
		}
		for (const { context } of people) await context.close().catch(() => {});
	}
	await browser.close();
	return bad;
}

mkdirSync(artefacts, { recursive: true });

/** Somebody in front of a window. */
export class Person {
	static async enter(browser, { at = '/', size = { width: 1280, height: 800 }, context = null, base = url, ...options } = {}) {
		const person = new Person();
		person.base = base;
		person.context = context ?? (await browser.newContext({ viewport: size, ...options }));
		person.context.setDefaultTimeout(PATIENCE);
		await person.window(at);
		return person;
	}

	errors = [];
	allowed = [];

	/** Open another window (or the first) of the same browser. */
	async window(at = '/') {
		this.page = await this.context.newPage();
		this.page.on('console', (message) => ['error', 'warning'].includes(message.type()) && this.errors.push(`${message.text()} (${message.location().url})`));
		this.page.on('pageerror', (error) => this.errors.push(`uncaught: ${error.stack}`));
		await this.page.goto(this.base + at);
		await this.ready();
		return this.page;
	}

	/** Wait until the page has taken up its draft and its session. */
	async ready() {
		await this.page.waitForFunction(() => document.querySelector('#python')?.textContent !== '' || document.querySelector('#state')?.dataset.state === 'away');
	}

	/** Errors in the console that match are what the test is about. */
	expectErrors(pattern) {
		this.allowed.push(pattern);
	}

	sawNoError() {
		const errors = this.errors.filter((error) => !this.allowed.some((pattern) => pattern.test(error)));
		assert.deepEqual(errors, [], 'errors in the console');
	}

	get editor() {
		return this.page.locator('.cm-content');
	}

	/** Replace the text. */
	async write(text) {
		await this.editor.focus();
		await this.page.keyboard.press('Control+a');
		if (text) await this.page.keyboard.insertText(text);
		else await this.page.keyboard.press('Delete');
	}

	get lastRun() {
		return this.page.locator('.run').last();
	}

	/** Press Ctrl+Enter and wait for the end of the run. */
	async run(text) {
		if (text !== undefined) await this.write(text);
		const before = await this.page.locator('.run').count();
		await this.page.keyboard.press('Control+Enter');
		await this.page.locator('.run').nth(before).waitFor();
		await this.ended();
		return this.lastRun;
	}

	/** Wait until nothing runs. */
	async ended() {
		await this.page.locator('.run .chip.running').waitFor({ state: 'detached' });
		await this.page.locator('#run:enabled').waitFor();
	}

	async printed() {
		return this.lastRun.locator('.stdout').allInnerTexts().then((texts) => texts.join('').replaceAll('\u200b', ''));
	}

	outcome() {
		return this.page.locator('#outcome').innerText();
	}

	tab(name) {
		return this.page.getByRole('tab', { name }).click();
	}

	button(name) {
		return this.page.getByRole('button', { name, exact: typeof name === 'string' });
	}

	notice() {
		return this.page.locator('#notice').innerText();
	}

	session() {
		return new URL(this.page.url()).hash.replace('#session=', '');
	}

	async screenshot(name) {
		// "initial": else playwright puts a style into the page, which its policy forbids.
		await this.page.screenshot({ path: `${artefacts}/${name}.png`, caret: 'initial' });
	}
}

/** Call until it gives something true. */
export async function until(what, patience = PATIENCE) {
	const end = performance.now() + patience;
	for (;;) {
		const found = await what();
		if (found) return found;
		if (performance.now() > end) throw new Error(`it did not come true in ${patience} ms: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 25));
	}
}

/** A call of the service, beside the browser. */
export async function api(method, path, json, base = url) {
	const response = await fetch(base + path, {
		method,
		headers: json === undefined ? {} : { 'Content-Type': 'application/json' },
		body: json === undefined ? undefined : JSON.stringify(json),
	});
	const text = await response.text();
	return { status: response.status, text, json: text.startsWith('{') ? JSON.parse(text) : null };
}
