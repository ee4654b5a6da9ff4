// variables.ts - what the session's names hold.
import { byId, element } from '../dom.ts';
import { bytes } from '../display/outcome.ts';
import { currentPanel, onPanel } from '../look/tabs.ts';
import { isRunning, onFinished } from '../run/runner.ts';
import { call, explain } from '../server/api.ts';
import { onSession, session, sessionPath } from '../server/session.ts';
import type { Variable } from '../server/types.ts';

let shownFor = ''; // the session and its count of runs for which the list is right

const panel = () => byId('panel-variables');

function row({ name, type, repr, size }: Variable): HTMLElement {
	return element(
		'tr',
		{},
		element('th', { scope: 'row' }, name),
		element('td', { class: 'type' }, type),
		element('td', { class: 'value', title: repr }, repr),
		element('td', { class: 'size' }, bytes(size)),
	);
}

function table(variables: Variable[]): HTMLElement {
	const head = ['Name', 'Type', 'Value', 'Size'].map((text) => element('th', { scope: 'col' }, text));
	return element(
		'div',
		{ class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Variables' },
		element('table', { class: 'list' }, element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...variables.map(row))),
	);
}

/** Modules and functions are what one looks for last. */
function rank({ type }: Variable): number {
	return type === 'module' ? 2 : type === 'function' || type === 'type' || type === 'builtin_function_or_method' ? 1 : 0;
}

function showEmpty(text: string): void {
	panel().replaceChildren(element('div', { class: 'empty' }, element('p', {}, text)));
	byId('variables-count').textContent = '';
}

async function load(): Promise<void> {
	const seen = session();
	if (!seen || !seen.executions) {
		shownFor = '';
		showEmpty('There are no variables yet. They appear here when a program has run.');
		return;
	}
	if (isRunning()) return; // the answer would wait for the run's end, and comes then anyway
	try {
		const { variables } = await call<{ variables: Variable[] }>('GET', sessionPath('/variables'));
		shownFor = seen.id;
		byId('variables-count').textContent = variables.length ? String(variables.length) : '';
		if (variables.length === 0) showEmpty('There are no variables now.');
		else panel().replaceChildren(table([...variables].sort((a, b) => rank(a) - rank(b))));
	} catch (error) {
		showEmpty(explain(error));
	}
}

export function startVariables(): void {
	onFinished(() => void load());
	onPanel((shown) => shown === 'variables' && void load());
	onSession(() => {
		if (session()?.id !== shownFor && currentPanel() === 'variables') void load();
		if (!session()) void load();
	});
}
