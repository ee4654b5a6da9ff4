// tests.ts - the Tests panel: cases that say what the program should do, and whether it does.
import { byId, element, icon, iconButton } from '../dom.ts';
import { duration } from '../display/outcome.ts';
import { tracebackView } from '../display/traceback.ts';
import { say } from '../look/announce.ts';
import { rememberJudged, showPlace } from '../run/runner.ts';
import { call, explain } from '../server/api.ts';
import { dropSession, isLost, needSession, sessionPath } from '../server/session.ts';
import type { CaseResult, Evaluation } from '../server/types.ts';
import { changed, editor, tests } from '../text/document.ts';
import type { Case } from '../text/drafts.ts';

const CASE_SECONDS = 5;

const KINDS = {
	call: { name: 'Call a function', input: 'a=1, b=2', expected: '3', inputLabel: 'Arguments', expectedLabel: 'Expected result' },
	print: { name: 'Read and print', input: 'text for input()', expected: 'text it should print', inputLabel: 'Standard input', expectedLabel: 'Expected output' },
} as const;

const list = element('ol', { class: 'cases', 'aria-label': 'Cases' });
const summary = element('p', { class: 'summary', role: 'status' });
const kind = element('select', { id: 'test-kind' });
const entry = element('input', { type: 'text', id: 'test-entry', placeholder: 'add  or  Solution().add', spellcheck: false, autocomplete: 'off' });
const entryPart = element('label', { for: 'test-entry' }, 'Entry point ', entry);
const runButton = element('button', { type: 'button', class: 'primary', id: 'run-tests' }, icon('run'), 'Run all');

let results: (CaseResult | null)[] = [];

function field(label: string, value: string, hint: string, set: (text: string) => void): HTMLElement {
	const area = element('textarea', { value, rows: Math.min(6, value.split('\n').length), placeholder: hint, spellcheck: false, 'aria-label': label });
	area.addEventListener('input', () => {
		set(area.value);
		area.rows = Math.min(6, area.value.split('\n').length);
		changed();
	});
	return element('label', {}, element('span', {}, label), area);
}

/** A value of the program as text: what JSON can hold comes as such, all else as its repr. */
function valueText(value: unknown): string {
	return typeof value === 'string' ? value : JSON.stringify(value) ?? 'nothing';
}

function resultView(result: CaseResult): HTMLElement {
	const view = element('div', { class: `verdict ${result.passed ? 'pass' : 'fail'}` });
	const time = result.usage ? ` · ${duration(result.usage.wall_ms / 1000)}` : '';
	view.append(element('strong', {}, icon(result.passed ? 'ok' : 'bad'), result.passed ? 'pass' : 'fail'), element('span', { class: 'used' }, time));
	if (!result.passed) {
		const facts = element('dl', {});
		const fact = (name: string, text: string) => facts.append(element('dt', {}, name), element('dd', {}, element('pre', {}, text)));
		if (result.error) fact('error', result.error);
		else fact('got', valueText(result.got));
		fact('expected', valueText(result.expected));
		view.append(facts);
		if (result.exception?.traceback?.length) view.append(tracebackView(result.exception.traceback, showPlace));
	}
	if (result.stdout && tests().kind === 'call')
		view.append(element('details', {}, element('summary', {}, 'printed'), element('pre', {}, result.stdout)));
	return view;
}

function caseView(each: Case, at: number): HTMLElement {
	const words = KINDS[tests().kind];
	const remove = iconButton('delete', `Remove case ${at + 1}`, () => {
		tests().cases.splice(at, 1);
		results.splice(at, 1);
		changed();
		show();
		(list.children[Math.min(at, list.children.length - 1)]?.querySelector('textarea') ?? byId('add-case')).focus();
	});
	const result = results[at];
	return element(
		'li',
		{ class: result ? (result.passed ? 'pass' : 'fail') : '' },
		element('span', { class: 'number' }, String(at + 1)),
		field(`${words.inputLabel}`, each.input, words.input, (text) => (each.input = text)),
		field(`${words.expectedLabel}`, each.expected, words.expected, (text) => (each.expected = text)),
		remove,
		result ? resultView(result) : null,
	);
}

function show(): void {
	const { cases } = tests();
	kind.value = tests().kind;
	entry.value = tests().entry;
	entryPart.hidden = tests().kind === 'print';
	list.replaceChildren(...cases.map(caseView));
	if (cases.length === 0) list.append(element('li', { class: 'none' }, 'No cases yet: add one, and say what should come out.'));
	runButton.disabled = cases.length === 0;
	const ran = results.filter((result) => result !== null && result !== undefined);
	const passed = ran.filter((result) => result.passed).length;
	const count = byId('tests-count');
	count.textContent = ran.length ? `${passed}/${ran.length}` : '';
	count.className = `count ${ran.length ? (passed === ran.length ? 'pass' : 'fail') : ''}`;
}

function forgetResults(): void {
	results = [];
	summary.textContent = '';
	summary.className = 'summary';
}

function addCase(): void {
	tests().cases.push({ input: '', expected: '' });
	changed();
	show();
	list.lastElementChild?.querySelector('textarea')?.focus();
}

/** The name of the last function at the margin: most likely the one to test. */
function guessEntry(): string {
	const names = [...editor.text.matchAll(/^(?:async )?def (\w+)/gm)];
	return names[names.length - 1]?.[1] ?? '';
}

function conclude(text: string, good: boolean): void {
	summary.textContent = text;
	summary.className = `summary ${good ? 'pass' : 'fail'}`;
	say(text);
}

function body(code: string): unknown {
	const { kind, entry, cases } = tests();
	return kind === 'call'
		? { code, entry_point: entry, timeout: CASE_SECONDS, cases: cases.map(({ input, expected }) => ({ input, output: expected })) }
		: { code, timeout: CASE_SECONDS, cases: cases.map(({ input, expected }) => ({ stdin: input, stdout: expected })) };
}

async function evaluate(code: string): Promise<Evaluation> {
	await needSession();
	try {
		return await call<Evaluation>('POST', sessionPath('/evaluate'), { json: body(code) });
	} catch (error) {
		if (!isLost(error)) throw error;
		dropSession();
		await needSession();
		return call<Evaluation>('POST', sessionPath('/evaluate'), { json: body(code) });
	}
}

export async function runTests(): Promise<void> {
	if (runButton.disabled) return;
	if (tests().kind === 'call' && !tests().entry.trim()) {
		tests().entry = guessEntry();
		changed();
		show();
		if (!tests().entry) {
			conclude('Name the function to call: the entry point.', false);
			entry.focus();
			return;
		}
	}
	const code = editor.text;
	forgetResults();
	runButton.disabled = true;
	summary.textContent = 'Running …';
	try {
		rememberJudged(code);
		const answer = await evaluate(code);
		results = tests().cases.map((_, at) => answer.case_results.find((result) => result.case === at) ?? null);
		const passed = results.filter((result) => result?.passed).length;
		show();
		if (answer.error && passed === 0) {
			conclude(`The program itself does not work: ${answer.error}`, false);
			if (answer.exception?.line) editor.mark(editor.find(answer.exception.line, undefined));
		} else {
			conclude(passed === results.length ? `All ${passed} cases pass.` : `${passed} of ${results.length} cases pass.`, passed === results.length);
		}
	} catch (error) {
		show();
		conclude(explain(error), false);
	}
	runButton.disabled = tests().cases.length === 0;
}

export function startTests(): void {
	for (const [value, { name }] of Object.entries(KINDS)) kind.append(element('option', { value }, name));
	kind.addEventListener('change', () => {
		tests().kind = kind.value as 'call' | 'print';
		forgetResults();
		changed();
		show();
	});
	entry.addEventListener('input', () => {
		tests().entry = entry.value;
		changed();
	});
	runButton.addEventListener('click', () => void runTests());
	byId('panel-tests').append(
		element(
			'div',
			{ class: 'scroll' },
			element('div', { class: 'test-head' }, element('label', { for: 'test-kind' }, 'Each case ', kind), entryPart),
			list,
			element(
				'div',
				{ class: 'test-foot' },
				element('button', { type: 'button', id: 'add-case', onclick: addCase }, icon('add'), 'Add case'),
				runButton,
				summary,
			),
		),
	);
	show();
}

/** The draft has other tests now. */
export function showTests(): void {
	forgetResults();
	show();
}
