// Bastion's service worker: after a first visit, the page opens without a network.
//
// It is JavaScript, and so small, because a browser starts it anew for many a request and waits for it: a WebAssembly
// module would first have to be fetched and compiled, by the very script that is to fetch things.
//
// What it keeps: the page, its program, styles, icons and samples. The networks' weights (models/) it leaves alone: the
// engine keeps those itself, by their hash.

const CACHE = "bastion-page";

// `cargo xtask` puts a hash into these names: such a file never changes.
const HASHED = /-[0-9a-f]{8,}(_bg)?\.(js|wasm|css)$/;

// Whether the visitor wants nothing kept. The page has unregistered this worker then, which goes on until the page is closed;
// but the browser may stop it and start it again meanwhile, so an empty cache remembers, until a worker is installed anew.
const FORGOTTEN = `forgotten ${self.registration.scope}`;
let forgetting = caches.has(FORGOTTEN).catch(() => false);

self.addEventListener("install", (event) => {
  self.skipWaiting();
  forgetting = Promise.resolve(false);
  event.waitUntil(caches.delete(FORGOTTEN).catch(() => {}));
});
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

function ours(request) {
  const url = new URL(request.url);
  // A blob: address has the page's origin too.
  const here = url.protocol === self.location.protocol && url.origin === self.location.origin;
  return request.method === "GET" && here && !url.pathname.includes("/models/");
}

// Whether what is at this address never changes: it has its hash in its name.
function immutable(address) {
  const url = new URL(address);
  return HASHED.test(url.pathname);
}

self.addEventListener("fetch", (event) => {
  if (!ours(event.request)) return;
  event.respondWith(immutable(event.request.url) ? cacheFirst(event) : networkFirst(event));
});

async function cacheFirst(event) {
  return (await fromCache(event.request)) ?? networkFirst(event);
}

// The newest version where there is a network, so that a rebuilt page shows at once. It goes to the page while it comes, and
// is kept on the side.
async function networkFirst(event) {
  let response;
  try {
    response = await fetch(event.request);
  } catch (error) {
    const kept = await fromCache(event.request);
    if (kept) return kept;
    throw error;
  }
  // What cannot be kept (no room) can still be shown.
  if (response.ok) event.waitUntil(renew(keyOf(event.request), response.clone()).catch(() => {}));
  return response;
}

// Keeps a response in the place of an older one; rejects, and leaves the older one, where there is no room or the response
// breaks off: Cache.put has read all of it before it replaces anything.
async function renew(key, response) {
  if (await forgetting) return;
  const cache = await caches.open(CACHE);
  const tag = response.headers.get("ETag");
  if (tag && (await cache.match(key))?.headers.get("ETag") === tag) {
    // Not waited for: it is done once the page has read its own half.
    response.body?.cancel().catch(() => {});
  } else {
    await cache.put(key, response);
  }
}

async function fromCache(request) {
  const cache = await caches.open(CACHE);
  return cache.match(keyOf(request));
}

// The page is the same whatever its query says (?backend=cpu).
function keyOf(request) {
  const url = new URL(request.url);
  if (request.mode === "navigate") url.search = "";
  url.hash = "";
  return url.href;
}

// On a first visit all was loaded before this worker was there. So the page names what it needs, and says so again after
// each visit.
self.addEventListener("message", (event) => {
  if (event.data?.forget) {
    forgetting = Promise.resolve(true);
    event.waitUntil(caches.open(FORGOTTEN));
  }
  const { required, optional } = event.data?.keep ?? {};
  if (!Array.isArray(required) || !Array.isArray(optional)) return;
  event.waitUntil(keep(addresses(required), addresses(optional)).then((kept) => event.source?.postMessage({ kept })));
});

// Those that are ours, each once.
function addresses(named) {
  const urls = named.map((name) => keyOf({ url: new URL(name, self.location.href).href }));
  return new Set(urls.filter((url) => ours({ method: "GET", url })));
}

// Keeps all of it, unless nothing is to be kept; whether that worked. What is optional need not be on the server, but what comes
// from there is kept.
async function keep(required, optional) {
  if (await forgetting) return false;
  const outcomes = [
    ...[...required].map(async (url) => (await keepOne(url)) === "kept"),
    ...[...optional].map(async (url) => (await keepOne(url)) !== "failed"),
  ];
  if (!(await Promise.all(outcomes)).every(Boolean)) return false;
  // What never changes and is no longer named is of an older build, or of another copy of the page in another folder of the site.
  // Not before the newer one is here in full.
  const cache = await caches.open(CACHE);
  for (const { url } of await cache.keys()) {
    const old = url.startsWith(self.registration.scope) && immutable(url);
    if (old && !required.has(url) && !optional.has(url)) await cache.delete(url);
  }
  return true;
}

// "kept", "absent" if the server does not have it or does not answer, or "failed".
async function keepOne(url) {
  const cache = await caches.open(CACHE);
  const kept = (await cache.match(url)) !== undefined;
  if (kept && immutable(url)) return "kept";
  let response;
  try {
    // What may change is asked for anew: the browser's own cache may hold an older page, loaded under another query.
    response = await fetch(url, { cache: immutable(url) ? "force-cache" : "no-cache" });
  } catch {
    return kept ? "kept" : "absent";
  }
  if (response.ok) return renew(url, response).then(() => "kept", () => "failed");
  if (response.status === 404 || response.status === 410) return "absent";
  return kept ? "kept" : "failed";
}
