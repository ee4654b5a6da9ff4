// store.ts - what this browser keeps. A browser may refuse to keep anything (private
// windows, a full disk): then nothing is remembered, and the page works all the same.

export function recall(key: string): string | null {
	try {
		return localStorage.getItem(key);
	} catch {
		return null;
	}
}

/** Keep a text; false if the browser does not. */
export function keep(key: string, value: string): boolean {
	try {
		localStorage.setItem(key, value);
		return true;
	} catch {
		return false;
	}
}

export function forget(key: string): void {
	try {
		localStorage.removeItem(key);
	} catch {
		// there is nothing to forget then
	}
}

/** All keys that begin with this. */
export function keysWith(prefix: string): string[] {
	try {
		return Object.keys(localStorage).filter((key) => key.startsWith(prefix));
	} catch {
		return [];
	}
}
