// runs.ts - the runs of the session, to look back at and to run again.
import { byId, element, icon } from '../dom.ts';
import { bytes, duration, outcome } from '../display/outcome.ts';
import { displayView } from '../display/rich.ts';
import { traceLinker } from '../display/traceback.ts';
import { Transcript } from '../display/transcript.ts';
import { currentPanel, onPanel } from '../look/tabs.ts';
import { isRunning, onFinished, rememberRun, runText, showPlace } from '../run/runner.ts';
import { call, explain } from '../server/api.ts';
import { onSession, session, sessionPath } from '../server/session.ts';
import type { Cell, Result, WholeCell } from '../server/types.ts';
import { insertText } from '../text/document.ts';

const panel = () => byId('panel-runs');

/** The cells of the session that are kept, the oldest first. */
export async function loadCells(): Promise<Cell[]> {
	return (await call<{ cells: Cell[] }>('GET', sessionPath('/cells'))).cells;
}

/** A cell with all that is known of it. */
export function loadCell(execution: number): Promise<WholeCell> {
	return call<WholeCell>('GET', sessionPath(`/cells/${execution}`));
}

/** How a cell ended, in a few words. */
function cellOutcome(cell: Cell): { kind: string; short: string } {
	if (cell.running) return { kind: 'running', short: 'running' };
	const whole = { exception: null, return_code: null, signal: null, ...cell, execution_time: cell.execution_time ?? 0 };
	const { kind, short } = outcome(whole as unknown as Result);
	return { kind, short: short === 'error' ? 'exception' : short };
}

/** What a cell printed, displayed and gave. */
function cellOutput(cell: WholeCell): HTMLElement[] {
	const views: HTMLElement[] = [];
	if (cell.lost_bytes) views.push(element('div', { class: 'dropped' }, `${bytes(cell.lost_bytes)} of the output are not kept.`));
	for (const stream of ['stdout', 'stderr'] as const) {
		const text = cell[stream];
		if (!text) continue;
		const view = new Transcript(stream, stream === 'stderr' ? traceLinker(showPlace) : null);
		view.append(text);
		views.push(view.root);
	}
	cell.outputs.forEach((display, at) => views.push(displayView(display, `picture-${cell.execution}-${at + 1}`)));
	if (cell.result !== null)
		views.push(element('div', { class: 'result' }, element('span', { class: 'tag' }, 'result'), element('pre', {}, cell.result)));
	return views;
}

function actions(cell: Cell): HTMLElement {
	return element(
		'div',
		{ class: 'buttons' },
		element('button', { type: 'button', disabled: isRunning(), onclick: () => void runText(cell.code) }, icon('run'), 'Run again'),
		element('button', { type: 'button', onclick: () => insertText(cell.code) }, icon('open'), 'Put into the editor'),
	);
}

/** The list says little of each; what it printed comes when somebody looks. */
async function fill(cell: Cell, body: HTMLElement): Promise<void> {
	rememberRun(cell.execution, cell.code);
	let output: HTMLElement[];
	try {
		output = cellOutput(await loadCell(cell.execution));
	} catch (error) {
		output = [element('div', { class: 'remark' }, explain(error))];
	}
	body.replaceChildren(element('pre', { class: 'code' }, cell.code), ...output, actions(cell));
}

function cellView(cell: Cell, isOpen: boolean): HTMLElement {
	const { kind, short } = cellOutcome(cell);
	const lines = cell.code.split('\n').filter((line) => line.trim() && !line.trim().startsWith('#'));
	const body = element('div', { class: 'run-body' });
	const time = cell.execution_time === null ? '' : duration(cell.execution_time);
	const view = element(
		'details',
		{ class: `past is-${kind}`, 'data-execution': cell.execution },
		element(
			'summary',
			{},
			element('span', { class: 'number' }, String(cell.execution)),
			element('code', {}, lines[0] ?? cell.code.slice(0, 80), lines.length > 1 && element('span', { class: 'dim' }, ` … ${lines.length} lines`)),
			element('span', { class: `chip ${kind}` }, short),
			element('span', { class: 'used' }, time),
		),
		body,
	);
	view.addEventListener('toggle', () => view.open && void fill(cell, body));
	view.open = isOpen;
	return view;
}

function showEmpty(text: string): void {
	panel().replaceChildren(element('div', { class: 'empty' }, element('p', {}, text)));
}

async function load(): Promise<void> {
	if (!session()?.executions) return showEmpty('Each run of this session is listed here, with its text and what it printed.');
	try {
		const cells = await loadCells();
		const open = new Set(Array.from(panel().querySelectorAll<HTMLElement>('details[open]'), (each) => each.dataset.execution));
		const views = cells.map((cell) => cellView(cell, open.has(String(cell.execution)))).reverse();
		panel().replaceChildren(element('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Runs, the newest first' }, ...views));
	} catch (error) {
		showEmpty(explain(error));
	}
}

export function startRuns(): void {
	const seen = () => currentPanel() === 'runs';
	onPanel(() => seen() && void load());
	onFinished(() => seen() && void load());
	onSession(() => seen() && !session() && void load());
}
