// help.ts - the keyboard, and what one needs to know.
import { byId, element, shortcut } from '../dom.ts';
import { ask, button } from './dialog.ts';

const KEYS: [string, string][] = [
	['Ctrl Enter', 'Run the text'],
	['Ctrl Shift Enter', 'Run the selected lines, or the line of the cursor'],
	['Ctrl .', 'Stop the program'],
	['Ctrl S', 'Save'],
	['Ctrl F', 'Find and replace in the text'],
	['Ctrl /', 'Comment lines out and in'],
	['Tab', 'Indent; after Escape it leaves the editor'],
	['F6', 'Between editor and results'],
	['Ctrl D', 'End of input, in the input line'],
];

const NOTES = [
	'Variables stay from run to run, as in a notebook. Stopping a program keeps them; “Undo run” brings back those from before the last run, “Reset” forgets all.',
	'The text is kept in this browser while you write. “Save” puts it on the service.',
	'The address names your session: whoever has it can use the session too.',
];

async function show(): Promise<void> {
	const rows = KEYS.map(([keys, what]) =>
		element('tr', {}, element('th', { scope: 'row' }, ...shortcut(keys).split(' ').map((key) => element('kbd', {}, key))), element('td', {}, what)),
	);
	await ask('Keyboard', [element('table', { class: 'keys' }, element('tbody', {}, ...rows)), ...NOTES.map((note) => element('p', {}, note))], [
		button('Close', '', 'primary'),
	]);
}

export function startHelp(): void {
	byId('help').addEventListener('click', () => void show());
	for (const keys of document.querySelectorAll('[data-mod]')) keys.textContent = shortcut(keys.textContent ?? '');
}
