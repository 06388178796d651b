// Calls to Lysbro's own JSON API: same origin, session cookie, CSRF token from the page's head.

/** A problem document (RFC 9457) that the server answered with, as an error to catch. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly code: string = "",
    readonly state: string = "",
  ) {
    super(message);
  }
}

export interface CallOptions {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE";
  readonly json?: unknown;
  readonly form?: FormData;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly outlivesPage?: boolean; // sent to its end although the page is closed
}

let signedOut = (): void => {
  location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
};

/** Sets what happens when nobody is signed in any more; without it the sign-in page comes. */
export function whenSignedOut(act: () => void): void {
  signedOut = act;
}

/** Calls the API and gives the answer's JSON (undefined when it has none); throws Problem otherwise. */
export async function call<Answer>(path: string, options: CallOptions = {}): Promise<Answer> {
  const response = await send(path, options);
  const text = await response.text();
  return (text === "" ? undefined : JSON.parse(text)) as Answer;
}

/** Calls the API and gives the whole response when it is a good one, or says that nothing has changed; throws Problem otherwise. */
export async function send(path: string, options: CallOptions = {}): Promise<Response> {
  const method = options.method ?? "GET";
  const headers = new Headers({ Accept: "application/json", ...options.headers });
  let body: BodyInit | null = options.form ?? null;
  if (options.json !== undefined) {
    headers.set("Content-Type", "application/json");
    body = JSON.stringify(options.json);
  }
  if (method !== "GET") headers.set("X-CSRF-Token", csrfToken());
  const response = await fetch(path, {
    method,
    headers,
    body,
    credentials: "same-origin",
    keepalive: options.outlivesPage ?? false,
    ...(options.signal ? { signal: options.signal } : {}),
  });
  if (response.status === 401 || isSignIn(response)) {
    signedOut();
    throw new Problem(401, "", "not-signed-in");
  }
  if (!response.ok && response.status !== 304) throw await problemOf(response);
  return response;
}

/** Tells whether a page was asked for and the sign-in page came instead. */
function isSignIn(response: Response): boolean {
  return response.redirected && new URL(response.url).pathname === "/login";
}

/** The token that proves that a change comes from one of our own pages. */
export function csrfToken(): string {
  return document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";
}

async function problemOf(response: Response): Promise<Problem> {
  const fallback = `${response.status} ${response.statusText}`.trim();
  if (!(response.headers.get("Content-Type") ?? "").includes("json")) {
    return new Problem(response.status, fallback);
  }
  const body = (await response.json()) as { detail?: string; title?: string; code?: string; state?: string };
  return new Problem(response.status, body.detail ?? body.title ?? fallback, body.code, body.state);
}
