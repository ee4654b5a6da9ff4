// The two pages about the API: they show it, from this server alone, and requests can be tried.
import { api, assert, test, url } from './support.mjs';

/** The origins that have answered anything since the person came in. */
async function originsOf(person, at) {
	const origins = new Set();
	person.page.on('response', (response) => response.url().startsWith('data:') || origins.add(new URL(response.url()).origin));
	await person.page.goto(url + at);
	return origins;
}

test('/docs shows every call, and one can be tried', async (person) => {
	const origins = await originsOf(person, '/docs');
	const described = await api('GET', '/api/v1/openapi.json');
	const calls = Object.values(described.json.paths).flatMap((path) => Object.keys(path).filter((name) => name !== 'parameters'));
	await person.page.locator('.opblock').first().waitFor();
	assert.equal(await person.page.locator('.opblock').count(), calls.length);
	const call = person.page.locator('#operations-Running_code-execute');
	await call.locator('.opblock-summary-control').click();
	await call.locator('textarea.body-param__text').fill('{"code": "print(6 * 7)"}');
	await call.getByRole('button', { name: 'Execute', exact: true }).click();
	const answer = call.locator('.live-responses-table');
	await answer.waitFor();
	assert.equal((await answer.locator('tbody .response-col_status').innerText()).trim(), '200');
	assert.match(await answer.locator('.highlight-code').first().innerText(), /"stdout": "42\\n"/);
	await person.screenshot('docs');
	assert.deepEqual([...origins], [new URL(url).origin]);
});

test('/redoc shows the calls with their examples', async (person) => {
	// Its own mark would come from another server, and the page's policy does not let it.
	person.expectErrors(/https:\/\/cdn\.redoc\.ly\/redoc\/logo-mini\.svg/);
	const origins = await originsOf(person, '/redoc');
	await person.page.getByRole('heading', { name: 'Run a program once, in a fresh sandbox' }).waitFor();
	const section = person.page.locator('[data-section-id="operation/createSession"]');
	await section.scrollIntoViewIfNeeded();
	assert.match(await section.innerText(), /Make a session[^]*idle_timeout[^]*201[^]*409/);
	assert.match(await section.innerText(), /"id": "ada"/);
	await person.screenshot('redoc');
	assert.deepEqual([...origins], [new URL(url).origin]);
});

test('their policy lets nothing in that is not named', async (person) => {
	for (const at of ['/docs', '/redoc']) {
		const response = await fetch(url + at);
		const policy = response.headers.get('Content-Security-Policy');
		assert.match(policy, /^default-src 'none'; script-src 'self'; /);
		assert.doesNotMatch(policy, /unsafe|\*|https?:/);
		assert.doesNotMatch(await response.text(), /https?:\/\//);
	}
	await person.page.goto(url + '/docs');
	const ran = await person.page.evaluate(() => {
		const script = document.createElement('script');
		script.textContent = 'window.ranInline = true';
		document.body.append(script);
		return window.ranInline === true;
	});
	assert.equal(ran, false);
	person.expectErrors(/Content Security Policy/);
});
