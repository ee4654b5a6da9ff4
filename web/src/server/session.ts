// session.ts - the session of this tab. Its id is in the address (#session=...), so that a
// reload finds it again and a link shares it. It is made when it is first needed: somebody
// who only looks at the page costs the service nothing.
import { Away, call, isNotThere, Problem } from './api.ts';
import type { SessionView } from './types.ts';

const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

let current: SessionView | null = null;
let making: Promise<SessionView> | null = null;
let environment = '';
const listeners: (() => void)[] = [];

/** The id in the address, or "". */
export function idInAddress(): string {
	const id = new URLSearchParams(location.hash.slice(1)).get('session') ?? '';
	return ID.test(id) ? id : '';
}

function putInAddress(id: string): void {
	const address = new URL(location.href);
	address.hash = id ? `session=${id}` : '';
	history.replaceState(null, '', address);
}

function adopt(session: SessionView | null): void {
	current = session;
	putInAddress(session?.id ?? '');
	for (const listener of listeners) listener();
}

/** The session as it was last seen; null while there is none. */
export function session(): SessionView | null {
	return current;
}

/** Call this whenever the session or what is known of it changes. */
export function onSession(listener: () => void): void {
	listeners.push(listener);
}

/** The path of a call about the session. There must be one. */
export function sessionPath(rest = ''): string {
	if (!current) throw new Error('there is no session');
	return `/api/v1/sessions/${current.id}${rest}`;
}

/** The set of packages of sessions that are made from now on; "": the service's choice. */
export function setEnvironment(name: string): void {
	environment = name;
}

/** The session, made if there is none. */
export async function needSession(): Promise<SessionView> {
	if (current) return current;
	making ??= call<SessionView>('POST', '/api/v1/sessions', { json: environment ? { environment } : {} });
	try {
		const made = await making;
		if (current !== made) adopt(made);
		return made;
	} finally {
		making = null;
	}
}

/** Take up the session of this id. False if there is no such session (any more). */
export async function takeUp(id: string): Promise<boolean> {
	try {
		adopt(await call<SessionView>('GET', `/api/v1/sessions/${id}`));
		return true;
	} catch (error) {
		if (!isLost(error)) throw error;
		adopt(null);
		return false;
	}
}

/** Look again; what it finds goes to the listeners. */
export async function refresh(): Promise<void> {
	if (current) await takeUp(current.id);
}

/** The session is gone: the next run makes a new one. */
export function dropSession(): void {
	adopt(null);
}

/** Does this error say that the session does not exist? */
export function isLost(error: unknown): boolean {
	return isNotThere(error);
}

/** Resolves when the service answers again. `tick` is called before each try. */
export async function untilBack(tick: () => void): Promise<void> {
	for (let wait = 250; ; wait = Math.min(wait * 1.5, 4000)) {
		tick();
		try {
			await call('GET', '/api/v1/health/ready');
			return;
		} catch (error) {
			// A problem is an answer; only 503 says "not ready".
			if (!(error instanceof Away) && !(error instanceof Problem && error.status === 503)) return;
		}
		await new Promise((resolve) => setTimeout(resolve, wait));
	}
}
