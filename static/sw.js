// Bastion's service worker: after a first visit, the page opens without a network.
//
// The worker is a short script, because the browser starts the worker anew for many requests and waits for it: a
// WebAssembly module would first have to be fetched and compiled by the worker that serves the requests.
//
// The cache holds the page, its program, styles, icons and samples, but not the networks' weights (models/): the engine
// caches the weights by their hash.

const CACHE = "bastion-page";

// Names with a hash, written by `cargo xtask`: a file of such a name never changes.
const HASHED = /-[0-9a-f]{8,}(_bg)?\.(js|wasm|css)$/;

// Whether the visitor has turned caching off. The page then unregisters this worker, which runs until the page is
// closed; but the browser may stop and restart the worker meanwhile, so an empty cache stores the choice until a worker
// is installed anew.
const FORGOTTEN = `forgotten ${self.registration.scope}`;
let forgetting = caches.has(FORGOTTEN).catch(() => false);

self.addEventListener("install", (event) => {
  self.skipWaiting();
  forgetting = Promise.resolve(false);
  event.waitUntil(caches.delete(FORGOTTEN).catch(() => {}));
});
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

// Returns whether this worker serves a request: a GET of the page's own origin, except for models.
function handles(request) {
  const url = new URL(request.url);
  // A blob: address has the page's origin, but another protocol.
  const here = url.protocol === self.location.protocol && url.origin === self.location.origin;
  return request.method === "GET" && here && !url.pathname.includes("/models/");
}

// Returns whether the file at an address never changes, because its name has a hash.
function immutable(address) {
  const url = new URL(address);
  return HASHED.test(url.pathname);
}

self.addEventListener("fetch", (event) => {
  if (!handles(event.request)) return;
  event.respondWith(immutable(event.request.url) ? cacheFirst(event) : networkFirst(event));
});

// Responds from the cache, else from the network.
async function cacheFirst(event) {
  return (await fromCache(event.request)) ?? networkFirst(event);
}

// Responds from the network, else from the cache, so that a rebuilt page shows at once. The response is streamed to the
// page and cached in parallel.
async function networkFirst(event) {
  let response;
  try {
    response = await fetch(event.request);
  } catch (error) {
    const kept = await fromCache(event.request);
    if (kept) return kept;
    throw error;
  }
  // A response that cannot be cached (quota) can still be shown.
  if (response.ok) event.waitUntil(renew(keyOf(event.request), response.clone()).catch(() => {}));
  return response;
}

// Replaces the cached response of an address; rejects and leaves the older response if the quota is exceeded or the new
// response breaks off, because Cache.put reads all of a response before it replaces anything.
async function renew(key, response) {
  if (await forgetting) return;
  const cache = await caches.open(CACHE);
  const tag = response.headers.get("ETag");
  if (tag && (await cache.match(key))?.headers.get("ETag") === tag) {
    // Not awaited: the promise settles only once the page has read its own branch of the stream.
    response.body?.cancel().catch(() => {});
  } else {
    await cache.put(key, response);
  }
}

// Returns the cached response of a request, if there is one.
async function fromCache(request) {
  const cache = await caches.open(CACHE);
  return cache.match(keyOf(request));
}

// Returns the address under which a request is cached. The page is the same for every query (?backend=cpu).
function keyOf(request) {
  const url = new URL(request.url);
  if (request.mode === "navigate") url.search = "";
  url.hash = "";
  return url.href;
}

// On a first visit all files are loaded before this worker is active, so the page sends a list of its files, and sends
// it again on each visit.
self.addEventListener("message", (event) => {
  if (event.data?.forget) {
    forgetting = Promise.resolve(true);
    event.waitUntil(caches.open(FORGOTTEN));
  }
  const { required, optional } = event.data?.keep ?? {};
  if (!Array.isArray(required) || !Array.isArray(optional)) return;
  event.waitUntil(keep(addresses(required), addresses(optional)).then((kept) => event.source?.postMessage({ kept })));
});

// Returns the addresses that this worker serves, each once.
function addresses(named) {
  const urls = named.map((name) => keyOf({ url: new URL(name, self.location.href).href }));
  return new Set(urls.filter((url) => handles({ method: "GET", url })));
}

// Caches all files, unless caching is off, and returns whether that succeeded. Optional files may be missing on the
// server, but one that the server sends must be cached.
async function keep(required, optional) {
  if (await forgetting) return false;
  const outcomes = [
    ...[...required].map(async (url) => (await keepOne(url)) === "kept"),
    ...[...optional].map(async (url) => (await keepOne(url)) !== "failed"),
  ];
  if (!(await Promise.all(outcomes)).every(Boolean)) return false;
  // Files that never change and are no longer listed are of an older build: delete them once the newer build is
  // complete. Files of a copy of the page in another folder of the site are out of this worker's scope, and stay.
  const cache = await caches.open(CACHE);
  for (const { url } of await cache.keys()) {
    // Earlier builds had their version in the query.
    const versioned = immutable(url) || new URL(url).search !== "";
    const old = url.startsWith(self.registration.scope) && versioned;
    if (old && !required.has(url) && !optional.has(url)) await cache.delete(url);
  }
  return true;
}

// Caches one file. Returns "kept", "absent" if the server does not have the file or does not respond, or "failed".
async function keepOne(url) {
  const cache = await caches.open(CACHE);
  const kept = (await cache.match(url)) !== undefined;
  if (kept && immutable(url)) return "kept";
  let response;
  try {
    // Files that may change are revalidated: the browser's HTTP cache may hold an older page, loaded under another
    // query.
    response = await fetch(url, { cache: immutable(url) ? "force-cache" : "no-cache" });
  } catch {
    return kept ? "kept" : "absent";
  }
  if (response.ok) return renew(url, response).then(() => "kept", () => "failed");
  if (response.status === 404 || response.status === 410) return "absent";
  return kept ? "kept" : "failed";
}
