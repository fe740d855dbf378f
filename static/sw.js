// Bastion's service worker: after a first visit, the page opens without a network, or with a bad one.
//
// The worker is a short script, because the browser starts the worker anew for many requests and waits for it: a
// WebAssembly module would first have to be fetched and compiled by the worker that serves the requests.
//
// The cache holds the page, its program, styles, icons and samples, but not the networks' weights (models/): the engine
// caches the weights by their hash. The cache may be missing, full or broken: then the network answers.

const CACHE = "bastion-page";

// Names with a hash, written by `cargo xtask`: a file of such a name never changes.
const HASHED = /-[0-9a-f]{8,}(_bg)?\.(js|wasm|css)$/;

// Time after which a kept copy is served while the network is silent, and after which the cache is no longer waited for.
const PATIENCE_MS = 4000;

// Content types of the parts of a program, by the ending of the name.
const TYPES = { js: /javascript/, css: /css/, wasm: /wasm|octet-stream|^$/ };

// Text in every index.html of Bastion, and in no other page that a hotel's network may give in its place.
const MARK = 'name="bastion-decoder"';

const pause = (ms = PATIENCE_MS) => new Promise((then) => setTimeout(then, ms));

// Returns what a task with the cache gives, or nothing if the task fails or takes too long.
const quietly = (task) => Promise.race([(async () => task())().catch(() => {}), pause()]);

// Whether the visitor has turned caching off. The page then unregisters this worker, which runs until the page is
// closed; but the browser may stop and restart the worker meanwhile, so an empty cache stores the choice until a page is
// loaded anew.
const FORGOTTEN = `forgotten ${self.registration.scope}`;
let forgetting = quietly(() => caches.has(FORGOTTEN));

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

// Returns whether this worker serves a request: a GET of the page's own origin, except for models.
function handles(request) {
  const url = new URL(request.url);
  // A blob: address has the page's origin, but another protocol.
  const here = url.protocol === self.location.protocol && url.origin === self.location.origin;
  return request.method === "GET" && here && !url.pathname.includes("/models/");
}

// Returns whether the file at an address never changes, because its name has a hash.
const immutable = (address) => HASHED.test(new URL(address).pathname);

const isPage = (address) => /(\/[^./]*|\.html?)$/.test(new URL(address).pathname);

// Returns whether a response has the type that its address promises: many hosts answer a missing file with a web page.
function fits(address, response) {
  const type = response.headers.get("Content-Type") ?? "";
  const expected = TYPES[new URL(address).pathname.split(".").pop()];
  return expected ? expected.test(type) : isPage(address) || !type.includes("html");
}

// Returns whether a response is what its address promises, and if it is a page, one of Bastion's that has these words.
async function isSound(address, response, words = []) {
  if (!response.ok || !fits(address, response)) return false;
  if (!isPage(address)) return true;
  const text = await response.clone().text();
  return [MARK, ...words].every((word) => text.includes(word));
}

self.addEventListener("fetch", (event) => {
  if (!handles(event.request)) return;
  event.respondWith(immutable(event.request.url) ? cacheFirst(event) : networkFirst(event));
});

// Responds from the cache, else from the network.
async function cacheFirst(event) {
  return (await fromCache(event.request)) ?? networkFirst(event);
}

// Responds from the network, so that a rebuilt page shows at once; but from the cache where the network fails, is silent, stops
// half-way, or answers with an error of the server or with something else. The response is cached in parallel.
async function networkFirst(event) {
  const { request } = event;
  const address = keyOf(request);
  // Programs are streamed, for the page to count; all else is small, and no answer before it is whole.
  const asked = immutable(request.url) ? ask(request) : whole(request);
  // The page itself is kept once its program has started: see `keep`. A response that cannot be cached (quota) can still be
  // shown.
  const renewed = asked.then((response) => request.mode !== "navigate" && renew(address, response.clone()));
  event.waitUntil(renewed.catch(() => {}));
  const sound = asked.then((response) => (response.status < 500 && fits(address, response) ? response : undefined));
  return (await Promise.race([sound.catch(() => {}), pause()])) ?? (await fromCache(request)) ?? asked;
}

// Returns the response of the network, which is given up once it is silent for so long that the page has given it up too: a
// request that never ends holds one of the few connections to the server, and the worker itself, when the page is gone.
function ask(request) {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), 5 * PATIENCE_MS);
  return fetch(request, { signal: limit.signal }).finally(() => clearTimeout(timer));
}

// Returns the response of the network once all of it is here: what stops half-way is no answer.
async function whole(request) {
  const response = await (request.mode === "navigate" ? fetch(request) : ask(request));
  return response.ok ? new Response(await response.blob(), response) : response;
}

// Replaces the cached response of an address by a sound one and returns whether that was done; rejects and leaves the older
// response if the quota is exceeded or the new response breaks off, because Cache.put reads all of a response before it
// replaces anything.
async function renew(key, response, words) {
  if ((await forgetting) || !(await isSound(key, response, words))) return false;
  const cache = await caches.open(CACHE);
  const tag = response.headers.get("ETag");
  if (tag && (await cache.match(key))?.headers.get("ETag") === tag) {
    // Not awaited: the promise settles only once the page has read its own branch of the stream.
    response.body?.cancel().catch(() => {});
  } else {
    await cache.put(key, response);
  }
  return true;
}

// Returns the cached response of a request, if there is a sound one; removes another one, which an earlier build may have kept.
function fromCache(request) {
  return quietly(async () => {
    const cache = await caches.open(CACHE);
    const key = keyOf(request);
    const kept = await cache.match(key);
    if (kept && (await isSound(key, kept))) return kept;
    if (kept) await cache.delete(key);
  });
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
  if (event.data?.forget) event.waitUntil(forget());
  const { required, optional, spared } = event.data?.keep ?? {};
  if (!Array.isArray(required) || !Array.isArray(optional)) return;
  const done = keep(addresses(required), addresses(optional), addresses(spared ?? []));
  event.waitUntil(done.then((kept) => kept && event.source?.postMessage({ kept })).catch(() => {}));
});

// Turns caching off and tells all open pages.
async function forget() {
  forgetting = Promise.resolve(true);
  for (const client of await self.clients.matchAll({ includeUncontrolled: true })) client.postMessage({ kept: false });
  await quietly(() => caches.open(FORGOTTEN));
}

// Returns the addresses that this worker serves, each once.
function addresses(named) {
  const urls = named.map((name) => keyOf({ url: new URL(name, self.location.href).href }));
  return new Set(urls.filter((url) => handles({ method: "GET", url })));
}

// Caches all files, and returns whether that succeeded. Optional files may be missing on the server, but one that the server
// sends must be cached; spared files are not fetched, and a copy of an earlier visit stays.
async function keep(required, optional, spared) {
  // A page asks for it that was loaded after caching was turned off.
  forgetting = Promise.resolve(false);
  await caches.delete(FORGOTTEN);
  // The page of another build names other files.
  const names = [...required].filter(immutable).map((url) => url.split("/").pop());
  const outcomes = [
    ...[...required].map(async (url) => (await keepOne(url, names)) === "kept"),
    ...[...optional].map(async (url) => (await keepOne(url, names)) !== "failed"),
  ];
  if (!(await Promise.all(outcomes)).every(Boolean)) return false;
  // What cannot be read back is not kept.
  const copies = await Promise.all([...required].map((url) => fromCache({ url })));
  if (!copies.every(Boolean)) return false;
  // Files that never change and are no longer listed are of an older build: delete them once the newer build is complete,
  // unless another open page may be of the older build. Files of a copy of the page in another folder of the site are out of
  // this worker's scope, and stay.
  if ((await self.clients.matchAll({ type: "window" })).length > 1) return true;
  const cache = await caches.open(CACHE);
  for (const { url } of await cache.keys()) {
    // Earlier builds had their version in the query.
    const versioned = immutable(url) || new URL(url).search !== "";
    const old = url.startsWith(self.registration.scope) && versioned;
    if (old && ![required, optional, spared].some((files) => files.has(url))) await cache.delete(url);
  }
  return true;
}

// Caches one file. Returns "kept", "absent" if the server does not have the file or does not respond, or "failed".
async function keepOne(url, names) {
  const copy = await fromCache({ url });
  const kept = copy !== undefined && (await isSound(url, copy, names));
  if (kept && immutable(url)) return "kept";
  // Files that may change are revalidated: the browser's HTTP cache may hold an older page, loaded under another query.
  const asked = fetch(url, { cache: immutable(url) ? "force-cache" : "no-cache" });
  const response = await Promise.race([asked.catch(() => {}), pause(4 * PATIENCE_MS)]);
  if (!response) return kept ? "kept" : "absent";
  if (response.ok) return renew(url, response, names).then((done) => (done || kept ? "kept" : "failed"), () => "failed");
  if (response.status === 404 || response.status === 410) return "absent";
  return kept ? "kept" : "failed";
}
