// packages.ts - which set of packages (environment) the session has, where the service has more
// than one. A session keeps its set: another one needs another session.
import { byId, element } from '../dom.ts';
import { notice } from '../look/announce.ts';
import { confirm } from '../look/dialog.ts';
import { dropSession, onSession, session, setEnvironment } from '../server/session.ts';
import type { Info, Result } from '../server/types.ts';
import { forget, keep, recall } from '../store.ts';

const KEY = 'vivarium.packages';
const BASE = 'base';

let sets: NonNullable<Info['environments']> = {};

const picker = () => byId<HTMLSelectElement>('packages');

/** The set in use, or the one that the next session will have. */
function current(): string {
	return session()?.environment ?? recall(KEY) ?? BASE;
}

function show(): void {
	picker().value = current();
}

function use(name: string): void {
	keep(KEY, name);
	setEnvironment(name);
	dropSession();
	show();
}

async function choose(): Promise<void> {
	const name = picker().value;
	if (session()?.executions) {
		const text = 'A session keeps its packages, so a new one starts: without the variables and workspace files of this one. Your text stays.';
		if (!(await confirm(`Use the packages “${name}”?`, text, 'New session', true))) return show();
	}
	use(name);
}

/** "Foo_Bar[x]==1.2" is called foo-bar. */
function plainName(name: string): string {
	return (/^[A-Za-z0-9._-]+/.exec(name)?.[0] ?? '').toLowerCase().replace(/[._]/g, '-');
}

/** If the run lacked a module that another set has, offer that set. */
export function offerPackages(result: Result, again: () => void): void {
	if (result.exception?.type !== 'ModuleNotFoundError') return;
	const missing = /No module named '([^'.]+)/.exec(result.exception.message)?.[1];
	if (!missing) return;
	const found = Object.entries(sets).find(
		([name, { packages }]) => name !== current() && packages?.some((each) => plainName(each.replace(/==.*/, '')) === plainName(missing)),
	);
	if (!found) return;
	const [name] = found;
	const run = () => {
		use(name);
		again();
	};
	notice(`${missing} is among the packages “${name}”. A session with them starts without the variables of this one.`, { label: `Use “${name}”`, run });
}

/** Show the choice, if there is one. */
export function startPackages({ environments }: Info): void {
	sets = environments ?? {};
	const names = Object.keys(sets);
	const chosen = recall(KEY);
	if (chosen && names.includes(chosen)) setEnvironment(chosen);
	else forget(KEY); // it is not there any more
	if (names.length < 2) return;
	for (const name of names) picker().append(element('option', { value: name, title: sets[name]?.description ?? '' }, name));
	byId('packages-part').hidden = false;
	picker().addEventListener('change', () => void choose());
	onSession(show);
	show();
}
