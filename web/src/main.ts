// main.ts - the page: starts its parts and connects them.
//
//   text/       the editor, the document in it, its draft in this browser
//   run/        the run that goes on, and the session's state
//   display/    what a run prints and shows
//   panels/     variables, files, tests, past runs
//   server/     calls of the service, the session, streams of events
//   look/       tabs, dialogs, colours, announcements
import { byId, element, onMac, shortcut } from './dom.ts';
import { clearOutput, showEmpty } from './display/output.ts';
import { notice, say } from './look/announce.ts';
import { ask, button } from './look/dialog.ts';
import { startHelp } from './look/help.ts';
import { startSplit } from './look/split.ts';
import { currentPanel, startTabs } from './look/tabs.ts';
import { startTheme } from './look/theme.ts';
import { startFiles } from './panels/files.ts';
import { loadCell, loadCells, startRuns } from './panels/runs.ts';
import { startTests } from './panels/tests.ts';
import { startVariables } from './panels/variables.ts';
import { startPackages } from './run/packages.ts';
import { attach, comeBack, onFinished, runAll, runSelection, showPast, showSelectionButton, startRunner, stop } from './run/runner.ts';
import { Away, call } from './server/api.ts';
import { idInAddress, needSession, session, takeUp } from './server/session.ts';
import type { Info } from './server/types.ts';
import { keep, recall } from './store.ts';
import { draftSession, editor, insertText, isUntouched, save, saveAs, startDocument } from './text/document.ts';

const LIMITS: [number, string][] = [[5, '5 s'], [10, '10 s'], [30, '30 s'], [60, '1 min'], [300, '5 min'], [600, '10 min']];

function startLimit(): void {
	const select = byId<HTMLSelectElement>('limit');
	for (const [seconds, text] of LIMITS) select.append(element('option', { value: String(seconds) }, text));
	const before = recall('vivarium.limit') ?? '';
	select.value = LIMITS.some(([seconds]) => String(seconds) === before) ? before : '10';
	select.addEventListener('change', () => keep('vivarium.limit', select.value));
}

async function share(): Promise<void> {
	try {
		await needSession();
	} catch (error) {
		notice(error instanceof Error ? error.message : String(error));
		return;
	}
	const warning = 'Whoever has this link can run code in this session, see its variables, runs and files.';
	const field = element('input', { type: 'text', readOnly: true, value: location.href, 'aria-label': 'Link to this session' });
	let copied = false;
	try {
		await navigator.clipboard.writeText(location.href);
		copied = true;
	} catch {
		// Browsers let only pages from https or this machine write to the clipboard.
	}
	const asked = ask(copied ? 'The link was copied' : 'A link to this session', [field, element('p', {}, warning)], [button('Close', '', 'primary')]);
	field.select();
	await asked;
}

/** F6 goes between the editor and the panel that is seen. */
function otherSide(): void {
	if (!editor.hasFocus) return editor.focus();
	const panel = byId(`panel-${currentPanel()}`);
	const target = panel.querySelector<HTMLElement>('input:not([hidden]), textarea, [tabindex="0"]') ?? byId(`tab-${currentPanel()}`);
	(byId('input').hidden ? target : byId('input-line')).focus();
}

/** Shortcuts hold in the whole page, so they are taken before anybody else sees them. */
function startKeys(): void {
	addEventListener(
		'keydown',
		(event) => {
			if (document.querySelector('dialog[open]')) return;
			const mod = (onMac ? event.metaKey : event.ctrlKey) && !event.altKey;
			let action: (() => unknown) | null = null;
			if (mod && event.key === 'Enter') action = event.shiftKey ? runSelection : runAll;
			else if (mod && event.key === '.') action = stop;
			else if (mod && event.key.toLowerCase() === 's') action = event.shiftKey ? saveAs : save;
			else if (event.key === 'F6') action = otherSide;
			if (!action) return;
			event.preventDefault();
			event.stopPropagation();
			void action();
		},
		true,
	);
}

/** So many runs of the past are shown again. */
const PAST_SHOWN = 5;

/** What the page was doing before it was reloaded: its session, its last runs, and one that
 *  still goes on. */
async function takeUpSession(): Promise<void> {
	const id = idInAddress() || draftSession();
	if (!id) return;
	if (!(await takeUp(id))) {
		notice('The session is gone (it was idle for too long, or the service was restarted). Your text is all there; the next run starts a new session.');
		return;
	}
	const cells = await loadCells();
	const last = cells[cells.length - 1];
	if (!last) return;
	// Who follows a link with nothing written yet sees what ran last.
	if (isUntouched()) insertText(last.code);
	const past = cells.filter((cell) => !cell.running).slice(-PAST_SHOWN);
	// One that is not kept any more when it is asked for is left out.
	const whole = await Promise.all(past.map(({ execution }) => loadCell(execution).catch(() => null)));
	clearOutput();
	for (const cell of whole) if (cell) showPast(cell);
	if (last.running) await attach(last.execution, last.code);
}

async function showService(): Promise<void> {
	const info = await call<Info>('GET', '/api/v1/info');
	startPackages(info);
	byId('python').textContent = `Python ${info.python.version}`;
}

async function start(): Promise<void> {
	startTheme(say);
	startTabs();
	startSplit();
	startLimit();
	startHelp();
	startKeys();
	startRunner();
	showEmpty([
		element('p', {}, 'Press ', element('kbd', {}, shortcut('Ctrl Enter')), ' to run the program.'),
		element('p', { class: 'hint' }, 'What it prints appears here. Variables stay from run to run.'),
	]);
	byId('share').addEventListener('click', () => void share());
	await startDocument(({ line, column, selected }, hasSelection) => {
		byId('position').textContent = `Line ${line}, column ${column}${selected ? `, ${selected} selected` : ''}`;
		showSelectionButton(hasSelection);
	});
	startVariables();
	startFiles();
	startTests();
	startRuns();
	onFinished(() => showSelectionButton());
	editor.focus();
	addEventListener('hashchange', () => {
		if (idInAddress() && idInAddress() !== session()?.id) void takeUpSession().catch(() => {});
	});
	try {
		await Promise.all([showService(), takeUpSession()]);
	} catch (error) {
		if (error instanceof Away) await comeBack();
	}
}

void start();
