// runner.ts - running the text, and everything about the run that is going on.
//
//   idle -> running <-> waiting (for input) -> idle
//
// A session that turns out to be gone is replaced by a new one, and the run is made there:
// the text is the person's, only the variables are lost.
import { byId } from '../dom.ts';
import { clearOutput, RunCard } from '../display/output.ts';
import { duration, outcome } from '../display/outcome.ts';
import type { Place } from '../display/traceback.ts';
import { notice, say } from '../look/announce.ts';
import { confirm } from '../look/dialog.ts';
import { showPanel } from '../look/tabs.ts';
import { Away, call, explain, Problem } from '../server/api.ts';
import { dropSession, isLost, needSession, onSession, refresh, session, sessionPath, untilBack } from '../server/session.ts';
import { followCell, runCode, sendInput } from '../server/stream.ts';
import type { Listener } from '../server/stream.ts';
import type { Result, WholeCell } from '../server/types.ts';
import { editor } from '../text/document.ts';
import { offerPackages } from './packages.ts';

export type Phase = 'idle' | 'running' | 'waiting';

/** A text that ran, and at which line of the editor it began. */
interface Ran {
	lines: string[];
	line: number;
}

const LOST = 'The session is gone (it was idle for too long, or the service was restarted). Your text is all there; its variables and workspace files are not. A new session has started.';

let phase: Phase = 'idle';
let away = false;
let startedAt = 0;
let clock = 0;
let stopping = false;
/** The texts that ran, by number: what a traceback's lines are lines of. */
const texts = new Map<number, Ran>();
let judged: string[] = [];
const finishedListeners: (() => void)[] = [];

/** Call this after each run. */
export function onFinished(listener: () => void): void {
	finishedListeners.push(listener);
}

export function isRunning(): boolean {
	return phase !== 'idle';
}

/** The text that is being judged, so that its tracebacks find their lines. */
export function rememberJudged(text: string): void {
	judged = text.split('\n');
}

// ---- what is shown of the state -------------------------------------------------------------

const STATES: Record<string, string> = {
	none: 'no session yet',
	idle: 'ready',
	running: 'running',
	waiting: 'waiting for input',
	away: 'service away',
};

function showState(): void {
	const state = away ? 'away' : phase !== 'idle' ? phase : session() ? 'idle' : 'none';
	const place = byId('state');
	place.dataset.state = state;
	place.lastElementChild!.textContent = STATES[state] ?? state;
	const busy = phase !== 'idle';
	byId<HTMLButtonElement>('run').disabled = busy;
	byId<HTMLButtonElement>('stop').disabled = !busy;
	byId<HTMLButtonElement>('undo').disabled = busy || !session()?.undo_levels;
	byId<HTMLButtonElement>('reset').disabled = busy || !session()?.executions;
	for (const button of byId('input').querySelectorAll('button')) button.disabled = phase !== 'waiting';
	showSelectionButton();
}

let hasSelection = false;

/** Whether there is something to run a selection of. */
export function showSelectionButton(selected = hasSelection): void {
	hasSelection = selected;
	byId<HTMLButtonElement>('run-selection').disabled = phase !== 'idle' || !selected;
}

function setPhase(next: Phase): void {
	phase = next;
	showState();
}

/** Say how the last thing went, beside the state. */
export function showOutcome(text: string, kind = ''): void {
	const place = byId('outcome');
	place.textContent = text;
	place.className = `outcome ${kind}`;
	place.title = text;
}

function tick(): void {
	if (!stopping) showOutcome(`${phase === 'waiting' ? 'Waiting for input' : 'Running'} … ${duration((performance.now() - startedAt) / 1000)}`);
}

// ---- places -----------------------------------------------------------------------------------

/** Show the line that a traceback names. */
export function showPlace({ execution, line }: Place): void {
	const ran = execution ? texts.get(execution) : { lines: judged, line: 1 };
	editor.show(editor.find(line + (ran?.line ?? 1) - 1, ran?.lines[line - 1]));
}

// ---- input ------------------------------------------------------------------------------------

let currentCard: RunCard | null = null;

function showInput(prompt: string, password: boolean): void {
	setPhase('waiting');
	const line = byId<HTMLInputElement>('input-line');
	if (byId('input').hidden) line.value = '';
	byId('input').hidden = false;
	byId('input-prompt').textContent = prompt.trim() || 'Input';
	line.type = password ? 'password' : 'text';
	showPanel('output');
	line.focus();
	say(`The program waits for input. ${prompt}`);
}

function hideInput(): void {
	if (byId('input').hidden) return;
	const hadFocus = byId('input').contains(document.activeElement);
	byId('input').hidden = true;
	if (hadFocus) editor.focus();
}

/** The line stays where it is until the run ends: what is typed ahead must not go anywhere
 *  else. */
async function answer(eof: boolean): Promise<void> {
	if (phase !== 'waiting') return;
	const line = byId<HTMLInputElement>('input-line');
	const text = eof ? line.value : `${line.value}\n`;
	const shown = line.type === 'password' ? text.replace(/[^\n]/g, '•') : text;
	line.value = '';
	setPhase('running');
	currentCard?.typed(eof ? `${shown} (end of input)\n` : shown);
	try {
		await sendInput(text, eof);
	} catch (error) {
		notice(`The input did not get to the program: ${explain(error)}`);
	}
}

export function startInput(): void {
	byId('input').addEventListener('submit', (event) => {
		event.preventDefault();
		void answer(false);
	});
	byId('input-end').addEventListener('click', () => void answer(true));
	byId('input-line').addEventListener('keydown', (event) => {
		if (event.key !== 'd' || !event.ctrlKey) return;
		event.preventDefault();
		void answer(true);
	});
}

// ---- running -----------------------------------------------------------------------------------

function listenerOf(card: RunCard, ran: Ran, what: (execution: number) => string): Listener {
	return {
		start(execution) {
			texts.set(execution, ran);
			if (texts.size > 200) texts.delete(texts.keys().next().value!);
			card.started(execution, what(execution));
		},
		text: (stream, text) => card.text(stream, text),
		display: (display) => card.display(display),
		input: showInput,
		gap: (lost) => card.gap(lost),
		broken: () => showOutcome('The connection broke; taking it up again …', 'stopped'),
	};
}

function begin(card: RunCard): void {
	currentCard = card;
	stopping = false;
	startedAt = performance.now();
	editor.mark(null);
	showPanel('output');
	setPhase('running');
	showOutcome('Running …');
	clock = window.setInterval(tick, 100);
}

function end(): void {
	clearInterval(clock);
	hideInput();
	currentCard = null;
	setPhase('idle');
}

/** The line of the text in which the run failed. */
function markFault(result: Result, ran: Ran): void {
	const line = result.exception?.line;
	if (result.reason === 'exception' && line && ran.lines[line - 1] !== undefined)
		editor.mark(editor.find(line + ran.line - 1, ran.lines[line - 1]));
}

function finished(card: RunCard, result: Result, ran: Ran): void {
	card.finish(result);
	const { kind, long } = outcome(result, ran.line);
	end();
	showOutcome(long, kind);
	markFault(result, ran);
	say(`${long} ${card.beginning() || (result.result ?? '')}`);
	offerPackages(result, () => void run(ran.lines.join('\n'), ran.line, ''));
}

function failed(card: RunCard, error: unknown): void {
	end();
	const text = explain(error);
	const later = error instanceof Problem && error.retryAfter ? ` Try again in ${error.retryAfter} s.` : '';
	card.fail(text + later);
	showOutcome(text + later, 'bad');
	say(text + later);
	if (error instanceof Away) void comeBack();
}

/** Follow one run to its end. */
async function follow(card: RunCard, ran: Ran, run: () => Promise<Result>): Promise<void> {
	begin(card);
	try {
		finished(card, await run(), ran);
	} catch (error) {
		if (isLost(error)) lost();
		failed(card, error);
	}
	await refresh().catch(() => {});
	for (const listener of finishedListeners) listener();
}

function lost(): void {
	dropSession();
	notice(LOST);
	say(LOST);
}

const timeLimit = () => Number(byId<HTMLSelectElement>('limit').value);

/** Run this text, which begins at this line of the editor. */
async function run(text: string, line: number, what: string): Promise<void> {
	if (phase !== 'idle') return;
	if (text.trim() === '') {
		showOutcome('There is nothing to run yet.');
		editor.focus();
		return;
	}
	const ran = { lines: text.split('\n'), line };
	const title = (execution: number) => `Run ${execution}${what}`;
	const card = new RunCard(`Run${what}`, showPlace);
	const listener = listenerOf(card, ran, title);
	await follow(card, ran, async () => {
		await needSession();
		try {
			return await runCode(text, timeLimit(), listener);
		} catch (error) {
			if (!isLost(error)) throw error;
			lost();
			await needSession();
			return runCode(text, timeLimit(), listener);
		}
	});
}

export function runAll(): Promise<void> {
	return run(editor.text, 1, '');
}

export function runSelection(): Promise<void> {
	const { text, line } = editor.selection;
	const count = text.split('\n').length;
	// A selection inside a block runs as if it stood at the margin.
	const indent = /^[ \t]*/.exec(text.split('\n').find((each) => each.trim()) ?? '')![0];
	const lines = text.split('\n');
	const shared = lines.every((each) => !each.trim() || each.startsWith(indent));
	const code = shared ? lines.map((each) => each.slice(indent.length)).join('\n') : text;
	return run(code, line, count === 1 ? `, line ${line}` : `, lines ${line} to ${line + count - 1}`);
}

/** Run a text that is not in the editor (a run of the past). */
export function runText(text: string): Promise<void> {
	return run(text, 1, ' again');
}

/** Follow a cell that runs already: the page was reloaded, or the link was opened, meanwhile. */
export function attach(execution: number, code: string): Promise<void> {
	const ran = { lines: code.split('\n'), line: 1 };
	const card = new RunCard(`Run ${execution}`, showPlace);
	return follow(card, ran, () => followCell(execution, listenerOf(card, ran, (number) => `Run ${number}`)));
}

/** Show a run of the past as it was. */
export function showPast(cell: WholeCell): void {
	rememberRun(cell.execution, cell.code);
	const card = new RunCard(`Run ${cell.execution}`, showPlace);
	card.started(cell.execution, `Run ${cell.execution}`);
	if (cell.lost_bytes) card.gap(cell.lost_bytes);
	if (cell.stdout) card.text('stdout', cell.stdout);
	if (cell.stderr) card.text('stderr', cell.stderr);
	for (const display of cell.outputs) card.display(display);
	card.finish(cell);
}

/** Remember what a run of the past was, so that its tracebacks find their lines. */
export function rememberRun(execution: number, code: string): void {
	texts.set(execution, { lines: code.split('\n'), line: 1 });
}

/** Interrupt what runs. */
export async function stop(): Promise<void> {
	if (phase === 'idle' || !session()) return;
	stopping = true;
	showOutcome('Stopping …');
	try {
		await call('POST', sessionPath('/interrupt'), { json: {} });
	} catch (error) {
		stopping = false;
		// 409: it ended by itself meanwhile.
		if (!(error instanceof Problem && error.status === 409)) notice(`It could not be stopped: ${explain(error)}`);
	}
}

// ---- the way back --------------------------------------------------------------------------------

/** A call about the session as a whole, with what to say when it worked. */
async function change(path: string, json: unknown, done: string): Promise<boolean> {
	try {
		await call('POST', sessionPath(path), { json });
		showOutcome(done, 'good');
		say(done);
		return true;
	} catch (error) {
		if (isLost(error)) lost();
		else if (error instanceof Away) void comeBack();
		showOutcome(explain(error), 'bad');
		say(explain(error));
		return false;
	} finally {
		await refresh().catch(() => {});
		for (const listener of finishedListeners) listener();
	}
}

export async function undo(): Promise<void> {
	if (phase === 'idle' && session()?.undo_levels)
		await change('/undo', {}, 'The last run was undone: variables are as they were before it. Files are as they are.');
}

export async function reset(): Promise<void> {
	if (phase !== 'idle' || !session()) return;
	const yes = await confirm('Forget all variables?', 'Python starts afresh. Your text and the workspace files stay.', 'Reset', true);
	if (!yes || !(await change('/reset', {}, 'Reset: there are no variables now.'))) return;
	editor.mark(null);
	clearOutput();
}

// ---- a service that is away -----------------------------------------------------------------------

let comingBack: Promise<void> | null = null;

/** Wait until the service answers, and see what became of the session. */
export function comeBack(): Promise<void> {
	comingBack ??= (async () => {
		away = true;
		showState();
		notice('The service cannot be reached. Your text is kept in this browser; the page takes up the connection by itself.');
		await untilBack(() => {});
		away = false;
		notice('');
		const had = session();
		try {
			await refresh();
			if (had && !session()) {
				notice(LOST);
				say(LOST);
			} else {
				showOutcome('The service is back.', 'good');
				say('The service is back.');
			}
		} catch {
			// it went away again: the next call notices
		}
		showState();
		comingBack = null;
	})();
	return comingBack;
}

export function startRunner(): void {
	onSession(showState);
	startInput();
	for (const [id, action] of [
		['run', runAll],
		['run-selection', runSelection],
		['stop', stop],
		['undo', undo],
		['reset', reset],
	] as const)
		byId(id).addEventListener('click', () => void action());
	showState();
}
