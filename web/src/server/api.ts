// api.ts - calls of the service. An answer that is an error becomes a Problem; no answer at
// all (the network, or the service being restarted) becomes Away.

/** An error that the service explained. */
export class Problem extends Error {
	constructor(
		readonly status: number,
		detail: string,
		readonly fields: string[],
		readonly retryAfter: number,
	) {
		super(detail);
	}
}

/** The service could not be reached. */
export class Away extends Error {
	constructor() {
		super('The service cannot be reached at the moment.');
	}
}

export interface Options {
	json?: unknown;
	body?: BodyInit;
	accept?: string;
	headers?: Record<string, string>;
	signal?: AbortSignal;
}

async function problemOf(response: Response): Promise<Problem> {
	let detail = `The service answered ${response.status} ${response.statusText}`.trim();
	let fields: string[] = [];
	try {
		const problem = (await response.json()) as { detail?: unknown; errors?: { field?: unknown }[] };
		if (typeof problem.detail === 'string') detail = problem.detail;
		fields = (problem.errors ?? []).map((error) => String(error.field ?? ''));
	} catch {
		// Not a problem document: the status is all there is to say.
	}
	return new Problem(response.status, detail, fields, Number(response.headers.get('Retry-After')) || 0);
}

/** One request. Resolves to a response that is no error. */
export async function request(method: string, path: string, options: Options = {}): Promise<Response> {
	const headers: Record<string, string> = { Accept: options.accept ?? 'application/json', ...options.headers };
	if (options.json !== undefined) headers['Content-Type'] = 'application/json';
	let response: Response;
	try {
		response = await fetch(path, {
			method,
			headers,
			body: options.json === undefined ? options.body : JSON.stringify(options.json),
			signal: options.signal,
			cache: 'no-store',
		});
	} catch (error) {
		if (options.signal?.aborted) throw error;
		throw new Away();
	}
	// nginx answers these while the application is being restarted behind it.
	if (response.status === 502 || response.status === 504) throw new Away();
	if (!response.ok) throw await problemOf(response);
	return response;
}

/** One request whose answer is JSON. */
export async function call<Answer>(method: string, path: string, options: Options = {}): Promise<Answer> {
	const response = await request(method, path, options);
	if (response.status === 204) return undefined as Answer;
	try {
		return (await response.json()) as Answer;
	} catch (error) {
		if (options.signal?.aborted) throw error;
		throw new Away(); // cut off on its way
	}
}

/** A path within a URL: each part is escaped, the slashes stay. */
export function escapePath(path: string): string {
	return path.split('/').map(encodeURIComponent).join('/');
}

/** What went wrong, in words. */
export function explain(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}

/** Does this error say that there is nothing of this name? */
export function isNotThere(error: unknown): boolean {
	return error instanceof Problem && (error.status === 404 || error.status === 410);
}
