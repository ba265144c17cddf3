// Pages that mean no good: some try to reach another host in all the ways that browsers know, some never end.

// Each of them tells on itself how far it came; what says nothing is found where it would arrive.
export const ways = (elsewhere) => `<head>
  <link rel=preconnect href="${elsewhere}"><link rel=dns-prefetch href="${elsewhere}"><link rel=prefetch href="${elsewhere}/prefetch"><link rel=preload as=script href="${elsewhere}/preload">
  <link rel=modulepreload href="${elsewhere}/modulepreload"><link rel=manifest href="${elsewhere}/manifest"><link rel=icon href="${elsewhere}/icon"><link rel=stylesheet href="${elsewhere}/style">
  <style>@import url(${elsewhere}/import); @font-face { font-family: x; src: url(${elsewhere}/font); } body { background: url(${elsewhere}/background); font-family: x; }</style>
  <script type=speculationrules>{ "prefetch": [{ "source": "list", "urls": ["${elsewhere}/speculated"] }], "prerender": [{ "source": "list", "urls": ["/prerendered", "${elsewhere}/prerendered"] }] }</script>
  </head><body>
  <a id=ping href="#here" ping="${elsewhere}/ping">x</a><a id=file href="/colours" download>x</a><a id=blank href="${elsewhere}/blank" target=_blank>x</a>
  <form id=form action="${elsewhere}/form" method=post target=_blank><input name=x value=y></form><form id=framed action="${elsewhere}/framed" target=frame></form>
  <iframe name=frame></iframe><iframe srcdoc='<meta http-equiv=refresh content="0; url=${elsewhere}/refresh">'></iframe><iframe src="data:text/html,<img src=${elsewhere}/data>"></iframe>
  <object data="${elsewhere}/object"></object><embed src="${elsewhere}/embed"><video src="${elsewhere}/video" poster="${elsewhere}/poster"><track src="${elsewhere}/track" default></video>
  <script>
    const seen = {};
    const note = (name, promise) => Promise.race([promise, new Promise((_, end) => setTimeout(end, 1000))]).then(() => { seen[name] = 'got'; }, () => { seen[name] = 'nothing'; });
    const event = (target, good, bad) => new Promise((resolve, reject) => { target['on' + good] = resolve; target['on' + bad] = reject; });
    for (const id of ['ping', 'file', 'blank']) document.querySelector('#' + id).click();
    document.querySelector('#form').submit();
    document.querySelector('#framed').submit();
    const turn = new RTCPeerConnection({ iceServers: [{ urls: '${elsewhere.replace('http://', 'turn:')}?transport=tcp', username: 'x', credential: 'y' }] });
    turn.createDataChannel('x');
    turn.createOffer().then((offer) => turn.setLocalDescription(offer));
    const sheet = document.createElement('style');
    sheet.textContent = '@import url(${elsewhere}/sheet)';
    document.head.append(sheet);
    Promise.all([
      note('service', navigator.serviceWorker.register('/ways/worker.js').then(() => navigator.serviceWorker.ready).then(() => caches.match('/told')).then((told) => told || Promise.reject())),
      note('shared', new Promise((resolve, reject) => { const one = new SharedWorker('/ways/worker.js'); one.port.onmessage = ({ data }) => (data === 'got' ? resolve() : reject()); one.onerror = reject; })),
      note('events', event(new EventSource('${elsewhere}/events'), 'open', 'error')),
      note('module', import('${elsewhere}/module.js')),
      note('transport', typeof WebTransport === 'undefined' ? Promise.reject() : new WebTransport('${elsewhere.replace('http:', 'https:')}/transport').ready),
      note('kept', fetch('${elsewhere}/kept', { keepalive: true, mode: 'no-cors' })),
      note('css', event(sheet, 'load', 'error')),
    ]).then(() => { document.body.innerHTML = '<pre id=done></pre>'; document.querySelector('pre').textContent = JSON.stringify(seen); });
  </script>`;

// A worker, also of a service, that asks for something when it begins.
export const sworn = (elsewhere) => `
  const asked = fetch('${elsewhere}/from-worker', { mode: 'no-cors' });
  oninstall = (event) => event.waitUntil(asked.then(() => caches.open('x')).then((cache) => cache.put('/told', new Response('got'))));
  onconnect = ({ ports: [port] }) => asked.then(() => port.postMessage('got'), () => port.postMessage('nothing'));`;

// By path: pages that never end.
export const BUSY = {
  '/busy/alerts': '<script>for (;;) alert("x".repeat(10000))</script>',
  '/busy/prints': '<script>print(); for (;;) console.log("x".repeat(1 << 20));</script>',
  '/busy/leaves': '<script>onbeforeunload = () => "stay"; for (;;) history.pushState(null, "", "?" + Math.random());</script>',
  '/busy/hops': '<script>location = location.pathname + "?" + Math.random()</script>',
};
