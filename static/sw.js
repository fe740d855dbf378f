// Bastion's service worker: after a first visit, the page opens without a network.
//
// It is JavaScript, and so small, because a browser starts it anew for many a request and waits for it: a WebAssembly
// module would first have to be fetched and compiled, by the very script that is to fetch things.
//
// What it keeps: the page, its program, styles, icons and samples. The networks' weights (models/) it leaves alone: the
// engine keeps those itself, by their hash.

const CACHE = "bastion-page";

// Trunk puts a hash into these names: such a file never changes.
const HASHED = /-[0-9a-f]{8,}(_bg)?\.(js|wasm|css)$/;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

function ours(request) {
  const url = new URL(request.url);
  // A blob: address has the page's origin too.
  const here = url.protocol === self.location.protocol && url.origin === self.location.origin;
  return request.method === "GET" && here && !url.pathname.includes("/models/");
}

self.addEventListener("fetch", (event) => {
  if (!ours(event.request)) return;
  const hashed = HASHED.test(new URL(event.request.url).pathname);
  event.respondWith(hashed ? cacheFirst(event.request) : networkFirst(event.request));
});

async function cacheFirst(request) {
  return (await fromCache(request)) ?? networkFirst(request);
}

// The newest version where there is a network, so that a rebuilt page shows at once.
async function networkFirst(request) {
  try {
    const response = await fetch(request);
    if (response.ok) {
      const cache = await caches.open(CACHE);
      // What cannot be kept (no room) can still be shown.
      await cache.put(keyOf(request), response.clone()).catch(() => {});
    }
    return response;
  } catch (error) {
    const kept = await fromCache(request);
    if (kept) return kept;
    throw error;
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
// each visit; what has a hash and is no longer named is of an older build.
self.addEventListener("message", (event) => {
  const named = event.data?.keep;
  if (!Array.isArray(named)) return;
  event.waitUntil(keep(named).then((kept) => event.source?.postMessage({ kept })));
});

async function keep(named) {
  const cache = await caches.open(CACHE);
  const wanted = new Set();
  for (const name of named) {
    const url = new URL(name, self.location.href);
    url.search = "";
    url.hash = "";
    if (ours({ method: "GET", url: url.href })) wanted.add(url.href);
  }
  const results = await Promise.allSettled(
    [...wanted].map(async (url) => {
      if (await cache.match(url)) return;
      // The browser has just loaded it, so its own cache is new enough.
      const response = await fetch(url, { cache: "force-cache" });
      if (response.ok) await cache.put(url, response);
    }),
  );
  for (const request of await cache.keys()) {
    if (HASHED.test(new URL(request.url).pathname) && !wanted.has(request.url)) await cache.delete(request);
  }
  return results.every((result) => result.status === "fulfilled");
}
