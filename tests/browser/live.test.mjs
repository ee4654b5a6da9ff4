// What happens while a program runs: output, input, pictures, reloads, a broken connection.
import { connect, createServer } from 'node:net';
import { api, assert, test, until, url } from './support.mjs';

/** A picture without any package: a square of one colour. */
const PICTURE = `import struct, zlib
class Square:
    def __init__(self, side, colour):
        self.side, self.colour = side, bytes(colour)
    def _repr_png_(self):
        chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        rows = (b"\\0" + self.colour * self.side) * self.side
        return b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", struct.pack(">2I5B", self.side, self.side, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    def __repr__(self):
        return f"a square of {self.side}"
`;

const press = async (person, text) => {
	await person.write(text);
	await person.page.keyboard.press('Control+Enter');
};

test('output is seen while the program runs', async (person) => {
	await press(person, 'import time, sys\nprint("first")\ntime.sleep(1.5)\nprint("warned", file=sys.stderr)\ntime.sleep(60)');
	await until(async () => (await person.lastRun.innerText().catch(() => '')).includes('first'));
	assert.doesNotMatch(await person.lastRun.innerText(), /warned/);
	assert.equal(await person.lastRun.locator('.chip.running').count(), 1);
	await until(async () => (await person.lastRun.locator('.stderr').allInnerTexts()).join('').includes('warned'));
	await person.page.locator('#stop').click();
	await person.ended();
	assert.match(await person.outcome(), /^Stopped by you after/);
});

test('a progress bar is one line', async (person) => {
	await person.run('import time, sys\nfor i in range(0, 101, 10):\n    sys.stdout.write(f"\\r{i:3} % " + "#" * (i // 10)); sys.stdout.flush(); time.sleep(0.02)\nprint()');
	assert.equal(await person.printed(), '100 % ##########\n');
});

test('the program asks, the person answers', async (person) => {
	await press(person, 'total = 0\nfor i in range(3):\n    total += int(input(f"number {i}? "))\nprint("sum", total)');
	for (const number of [3, 4, 5]) {
		await person.page.locator('#state[data-state=waiting]').waitFor();
		await until(async () => (await person.page.locator('#input-prompt').innerText()) === `number ${number - 3}?`);
		assert.equal(await person.page.evaluate(() => document.activeElement.id), 'input-line');
		if (number === 4) await person.screenshot('input');
		await person.page.keyboard.type(String(number));
		await person.page.keyboard.press('Enter');
	}
	await person.ended();
	assert.equal(await person.printed(), 'number 0? 3\nnumber 1? 4\nnumber 2? 5\nsum 12\n');
	assert.equal(await person.page.locator('#input').isVisible(), false);
	assert.equal(await person.page.evaluate(() => document.activeElement.id), 'editor');
});

test('the end of the input', async (person) => {
	await press(person, 'import sys\nfor line in sys.stdin: print("got", line.strip())\nprint("done")');
	await person.page.locator('#state[data-state=waiting]').waitFor();
	await person.page.keyboard.type('one');
	await person.page.keyboard.press('Enter');
	await person.page.locator('#state[data-state=waiting]').waitFor();
	await person.page.keyboard.press('Control+d');
	await person.ended();
	assert.match(await person.printed(), /got one[^]*done\n$/);
});

test('a wait for input can be stopped', async (person) => {
	await press(person, 'kept = 1\ninput("? ")');
	await person.page.locator('#state[data-state=waiting]').waitFor();
	await person.page.locator('#stop').click();
	await person.ended();
	assert.equal(await person.page.locator('#input').isVisible(), false);
	await person.run('kept');
	assert.equal(await person.lastRun.locator('.result pre').innerText(), '1');
});

test('pictures are shown where they come', async (person) => {
	await person.run(`${PICTURE}print("before")\ndisplay(Square(120, (30, 120, 80)))\nprint("after")\nSquare(40, (200, 60, 60))`);
	const parts = await person.lastRun.locator('.run-body > *').evaluateAll((all) => all.map((part) => part.className));
	assert.deepEqual(parts.slice(0, 3), ['stream stdout', 'picture', 'stream stdout']);
	const picture = person.lastRun.locator('.picture img').first();
	await until(() => picture.evaluate((image) => image.complete && image.naturalWidth === 120));
	assert.equal(await picture.getAttribute('alt'), 'a square of 120');
	await person.screenshot('picture');
	const [download] = await Promise.all([person.page.waitForEvent('download'), person.lastRun.getByRole('link', { name: /Download/ }).first().click()]);
	assert.match(download.suggestedFilename(), /\.png$/);
});

test('HTML that a program displays has no power', async (person) => {
	await person.run(`class Table:
    def _repr_html_(self):
        return """<style>body { display: none }</style><table border="1" style="position:fixed" onclick="window.intruder = 1">
        <tr><th colspan="2">head</th></tr><tr><td>1</td><td><a href="javascript:window.intruder = 1">two</a></td></tr></table>
        <script>window.intruder = 1</script><img src="http://elsewhere.invalid/x.png" onerror="window.intruder = 1">
        <iframe srcdoc="x"></iframe><form action="/api/save"><input name="code"></form><svg><script>window.intruder = 1</script></svg>"""
display(Table())`);
	const shown = person.lastRun.locator('.markup');
	assert.equal(await shown.locator('table tr').count(), 2);
	assert.equal(await shown.locator('th').getAttribute('colspan'), '2');
	assert.equal(await shown.locator('script, style, img, iframe, form, input, svg, a, [style], [onclick]').count(), 0);
	await shown.getByText('two').click();
	assert.equal(await person.page.evaluate(() => window.intruder), undefined);
});

test('a run goes on through a reload', async (person) => {
	await person.run('before = "an earlier run"\nprint(before)');
	await press(person, 'import time\nfor i in range(8):\n    print("tick", i, flush=True)\n    time.sleep(0.4)');
	await until(async () => (await person.lastRun.innerText()).includes('tick 1'));
	await person.page.reload();
	await until(async () => (await person.lastRun.innerText().catch(() => '')).includes('tick 7'));
	await person.ended();
	assert.match(await person.printed(), /^tick 0\ntick 1\n[^]*tick 7\n$/);
	assert.match(await person.page.locator('.run').first().innerText(), /an earlier run/);
	assert.match(await person.outcome(), /^Finished/);
});

/** A way to the service whose connections can be cut. */
async function wire() {
	const { hostname, port } = new URL(url);
	const ends = new Set();
	const server = createServer((near) => {
		const far = connect(Number(port), hostname);
		for (const [end, other] of [[near, far], [far, near]]) {
			ends.add(end);
			end.pipe(other);
			end.on('error', () => other.destroy());
			end.on('close', () => ends.delete(end) && other.destroy());
		}
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	return {
		base: `http://127.0.0.1:${server.address().port}`,
		cut: () => ends.forEach((end) => end.destroy()),
		close: () => server.close(),
	};
}

test('a broken connection is taken up again', async (_, enter) => {
	const { base, cut, close } = await wire();
	const person = await enter({ base });
	person.expectErrors(/Failed to load resource: net::ERR_/);
	let resumed = 0;
	person.page.on('request', (request) => (resumed += /\/cells\/1$/.test(request.url()) && 'last-event-id' in request.headers()));
	await press(person, 'import time\nfor i in range(20):\n    print("tick", i, flush=True)\n    time.sleep(0.15)');
	await until(async () => (await person.lastRun.innerText()).includes('tick 3'));
	cut();
	await until(async () => (await person.lastRun.innerText()).includes('tick 8'));
	cut();
	await person.ended();
	const ticks = (await person.printed()).trim().split('\n');
	assert.deepEqual(ticks, Array.from({ length: 20 }, (_, i) => `tick ${i}`));
	assert.ok(resumed >= 2, 'the connection did not break');
	assert.match(await person.outcome(), /^Finished/);
	close();
}, { alone: true });

test('two windows see the same run', async (person, enter) => {
	await person.run('shared = 1');
	await press(person, 'import time\nfor i in range(12):\n    print("tick", i, flush=True)\n    time.sleep(0.3)');
	await until(async () => (await person.lastRun.innerText()).includes('tick 1'));
	const other = await enter({ at: `/#session=${person.session()}` });
	await until(async () => (await other.lastRun.innerText().catch(() => '')).includes('tick 11'));
	await person.ended();
	assert.match(await person.printed(), /tick 11\n$/);
});

test('long output is live and the page stays quick', async (person) => {
	await press(person, 'import time\nfor i in range(60):\n    print("\\n".join(f"{i} {n}" for n in range(200)), flush=True)\n    time.sleep(0.03)');
	await until(async () => (await person.lastRun.innerText().catch(() => '')).includes('3 0'));
	const frame = await person.page.evaluate(() => new Promise((resolve) => {
		const started = performance.now();
		let frames = 0;
		const count = () => (++frames === 10 ? resolve((performance.now() - started) / 10) : requestAnimationFrame(count));
		requestAnimationFrame(count);
	}));
	await person.ended();
	assert.match(await person.lastRun.locator('.stdout').first().evaluate((part) => part.textContent), /^0 0\n0 1\n/);
	assert.ok(frame < 300, `a frame took ${frame} ms`);
	assert.equal((await api('GET', `/api/v1/sessions/${person.session()}`)).json.state, 'idle');
	return `${frame.toFixed(0)} ms a frame meanwhile`;
});
