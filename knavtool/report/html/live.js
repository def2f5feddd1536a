// Keeps the page as the run is: reads its parts from the process that runs it, and puts them in their place.
"use strict";
(async () => {
  const state = document.getElementById("live");
  const tell = (kind, text) => {
    state.className = kind;
    state.lastElementChild.textContent = text;
  };
  if (!window.knavtool) return tell("lost", "This browser is too old for a live page.");

  // The token came with the address, which forgets it; it is kept for this tab, so that reloading works.
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  const key = `token ${location.pathname}`;
  if (given) {
    sessionStorage.setItem(key, given);
    history.replaceState(null, "", location.pathname);
  }
  const ask = (path) => {
    const token = sessionStorage.getItem(key);
    return fetch(path, { headers: token ? { Authorization: `Bearer ${token}` } : {}, cache: "no-store" });
  };
  const base = location.pathname.replace(/\/?$/, "/");

  const parsed = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.content;
  };

  // What the reader has opened, scrolled and chosen by the keyboard stays so.
  const put = (old, fresh, replace) => {
    const all = (root, what) => [...root.querySelectorAll(what)];
    const title = (one) => (one ? `${title(one.parentElement.closest("details"))} > ${one.querySelector("summary b, summary")?.textContent}` : "");
    const open = new Set(all(old, "details[open]").map(title));
    const scrolled = new Map(all(old, ".scroll").map((one) => [one.getAttribute("aria-label"), [one.scrollLeft, one.scrollTop]]));
    for (const one of all(fresh, "details")) one.open = open.has(title(one));
    const places = all(fresh, ".scroll");
    const chosen = all(old, "a, button, summary, .scroll").indexOf(document.activeElement);
    const next = all(fresh, "a, button, summary, .scroll")[chosen];
    replace();
    next?.focus({ preventScroll: true });
    for (const one of places) {
      const at = scrolled.get(one.getAttribute("aria-label"));
      if (at) [one.scrollLeft, one.scrollTop] = at;
    }
  };

  const byId = (id) => document.getElementById(id);

  // The plot of a chart stays, and what was said about it is said anew.
  const figure = (id, html) => {
    const fresh = parsed(html).firstElementChild;
    const old = byId(id);
    const plot = old?.querySelector(".plot");
    const next = fresh.querySelector(".plot");
    if (old && plot && next) {
      plot.setAttribute("aria-label", next.getAttribute("aria-label"));
      next.replaceWith(plot); // takes it out of the old figure, in the same turn as the new one comes in
    }
    if (!old) return byId("stock").append(fresh);
    put(old, fresh, () => old.replaceWith(fresh));
  };

  const arrange = (layout) => {
    const shown = new Set(layout.flatMap(([, ids]) => ids));
    for (const one of document.querySelectorAll("main .chart, main .absent[id]")) if (!shown.has(one.id)) byId("stock").append(one);
    for (const [section, ids] of layout) {
      const parent = byId(section);
      const there = [...parent.children].filter((one) => one.matches(".chart, .absent[id]")).map((one) => one.id);
      if (there.join() !== ids.join()) parent.append(...ids.map(byId));
    }
  };

  const apply = async (parts) => {
    const charts = {};
    for (const [name, part] of parts) {
      if (name.startsWith("chart-")) {
        const id = name.slice(6);
        charts[id] = { spec: part.spec, readout: part.readout };
        figure(id, part.html);
      } else if (name.startsWith("table-")) {
        const block = byId(name) ?? document.body.appendChild(Object.assign(document.createElement("script"), { type: "text/plain", id: name }));
        block.textContent = part;
      } else if (name === "title") document.title = part;
      else if (name === "layout") continue;
      else {
        const place = byId(name);
        const fresh = parsed(part);
        const inside = fresh.firstElementChild.id === name ? [...fresh.firstElementChild.childNodes] : [fresh];
        put(place, fresh, () => place.replaceChildren(...inside));
      }
    }
    if (parts.has("layout")) arrange(parts.get("layout"));
    await window.knavtool.change(charts);
    for (const id of Object.keys(charts)) {
      const plot = document.querySelector(`[data-chart="${id}"]`);
      if (plot) window.knavtool.watch(plot);
    }
  };

  document.addEventListener("click", async (event) => {
    const name = event.target.closest("[data-csv]")?.dataset.csv;
    if (!name) return;
    if (!byId(`table-${name}`)) {
      const answer = await ask(`${base}tables/${name}`);
      if (!answer.ok) return tell("lost", `The table ${name} cannot be had: ${answer.status}`);
      await apply(new Map([[`table-${name}`, await answer.json()]]));
      await window.knavtool.save(name);
      byId(`table-${name}`).remove(); // it grows
      return;
    }
    await window.knavtool.save(name);
  });

  // Server-sent events; EventSource itself cannot send the token.
  const follow = async (stream) => {
    const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    let parts = new Map();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return false;
      const messages = (rest + value).split("\n\n");
      rest = messages.pop();
      for (const message of messages) {
        const [, event, data] = message.match(/^event: ([^\n]*)\ndata: ([^\n]*)$/) ?? [];
        if (!event) continue; // a sign of life
        if (event !== "state") {
          parts.set(event, JSON.parse(data));
          continue;
        }
        const now = JSON.parse(data);
        await apply(parts);
        parts = new Map();
        tell(now.kind, now.text);
        document.documentElement.dataset.run = now.kind;
        document.documentElement.dataset.updates = Number(document.documentElement.dataset.updates ?? 0) + 1;
        if (now.kind === "ended") return true;
      }
    }
  };

  for (let failed = 0; ; failed += 1) {
    try {
      const answer = await ask(`${base}events`);
      if (answer.status === 401) return tell("lost", "The token is wrong. Open the address that knavtool printed.");
      if (!answer.ok) return tell("lost", `The page is not to be had: ${answer.status}`);
      failed = 0;
      if (await follow(answer.body)) return;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // what a connection that breaks gives
    }
    tell("lost", "The connection is lost. The page shows the run as it was.");
    if (failed > 20) return tell("lost", "The connection is lost, and knavtool does not answer any more. The page shows the run as it was.");
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
})();
