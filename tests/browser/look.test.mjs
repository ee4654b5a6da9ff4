// For everyone: keyboard, screen reader, colours, small windows; nothing from elsewhere.
import { assert, test, until, url } from './support.mjs';

/** The contrast of every visible text with what is behind it, where it is too low. */
const lowContrast = () => {
	const found = [];
	const numbers = (colour) => {
		const canvas = (window.canvas ??= document.createElement('canvas').getContext('2d', { willReadFrequently: true }));
		canvas.clearRect(0, 0, 1, 1);
		canvas.fillStyle = colour;
		canvas.fillRect(0, 0, 1, 1);
		const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
		return { r, g, b, a: a / 255 };
	};
	const luminance = ({ r, g, b }) => [r, g, b].map((part) => part / 255).map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)).reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
	const over = (top, below) => ({ r: top.r * top.a + below.r * (1 - top.a), g: top.g * top.a + below.g * (1 - top.a), b: top.b * top.a + below.b * (1 - top.a), a: 1 });
	const behind = (element) => {
		const layers = [];
		for (let at = element; at; at = at.parentElement ?? at.getRootNode().host) layers.push(numbers(getComputedStyle(at).backgroundColor));
		return layers.reverse().reduce((below, top) => over(top, below), { r: 255, g: 255, b: 255, a: 1 });
	};
	const roots = [document, document.querySelector('#editor').shadowRoot];
	for (const root of roots)
		for (const element of root.querySelectorAll('*')) {
			const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
			if (!text || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || element.closest(':disabled, .unseen, noscript, style')) continue;
			const ground = behind(element);
			const ink = over(numbers(getComputedStyle(element).color), ground);
			const [high, low] = [luminance(ink), luminance(ground)].sort((a, b) => b - a);
			const contrast = (high + 0.05) / (low + 0.05);
			if (contrast < 4.5) found.push(`${element.tagName}.${element.className} "${element.textContent.trim().slice(0, 30)}" ${contrast.toFixed(2)}`);
		}
	return found;
};

const PROGRAM = `from math import isqrt
import sys

class Sieve:
    """Numbers below a limit that are prime."""
    def __init__(self, limit: int = 40):
        self.limit = limit  # not among them

    def __iter__(self):
        return (n for n in range(2, self.limit) if all(n % d for d in range(2, isqrt(n) + 1)))

primes = list(Sieve())
print("\\033[1mprimes\\033[0m", *primes)
print("\\033[32mgreen\\033[0m \\033[33myellow\\033[0m \\033[34mblue\\033[0m \\033[35mmagenta\\033[0m \\033[36mcyan\\033[0m \\033[90mgrey\\033[0m")
print("and a word to stderr", file=sys.stderr)
{n: n * n for n in primes[:4]}
`;

for (const scheme of ['light', 'dark'])
	test(`all text can be read in the ${scheme}`, async (_, enter) => {
		const person = await enter({ colorScheme: scheme });
		await person.run(PROGRAM);
		await person.screenshot(`page-${scheme}`);
		assert.deepEqual(await person.page.evaluate(lowContrast), []);
		for (const name of ['Variables', 'Files', 'Tests', 'Runs']) {
			await person.tab(name);
			await person.page.waitForTimeout(150);
			assert.deepEqual(await person.page.evaluate(lowContrast), [], name);
		}
		await person.run('open("x")');
		assert.deepEqual(await person.page.evaluate(lowContrast), []);
	}, { alone: true });

test('the switch changes the colours, also after a reload', async (person) => {
	const ground = () => person.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
	const light = await ground();
	const button = person.page.locator('#theme');
	assert.equal(await button.getAttribute('aria-label'), 'Colours: as the system');
	await button.click();
	assert.equal(await ground(), light);
	await button.click();
	assert.notEqual(await ground(), light);
	const dark = await ground();
	await person.page.reload();
	assert.equal(await ground(), dark);
	await person.ready();
	assert.equal(await button.getAttribute('aria-label'), 'Colours: dark');
});

test('everything by the keyboard alone', async (person) => {
	const { keyboard } = person.page;
	const focused = () => person.page.evaluate(() => document.activeElement.id || document.activeElement.getAttribute('aria-label') || document.activeElement.textContent);
	assert.equal(await focused(), 'editor'); // at once
	await keyboard.press('Control+a');
	await keyboard.type('x = 21\nx * 2', { delay: 1 });
	await keyboard.press('Control+Enter');
	await person.ended();
	assert.equal(await person.lastRun.locator('.result pre').innerText(), '42');
	// Tab indents; after Escape it leaves.
	await keyboard.press('Control+Home');
	await keyboard.press('Tab');
	assert.match(await person.editor.innerText(), /^ {4}x = 21/);
	await keyboard.press('Control+z');
	await keyboard.press('Escape');
	await keyboard.press('Tab');
	assert.equal(await focused(), 'split');
	const width = () => person.page.locator('.writing').evaluate((part) => part.getBoundingClientRect().width);
	const before = await width();
	await keyboard.press('ArrowLeft');
	assert.ok((await width()) < before - 20);
	await keyboard.press('Tab');
	assert.equal(await focused(), 'tab-output');
	await keyboard.press('ArrowRight');
	assert.equal(await focused(), 'tab-variables');
	assert.equal(await person.page.locator('#panel-variables').isVisible(), true);
	await keyboard.press('End');
	assert.equal(await focused(), 'tab-runs');
	await keyboard.press('F6');
	assert.equal(await focused(), 'editor');
	await keyboard.press('F6');
	assert.notEqual(await focused(), 'editor');
	// A dialog takes the focus, Escape gives it back.
	await person.page.locator('#help').focus();
	await keyboard.press('Enter');
	await person.page.getByRole('dialog').waitFor();
	await keyboard.press('Escape');
	assert.equal(await focused(), 'help');
	// Every stop of the Tab key can be seen and has a name.
	await person.page.locator('#run').focus();
	for (let i = 0; i < 12; i++) {
		await keyboard.press('Tab');
		const [stop, outline] = await person.page.evaluate(() => [document.activeElement.id || document.activeElement.tagName, getComputedStyle(document.activeElement).outlineStyle]);
		if (stop === 'BODY') break; // once around
		if (stop === 'editor') await keyboard.press('Escape');
		else assert.notEqual(outline, 'none', stop);
	}
});

test('a screen reader hears how it went, and every control has a name', async (person) => {
	await person.run('print("to be heard")');
	await until(async () => /^Finished in .* to be heard$/.test(await person.page.locator('#live').innerText()));
	for (const name of ['Output', 'Variables', 'Files', 'Tests', 'Runs']) {
		await person.tab(name);
		const nameless = await person.page.evaluate(() =>
			[...document.querySelectorAll('button, a, input, select, textarea, [tabindex="0"]')]
				.filter((part) => part.checkVisibility())
				.filter((part) => !(part.getAttribute('aria-label') || part.getAttribute('aria-labelledby') || part.labels?.[0]?.textContent.trim() || part.textContent.trim()))
				.map((part) => part.outerHTML),
		);
		assert.deepEqual(nameless, []);
	}
	assert.match(await person.editor.getAttribute('aria-label'), /Python program/);
	assert.equal(await person.page.locator('[role=tablist] [role=tab][aria-selected=true]').count(), 1);
});

test('a phone has room for everything', async (_, enter) => {
	const person = await enter({ size: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
	await person.run(PROGRAM);
	await person.screenshot('phone');
	const wide = await person.page.evaluate(() => document.documentElement.scrollWidth);
	assert.ok(wide <= 360, `the page is ${wide} wide`);
	for (const id of ['run', 'undo', 'reset', 'limit', 'theme', 'help', 'doc-save', 'tab-output', 'tab-tests']) {
		const box = await person.page.locator(`#${id}`).boundingBox();
		assert.ok(box && box.x >= 0 && box.x + box.width <= 360, `${id} is out of sight: ${JSON.stringify(box)}`);
	}
	await person.write('while True: pass');
	await person.page.locator('#run').tap();
	await person.page.locator('#stop').tap();
	await person.ended();
	await person.page.locator('#tab-tests').tap();
	await person.button('Add case').tap();
	await person.screenshot('phone-tests');
}, { alone: true });

test('everything comes from this server, and is painted at once', async (_, enter) => {
	const person = await enter({ at: '/' });
	const hosts = [];
	person.page.on('request', (request) => hosts.push(new URL(request.url()).origin));
	await person.page.reload();
	await person.ready();
	await person.run();
	assert.deepEqual([...new Set(hosts)], [new URL(url).origin]);
	const paint = await person.page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime);
	assert.ok(paint < 1000, `first paint after ${paint} ms`);
	return `first paint after ${Math.round(paint)} ms`;
}, { alone: true });

test('the policy is in force', async (person) => {
	person.expectErrors(/Content Security Policy|'Trusted(HTML|Script)' assignment/);
	const refused = await person.page.evaluate(() => {
		const outcome = {};
		try {
			document.body.insertAdjacentHTML('beforeend', '<b>x</b>');
			outcome.markup = 'done';
		} catch (error) {
			outcome.markup = error.name;
		}
		const script = document.createElement('script');
		try {
			script.textContent = 'window.intruder = true';
			document.body.append(script);
		} catch {
			// trusted types
		}
		const style = document.createElement('style');
		style.textContent = 'body { opacity: 0.5 }';
		document.body.append(style);
		outcome.script = window.intruder === true;
		outcome.style = getComputedStyle(document.body).opacity;
		return outcome;
	});
	assert.deepEqual(refused, { markup: 'TypeError', script: false, style: '1' });
});

test('find and replace, brackets, comments', async (person) => {
	await person.write('alpha = (1)\nbeta = alpha\n');
	await person.page.keyboard.press('Control+Home');
	await person.page.keyboard.press('Control+f');
	await person.page.keyboard.type('alpha');
	await until(async () => (await person.page.locator('.cm-searchMatch').count()) === 2);
	await person.screenshot('find');
	await person.page.keyboard.press('Escape');
	await person.page.keyboard.press('Control+Home');
	await person.page.keyboard.press('Control+/');
	assert.match(await person.editor.innerText(), /^# alpha = \(1\)/);
	assert.equal(await person.page.locator('.cm-tooltip-autocomplete').count(), 0);
	await person.page.keyboard.press('Control+End');
	await person.page.keyboard.type('if x:\n');
	await person.page.keyboard.type('y');
	assert.match(await person.editor.innerText(), /if x:\n {4}y/); // the body is indented
});
